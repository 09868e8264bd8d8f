"""What waits to be sent: its order, its size, and who waits for it."""

import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quaich.exchange.call import PeerGone
from quaich.server.connections.outbox import Outbox
from server.wire import wait_until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A socket to send with, which takes little at once, and its peer."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(10)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, theirs:
        yield ours, theirs


def everything(outbox: Outbox, theirs: socket.socket, size: int) -> bytes:
    """Flush and read in turn, until so much has come."""
    received = bytearray()
    while len(received) < size:
        outbox.flush()
        received += theirs.recv(65536)
    return bytes(received)


def test_bytes_go_out_in_their_order(pair: Pair) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    blocks: list[Any] = [b"one", memoryview(b"two"), b"", b"x" * 100_000, b"three", *[b"y"] * 500]
    for block in blocks:
        outbox.put(block)
    data = b"".join(blocks)
    assert outbox.size == len(data)
    assert everything(outbox, theirs, len(data)) == data
    assert outbox.flush()
    assert (outbox.size, outbox.total) == (0, len(data))


def test_nothing_is_no_part(pair: Pair) -> None:
    outbox = Outbox(pair[0])
    outbox.put(b"")
    assert outbox.flush()


def test_flush_says_whether_that_was_all(pair: Pair) -> None:
    outbox = Outbox(pair[0])
    assert outbox.flush()
    outbox.put(b"x" * 1_000_000)
    assert not outbox.flush()
    assert outbox.size + outbox.total == 1_000_000
    assert outbox.total > 0
    before = outbox.total
    assert not outbox.flush()
    assert outbox.total == before


@pytest.mark.parametrize("sendable", [True, False])
def test_files_between_bytes(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sendable: bool
) -> None:
    """Also where the system cannot send them; and though their owner has closed them."""
    if not sendable:

        def cannot(*args: int) -> int:
            raise OSError(22, "Invalid argument")

        monkeypatch.setattr(os, "sendfile", cannot)
    ours, theirs = pair
    path = tmp_path / "file"
    content = bytes(range(256)) * 1000
    path.write_bytes(content)
    outbox = Outbox(ours)
    outbox.put(b"before ")
    with path.open("rb") as file:
        outbox.put_file(file.fileno(), [(5, 1000)])
        outbox.put(b" between ")
        outbox.put_file(file.fileno(), [(0, len(content))])
        file.seek(77)
        assert file.tell() == 77
    outbox.put(b" behind")
    data = b"before " + content[5:1005] + b" between " + content + b" behind"
    assert outbox.size == len(data)
    assert everything(outbox, theirs, len(data)) == data


def test_a_file_that_became_shorter_breaks_it(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"short")
    outbox = Outbox(pair[0])
    with path.open("rb") as file:
        outbox.put_file(file.fileno(), [(0, 10)])
    with pytest.raises(PeerGone, match="shorter"):
        outbox.flush()
    with pytest.raises(PeerGone):
        outbox.flush()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only how many


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("ending", ["sent", "failed", "broken"])
def test_files_are_closed(pair: Pair, tmp_path: Path, ending: str) -> None:
    ours, theirs = pair
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = descriptors()
    outbox = Outbox(ours)
    with path.open("rb") as file:
        outbox.put_file(file.fileno(), [(0, 7)])
        outbox.put_file(file.fileno(), [(0, 7)])
    assert descriptors() == before + 2
    if ending == "sent":
        assert everything(outbox, theirs, 14) == b"content" * 2
    elif ending == "failed":
        outbox.fail(OSError("no more"))
    else:
        theirs.close()
        before -= 1
        with pytest.raises(PeerGone):
            outbox.flush()
    assert descriptors() == before


def test_a_peer_that_has_gone(pair: Pair) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.put(b"content")
    theirs.close()
    with pytest.raises(PeerGone):
        outbox.flush()
    assert isinstance(outbox.broken, OSError)
    assert outbox.size == 0
    with pytest.raises(PeerGone):
        outbox.wait_for_room(1, 10)


def test_failing_twice_keeps_the_first_reason(pair: Pair) -> None:
    outbox = Outbox(pair[0])
    outbox.fail(OSError("the first"))
    outbox.fail(OSError("the second"))
    with pytest.raises(PeerGone, match="the first"):
        outbox.flush()


# --- Waiting for room -------------------------------------------------------------------------


def test_where_there_is_room_nobody_waits(pair: Pair) -> None:
    outbox = Outbox(pair[0])
    outbox.put(b"x" * 10)
    outbox.wait_for_room(10, 60)
    outbox.wait_for_room(1000, 60)


@pytest.mark.parametrize("limit", [0, 1, 50_000])
def test_who_waits_goes_on_once_there_is_room(pair: Pair, limit: int) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.put(b"x" * 500_000)
    outbox.flush()
    sizes: list[int] = []

    def wait() -> None:
        outbox.wait_for_room(limit, 10)
        sizes.append(outbox.size)

    thread = threading.Thread(target=wait)
    thread.start()
    assert not sizes
    assert everything(outbox, theirs, 500_000) == b"x" * 500_000
    thread.join(10)
    assert sizes
    assert sizes[0] <= limit


def test_a_peer_that_takes_nothing_is_given_up(pair: Pair) -> None:
    outbox = Outbox(pair[0])
    outbox.put(b"x" * 500_000)
    outbox.flush()
    with pytest.raises(PeerGone, match=r"read nothing for 0\.02 s"):
        outbox.wait_for_room(10, 0.02)
    assert outbox.broken is not None


def test_who_waits_is_told_that_it_is_over(pair: Pair) -> None:
    outbox = Outbox(pair[0])
    outbox.put(b"x" * 500_000)
    outbox.flush()
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            outbox.wait_for_room(10, 10)
        except PeerGone as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    outbox.fail(OSError("it is over"))
    thread.join(10)
    assert str(raised[0]) == "it is over"


def test_two_threads_at_once(pair: Pair) -> None:
    """One adds and waits, another sends: nothing is lost, doubled or out of order."""
    ours, theirs = pair
    outbox = Outbox(ours)
    blocks = [bytes([number % 256]) * (number % 3000) for number in range(300)]
    ended = threading.Event()

    def produce() -> None:
        for block in blocks:
            outbox.put(block)
            outbox.flush()
            outbox.wait_for_room(5000, 10)

    def flush() -> None:
        while not ended.is_set():
            select.select([], [ours], [], 0.1)
            outbox.flush()

    threads = [threading.Thread(target=produce), threading.Thread(target=flush)]
    for thread in threads:
        thread.start()
    data = b"".join(blocks)
    received = bytearray()
    while len(received) < len(data):
        received += theirs.recv(65536)
    ended.set()
    for thread in threads:
        thread.join(10)
    assert received == data
    wait_until(lambda: not outbox.size, "the outbox to be empty")


def test_a_file_does_not_keep_others_waiting(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast its client reads: after a share of it, whoever flushes has time for others."""
    most, size = 2 * 1024 * 1024, 5 * 1024 * 1024
    asked: list[int] = []

    def takes_all(out: int, file: int, offset: int, count: int) -> int:
        asked.append(count)
        return count

    monkeypatch.setattr(os, "sendfile", takes_all)
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, size)
    outbox = Outbox(pair[0])
    with path.open("rb") as file:
        outbox.put_file(file.fileno(), [(0, size)])
    assert [outbox.flush() for _ in range(3)] == [False, False, True]
    assert asked == [most, most, size - 2 * most]
