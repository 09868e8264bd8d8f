"""What the server answers itself: what is in it, and that the client gets to read it."""

import re
import threading
from typing import Any

import pytest

from server.applications import Recorder, echo
from server.conftest import Connect, Serve, on_one_poller
from server.wire import Ending, chunks, get, post

pytestmark = [pytest.mark.live, pytest.mark.rule("H109")]

MARK = "reflected"  # in each request, so that no answer may have it
CHUNKED = "Transfer-Encoding: chunked"

LIMITS: dict[str, Any] = {
    "limit_request_line": 100,
    "limit_request_fields": 10,
    "limit_request_field_size": 100,
    "limit_request_head": 800,
    "limit_request_body": 50,
    "limit_request_trailer_size": 60,
    "limit_request_trailers": 3,
    "limit_chunk_extensions": 40,
}

REFUSED = [
    pytest.param(f"{MARK}\r\n\r\n".encode(), 400, "H013", id="no request line"),
    pytest.param(get(f"/{MARK} {MARK}"), 400, "H013", id="space in target"),
    pytest.param(get(f"/{MARK}#x"), 400, "H026", id="fragment"),
    pytest.param(f"GET /{MARK} HTTP/1.1\r\n\r\n".encode(), 400, "H038", id="no Host"),
    pytest.param(get("/", f"Host: {MARK}"), 400, "H039", id="two Hosts"),
    pytest.param(get("/", f"{MARK} : x"), 400, "H045", id="space before colon"),
    pytest.param(get("/", f"X: {MARK}", f" {MARK}"), 400, "H047", id="folded line"),
    pytest.param(get("/", f"X: {MARK}\0"), 400, "H048", id="NUL"),
    pytest.param(get("/", f"Content-Length: +1{MARK}"), 400, "H062", id="no length"),
    pytest.param(
        get("/", CHUNKED, "Content-Length: 5", f"X: {MARK}"), 400, "H071", id="two framings"
    ),
    pytest.param(get(f"/{MARK}", version="HTTP/0.9"), 505, "H023", id="old version"),
    pytest.param(get(f"/{MARK}", version="HTTP/3.0"), 505, "H023", id="new version"),
    pytest.param(get(f"/{MARK * 50}"), 414, "H019", id="long line"),
    pytest.param(get("/", f"X: {MARK * 50}"), 431, "H051", id="long field"),
    pytest.param(get("/", *[f"X{n}: {MARK}" for n in range(30)]), 431, "H051", id="many fields"),
    pytest.param(get("/", *[f"X{n}: {MARK * 9}" for n in range(9)]), 431, "H051", id="long head"),
    pytest.param(get("/", f"Transfer-Encoding: {MARK}, chunked"), 501, "H067", id="unknown coding"),
    pytest.param(get(method="M" * 70 + MARK), 501, "H017", id="long method"),
    pytest.param(get("/", f"Expect: {MARK}"), 417, "H093", id="unknown expectation"),
    pytest.param(post(MARK.encode() * 10), 413, "H076", id="too long"),
    pytest.param(
        get("/", CHUNKED, method="POST") + chunks(*[MARK.encode()] * 9), 413, "H076", id="chunks"
    ),
    pytest.param(
        get("/", CHUNKED, method="POST") + f"{MARK}\r\n".encode(), 400, "H080", id="no size"
    ),
    pytest.param(
        get("/", CHUNKED, method="POST") + b"5;" + MARK.encode() * 5 + b"\r\n",
        400,
        "H086",
        id="extension",
    ),
    pytest.param(
        get("/", CHUNKED, method="POST") + b"0\r\nX: " + MARK.encode() * 20,
        431,
        "H088",
        id="trailer",
    ),
    pytest.param(b"\x16\x03\x01" + MARK.encode(), 400, "H011", id="TLS"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "H012", id="HTTP/2"),
]


@pytest.mark.parametrize(("data", "status", "rule"), REFUSED)
def test_a_refusal_is_a_whole_response(
    serve: Serve, connect: Connect, data: bytes, status: int, rule: str
) -> None:
    app = Recorder()
    server = serve(app, **LIMITS)
    client = connect(server)
    client.send(data)
    response = client.response()
    assert response.version == "HTTP/1.1"
    assert response.status == status
    assert response.reason
    assert re.fullmatch(
        r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT",
        response.field("Date") or "",
    )
    assert response.framing == "length"
    assert response.field("Connection") == "close"
    assert response.field("Content-Type") == "text/plain; charset=utf-8"
    assert response.field("Server") == "quaich"
    text = response.content.decode("ascii")
    assert text.startswith(f"{status} {response.reason}\n")
    assert re.search(r"\([HS]\d+\)\n$", text)
    assert f"({rule})" in text
    assert MARK not in text
    assert client.ending() is Ending.CLEAN
    assert not app.environs
    assert connect(server).exchange(get()).content == b"ok"


def test_without_a_server_field(serve: Serve, connect: Connect) -> None:
    server = serve(echo, server_header=False)
    assert connect(server).exchange(b"nonsense\r\n\r\n").field("Server") is None
    assert connect(server).exchange(get()).field("Server") is None


@pytest.mark.rule("H120")
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (get("/", "Host: two", method="HEAD"), 400),
        (get("/" + "x" * 10_000, method="HEAD"), 414),
        (post(b"x" * 100, method="HEAD"), 413),
    ],
)
def test_a_head_is_refused_without_content(
    serve: Serve, connect: Connect, data: bytes, status: int
) -> None:
    client = connect(serve(echo, limit_request_body=50))
    client.send(data)
    response = client.response("HEAD")
    assert response.status == status
    assert int(response.field("Content-Length") or 0) > 0
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H110")
@pytest.mark.parametrize("size", [10_000, 1_000_000, 5_000_000])
@pytest.mark.parametrize("reads_late", [False, True])
def test_the_client_can_read_it_though_it_is_still_sending(
    serve: Serve, connect: Connect, size: int, reads_late: bool
) -> None:
    client = connect(serve(echo, limit_request_body=100))
    sender = threading.Thread(target=client.send, args=(post(b"x" * size),))
    sender.start()
    if reads_late:
        sender.join(10)
        assert not sender.is_alive()
    response = client.response()
    assert response.status == 413
    assert client.ending() is Ending.CLEAN
    sender.join(10)


@pytest.mark.rule("H110")
@on_one_poller
def test_a_client_that_never_ends_is_ended(serve: Serve, connect: Connect) -> None:
    """After a moment, though it keeps sending."""
    server = serve(echo)
    client = connect(server)
    client.send(b"nonsense\r\n\r\n")
    assert client.response().status == 400
    ended = threading.Event()

    def send() -> None:
        try:
            while True:
                client.send(b"x" * 1000)
                if ended.wait(0.01):
                    return
        except OSError:
            ended.set()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert ended.wait(8), "the server listens for ever"
    finally:
        ended.set()
        sender.join(10)


@pytest.mark.rule("H005")
def test_empty_lines_before_a_request(serve: Serve, connect: Connect) -> None:
    client = connect(serve(Recorder()))
    client.send(b"\r\n" * 3 + get())
    assert client.response().content == b"ok"
    client.send(b"\r\n" * 50 + get())
    assert client.response().status == 400


def test_a_request_of_every_size_up_to_the_limits(serve: Serve, connect: Connect) -> None:
    client = connect(serve(Recorder(), **LIMITS))
    for size in range(1, 79, 7):
        target = "/" + "x" * size
        assert client.exchange(get(target, "X: " + "y" * size)).content == b"ok"
