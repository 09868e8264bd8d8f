"""Which connections go on, and how long the server waits for a request."""

import threading
from typing import Any

import pytest

from server.applications import PLAIN, Environ, Recorder, answering, echo, hello
from server.conftest import Connect, Errors, Serve, on_one_poller
from server.wire import Ending, Gate, chunks, get, post, wait_until

pytestmark = pytest.mark.live


# --- What the client says ---------------------------------------------------------------------


@pytest.mark.rule("H103")
@pytest.mark.rule("H104")
@pytest.mark.rule("H106")
@pytest.mark.rule("H107")
@pytest.mark.parametrize(
    ("version", "fields", "persists"),
    [
        ("HTTP/1.1", [], True),
        ("HTTP/1.1", ["Connection: keep-alive"], True),
        ("HTTP/1.1", ["Connection: close"], False),
        ("HTTP/1.1", ["Connection: CLOSE"], False),
        ("HTTP/1.1", ["Connection: TE, close"], False),
        ("HTTP/1.1", ["Connection: keep-alive, close"], False),
        ("HTTP/1.1", ["Connection: TE", "Connection: close"], False),
        ("HTTP/1.1", ["Connection: closed"], True),
        ("HTTP/1.1", ["Keep-Alive: close"], True),
        ("HTTP/1.2", [], True),
        ("HTTP/1.0", [], False),
        ("HTTP/1.0", ["Connection: keep-alive"], True),
        ("HTTP/1.0", ["Connection: Keep-Alive"], True),
        ("HTTP/1.0", ["Connection: TE, keep-alive"], True),
        ("HTTP/1.0", ["Connection: keep-alive, close"], False),
        ("HTTP/1.0", ["Connection: close"], False),
    ],
)
def test_what_the_client_says_about_the_connection(
    serve: Serve, connect: Connect, version: str, fields: list[str], persists: bool
) -> None:
    client = connect(serve(hello))
    request = get("/", *fields, version=version)
    response = client.exchange(request)
    assert response.version == "HTTP/1.1"
    assert response.content == b"hello"
    expected = (None if version != "HTTP/1.0" else "keep-alive") if persists else "close"
    assert response.field("Connection") == expected
    if persists:
        assert client.exchange(request).content == b"hello"
        assert client.exchange(get("/", "Connection: close")).content == b"hello"
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H107")
@pytest.mark.rule("H130")
def test_without_a_length_http_1_0_does_not_go_on(serve: Serve, connect: Connect) -> None:
    client = connect(serve(answering(lambda: iter([b"one", b"two"]))))
    response = client.exchange(get("/", "Connection: keep-alive", version="HTTP/1.0"))
    assert response.field("Connection") == "close"
    assert (response.framing, response.content) == ("close", b"onetwo")


@pytest.mark.rule("H113")
def test_nothing_is_left_of_the_request_before(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app))
    client.exchange(
        get("/one?query", "X-One: 1", "Cookie: a=b", "Content-Type: text/plain", "Authorization: x")
    )
    client.exchange(post(b"content", "/two"))
    client.exchange(get("/three"))
    first, _, last = app.environs
    assert set(last) == set(first) - {
        "HTTP_X_ONE", "HTTP_COOKIE", "CONTENT_TYPE", "HTTP_AUTHORIZATION"
    }  # fmt: skip
    assert last["wsgi.input"].read() == b""
    assert last["QUERY_STRING"] == ""


@pytest.mark.rule("S09")
def test_what_an_application_does_to_its_environ_is_its_own_affair(
    serve: Serve, connect: Connect
) -> None:
    seen: list[Environ] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        if environ["PATH_INFO"] == "/clear":
            environ.clear()
        else:
            for name in environ:
                environ[name] = "poison"
        environ["mine"] = "mine"
        start_response("200 OK", PLAIN)
        return [b"fine"]

    client = connect(serve(app))
    for target in ("/clear", "/poison", "/clear", "/last"):
        assert client.exchange(get(target)).content == b"fine"
        assert client.exchange(post(b"content", target)).content == b"fine"
    for environ in seen:
        assert "mine" not in environ
        assert environ["wsgi.version"] == (1, 0)
        assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"


# --- Waiting for a request --------------------------------------------------------------------


@pytest.mark.rule("H111")
def test_an_idle_connection_is_closed_in_silence(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello, keep_alive=0.2))
    assert client.exchange(get()).content == b"hello"
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H111")
@on_one_poller
def test_the_idle_time_begins_with_each_response(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello, keep_alive=0.6))
    pause = threading.Event()
    for _ in range(10):
        assert client.exchange(get()).content == b"hello"
        pause.wait(0.1)
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H105")
def test_keep_alive_0_closes_after_each_response(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello, keep_alive=0))
    response = client.exchange(get())
    assert response.content == b"hello"
    assert not response.persists
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H111")
def test_a_connection_that_never_asks_is_closed_in_silence(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello, header_timeout=0.2))
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H010")
@pytest.mark.parametrize("before", [0, 1])
@on_one_poller
def test_a_head_that_does_not_come_in_time_is_refused(
    serve: Serve, connect: Connect, before: int
) -> None:
    client = connect(serve(hello, header_timeout=0.2))
    for _ in range(before):
        client.exchange(get())
    client.send(get()[:-1])
    response = client.response()
    assert response.status == 408
    assert not response.persists
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H010")
@on_one_poller
def test_a_head_that_drips_is_refused_all_the_same(serve: Serve, connect: Connect) -> None:
    """Its time counts from its first byte, not from its last."""
    client = connect(serve(hello, header_timeout=0.3))
    pause = threading.Event()
    sent = 0
    for byte in get("/", "X-Long: " + "x" * 500):
        if not client.is_open():
            break
        client.send(bytes([byte]))
        sent += 1
        pause.wait(0.02)
    assert sent < 200
    assert client.response().status == 408


