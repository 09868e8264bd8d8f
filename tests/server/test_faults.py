"""Faults that are injected: whatever fails, the server goes on, and others are answered."""

import errno
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quaich import Server
from quaich.server.connections.accepting import Listener
from quaich.server.connections.connection import Connection
from quaich.server.connections.registry import Connections
from quaich.server.poller import SelectorPoller
from quaich.settings import Timeouts
from quaich.util import FileWrapper
from server.applications import PLAIN, Environ, echo, hello
from server.conftest import Connect, Errors, Serve
from server.wire import Client, Ending, Gate, Truncated, get, post, wait_until

pytestmark = pytest.mark.live


def assert_answers(server: Server, times: int = 3) -> None:
    """It answers, on connections of their own."""
    for number in range(times):
        with Client(("127.0.0.1", server.port)) as client:
            assert client.exchange(get(f"/{number}")).status == 200


def loop_of(server: Server) -> Any:
    """What the faults are put into."""
    return server._loop


# --- The system fails -----------------------------------------------------------------------


class FaultyListener:
    """A listening socket whose accept() raises what it is told, one after the other, and whose
    connections may be faulty, too."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.errors: list[OSError] = []
        self.faulty: dict[str, OSError] = {}  # method of the next connection, and what it raises

    def accept(self) -> tuple[socket.socket, Any]:
        if self.errors:
            raise self.errors.pop(0)
        accepted, peer = self._listening.accept()
        if self.faulty:
            connection = FaultySocket(fileno=accepted.detach())
            connection.faulty, self.faulty = self.faulty, {}
            return connection, peer
        return accepted, peer

    def close(self) -> None:
        self._listening.close()


class FaultySocket(socket.socket):
    faulty: dict[str, OSError]

    def _maybe(self, name: str) -> None:
        if name in self.faulty:
            raise self.faulty[name]

    def recv(self, *args: Any) -> bytes:
        self._maybe("recv")
        return super().recv(*args)

    def send(self, *args: Any) -> int:
        self._maybe("send")
        return super().send(*args)

    def sendmsg(self, *args: Any) -> int:
        self._maybe("sendmsg")
        return super().sendmsg(*args)

    def setblocking(self, flag: bool) -> None:
        self._maybe("setblocking")
        super().setblocking(flag)

    def shutdown(self, how: int) -> None:
        self._maybe("shutdown")
        super().shutdown(how)

    def close(self) -> None:
        super().close()
        self._maybe("close")


def make_faulty(server: Server) -> FaultyListener:
    listener: Listener = next(iter(loop_of(server)._acceptor.listeners.values()))
    faulty = FaultyListener(listener.socket)
    listener.socket = faulty  # type: ignore[assignment]  # it has what the acceptor uses
    return faulty


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "number",
    [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EINVAL],
    ids=errno.errorcode.get,
)
def test_a_connection_lost_before_it_is_accepted(
    serve: Serve, connect: Connect, number: int
) -> None:
    server = serve(hello)
    idle = connect(server)
    assert idle.exchange(get()).status == 200
    make_faulty(server).errors = [error(number)] * 5
    assert_answers(server)
    assert idle.exchange(get()).status == 200


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM], ids=errno.errorcode.get
)
def test_no_room_for_connections(serve: Serve, connect: Connect, number: int) -> None:
    """They wait in the backlog, and are answered. Of those that are there, one may have to go,
    not all."""
    server = serve(hello)
    clients = [connect(server) for _ in range(5)]
    for client in clients:
        assert client.exchange(get()).status == 200
    make_faulty(server).errors = [error(number)] * 2
    assert_answers(server)
    assert [client.is_open() for client in clients].count(False) == 1
    assert not clients[0].is_open()
    for client in clients[1:]:
        assert client.exchange(get()).status == 200


@pytest.mark.parametrize(
    "number",
    [errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EIO, errno.ENOMEM],
    ids=errno.errorcode.get,
)
@pytest.mark.parametrize("method", ["recv", "send", "sendmsg", "setblocking", "shutdown", "close"])
def test_a_socket_fails(serve: Serve, method: str, number: int) -> None:
    """Its connection ends and no other; nothing of it is an error of the server."""

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"x" * 100_000]  # in two parts, by sendmsg()

    server = serve(hello if method != "sendmsg" else application)
    faulty = make_faulty(server)
    descriptors = count_descriptors()
    faulty.faulty = {method: error(number)}
    with Client(("127.0.0.1", server.port)) as client:
        client.send(b"broken\r\n\r\n" if method == "shutdown" else get())
        if method == "shutdown":
            assert client.response().status == 400
        elif method == "close":
            assert client.response().status == 200
        else:
            with pytest.raises((Truncated, ConnectionError)):
                client.response()
    assert_answers(server)
    wait_until(lambda: count_descriptors() <= descriptors, "the descriptors are free")


def count_descriptors() -> int:
    path = "/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd"
    return len(os.listdir(path))  # noqa: PTH208


def test_a_connection_cannot_be_watched(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """epoll has no room: ENOSPC, /proc/sys/fs/epoll/max_user_watches."""
    server = serve(hello)
    poller = loop_of(server).poller

    def add(fd: int) -> None:
        monkeypatch.undo()
        raise error(errno.ENOSPC)

    monkeypatch.setattr(poller, "add", add)
    with connect(server) as client:
        assert client.ending() in Ending
    assert_answers(server)


@pytest.mark.parametrize("where", ["poller.wait", "connections.overdue", "clock.refresh"])
def test_the_loop_itself_fails(
    poller: str, error_log: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A defect of ours, say: it is logged, and the loop goes on."""
    with Server(hello, bind="127.0.0.1:0", poller=poller, threads=2) as server:
        assert_answers(server)
        name, method = where.split(".")
        happened = threading.Event()

        def fail(*args: Any) -> Any:
            monkeypatch.undo()
            happened.set()
            raise RuntimeError("injected")

        owner = getattr(loop_of(server), name)
        if hasattr(type(owner), "__slots__"):
            monkeypatch.setattr(type(owner), method, fail)
        else:
            monkeypatch.setattr(owner, method, fail)
        # Something goes on meanwhile.
        while not happened.is_set():
            assert_answers(server, 1)
        assert_answers(server)
    records = error_log()
    assert [record.getMessage() for record in records] == ["a thread of the server failed"]


