"""``wsgi.input`` over a body decoder."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from protocol.wire import Source
from quaich.exchange.input import READ_MAX, Input, file_receiver
from quaich.protocol.body import Chunked, Length
from quaich.protocol.errors import BodyError, IncompleteBody

CONTENT = b"first\nsecond\n\nlast"
CHUNKS = b"6\r\nfirst\n\r\n2;a=b\r\nse\r\n0a\r\ncond\n\nlast\r\n0\r\nVary: *\r\n\r\n"


def over_length(sizes: list[int]) -> Input:
    return Input(Length(len(CONTENT)), Source(CONTENT + b"GET /", sizes))


def over_chunks(sizes: list[int]) -> Input:
    return Input(Chunked(), Source(CHUNKS + b"GET /", sizes))


@pytest.fixture(params=[over_length, over_chunks])
def over(request: pytest.FixtureRequest) -> Callable[[list[int]], Input]:
    maker: Callable[[list[int]], Input] = request.param
    return maker


@pytest.fixture(params=[[1], [3], [1 << 20]], ids=["singly", "by three", "whole"])
def stream(request: pytest.FixtureRequest, over: Callable[[list[int]], Input]) -> Input:
    return over(request.param)


@pytest.mark.rule("S49")
def test_read_gives_all_and_then_nothing(stream: Input) -> None:
    assert stream.read() == CONTENT
    assert stream.read() == b""
    assert stream.read(5) == stream.readline() == stream.read1() == b""
    assert stream.readlines() == []
    assert stream.ended


@pytest.mark.rule("S50")
@pytest.mark.parametrize("size", [None, -1, -7])
def test_no_size_is_all(stream: Input, size: int | None) -> None:
    assert stream.read(2) == b"fi"
    assert stream.read(size) == CONTENT[2:]


@pytest.mark.rule("S50")
def test_a_size_is_reached_if_the_body_has_it(stream: Input) -> None:
    assert stream.read(0) == b""
    assert [stream.read(7) for _ in range(4)] == [b"first\ns", b"econd\n\n", b"last", b""]


@pytest.mark.rule("S53")
def test_lines(over: Callable[[list[int]], Input]) -> None:
    lines = [b"first\n", b"second\n", b"\n", b"last"]
    for sizes in ([1], [4], [1 << 20]):
        assert list(over(sizes)) == lines
        assert over(sizes).readlines() == lines
        stream = over(sizes)
        assert [stream.readline() for _ in range(5)] == [*lines, b""]


@pytest.mark.rule("S54")
def test_a_line_has_at_most_the_size_that_is_given(stream: Input) -> None:
    assert stream.readline(0) == b""
    assert stream.readline(3) == b"fir"
    assert stream.readline(10) == b"st\n"
    assert stream.readline(7) == b"second\n"
    assert stream.readline(-1) == b"\n"
    assert stream.readline(None) == b"last"


@pytest.mark.rule("S55")
@pytest.mark.parametrize(
    ("hint", "count"), [(None, 4), (-1, 4), (0, 4), (1, 1), (6, 1), (7, 2), (13, 2), (100, 4)]
)
def test_readlines_stops_at_the_hint(stream: Input, hint: int | None, count: int) -> None:
    assert len(stream.readlines(hint)) == count


def test_read1_gives_what_is_there(stream: Input) -> None:
    assert stream.read1(0) == b""
    content = b""
    while block := stream.read1(4):
        assert len(block) <= 4
        content += block
    assert content == CONTENT


def test_readinto(stream: Input) -> None:
    buffer = bytearray(10)
    assert stream.readinto(buffer) == 10
    assert buffer == CONTENT[:10]
    assert 1 <= stream.readinto1(buffer) <= len(CONTENT) - 10
    assert stream.readable()


def test_a_text_layer_can_be_put_on_top(stream: Input) -> None:
    layer: Any = stream
    with io.TextIOWrapper(layer, encoding="ascii") as text:
        assert text.readline() == "first\n"
        assert text.read() == "second\n\nlast"
    assert stream.read() == b""  # not closed


def test_another_buffer_can_be_put_on_top(stream: Input) -> None:
    copy = io.BytesIO()
    while block := stream.read(4):
        copy.write(block)
    assert copy.getvalue() == CONTENT


@pytest.mark.rule("A32")
def test_close_does_nothing(stream: Input) -> None:
    stream.close()
    assert not stream.closed
    with stream:
        assert stream.read(5) == b"first"
    assert stream.read() == CONTENT[5:]


@pytest.mark.parametrize("name", ["detach", "fileno", "tell"])
def test_the_stream_gives_nothing_away(stream: Input, name: str) -> None:
    with pytest.raises(io.UnsupportedOperation):
        getattr(stream, name)()
    assert not stream.seekable()
    assert not stream.writable()
    assert not stream.isatty()


# --- What is asked of the peer ----------------------------------------------------------


@pytest.mark.rule("S52")
def test_nothing_is_asked_of_the_peer_behind_the_body(over: Callable[[list[int]], Input]) -> None:
    for sizes in ([1], [1 << 20]):
        stream = over(sizes)
        source = stream._receive
        assert isinstance(source, Source)
        stream.read()
        assert source(100) == b"GET /"[: sizes[0]]


@pytest.mark.rule("S52")
def test_an_empty_body_asks_nothing() -> None:
    def receive(size: int) -> bytes:
        raise AssertionError("a read that would wait for ever")

    stream = Input(Length(0), receive)
    assert stream.read() == stream.read(1) == stream.readline() == stream.read1() == b""
    assert stream.readlines() == list(stream) == []
    assert stream.discard() is None


def test_a_read_asks_for_a_bounded_number_of_bytes() -> None:
    asked = []

    def receive(size: int) -> bytes:
        asked.append(size)
        return b"x" * size

    stream = Input(Length(READ_MAX + 10), receive)
    assert len(stream.read()) == READ_MAX + 10
    assert asked == [READ_MAX, 10]


@pytest.mark.rule("S92")
@pytest.mark.parametrize("method", ["read", "readline", "readlines", "read1", "__next__"])
def test_before_reading_is_called_once_and_first(method: str) -> None:
    calls: list[str] = []

    def receive(size: int) -> bytes:
        calls.append("receive")
        return b"x"

    stream = Input(Length(3), receive, lambda: calls.append("hook"))
    assert calls == []
    stream.read(0)
    assert calls == []
    getattr(stream, method)()
    stream.read()
    assert calls == ["hook", "receive", "receive", "receive"]


@pytest.mark.rule("S92")
def test_before_reading_is_not_called_for_an_empty_body() -> None:
    calls: list[str] = []
    stream = Input(Length(0), lambda size: b"", lambda: calls.append("hook"))
    assert stream.read() == b""
    assert calls == []


def test_before_reading_may_fail() -> None:
    def fail() -> None:
        raise BrokenPipeError

    stream = Input(Length(3), lambda size: b"abc", fail)
    with pytest.raises(BrokenPipeError) as info:
        stream.read()
    assert stream.fault is info.value
    assert stream.read() == b"abc"  # and it is not called again


def test_discard_takes_the_body_out_of_the_way() -> None:
    source = Source(CHUNKS + b"GET /")
    hook: list[None] = []
    stream = Input(Chunked(), source, lambda: hook.append(None))
    sizes = []
    while (size := stream.discard()) is not None:
        sizes.append(size)
    assert sum(sizes) == len(CONTENT)
    assert stream.ended
    assert source(100) == b"GET /"
    assert hook == []  # no 100 (Continue) for bytes that nobody wants


# --- Faults -----------------------------------------------------------------------------


@pytest.mark.rule("H077")
@pytest.mark.parametrize(
    "read",
    [Input.read, Input.readlines, list, lambda stream: stream.read(50)],
    ids=["read", "readlines", "list", "read(50)"],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_breaks_off_is_an_error(chunked: bool, read: Callable[[Input], object]) -> None:
    if chunked:
        stream = Input(Chunked(), Source(CHUNKS[:-20]))
    else:
        stream = Input(Length(len(CONTENT) + 1), Source(CONTENT))
    with pytest.raises(IncompleteBody) as info:
        read(stream)
    assert stream.fault is info.value
    assert not stream.ended
    with pytest.raises(IncompleteBody):
        stream.read()


@pytest.mark.rule("H077")
def test_what_came_before_the_break_can_be_read() -> None:
    stream = Input(Length(100), Source(b"one\ntwo"))
    assert stream.readline() == b"one\n"
    assert stream.read1(2) == b"tw"
    assert stream.read(1) == b"o"
    assert stream.fault is None
    with pytest.raises(IncompleteBody, match="93 bytes"):
        stream.readline()


@pytest.mark.rule("H080")
def test_broken_framing_is_an_error_behind_the_content() -> None:
    stream = Input(Chunked(), Source(b"3\r\nabc\r\nnonsense\r\n"))
    assert stream.read(3) == b"abc"
    for _ in range(2):
        with pytest.raises(BodyError) as info:
            stream.read(1)
        assert info.value.rule == "H080"
        assert stream.fault is info.value


def test_the_fault_of_a_decoder_is_raised_before_more_is_asked_of_the_peer() -> None:
    blocks = [b"1\r\na\r\nnonsense\r\n"]
    stream = Input(Chunked(), lambda size: blocks.pop())
    assert stream.read1() == b"a"
    with pytest.raises(BodyError):
        stream.read1()


def test_an_error_of_the_transport_is_passed_on_and_kept() -> None:
    error = TimeoutError("too slow")

    def receive(size: int) -> bytes:
        raise error

    stream = Input(Length(5), receive)
    with pytest.raises(TimeoutError) as info:
        stream.readline()
    assert info.value is stream.fault is error


# --- Files as sources -------------------------------------------------------------------


class Whole:
    """A file object without ``read1``."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        self.read = self._stream.read
        self.readline = self._stream.readline


@pytest.mark.rule("S52")
@pytest.mark.parametrize(
    "kind", [io.BytesIO, Whole, lambda data: io.BufferedReader(io.BytesIO(data))]
)
def test_a_file_as_the_source(kind: Callable[[bytes], io.BytesIO]) -> None:
    file = kind(CHUNKS + b"GET /")
    assert Input(Chunked(), file_receiver(file)).read() == CONTENT
    assert file.read() == b"GET /"
    file = kind(CONTENT + b"GET /")
    assert Input(Length(len(CONTENT)), file_receiver(file)).read() == CONTENT
    assert file.read() == b"GET /"


def test_no_file_is_a_source_at_its_end() -> None:
    stream = Input(Length(1), file_receiver(None))
    with pytest.raises(IncompleteBody):
        stream.read()
