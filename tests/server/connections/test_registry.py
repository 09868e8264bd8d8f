"""The connections of the process: which is overdue, and which can be spared."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from quaich.server.connections.connection import Connection, State
from quaich.server.connections.outbox import Outbox
from quaich.server.connections.registry import Connections
from quaich.server.poller import open_poller
from quaich.settings import Timeouts

TIMEOUTS = Timeouts(keep_alive=75.0, header_timeout=30.0)

# What a connection asks of the loop when it is made.
OWNER = SimpleNamespace(origin_fields=lambda has_date, has_server: "")


class Made:
    """A registry, and connections in it."""

    def __init__(self, stack: ExitStack, poller: str) -> None:
        self._stack = stack
        waiter = open_poller(poller)
        stack.callback(waiter.close)
        self.registry = Connections(waiter, TIMEOUTS)
        self.peers: dict[Connection, socket.socket] = {}

    def connection(self, deadline: float = 0.0, *, served: bool = True, **state: Any) -> Connection:
        """``served``: it has had a request before."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(10)
        self._stack.callback(theirs.close)
        self._stack.callback(ours.close)
        made = Connection(ours, ("127.0.0.1", 1), OWNER, SimpleNamespace(environ={}))
        made.deadline = deadline
        if served:
            made.request = object()
        for name, value in state.items():
            setattr(made, name, value)
        self.registry.add(made)
        self.peers[made] = theirs
        return made


@pytest.fixture
def made(poller: str) -> Iterator[Made]:
    with ExitStack() as stack:
        yield Made(stack, poller)


def test_it_knows_them_by_descriptor(made: Made) -> None:
    one, two = made.connection(), made.connection()
    assert made.registry.by_fd == {one.fd: one, two.fd: two}
    assert len(made.registry) == 2


def test_closing_ends_all_that_a_connection_has(made: Made) -> None:
    connection = made.connection()
    connection.outbox = outbox = Outbox(connection.socket)
    outbox.put(b"content")
    made.registry.close(connection)
    assert connection.state is State.CLOSED
    assert connection.gone
    assert outbox.broken is not None
    assert len(made.registry) == 0
    assert made.peers[connection].recv(10) == b""
    made.registry.close(connection)


def test_a_reset_is_no_clean_end() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname(), 10) as client,
    ):
        accepted, peer = listening.accept()
        waiter = open_poller()
        registry = Connections(waiter, TIMEOUTS)
        connection = Connection(accepted, peer, OWNER, SimpleNamespace(environ={}))
        registry.add(connection)
        registry.reset(connection)
        with pytest.raises(ConnectionResetError):
            client.recv(10)
        waiter.close()


def test_closing_says_once_that_there_is_room(made: Made) -> None:
    told: list[int] = []
    made.registry.on_room = lambda: told.append(1)
    one, two = made.connection(), made.connection()
    made.registry.close(one)
    made.registry.close(two)
    assert told == [1]


def test_overdue_are_those_past_their_deadline_that_nobody_works_for(made: Made) -> None:
    late = made.connection(5.0)
    made.connection(15.0)
    made.connection(5.0, busy=True)
    flushing = made.connection(9.9, state=State.FLUSHING)
    assert list(made.registry.overdue(10.0)) == [late, flushing]


def test_overdue_may_be_closed_on_the_way(made: Made) -> None:
    for _ in range(5):
        made.connection(5.0)
    for connection in made.registry.overdue(10.0):
        made.registry.close(connection)
    assert len(made.registry) == 0


# --- Which can be spared ----------------------------------------------------------------------


def order(made: Made) -> list[Connection]:
    """All that can be spared, each closed before the next is asked for."""
    spared = []
    while (connection := made.registry.expendable()) is not None:
        spared.append(connection)
        made.registry.close(connection)
    return spared


def test_the_one_that_has_been_idle_the_longest_is_first(made: Made) -> None:
    connections = [made.connection(deadline) for deadline in (30.0, 10.0, 20.0)]
    assert order(made) == [connections[1], connections[2], connections[0]]


def test_heads_that_have_begun_come_behind_all_idle_ones(made: Made) -> None:
    begun = made.connection(1.0, buffer=b"GET")
    older = made.connection(0.5, buffer=b"GET")
    idle = made.connection(100.0)
    assert order(made) == [idle, older, begun]


def test_how_long_counts_and_not_how_much_time_is_left(made: Made) -> None:
    """Idle since 10 and with 75 seconds, and new since 20 and with 30."""
    idle = made.connection(10.0 + TIMEOUTS.keep_alive)
    new = made.connection(20.0 + TIMEOUTS.header_timeout, served=False)
    assert order(made) == [idle, new]


def busy(connection: Connection) -> None:
    connection.busy = True


def reading(connection: Connection) -> None:
    connection.state = State.CONTENT


def flushing(connection: Connection) -> None:
    connection.state = State.FLUSHING


def used(connection: Connection) -> None:
    connection.deadline += 1


@pytest.mark.parametrize("change", [busy, reading, flushing])
@pytest.mark.parametrize("before", [False, True], ids=["", "after it was in line"])
def test_one_that_does_something_is_never_spared(
    made: Made, change: Callable[[Connection], None], before: bool
) -> None:
    one, two = made.connection(10.0), made.connection(20.0)
    if before:
        first = made.connection(1.0)
        assert made.registry.expendable() is first  # the line has been formed by now
        made.registry.close(first)
    change(one)
    assert order(made) == [two]


def test_one_that_was_used_since_goes_to_the_end_of_the_line(made: Made) -> None:
    one, two, three = (made.connection(deadline) for deadline in (10.0, 20.0, 30.0))
    assert made.registry.expendable() is one
    two.deadline = 40.0
    assert order(made) == [three, one, two] or order(made) == []


def test_one_with_bytes_that_nobody_has_read_is_not_spared(made: Made) -> None:
    one, two = made.connection(10.0), made.connection(20.0)
    made.peers[one].send(b"GET / ")
    assert order(made) == [two]


def test_where_none_can_be_spared(made: Made) -> None:
    assert made.registry.expendable() is None
    made.connection(busy=True)
    assert made.registry.expendable() is None
