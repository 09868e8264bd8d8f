"""Who calls the application, and who is served meanwhile."""

import threading
from typing import Any

import pytest

from server.applications import PLAIN, Environ, Held, Recorder, echo, hello
from server.conftest import Connect, Serve
from server.wire import Client, Ending, Gate, get, post, wait_until

pytestmark = pytest.mark.live


class Counting:
    """Counts how many calls are inside at once; each lasts a moment, and its blocks too."""

    def __init__(self, seconds: float = 0.001) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.calls = 0
        self.names: set[str] = set()
        self._seconds = seconds
        self._pause = threading.Event()

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.names.add(threading.current_thread().name)
        self._pause.wait(self._seconds)
        with self.lock:
            self.inside -= 1

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        self.enter()
        with self.lock:
            self.calls += 1
        start_response("200 OK", PLAIN)
        for block in (b"one", b"two"):
            self.enter()
            yield block
        self.enter()


def at_once(clients: list[Client], requests: int, request: bytes = get()) -> list[bytes]:
    """Each client sends so many requests, one after the other, all clients at once."""
    contents: list[bytes] = []

    def run(client: Client) -> None:
        contents.extend(client.exchange(request).content for _ in range(requests))

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return contents


@pytest.mark.rule("S45")
@pytest.mark.rule("S100")
@pytest.mark.parametrize("seconds", [0.0, 0.003])
def test_one_thread_is_never_inside_twice(serve: Serve, connect: Connect, seconds: float) -> None:
    app = Counting(seconds)
    server = serve(app, threads=1)
    contents = at_once([connect(server) for _ in range(8)], 5)
    assert contents == [b"onetwo"] * 40
    assert app.calls == 40
    assert app.most == 1


@pytest.mark.rule("S45")
@pytest.mark.parametrize("threads", [2, 3])
def test_so_many_calls_at_once_and_no_more(serve: Serve, connect: Connect, threads: int) -> None:
    app = Counting(0.005)
    server = serve(app, threads=threads)
    contents = at_once([connect(server) for _ in range(8)], 4)
    assert contents == [b"onetwo"] * 32
    assert app.most == threads


@pytest.mark.rule("S45")
@pytest.mark.parametrize(("threads", "truth"), [(1, False), (2, True), (32, True)])
def test_the_environ_says_so(serve: Serve, connect: Connect, threads: int, truth: bool) -> None:
    app = Recorder()
    connect(serve(app, threads=threads)).exchange(get())
    assert app.environ["wsgi.multithread"] is truth


@pytest.mark.parametrize("threads", [2, 4, 32])
def test_others_are_served_while_a_call_takes_its_time(
    serve: Serve, connect: Connect, threads: int
) -> None:
    app = Held()
    server = serve(app, threads=threads)
    waiting = connect(server)
    waiting.send(get("/wait"))
    wait_until(lambda: app.inside, "the application to be called")
    client = connect(server)
    for number in range(20):
        assert client.exchange(get(f"/{number}")).content == b"/%d" % number
    app.gate.open()
    assert waiting.response().content == b"/wait"


def test_with_all_threads_but_one_inside(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=4)
    waiting = [connect(server) for _ in range(3)]
    for client in waiting:
        client.send(get("/wait"))
    wait_until(lambda: app.inside == 3, "three calls")
    client = connect(server)
    for _ in range(20):
        assert client.exchange(get("/quick")).content == b"/quick"
    app.gate.open()
    for client in waiting:
        assert client.response().content == b"/wait"


@pytest.mark.parametrize("threads", [1, 2])
def test_with_all_threads_inside_bytes_still_move(
    serve: Serve, connect: Connect, threads: int
) -> None:
    """Connections are accepted, content is read, and what breaks a rule is refused."""
    app = Held()
    server = serve(app, threads=threads, limit_request_body=100_000_000)
    waiting = [connect(server) for _ in range(threads)]
    for client in waiting:
        client.send(get("/wait"))
    wait_until(lambda: app.inside == threads, "all threads to be inside")

    refused = connect(server)
    assert refused.exchange(b"nonsense\r\n\r\n").status == 400
    assert refused.ending() is Ending.CLEAN

    big = connect(server)
    big.send(post(b"x" * 20_000_000, "/big"))  # more than the system keeps for the server

    queued = connect(server)
    queued.send(get("/queued"))
    wait_until(lambda: server.requests_under_way == threads + 2, "the requests to be queued")
    assert app.calls == ["/wait"] * threads

    app.gate.open()
    for client in waiting:
        assert client.response().content == b"/wait"
    assert big.response().content == b"/big"
    assert queued.response().content == b"/queued"
    for client in (*waiting, big, queued):
        assert client.exchange(get("/again")).content == b"/again"


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("seconds", [0.0, 0.002])
def test_more_clients_than_threads(
    serve: Serve, connect: Connect, threads: int, seconds: float
) -> None:
    app = Counting(seconds)
    server = serve(app, threads=threads)
    contents = at_once([connect(server) for _ in range(20)], 2)
    assert contents == [b"onetwo"] * 40
    assert app.calls == 40
    assert app.most <= threads