def test_no_threads_are_left(
    serve: Serve, connect: Connect, errors: Errors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader does all of it by itself, and once there are threads again, they are used."""
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if thread.name.startswith("quaich-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    gate = Gate()

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        if environ["PATH_INFO"] == "/stream":
            return (bytes(100_000) for _ in range(50))
        if environ["PATH_INFO"] == "/wait":
            gate.wait()
        return [b"hello"]

    server = serve(application, response_buffer=200_000)
    monkeypatch.setattr(threading.Thread, "start", fail)
    for _ in range(3):
        assert_answers(server)
        # More than may wait: the leader waits for room, and nobody else can send.
        stream = connect(server, receive_buffer=4096)
        assert stream.exchange(get("/stream")).content == bytes(5_000_000)
    messages = {record.getMessage() for record in errors()}
    assert messages == {"cannot start another thread; a slow request now holds up others"}
    assert len(errors()) < 10
    monkeypatch.undo()
    waiting = connect(server)

    while len(loop_of(server).crew.members) < 2:
        assert_answers(server)
    waiting.send(get("/wait"))
    assert_answers(server)
    gate.open()
    assert waiting.response().status == 200


@pytest.mark.parametrize("method", ["write", "seek", "close"])
def test_no_room_for_content(
    serve: Serve,
    connect: Connect,
    errors: Errors,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    """The file system is full: the client is told, or does not notice."""

    class Full:
        def __init__(self) -> None:
            self._file = tempfile.SpooledTemporaryFile()  # noqa: SIM115

        def __getattr__(self, name: str) -> Any:
            if name == method or (name == "writelines" and method == "write"):
                return self._fail
            return getattr(self._file, name)

        def _fail(self, *args: Any) -> None:
            self._file.close()
            raise error(errno.ENOSPC)

    server = serve(echo, body_buffer=1000)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    client = connect(server)
    response = client.exchange(post(bytes(100_000)))
    assert response.status == (200 if method == "close" else 503)
    monkeypatch.undo()
    assert connect(server).exchange(post(bytes(100_000))).content == bytes(100_000)


def test_no_descriptor_for_a_file_that_is_sent(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is read and sent, then."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4000)

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return FileWrapper(path.open("rb"))

    server = serve(application)

    def dup(fd: int) -> int:
        raise error(errno.EMFILE)

    monkeypatch.setattr(os, "dup", dup)
    assert connect(server).exchange(get()).content == path.read_bytes()


# --- The application fails --------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError, BrokenPipeError],
)
@pytest.mark.parametrize("where", ["call", "iteration", "close"])
def test_the_application_raises_anything(
    serve: Serve, connect: Connect, errors: Errors, kind: type[BaseException], where: str
) -> None:
    class Result:
        def __iter__(self) -> Iterator[bytes]:
            if where == "iteration":
                raise kind("injected")
            return iter([b"hello"])

        def close(self) -> None:
            if where == "close":
                raise kind("injected")

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/fail":
            return hello(environ, start_response)
        if where == "call":
            raise kind("injected")
        start_response("200 OK", PLAIN)
        return Result()

    server = serve(application, threads=2)
    other = connect(server)
    for _ in range(5):
        response = connect(server).exchange(get("/fail"))
        assert response.status == (200 if where == "close" else 500)
        assert other.exchange(get()).content == b"hello"
    wait_until(lambda: len(errors()) == 5, "each is logged")
    assert_answers(server)


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, OSError])
def test_a_log_handler_raises(
    serve: Serve,
    connect: Connect,
    errors: Errors,
    capsys: pytest.CaptureFixture[str],
    kind: type[BaseException],
) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise kind("the log is full")

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("injected")
        return hello(environ, start_response)

    server = serve(application)
    other = connect(server)
    handler = Failing()
    logger = logging.getLogger("quaich.error")
    logger.addHandler(handler)
    try:
        for _ in range(3):
            assert connect(server).exchange(get("/fail")).status == 500
            assert other.exchange(get()).status == 200
    finally:
        logger.removeHandler(handler)
    assert "a log handler failed" in capsys.readouterr().err


# --- Clients that read slowly, or no more -------------------------------------------------------


@pytest.mark.parametrize("response_buffer", [0, 1, 100_000, 2**20])
def test_a_producer_that_waits_goes_on_when_the_client_reads(
    serve: Serve, connect: Connect, response_buffer: int
) -> None:
    """Whoever leads sends what the producer waits for. (The first version waited until the
    call ended.)"""
    blocks = [bytes([number]) * 200_000 for number in range(100)]

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return iter(blocks)

    server = serve(application, response_buffer=response_buffer, threads=2)
    client = connect(server, receive_buffer=4096)
    client.send(get())
    assert_answers(server, 0)
    assert client.response().content == b"".join(blocks)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_clients_that_wait_for_100_do_not_take_all_threads(
    serve: Serve, connect: Connect, threads: int
) -> None:
    """A few are called for before their content comes; for the others it is gathered."""
    server = serve(echo, threads=threads)
    head = get("/", "Expect: 100-continue", "Content-Length: 10", method="POST")
    clients = [connect(server) for _ in range(3 * threads)]
    for client in clients:
        client.send(head)
        assert client.response().status == 100
    assert_answers(server)
    for client in clients:
        client.send(b"0123456789")
        assert client.response().content == b"0123456789"
    assert_answers(server)


@pytest.mark.rule("S82")
@pytest.mark.parametrize("target", ["/block", "/blocks", "/file"])
def test_what_is_left_of_a_response_holds_no_thread(
    serve: Serve, connect: Connect, tmp_path: Path, target: str
) -> None:
    """The application has given all that it has; so there is nobody to be paused."""
    content = bytes(range(256)) * 40_000
    path = tmp_path / "file"
    path.write_bytes(content)

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        if environ["PATH_INFO"] == "/block":
            return [content]
        if environ["PATH_INFO"] == "/blocks":
            return iter([b"x", content])
        if environ["PATH_INFO"] == "/file":
            return FileWrapper(path.open("rb"))
        return [b"hello"]

    server = serve(application, threads=2)
    clients = [connect(server, receive_buffer=4096) for _ in range(6)]
    for client in clients:
        client.send(get(target))
    assert_answers(server)
    whole = content if target != "/blocks" else b"x" + content
    for client in clients:
        assert client.response().content == whole


def test_a_pipeline_waits_while_its_client_does_not_read(serve: Serve, connect: Connect) -> None:
    """Nothing is called for the next request until the response before is on its way."""
    calls = 0
    content = bytes(range(256)) * 20_000

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        nonlocal calls
        calls += environ["PATH_INFO"] == "/big"
        start_response("200 OK", PLAIN)
        return [content]

    server = serve(application, threads=2)
    client = connect(server, receive_buffer=4096)
    client.send(get("/big") * 10)
    wait_until(lambda: calls, "the first call")
    assert_answers(server)
    assert calls <= 2
    for _ in range(10):
        assert client.response().content == content


@pytest.mark.parametrize("sent", [70_000, 65_536, 100_000])
def test_the_end_behind_content_is_seen(serve: Serve, connect: Connect, sent: int) -> None:
    """The end is reported once, with bytes of which one read takes a part only."""
    server = serve(echo)
    with connect(server) as client:
        client.send(post(bytes(200_000))[:sent])
    wait_until(lambda: not loop_of(server).connections.by_fd, "the connection is closed")


# --- Who has to go for a new connection -----------------------------------------------------------


def wait_for_heads(server: Server, count: int) -> None:
    wait_until(lambda: server.requests_under_way == count, "the heads have begun")


def test_the_oldest_idle_connection_goes_first(serve: Serve, connect: Connect) -> None:
    server = serve(hello, worker_connections=6)
    idle = [connect(server) for _ in range(3)]
    for client in idle:
        assert client.exchange(get()).status == 200
    begun = [connect(server) for _ in range(3)]
    for client in begun:
        client.send(b"GET / HTTP/1.1\r\nHost: a")
    wait_for_heads(server, 3)
    for number in range(3):
        # It has not sent anything yet, and has the shorter time for it; still it is younger.
        new = connect(server)
        assert idle[number].ending() is Ending.CLEAN
        assert all(client.is_open() for client in [*idle[number + 1 :], *begun, new])
    # The three new ones are idle now.
    for client in [connect(server) for _ in range(3)]:
        assert client.exchange(get()).status == 200
    for client in begun:
        client.send(b"\r\n\r\n")
        assert client.response().status == 200


def test_a_head_that_does_not_end_goes_next(serve: Serve, connect: Connect) -> None:
    server = serve(hello, worker_connections=3)
    begun = []
    for number in range(3):
        begun.append(connect(server))
        begun[-1].send(b"GET / HTTP/1.1\r\nHost: a")
        wait_for_heads(server, number + 1)
    assert connect(server).exchange(get()).status == 200
    assert begun[0].ending() in Ending
    for client in begun[1:]:
        client.send(b"\r\n\r\n")
        assert client.response().status == 200


def test_new_connections_wait_where_all_are_busy(serve: Serve, connect: Connect) -> None:
    gate = Gate()

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            gate.wait()
        return hello(environ, start_response)

    server = serve(application, worker_connections=3, threads=4)
    busy = [connect(server) for _ in range(3)]
    for client in busy:
        client.send(get("/wait", "Connection: close"))
    wait_until(lambda: server.requests_under_way == 3, "all are busy")
    waiting = [connect(server) for _ in range(5)]
    for client in waiting:
        client.send(get())
    assert len(loop_of(server).connections) == 3
    gate.open()
    for client in busy + waiting:
        assert client.response().status == 200


def test_a_connection_with_an_unread_request_is_not_expendable() -> None:
    poller = SelectorPoller()
    connections = Connections(poller, Timeouts())
    pairs = [socket.socketpair() for _ in range(2)]
    try:
        for number, (ours, _) in enumerate(pairs):
            ours.setblocking(False)
            owner = SimpleNamespace(origin_fields=None)  # nothing is sent
            connection = Connection(ours, "", owner, None)
            connection.deadline = number
            connections.add(connection)
        pairs[0][1].sendall(b"G")
        expendable = connections.expendable()
        assert expendable is not None
        assert expendable.socket is pairs[1][0]
        connections.close(expendable)
        assert connections.expendable() is None
        pairs[0][0].recv(1)
        assert connections.expendable() is connections.by_fd[pairs[0][0].fileno()]
    finally:
        for pair in pairs:
            for each in pair:
                each.close()
        poller.close()
