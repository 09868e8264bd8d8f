"""The end of a server: nothing new is accepted, what is under way is finished, nothing is left."""

import contextlib
import gc
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from quaich import Server
from quaich.server import retiring
from server.applications import PLAIN, Environ, Held, answering, echo, hello
from server.conftest import Connect, Errors, Serve, on_one_poller
from server.wire import Client, Ending, Gate, Truncated, get, post, wait_until

pytestmark = pytest.mark.live

DESCRIPTORS = Path("/proc/self/fd")


def quickly(server: Server, seconds: float = 3.0) -> int:
    """Close a server that has nothing to wait for."""
    begun = monotonic()
    cut_off = server.close()
    assert monotonic() - begun < seconds
    return cut_off


class Counter:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counted = 0

    def count(self) -> None:
        with self._lock:
            self.counted += 1


def refuses(port: int) -> bool:
    try:
        Client(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


# --- Nothing under way ------------------------------------------------------------------------


def test_a_server_that_nobody_called(serve: Serve) -> None:
    assert quickly(serve(hello)) == 0


def test_idle_connections_are_closed(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    clients = [connect(server) for _ in range(5)]
    for client in clients[1:]:
        assert client.exchange(get()).content == b"hello"
    assert quickly(server) == 0
    for client in clients:
        assert client.ending() is Ending.CLEAN


def test_nothing_more_is_accepted(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app)
    client = connect(server)
    client.send(get("/wait"))
    wait_until(lambda: app.inside, "the application to be called")
    server.stop()
    wait_until(lambda: refuses(server.port), "the listener to be closed")
    app.gate.open()
    assert client.response().content == b"/wait"


def test_closing_twice_is_closing_once(serve: Serve) -> None:
    server = serve(hello)
    assert server.close() == 0
    assert server.close() == 0


def test_closing_from_many_threads(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    connect(server).exchange(get())
    threads = [threading.Thread(target=server.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert refuses(server.port)


def test_a_server_that_was_never_started(poller: str) -> None:
    server = Server(hello, bind="127.0.0.1:0", poller=poller)
    port = server.port
    assert server.close() == 0
    assert refuses(port)


def test_starting_again_is_an_error(serve: Serve) -> None:
    server = serve(hello)
    with pytest.raises(RuntimeError, match="has been started"):
        server.start()


def test_stop_may_be_called_first_and_often(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    client = connect(server)
    client.exchange(get())
    for _ in range(3):
        server.stop()
    assert server.wait_until_stopped(10)
    assert client.ending() is Ending.CLEAN
    assert quickly(server) == 0


def test_a_context_manager(poller: str) -> None:
    with Server(hello, bind="127.0.0.1:0", poller=poller) as server:
        port = server.port
        with Client(("127.0.0.1", port)) as client:
            assert client.exchange(get()).content == b"hello"
    assert refuses(port)


def test_an_error_inside_the_context_ends_the_server_too(poller: str) -> None:
    with (
        pytest.raises(KeyError),
        Server(hello, bind="127.0.0.1:0", poller=poller) as server,
    ):
        raise KeyError
    assert refuses(server.port)


def test_who_waits_to_be_accepted_is_answered(poller: str) -> None:
    """The system would reset those that wait at a listener when it is closed."""
    server = Server(hello, bind="127.0.0.1:0", poller=poller)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(("127.0.0.1", server.port))) for _ in range(100)]
        for client in clients:
            client.send(get())
        server.stop()
        server.start()
        for client in clients:
            response = client.response()
            assert response.content == b"hello"
            assert not response.persists
            assert client.ending() is Ending.CLEAN
        assert server.wait_until_stopped(10)
        assert server.close() == 0


@pytest.mark.rule("H106")
@pytest.mark.parametrize("is_new", [False, True])
def test_who_has_not_been_idle_for_long_may_still_ask(
    serve: Serve, connect: Connect, is_new: bool
) -> None:
    server = serve(hello)
    client = connect(server)
    if not is_new:
        assert client.exchange(get()).persists
    server.stop(idle=60)
    wait_until(lambda: refuses(server.port), "the listener to be closed")
    assert client.is_open()
    response = client.exchange(get())
    assert response.content == b"hello"
    assert not response.persists
    assert client.ending() is Ending.CLEAN
    assert server.wait_until_stopped(10)


def test_who_has_been_idle_for_long_enough_sees_an_end(serve: Serve, connect: Connect) -> None:
    """And no reset, for what it sends before it sees that."""
    server = serve(hello)
    client = connect(server)
    client.exchange(get())
    server.stop(idle=0.1)
    assert client.ending() is Ending.CLEAN
    client.send(get())
    assert server.wait_until_stopped(10)
    assert server.close() == 0


def test_a_second_stop_may_be_in_more_of_a_hurry(serve: Serve, connect: Connect) -> None:
    server = serve(hello)
    client = connect(server)
    client.exchange(get())
    server.stop(idle=3600)
    wait_until(lambda: refuses(server.port), "the listener to be closed")
    server.stop()
    assert client.ending() is Ending.CLEAN
    assert server.wait_until_stopped(10)


# --- Something under way ----------------------------------------------------------------------


@pytest.mark.rule("H106")
@pytest.mark.parametrize("threads", [1, 32])
def test_a_request_under_way_is_answered_and_says_that_it_is_the_last(
    serve: Serve, connect: Connect, threads: int
) -> None:
    reached, gate = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        reached.open()
        gate.wait()
        start_response("200 OK", PLAIN)
        return [b"content"]

    server = serve(app, threads=threads)
    client = connect(server)
    client.send(get())
    reached.wait()
    server.stop()
    gate.open()
    response = client.response()
    assert response.content == b"content"
    assert client.ending() is Ending.CLEAN
    assert server.wait_until_stopped(10)


def test_a_response_under_way_is_finished(serve: Serve, connect: Connect) -> None:
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"one "
        gate.wait()
        yield b"two"

    server = serve(app)
    client = connect(server)
    client.send(get())
    client.head()
    server.stop()
    gate.open()
    assert client.chunk() + client.chunk() + client.chunk() == b"one two"
    assert client.ending() is Ending.CLEAN
    assert server.wait_until_stopped(10)


def test_what_a_slow_reader_has_not_read_is_still_sent(serve: Serve, connect: Connect) -> None:
    size = 8_000_000
    server = serve(answering([b"x" * size]), response_buffer=2**24)
    client = connect(server, receive_buffer=65536)
    client.send(get())
    client.head()
    results: list[int] = []
    closing = threading.Thread(target=lambda: results.append(server.close()))
    closing.start()
    wait_until(lambda: refuses(server.port), "the server to stop")
    assert len(client.receive(size)) == size
    closing.join(10)
    assert results == [0]


def test_content_that_still_comes_is_waited_for(serve: Serve, connect: Connect) -> None:
    server = serve(echo)
    client = connect(server)
    client.send(post(b"content")[:-1])
    wait_until(lambda: server.requests_under_way == 1, "the request to begin")
    server.stop()
    wait_until(lambda: refuses(server.port), "the listener to be closed")
    client.send(b"t")
    response = client.response()
    assert response.content == b"content"
    assert not response.persists
    assert client.ending() is Ending.CLEAN
    assert server.wait_until_stopped(10)


def test_requests_that_wait_for_a_thread_are_answered(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=1)
    clients = [connect(server) for _ in range(4)]
    for client in clients:
        client.send(get("/wait"))
    wait_until(lambda: server.requests_under_way == 4, "all requests to be there")
    server.stop()
    app.gate.open()
    for client in clients:
        assert client.response().content == b"/wait"
        assert client.ending() is Ending.CLEAN
    assert server.wait_until_stopped(10)


def test_the_rest_of_what_was_pipelined_is_not_lost_in_silence(
    serve: Serve, connect: Connect
) -> None:
    """Each request is answered, or the response before it says that none will be."""
    app = Held()
    server = serve(app)
    client = connect(server)
    client.send(get("/wait") + get("/2") + get("/3"))
    wait_until(lambda: app.inside, "the application to be called")
    server.stop()
    wait_until(lambda: refuses(server.port), "the listener to be closed")
    app.gate.open()
    contents, last = [], None
    while last is None or last.persists:
        try:
            last = client.response()
        except Truncated:
            break
        contents.append(last.content)
    assert contents == [b"/wait", b"/2", b"/3"][: len(contents)]
    assert contents == [b"/wait"] or (last is not None and not last.persists)


def test_what_has_only_begun_does_not_hold_up_the_end(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that drips, while whoever stops would wait for a minute."""
    monkeypatch.setattr(retiring, "_UNFINISHED", 0.2)
    server = serve(hello, graceful_timeout=60, header_timeout=60)
    client = connect(server)
    client.send(b"GET / HT")
    wait_until(lambda: server.requests_under_way == 1, "the head to begin")
    begun = monotonic()
    server.stop()
    assert client.response().status == 408
    assert server.wait_until_stopped(10)
    assert monotonic() - begun < 10


# --- Cutting off ------------------------------------------------------------------------------


@on_one_poller
def test_what_takes_too_long_is_cut_off_and_counted(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, graceful_timeout=0.2)
    clients = [connect(server) for _ in range(3)]
    for client in clients:
        client.send(get("/wait"))
    begun = connect(server)
    begun.send(b"GET / HT")
    wait_until(lambda: app.inside == 3, "the application to be called")
    wait_until(lambda: server.requests_under_way == 4, "the head to begin")
    closing = threading.Thread(target=lambda: results.append(server.close()))
    results: list[int] = []
    closing.start()
    for client in clients:
        with pytest.raises(Truncated):
            client.response()
    app.gate.open()
    closing.join(10)
    assert results == [4]


@pytest.mark.rule("S91")
@on_one_poller
def test_a_response_that_is_cut_off_does_not_look_whole(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """Where only the connection's end shows the content's. With 0 it is cut off at once; the
    application finds out when it goes on, and is not blamed."""
    gate, ended = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"one ")
        gate.wait()
        try:
            for _ in range(100):
                write(b"x" * 65536)
        finally:
            ended.open()
        return []

    server = serve(app)
    client = connect(server)
    client.send(get(version="HTTP/1.0"))
    client.receive_until(b"one ")
    assert server.close(0) == 1
    assert client.ending() is Ending.RESET
    gate.open()
    ended.wait()
    assert errors() == []


@on_one_poller
def test_whatever_comes_of_a_call_that_was_cut_off(
    serve: Serve, connect: Connect, errors: Errors
) -> None:
    """Nothing of it is sent, and nothing of the server fails."""
    gate = Gate()
    inside, ended = Counter(), Counter()

    def app(environ: Environ, start_response: Any) -> Any:
        inside.count()
        gate.wait()
        ended.count()
        match environ["PATH_INFO"]:
            case "/raises":
                raise ValueError
            case "/exits":
                raise SystemExit
        start_response("200 OK", PLAIN)
        match environ["PATH_INFO"]:
            case "/answers":
                return [b"content"]
            case "/streams":
                return iter([b"one", b"two"])
        return []

    server = serve(app)
    clients = []
    for end in ("/answers", "/streams", "/is empty", "/raises", "/exits"):
        for request in (get(end.replace(" ", "")), post(b"content", end.replace(" ", ""))):
            clients.append(connect(server))
            clients[-1].send(request)
    wait_until(lambda: inside.counted == len(clients), "all calls")
    assert server.close(0) == len(clients)
    for client in clients:
        assert client.ending() is Ending.RESET
    gate.open()
    wait_until(lambda: ended.counted == len(clients), "all calls to end")
    # The fixture of the server sees that its threads end, and that no error is the server's.
    assert all("application failed" in record.getMessage() for record in errors())


def call_and_wait(serve: Serve, connect: Connect, app: Any, request: bytes) -> float:
    """How long it takes to close a server whose application waits for its client."""
    reached = Gate()

    def noting(environ: Environ, start_response: Any) -> Any:
        reached.open()
        return app(environ, start_response)

    server = serve(noting, stream_body=True, response_buffer=1000)
    client = connect(server, receive_buffer=4096)
    client.send(request)
    reached.wait()
    wait_until(lambda: server.requests_under_way, "the request to be under way")
    begun = monotonic()
    server.close(0)
    return monotonic() - begun


def test_who_waits_for_a_client_to_read_waits_no_longer(serve: Serve, connect: Connect) -> None:
    app = answering([b"x" * 20_000_000])
    assert call_and_wait(serve, connect, app, get()) < 0.9


def test_who_waits_for_a_client_to_send_waits_no_longer(serve: Serve, connect: Connect) -> None:
    assert call_and_wait(serve, connect, echo, post(b"content")[:-1]) < 0.9


# --- What is left -----------------------------------------------------------------------------


def our_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("quaich-")]


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs /proc")
def test_descriptors_and_threads_are_given_back(poller: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10_000_000)
    held = Held()

    def app(environ: Environ, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/file":
            start_response("200 OK", PLAIN)
            return environ["wsgi.file_wrapper"](path.open("rb"))
        return held(environ, start_response)

    def once() -> None:
        server = Server(app, bind="127.0.0.1:0", poller=poller, body_buffer=1)
        server.start()
        address = ("127.0.0.1", server.port)
        with Client(address) as idle, Client(address) as spooling, Client(address, 4096) as reader:
            assert idle.exchange(get("/quick")).content == b"/quick"
            spooling.send(post(b"content")[:-1])
            reader.send(get("/file"))
            reader.head()
            with Client(address) as waiting:
                waiting.send(get("/wait"))
                wait_until(lambda: held.inside, "the application to be called")
                waiting.reset()
                held.gate.open()
                wait_until(lambda: not held.inside, "the application to end")
            assert server.close(0) >= 2
        wait_until(lambda: not our_threads(), "the threads to end")

    once()
    gc.collect()
    before = len(os.listdir(DESCRIPTORS))  # noqa: PTH208 - a path for each costs more than it says
    for _ in range(3):
        held.gate = Gate()
        once()
        gc.collect()
    assert len(os.listdir(DESCRIPTORS)) == before  # noqa: PTH208


def test_a_socket_that_was_handed_over_is_closed_too(poller: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with Server(hello, sockets=[listening], poller=poller) as server:
            assert server.port == port
            with Client(("127.0.0.1", port)) as client:
                assert client.exchange(get()).content == b"hello"
        assert refuses(port)


def test_the_port_can_be_had_again_at_once(poller: str) -> None:
    with Server(hello, bind="127.0.0.1:0", poller=poller) as server:
        port = server.port
        with Client(("127.0.0.1", port)) as client:
            client.exchange(get())
    with (
        Server(hello, bind=f"127.0.0.1:{port}", poller=poller),
        Client(("127.0.0.1", port)) as client,
    ):
        assert client.exchange(get()).content == b"hello"


def test_two_servers_in_one_process(serve: Serve, connect: Connect) -> None:
    one, two = serve(answering([b"one"])), serve(answering([b"two"]))
    assert connect(one).exchange(get()).content == b"one"
    assert connect(two).exchange(get()).content == b"two"
    one.close()
    assert connect(two).exchange(get()).content == b"two"
