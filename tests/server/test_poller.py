"""What a poller promises, for each of them."""

import os
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from quaich.server.poller import READ, WRITE, Poller, open_poller
from server.wire import PATIENCE, wait_until

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def waiter(poller: str) -> Iterator[Poller]:
    made = open_poller(poller)
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Our socket, which is watched, and its peer."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def mask_of(waiter: Poller, sock: socket.socket, seconds: float = PATIENCE) -> int:
    """What is reported of a socket by the next wait that reports anything."""
    return dict(waiter.wait(seconds)).get(sock.fileno(), 0)


def fill(sock: socket.socket) -> None:
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass


def test_by_name(poller: str) -> None:
    made = open_poller(poller)
    assert made.name == "epoll" or poller == "selectors"
    made.close()
    auto = open_poller()
    assert isinstance(auto, type(open_and_close("auto")))
    auto.close()


def open_and_close(name: str) -> Poller:
    made = open_poller(name)
    made.close()
    return made


def test_nothing_happens(waiter: Poller, pair: Pair) -> None:
    waiter.add(pair[0].fileno())
    assert waiter.wait(0) == []
    begun = monotonic()
    assert waiter.wait(0.02) == []
    assert monotonic() - begun > 0.01


def test_what_has_come_is_reported(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    for _ in range(3):
        theirs.send(b"x")
        assert mask_of(waiter, ours) & READ
        assert ours.recv(10) == b"x"


def test_what_came_before_it_was_added_is_reported(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    waiter.add(ours.fileno())
    assert mask_of(waiter, ours) & READ


def test_an_end_is_reported_as_something_to_read(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    theirs.shutdown(socket.SHUT_WR)
    assert mask_of(waiter, ours) & READ
    assert ours.recv(10) == b""


def test_room_is_reported_once_it_is_wanted(waiter: Poller, pair: Pair) -> None:
    ours = pair[0]
    waiter.add(ours.fileno())
    assert waiter.wait(0) == []  # there is room, and nobody wants it
    waiter.want_write(ours.fileno())
    assert mask_of(waiter, ours) & WRITE
    assert waiter.wait(0) == []  # once


def test_room_is_reported_when_there_is_some(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    fill(ours)
    waiter.want_write(ours.fileno())
    assert not mask_of(waiter, ours, 0) & WRITE
    theirs.setblocking(False)
    try:
        while theirs.recv(65536):
            pass
    except BlockingIOError:
        pass
    assert mask_of(waiter, ours) & WRITE


def test_wanted_again_it_is_reported_again(waiter: Poller, pair: Pair) -> None:
    waiter.add(pair[0].fileno())
    for _ in range(3):
        waiter.want_write(pair[0].fileno())
        assert mask_of(waiter, pair[0]) & WRITE


def test_of_a_muted_one_nothing_is_reported_twice(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    theirs.send(b"x")
    assert mask_of(waiter, ours) & READ
    waiter.mute(ours.fileno())
    assert waiter.wait(0) == []
    assert waiter.wait(0) == []


def test_after_muting_what_comes_is_reported_again(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    theirs.send(b"x")
    assert mask_of(waiter, ours) & READ
    waiter.mute(ours.fileno())
    waiter.wait(0)
    waiter.unmute(ours.fileno())
    assert ours.recv(10) == b"x"  # as the one who unmutes has to try
    waiter.wait(0)
    theirs.send(b"y")
    assert mask_of(waiter, ours) & READ


def test_a_muted_one_may_still_be_written_to(waiter: Poller, pair: Pair) -> None:
    ours = pair[0]
    waiter.add(ours.fileno())
    waiter.mute(ours.fileno())
    waiter.want_write(ours.fileno())
    assert mask_of(waiter, ours) & WRITE


def test_what_was_removed_is_not_reported(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    waiter.wait(0)
    waiter.remove(ours.fileno())
    theirs.send(b"x")
    assert waiter.wait(0) == []
    waiter.remove(ours.fileno())  # twice does no harm
    waiter.mute(ours.fileno())  # nor does a wish of somebody who does not know yet
    assert waiter.wait(0) == []


def test_a_number_that_is_used_again(waiter: Poller) -> None:
    """A descriptor is removed and closed, and the next socket has its number."""
    for _ in range(5):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            waiter.add(ours.fileno())
            waiter.want_write(ours.fileno())
            theirs.send(b"x")
            assert mask_of(waiter, ours) & READ
            waiter.remove(ours.fileno())


def test_a_listener_is_reported_as_long_as_somebody_waits(waiter: Poller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        waiter.add_listener(listening.fileno())
        with socket.create_connection(listening.getsockname()):
            assert mask_of(waiter, listening) & READ
            assert mask_of(waiter, listening) & READ
            accepted, _ = listening.accept()
            accepted.close()
            assert waiter.wait(0) == []
        waiter.remove(listening.fileno())


def test_wake_ends_the_next_wait(waiter: Poller) -> None:
    waiter.wake()
    waiter.wake()
    begun = monotonic()
    assert waiter.wait(PATIENCE) == []
    assert monotonic() - begun < PATIENCE / 2
    assert waiter.wait(0) == []


def test_wake_ends_the_present_wait(waiter: Poller) -> None:
    ended: list[object] = []
    thread = threading.Thread(target=lambda: ended.append(waiter.wait(None)))
    thread.start()
    waiter.wake()
    thread.join(PATIENCE)
    assert ended == [[]]


def test_wake_loses_no_event(waiter: Poller, pair: Pair) -> None:
    ours, theirs = pair
    waiter.add(ours.fileno())
    theirs.send(b"x")
    waiter.wake()
    masks = mask_of(waiter, ours) | mask_of(waiter, ours, 0)
    assert masks & READ


@pytest.mark.parametrize("wish", ["add", "want_write", "unmute"])
def test_a_wish_during_a_wait_is_granted(waiter: Poller, pair: Pair, wish: str) -> None:
    ours, theirs = pair
    if wish != "add":
        waiter.add(ours.fileno())
    if wish == "unmute":
        waiter.mute(ours.fileno())
        waiter.wait(0)
    masks: list[int] = []

    def wait() -> None:
        while not masks:
            mask = mask_of(waiter, ours, PATIENCE)
            if mask:
                masks.append(mask)

    thread = threading.Thread(target=wait)
    thread.start()
    getattr(waiter, wish)(ours.fileno())
    if wish != "want_write":
        theirs.send(b"x")
    thread.join(PATIENCE)
    assert masks
    assert masks[0] & (WRITE if wish == "want_write" else READ)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")  # noqa: PTH110
def test_closing_gives_back_what_it_has(poller: str) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only how many
    open_poller(poller).close()
    wait_until(lambda: len(os.listdir("/proc/self/fd")) == before, "the descriptors")  # noqa: PTH208


def test_one_that_is_closed_takes_wishes_and_does_nothing(poller: str, pair: Pair) -> None:
    """Of threads that come back from an application after the server's end. What gets the number
    of one of its descriptors meanwhile, is not written to."""
    ours, _ = pair
    made = open_poller(poller)
    made.add(ours.fileno())
    made.close()
    read, write = os.pipe()
    others = [os.dup(write) for _ in range(10)]
    made.wake()
    for wish in (made.want_write, made.mute, made.unmute, made.remove):
        wish(ours.fileno())
    os.set_blocking(read, False)
    with pytest.raises(BlockingIOError):
        os.read(read, 8)
    for fd in (read, write, *others):
        os.close(fd)