def test_queued_requests_are_taken_in_their_order(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=1)
    clients = []
    for number in range(8):
        client = connect(server)
        client.send(get("/wait" if not number else f"/{number}"))
        clients.append(client)
        wait_until(lambda: server.requests_under_way == len(clients), "the request to be there")
    app.gate.open()
    for client in clients:
        client.response()
    assert app.calls == ["/wait", *(f"/{number}" for number in range(1, 8))]


def test_a_client_that_goes_while_it_waits_for_a_thread(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=1)
    waiting, gone, other = connect(server), connect(server), connect(server)
    waiting.send(get("/wait"))
    wait_until(lambda: app.inside, "the application to be called")
    gone.send(get("/gone"))
    wait_until(lambda: server.requests_under_way == 2, "the request to be queued")
    gone.reset()
    other.send(get("/other"))
    app.gate.open()
    assert waiting.response().content == b"/wait"
    assert other.response().content == b"/other"
    wait_until(lambda: not server.requests_under_way, "all requests to end")
    assert connect(server).exchange(get("/new")).content == b"/new"


def test_slow_calls_of_one_route_do_not_hold_up_another(serve: Serve, connect: Connect) -> None:
    """The first slow calls are learnt from."""
    pause = threading.Event()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"].startswith("/slow"):
            pause.wait(0.01)
        return hello(environ, start_response)

    server = serve(app, threads=8)
    slow, quick = [connect(server) for _ in range(6)], connect(server)
    for _ in range(20):
        for client in slow:
            client.send(get("/slow/1"))
        for _ in range(3):
            assert quick.exchange(get("/quick")).content == b"hello"
        for client in slow:
            assert client.response().content == b"hello"


def test_threads_are_started_when_they_are_needed(serve: Serve, connect: Connect) -> None:
    before = threading.active_count()
    app = Held()
    server = serve(app, threads=32)
    client = connect(server)
    for _ in range(50):
        client.exchange(get())
    assert threading.active_count() - before <= 3
    clients = [connect(server) for _ in range(40)]
    for client in clients:
        client.send(get("/wait"))
    wait_until(lambda: app.inside == 32, "all threads to be inside")
    assert threading.active_count() - before <= 33
    app.gate.open()
    for client in clients:
        assert client.response().content == b"/wait"
    assert app.most == 32


def test_content_that_comes_slowly_costs_no_thread(serve: Serve, connect: Connect) -> None:
    server = serve(echo, threads=1)
    slow = [connect(server) for _ in range(10)]
    for client in slow:
        client.send(post(b"content")[:-1])
    assert connect(server).exchange(get()).content == b""
    for client in slow:
        client.send(b"t")
        assert client.response().content == b"content"


def test_heads_that_come_slowly_cost_no_thread(serve: Serve, connect: Connect) -> None:
    server = serve(hello, threads=1)
    slow = [connect(server) for _ in range(10)]
    for client in slow:
        client.send(get()[:-1])
    assert connect(server).exchange(get()).content == b"hello"
    for client in slow:
        client.send(b"\n")
        assert client.response().content == b"hello"


def test_a_thread_of_the_applications_own_may_use_the_environ(
    serve: Serve, connect: Connect
) -> None:
    gate = Gate()
    results: list[bytes] = []

    def later(environ: Environ) -> None:
        gate.wait()
        results.append(environ["wsgi.input"].read())

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        thread = threading.Thread(target=later, args=(environ,))
        thread.start()
        gate.open()
        thread.join(10)
        return hello(environ, start_response)

    for settings in ({}, {"stream_body": True}):
        assert connect(serve(app, **settings)).exchange(post(b"content")).content == b"hello"
    assert results == [b"content"] * 2
