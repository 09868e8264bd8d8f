"""Figures for statsd, received by a socket."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from quaich.server.figures.board import Board, Slot
from quaich.server.figures.counters import Counters, Tally
from quaich.server.figures.statsd import DATAGRAM_MAX, Statsd, changes, datagrams, statsd_of
from quaich.settings import Address, Admin
from quaich.settings.address import UnixAddress
from server.applications import hello
from server.conftest import Connect, Serve
from server.wire import PATIENCE, get, wait_until


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(PATIENCE)
        yield made


@pytest.fixture
def slot() -> Slot:
    """Of the only worker, which is ready."""
    slot = Board(slots=2).begin(0, pid=1)
    slot.state = "ready"
    return slot


def to(receiver: socket.socket, prefix: str = "", tags: tuple[str, ...] = ()) -> Statsd:
    return Statsd(Address(*receiver.getsockname()), prefix, tags)


def lines_of(receiver: socket.socket) -> list[str]:
    return receiver.recv(65536).decode().split("\n")


def counted(*requests: tuple[int, float]) -> list[int]:
    counters = Counters()
    for status, seconds in requests:
        counters.answered("GET", status, 0, seconds, 0.0)
    return counters.values()


def test_figures_come_under_gunicorns_names(receiver: socket.socket, slot: Slot) -> None:
    statsd = to(receiver)
    statsd.send(counted((200, 0.004), (200, 0.012), (404, 0.0006)), slot)
    assert lines_of(receiver) == [
        "gunicorn.requests:3|c",
        "gunicorn.request.status.200:2|c",
        "gunicorn.request.status.404:1|c",
        "gunicorn.request.duration:0.6|ms",
        "gunicorn.request.duration:4|ms",
        "gunicorn.request.duration:12|ms",
        "gunicorn.workers:1|g",
    ]
    statsd.close()


def test_only_what_has_grown_is_sent(receiver: socket.socket, slot: Slot) -> None:
    statsd = to(receiver)
    values = counted((200, 0.004), (200, 0.004))
    statsd.send(values, slot)
    lines_of(receiver)
    statsd.send(values, slot)
    assert lines_of(receiver) == ["gunicorn.workers:1|g"]
    statsd.send([2 * value for value in values], slot)
    assert "gunicorn.requests:2|c" in lines_of(receiver)
    statsd.close()


def test_durations_of_a_bucket_are_sent_as_one(slot: Slot) -> None:
    """Their mean, and by the sample rate how many they were; so the sum is right too."""
    grown = Tally(counted((200, 0.03), (200, 0.04), (200, 0.05), (200, 0.002)))
    assert [line for line in changes(grown) if "duration" in line] == [
        "gunicorn.request.duration:2|ms",
        "gunicorn.request.duration:40|ms|@0.333333333",
    ]


@pytest.mark.parametrize(
    ("prefix", "name"), [("", "gunicorn"), ("shop", "shop.gunicorn"), ("a.b..", "a.b.gunicorn")]
)
def test_a_prefix_ends_with_one_dot(
    receiver: socket.socket, slot: Slot, prefix: str, name: str
) -> None:
    statsd = to(receiver, prefix)
    statsd.send(counted(), slot)
    assert lines_of(receiver) == [f"{name}.workers:1|g"]
    statsd.close()


def test_tags_are_behind_each_figure(receiver: socket.socket, slot: Slot) -> None:
    statsd = to(receiver, tags=("env:prod", "canary"))
    statsd.send(counted((200, 0.004)), slot)
    assert all(line.endswith("|#env:prod,canary") for line in lines_of(receiver))
    statsd.close()


def test_workers_are_those_that_are_ready(receiver: socket.socket, slot: Slot) -> None:
    slot.board.begin(1, pid=2)
    statsd = to(receiver)
    statsd.send(counted(), slot)
    assert lines_of(receiver) == ["gunicorn.workers:1|g"]
    slot.board.slot(1).state = "ready"
    statsd.send(counted(), slot)
    assert lines_of(receiver) == ["gunicorn.workers:2|g"]
    statsd.close()


def test_a_unix_socket_is_found_again(
    tmp_path: Path, slot: Slot, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost of what was counted while it was not there, and it is said once."""
    monkeypatch.setattr("quaich.server.figures.statsd._PAUSE", 0.0)
    path = str(tmp_path / "statsd")
    statsd = Statsd(UnixAddress(path), "", ())
    with caplog.at_level(logging.WARNING):
        statsd.send(counted((200, 0.1)), slot)
        statsd.send(counted((200, 0.1), (200, 0.1)), slot)
    assert caplog.messages == [
        f"figures cannot be sent to statsd at unix:{path}: No such file or directory"
    ]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(PATIENCE)
        statsd.send(counted((200, 0.1), (200, 0.1), (200, 0.1)), slot)
        assert lines_of(receiver)[0] == "gunicorn.requests:3|c"
    statsd.close()


def test_a_receiver_that_takes_nothing_holds_up_nobody(tmp_path: Path, slot: Slot) -> None:
    path = str(tmp_path / "statsd")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        statsd = Statsd(UnixAddress(path), "", ())
        for number in range(100):  # far more than the system keeps
            statsd.send([number] * len(counted()), slot)
        statsd.close()


def test_nobody_there_is_no_failure(slot: Slot, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        statsd = to(gone)
    # It is the answer to the first datagram that says so, to the second send.
    for number in range(5):
        statsd.send([number] * len(counted()), slot)
    statsd.close()


def test_a_datagram_is_no_longer_than_a_network_takes() -> None:
    lines = [f"gunicorn.request.status.{number}:1|c" for number in range(100, 600)]
    made = list(datagrams(lines))
    assert all(len(each) <= DATAGRAM_MAX for each in made)
    assert b"\n".join(made).decode().split("\n") == lines
    assert len(made) < 15


def test_one_line_that_is_too_long_goes_alone() -> None:
    assert list(datagrams(["a", "b" * 2000, "c"])) == [b"a", b"b" * 2000, b"c"]


def test_no_lines_are_no_datagram() -> None:
    assert list(datagrams([])) == []


def test_settings_say_where() -> None:
    statsd = statsd_of(Admin(statsd_host="unix:/run/statsd", statsd_prefix="x"))
    assert statsd._address == UnixAddress("/run/statsd")
    with pytest.raises(ValueError, match="HOST:PORT"):
        statsd_of(Admin(statsd_host="fd://3"))


@pytest.mark.live
def test_a_server_sends_what_it_has_counted(
    serve: Serve, connect: Connect, receiver: socket.socket, slot: Slot
) -> None:
    host, port = receiver.getsockname()
    server = serve(hello, statsd_host=f"{host}:{port}", statsd_prefix="shop")
    client = connect(server)
    for _ in range(4):
        client.exchange(get())
    sent = 0

    def published() -> bool:
        server.figures.publish(slot)
        nonlocal sent
        for line in lines_of(receiver):
            name, _, rest = line.partition(":")
            if name == "shop.gunicorn.requests":
                sent += int(rest.partition("|")[0])
        return sent == 4

    wait_until(published, "all four have been sent")
    server.figures.close()
