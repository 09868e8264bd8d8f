"""A request's content, gathered."""

import io
import tempfile
from typing import Any

import pytest

from protocol.wire import cut, singly
from quaich.protocol.body import Chunked, Decoder, Length
from quaich.protocol.errors import BodyError
from quaich.server.connections.content import Content, ContentInput
from server.wire import chunks

DATA = bytes(range(256))


def gather(decoder: Decoder, blocks: list[bytes], memory: int, limit: int = 0) -> Content:
    gathered = Content(decoder, memory, limit)
    for number, block in enumerate(blocks):
        assert gathered.feed(block) is (number == len(blocks) - 1)
    return gathered


@pytest.mark.parametrize("memory", [0, 10, 255, 256, 1000])
@pytest.mark.parametrize("blocks", [[DATA], cut(DATA, [100, 50]), singly(DATA)])
def test_whatever_the_pieces_it_is_the_content(memory: int, blocks: list[bytes]) -> None:
    gathered = gather(Length(len(DATA)), blocks, memory)
    assert gathered.size == len(DATA)
    file = gathered.input()
    assert isinstance(file, io.BytesIO) is (memory >= len(DATA))
    assert file.read(3) == DATA[:3]
    assert file.read() == DATA[3:]
    assert file.read() == b""
    gathered.close()
    gathered.close()


@pytest.mark.parametrize("memory", [0, 1000])
def test_of_chunks_only_the_content_is_kept(memory: int) -> None:
    data = chunks(DATA, b"more")
    gathered = gather(Chunked(), [data[:7], data[7:]], memory)
    assert gathered.size == len(DATA) + 4
    assert gathered.input().read() == DATA + b"more"
    gathered.close()


def test_what_stands_behind_it_is_left_to_the_decoder() -> None:
    gathered = gather(Length(3), [b"one and the next"], 100)
    assert gathered.input().read() == b"one"
    assert gathered.decoder.excess == b" and the next"


def test_the_temporary_file_is_closed() -> None:
    gathered = gather(Length(3), [b"one"], 0)
    file = gathered.input()
    gathered.close()
    assert file.closed


def test_content_in_memory_outlives_it() -> None:
    """An application's thread may still read."""
    gathered = gather(Length(3), [b"one"], 3)
    file = gathered.input()
    gathered.close()
    assert file.read() == b"one"


@pytest.mark.rule("H076")
def test_too_long_is_refused_before_anything_is_read() -> None:
    Content(Length(10), 100, 10)
    Content(Length(10**15), 100, 0)
    with pytest.raises(BodyError, match="larger than 10 bytes") as info:
        Content(Length(11), 100, 10)
    assert (info.value.rule, info.value.status) == ("H076", 413)


@pytest.mark.rule("H076")
def test_too_many_chunks_are_refused_when_they_come() -> None:
    gathered = Content(Chunked(), 100, 10)
    assert not gathered.feed(chunks(b"x" * 10)[:-5])
    with pytest.raises(BodyError) as info:
        gathered.feed(b"1\r\nx\r\n")
    assert info.value.status == 413


@pytest.mark.rule("H080")
def test_broken_chunks_are_refused() -> None:
    with pytest.raises(BodyError) as info:
        Content(Chunked(), 100, 10).feed(b"nonsense\r\n")
    assert info.value.status == 400


def test_a_file_that_cannot_be_written_is_the_systems_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    gathered = Content(Length(3), 0, 0)
    with pytest.raises(OSError, match="No space"):
        gathered.feed(b"one")
    gathered.close()


# --- Content that the application reads itself ------------------------------------------------


class Peer:
    """Gives a block for each call; counts them."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = list(blocks)
        self.calls = 0

    def __call__(self, size: int) -> bytes:
        self.calls += 1
        return self._blocks.pop(0)


def test_it_is_read_when_it_is_asked_for() -> None:
    peer = Peer(b"on", b"etwo")
    stream = ContentInput(Length(6), peer, None, 0)
    assert peer.calls == 0
    assert stream.read(2) == b"on"
    assert peer.calls == 1
    assert stream.read() == b"etwo"
    assert stream.ended


@pytest.mark.rule("H076")
def test_read_by_the_application_too_much_is_refused_as_well() -> None:
    with pytest.raises(BodyError):
        ContentInput(Length(11), Peer(), None, 10)
    data = chunks(b"x" * 6, b"x" * 5)
    stream = ContentInput(Chunked(), Peer(data[:11], data[11:]), None, 10)
    assert stream.read(6) == b"x" * 6
    with pytest.raises(BodyError) as info:
        stream.read()
    assert info.value.status == 413
    assert stream.fault is info.value


@pytest.mark.rule("H095")
def test_100_is_not_sent_once_the_response_has_begun() -> None:
    told: list[int] = []
    stream = ContentInput(Length(3), Peer(b"one"), lambda: told.append(1), 0)
    assert stream.awaits_continue
    stream.forgo_continue()
    assert not stream.awaits_continue
    assert stream.read() == b"one"
    assert told == []