def test_a_head_that_drips_in_time_is_answered(serve: Serve, connect: Connect) -> None:
    client = connect(serve(hello))
    for byte in get() + get():
        client.send(bytes([byte]))
    assert client.response().content == b"hello"
    assert client.response().content == b"hello"


@on_one_poller
def test_a_response_may_take_longer_than_any_timeout(serve: Serve, connect: Connect) -> None:
    """They are for clients, not for applications."""
    gate = Gate()
    pause = threading.Event()

    def app(environ: Environ, start_response: Any) -> Any:
        pause.wait(0.4)
        start_response("200 OK", PLAIN)
        yield b"one"
        gate.wait()
        yield b"two"

    server = serve(app, keep_alive=0.1, header_timeout=0.1, body_timeout=0.1, write_timeout=0.1)
    client = connect(server)
    client.send(post(b"content"))
    client.head()
    assert client.chunk() == b"one"
    pause.wait(0.3)
    gate.open()
    assert client.chunk() == b"two"
    assert client.chunk() == b""


# --- A client that sends no more --------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("request_", [get(), post(b"content")], ids=["get", "post"])
def test_half_a_close_after_the_request_still_gets_the_answer(
    serve: Serve, connect: Connect, request_: bytes, count: int
) -> None:
    client = connect(serve(hello))
    client.send(request_ * count)
    client.half_close()
    for _ in range(count):
        assert client.response().content == b"hello"
    assert client.ending() is Ending.CLEAN


def test_half_a_close_while_the_application_works(serve: Serve, connect: Connect) -> None:
    reached, gate = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        reached.open()
        gate.wait()
        return hello(environ, start_response)

    client = connect(serve(app))
    client.send(get())
    reached.wait()
    client.half_close()
    gate.open()
    assert client.response().content == b"hello"
    assert client.ending() is Ending.CLEAN


def test_half_a_close_before_a_long_response(serve: Serve, connect: Connect) -> None:
    size = 10_000_000
    client = connect(serve(answering([b"x" * size])), receive_buffer=65536)
    client.send(get())
    client.half_close()
    assert len(client.response().content) == size
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H009")
@pytest.mark.rule("H010")
@pytest.mark.parametrize("data", [b"", b"G", get()[:-2], get() + get()[:-1]])
def test_half_a_request_is_no_request(serve: Serve, connect: Connect, data: bytes) -> None:
    app = Recorder()
    client = connect(serve(app))
    client.send(data)
    client.half_close()
    whole = data.count(b"\r\n\r\n")
    for _ in range(whole):
        assert client.response().content == b"ok"
    assert client.ending() is Ending.CLEAN
    assert len(app.environs) == whole


@pytest.mark.parametrize("data", [b"", b"G", get()[:-2], get(), post(b"content")[:-1]])
def test_a_client_that_resets_is_forgotten(serve: Serve, connect: Connect, data: bytes) -> None:
    server = serve(hello)
    for _ in range(10):
        client = connect(server)
        client.send(data)
        client.reset()
    wait_until(lambda: not server.requests_under_way, "the connections to be forgotten")
    assert connect(server).exchange(get()).content == b"hello"


def test_the_application_can_ask_whether_the_client_is_there(
    serve: Serve, connect: Connect
) -> None:
    answers: list[bool] = []
    reached, gate = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        gone = environ["quaich.client_disconnected"]
        answers.append(gone())
        reached.open()
        gate.wait()
        wait_until(gone, "the client to be missed")
        answers.append(gone())
        return hello(environ, start_response)

    client = connect(serve(app))
    client.send(get())
    reached.wait()
    client.close()
    gate.open()
    wait_until(lambda: len(answers) == 2, "the application to end")
    assert answers == [False, True]


@pytest.mark.rule("H110")
@pytest.mark.parametrize("fields", [("Connection: close",), ()], ids=["close", ""])
@pytest.mark.parametrize("size", [1, 100_000])
def test_what_comes_too_late_does_not_cost_the_last_response(
    serve: Serve, connect: Connect, errors: Errors, fields: tuple[str, ...], size: int
) -> None:
    """Bytes that nobody will read are there when the server closes; so it closes in stages."""
    reached, gate = Gate(), Gate()

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        reached.open()
        gate.wait()
        if not fields:
            raise ValueError
        return hello(environ, start_response)

    client = connect(serve(app))
    client.send(get("/", *fields))
    reached.wait()
    client.send(b"x" * size)
    gate.open()
    assert client.response().status == (200 if fields else 500)
    assert client.ending() is Ending.CLEAN
    assert len(errors()) == (not fields)


# --- Content between requests -----------------------------------------------------------------


def test_an_empty_line_behind_content_is_skipped(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo))
    client.send(post(b"one") + b"\r\n" + post(b"two"))
    assert client.response().content == b"one"
    assert client.response().content == b"two"


@pytest.mark.parametrize("stream_body", [False, True])
def test_requests_of_all_kinds_on_one_connection(
    serve: Serve, connect: Connect, stream_body: bool
) -> None:
    client = connect(serve(echo, stream_body=stream_body))
    for number in range(10):
        content = b"%d" % number * 1000
        assert client.exchange(get()).content == b""
        assert client.exchange(post(content)).content == content
        request = get("/", "Transfer-Encoding: chunked", method="POST")
        assert client.exchange(request + chunks(content, content)).content == content * 2
        assert client.exchange(get(method="HEAD"), "HEAD").status == 200
