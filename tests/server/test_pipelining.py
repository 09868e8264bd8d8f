"""Several requests at once on one connection: answered in their order, and together."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Environ, Held, Recorder, answering, echo, path
from server.conftest import Connect, Serve
from server.wire import Ending, Gate, chunks, get, post, wait_until

pytestmark = [pytest.mark.live, pytest.mark.rule("H108")]


@pytest.mark.parametrize("count", [2, 63, 64, 65, 200])
def test_all_are_answered_in_their_order(serve: Serve, connect: Connect, count: int) -> None:
    client = connect(serve(path))
    client.send(b"".join(get(f"/{number}") for number in range(count)))
    for number in range(count):
        assert client.response().content == b"/%d" % number
    assert client.exchange(get("/last")).content == b"/last"


def test_more_than_the_server_takes_at_once(serve: Serve, connect: Connect) -> None:
    """Requests of 3 MB; the client reads only when it has sent them all."""
    client = connect(serve(path))
    sender = threading.Thread(
        target=client.send, args=(b"".join(get(f"/{n}", "X: " + "x" * 990) for n in range(3000)),)
    )
    sender.start()
    for number in range(3000):
        assert client.response().content == b"/%d" % number
    sender.join(10)


def test_responses_go_out_together(serve: Serve, connect: Connect) -> None:
    """Twenty small ones need far fewer sends than twenty."""
    client = connect(serve(path))
    client.send(b"".join(get(f"/{number}") for number in range(20)))
    for number in range(20):
        assert client.response().content == b"/%d" % number
    assert client.segments <= 4


def test_others_get_their_turn(serve: Serve, connect: Connect) -> None:
    server = serve(path)
    greedy, other = connect(server), connect(server)
    requests = b"".join(get(f"/{number}") for number in range(2000))
    sender = threading.Thread(target=greedy.send, args=(requests,))
    sender.start()
    for _ in range(10):
        assert other.exchange(get("/other")).content == b"/other"
    for number in range(2000):
        assert greedy.response().content == b"/%d" % number
    sender.join(10)


@pytest.mark.rule("S81")
@pytest.mark.parametrize("threads", [1, 2, 32])
def test_a_slow_one_does_not_hold_back_the_response_before_it(
    serve: Serve, connect: Connect, threads: int
) -> None:
    app = Held()
    client = connect(serve(app, threads=threads))
    client.send(get("/quick") + get("/wait") + get("/3"))
    assert client.response().content == b"/quick"
    assert client.is_open()
    app.gate.open()
    assert client.response().content == b"/wait"
    assert client.response().content == b"/3"
    assert app.calls == ["/quick", "/wait", "/3"]


@pytest.mark.rule("S81")
def test_one_that_waits_for_a_thread_does_not_either(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app, threads=1)
    waiting, client = connect(server), connect(server)
    client.send(get("/1"))
    assert client.response().content == b"/1"
    waiting.send(get("/wait"))
    wait_until(lambda: app.inside, "the application to be called")
    client.send(get("/2") + get("/3"))
    app.gate.open()
    assert client.response().content == b"/2"
    assert client.response().content == b"/3"


@pytest.mark.rule("S14")
def test_blocks_of_a_later_response_still_go_out_one_by_one(serve: Serve, connect: Connect) -> None:
    gates = [Gate() for _ in range(3)]

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return stream() if environ["PATH_INFO"] == "/stream" else [b"plain"]

    def stream() -> Iterator[bytes]:
        for number, gate in enumerate(gates):
            yield b"%d" % number
            gate.wait()

    client = connect(serve(app))
    client.send(get() + get("/stream") + get())
    assert client.response().content == b"plain"
    client.head()
    for number, gate in enumerate(gates):
        assert client.chunk() == b"%d" % number
        gate.open()
    assert client.chunk() == b""
    assert client.response().content == b"plain"


@pytest.mark.rule("S14")
def test_blocks_of_the_first_response_go_out_though_another_request_is_there(
    serve: Serve, connect: Connect
) -> None:
    gate = Gate()

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        yield b"one"
        gate.wait()
        yield b"two"

    client = connect(serve(app))
    client.send(get() * 2)
    client.head()
    assert client.chunk() == b"one"
    gate.open()
    assert client.chunk() + client.chunk() == b"two"
    assert client.response().content == b"onetwo"


@pytest.mark.parametrize("cut", [1, 3, 20, -3, -1])
def test_a_part_of_a_head_behind_a_whole_one(serve: Serve, connect: Connect, cut: int) -> None:
    client = connect(serve(path))
    second = get("/2")
    client.send(get("/1") + second[:cut])
    assert client.response().content == b"/1"
    client.send(second[cut:] + get("/3"))
    assert client.response().content == b"/2"
    assert client.response().content == b"/3"


@pytest.mark.parametrize("cut", [1, 40, -8, -3, -1])
@pytest.mark.parametrize("stream_body", [False, True])
def test_a_part_of_content_behind_a_request(
    serve: Serve, connect: Connect, cut: int, stream_body: bool
) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    second = post(b"second one")
    client.send(post(b"first") + second[:cut])
    assert client.response().content == b"first"
    client.send(second[cut:] + post(b"third"))
    assert client.response().content == b"second one"
    assert client.response().content == b"third"


@pytest.mark.parametrize("stream_body", [False, True])
def test_with_and_without_content(serve: Serve, connect: Connect, stream_body: bool) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    chunked = get("/", "Transfer-Encoding: chunked", method="POST")
    client.send(
        b"".join(
            get() + post(b"%d" % number) + chunked + chunks(b"chunk", b"%d" % number)
            for number in range(50)
        )
    )
    for number in range(50):
        assert client.response().content == b""
        assert client.response().content == b"%d" % number
        assert client.response().content == b"chunk%d" % number


@pytest.mark.rule("H106")
@pytest.mark.parametrize("behind", [1, 100, 20_000])
def test_close_in_the_middle_is_the_end(serve: Serve, connect: Connect, behind: int) -> None:
    """Clean, also if much more has come."""
    app = Recorder()
    client = connect(serve(app))
    sender = threading.Thread(
        target=client.send, args=(get("/1") + get("/2", "Connection: close") + get("/3") * behind,)
    )
    sender.start()
    assert client.response().persists
    assert not client.response().persists
    assert client.ending() is Ending.CLEAN
    sender.join(10)
    assert [environ["PATH_INFO"] for environ in app.environs] == ["/1", "/2"]


@pytest.mark.rule("H109")
def test_a_bad_one_is_refused_behind_the_answers_to_the_good_ones(
    serve: Serve, connect: Connect
) -> None:
    client = connect(serve(path))
    client.send(get("/1") + get("/2") + b"nonsense\r\n\r\n" + get("/3"))
    assert client.response().content == b"/1"
    assert client.response().content == b"/2"
    assert client.response().status == 400
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H109")
def test_a_bad_one_behind_more_than_the_client_takes(serve: Serve, connect: Connect) -> None:
    size = 200_000
    server = serve(answering([b"x" * size]), response_buffer=1000)
    client = connect(server, receive_buffer=4096)
    client.send(get() * 30 + b"nonsense\r\n\r\n")
    assert connect(server).exchange(get()).status == 200
    for _ in range(30):
        assert len(client.response().content) == size
    assert client.response().status == 400
    assert client.ending() is Ending.CLEAN
    client.close()
    wait_until(lambda: not server.requests_under_way, "the connection to end")


def test_head_in_between(serve: Serve, connect: Connect) -> None:
    client = connect(serve(path))
    client.send(get("/1") + get("/2", method="HEAD") + get("/3"))
    assert client.response().content == b"/1"
    assert client.response("HEAD").field("Content-Length") == "2"
    assert client.response().content == b"/3"


def test_the_client_goes_in_the_middle(serve: Serve, connect: Connect) -> None:
    app = Held()
    server = serve(app)
    client = connect(server)
    client.send(get("/1") + get("/wait") + get("/3") * 50)
    wait_until(lambda: app.inside, "the application to be called")
    client.reset()
    app.gate.open()
    wait_until(lambda: not server.requests_under_way, "the connection to be forgotten")
    assert connect(server).exchange(get("/new")).content == b"/new"
