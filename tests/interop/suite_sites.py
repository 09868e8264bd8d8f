"""Sites in five frameworks, each with the same behaviours, and the requests that all of them
answer alike. ``run.py`` runs this, in an environment that has the frameworks.

``sites/`` has the sites. Each is served by ``quaich serve`` with its default settings. Every
request is counted, and must be in the access log, once.
"""

import contextlib
import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interop.conftest import FILE_SIZE
from interop.reference import digest, pattern
from interop.serving import HERE, PATIENCE, Served, serve

pytestmark = pytest.mark.live

DATA = pattern(FILE_SIZE)
MEGABYTES = 8 * 1024 * 1024

FRAMEWORKS = ("bottle", "django", "falcon", "flask", "pyramid")
HAVE_RANGES = {"bottle", "flask", "pyramid"}

BOUNDARY = "----boundary"


class Reply(NamedTuple):
    status: int
    fields: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """One connection, which is expected to stay, unless a test says otherwise."""

    def __init__(self, served: Served, framework: str) -> None:
        self.framework = framework
        self.served = served
        self.requests = 0
        self._connection = http.client.HTTPConnection(served.host, served.port, timeout=PATIENCE)

    def __call__(
        self, method: str, target: str, body: Any = None, *, stays: bool = True, **fields: str
    ) -> Reply:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection = self._connection
        if connection.sock is None:
            connection.connect()
        kept = connection.sock
        self.requests += 1
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        reply = Reply(response.status, response.headers, response.read())
        assert connection.sock is (kept if stays else None)
        return reply

    def raw(self, data: bytes, responses: int = 1) -> bytes:
        """What comes back for the bytes on a connection of their own, until it ends."""
        self.requests += responses
        address = (self.served.host, self.served.port)
        with socket.create_connection(address, timeout=PATIENCE) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            came = []
            while block := connection.recv(65536):
                came.append(block)
            return b"".join(came)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module", params=FRAMEWORKS)
def client(
    request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    framework: str = request.param
    log = tmp_path_factory.mktemp(framework) / "access.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FILE", str(file))
        with serve(f"{framework}_site:app", directory=HERE / "sites", access_log=log) as served:
            client = Client(served, framework)
            with contextlib.closing(client):
                yield client
            served.stop()
            assert len(served.logged()) == client.requests
            # Of what a site told, all is about the error on purpose.
            assert sum(line == "RuntimeError: an error on purpose" for line in served.said) == 1
            errors = [line for line in served.said if re.match(r"\[.*\] \[[A-Z]+\] ", line)]
            if framework == "pyramid":
                assert len(errors) == 1
                assert "GET /error from 127.0.0.1:" in errors[0]
            else:
                assert errors == []


def test_a_page_with_a_query(client: Client) -> None:
    reply = client("GET", "/page?name=Zo%C3%AB+D&tag=a%26b&tag=%E2%82%AC")
    assert reply.status == 200
    assert reply.fields.get_content_type() == "text/html"
    assert reply.fields["Content-Length"] == str(len(reply.content))
    assert reply.content.decode() == "<!doctype html><p>Hello, Zoë D! a&b, €</p>"
    assert len(reply.fields.get_all("Date", [])) == 1
    assert len(reply.fields.get_all("Server", [])) == 1


@pytest.mark.parametrize(
    "target", ["/page?name=x", "/file", f"/big?size={MEGABYTES}", "/stream?blocks=9"]
)
def test_head(client: Client, target: str) -> None:
    """As GET, without the content."""
    head = client("HEAD", target)
    if head.status == 405:
        # Falcon answers HEAD where a resource says so.
        assert client.framework == "falcon"
        return
    get = client("GET", target)
    assert (head.status, head.content) == (200, b"")
    length = head.fields["Content-Length"]
    assert length in (None, get.fields["Content-Length"])
    assert (length is None) == (target.startswith("/stream"))


def test_form(client: Client) -> None:
    reply = client(
        "POST",
        "/form",
        "name=Zo%C3%AB&comment=a+%26+b%0D%0Ac",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert reply.json == {"name": "Zoë", "comment": "a & b\r\nc"}


@pytest.mark.parametrize("chunked", [False, True])
def test_upload(client: Client, chunked: bool) -> None:
    """Too large for memory: it comes by way of a temporary file."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nGröße\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += DATA + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    reply = client("POST", "/upload", iter([body]) if chunked else body, Content_Type=kind)
    found = {"title": "Größe", "name": "a.bin", "size": FILE_SIZE, "sha256": digest(DATA)}
    assert reply.json == found


def test_json(client: Client) -> None:
    body = json.dumps({"numbers": [*range(10_000)]})
    reply = client("POST", "/json", body, Content_Type="application/json")
    assert reply.json == {"total": 49_995_000}
    assert reply.fields.get_content_type() == "application/json"


def test_redirect(client: Client) -> None:
    reply = client("GET", "/redirect")
    assert reply.status in (302, 303)
    location = reply.fields["Location"].removeprefix(client.served.url)
    assert location == "/page?name=redirected"
    assert b"Hello, redirected!" in client("GET", location).content


def test_cookies(client: Client) -> None:
    lines = client("GET", "/cookies/set").fields.get_all("Set-Cookie", [])
    assert sorted(line.partition(";")[0] for line in lines) == ["first=1", "second=2"]
    assert client("GET", "/cookies", Cookie="first=1; second=2").json == {
        "first": "1",
        "second": "2",
    }


def test_stream(client: Client) -> None:
    reply = client("GET", "/stream?blocks=5000")
    assert reply.fields["Transfer-Encoding"] == "chunked"
    assert reply.fields["Content-Length"] is None
    assert reply.content == b"".join(b"%06d\n" % number * 100 for number in range(5000))


def test_stream_to_an_old_client(client: Client) -> None:
    came = client.raw(b"GET /stream?blocks=50 HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    head, _, content = came.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert content == b"".join(b"%06d\n" % number * 100 for number in range(50))


def test_file(client: Client) -> None:
    reply = client("GET", "/file")
    assert reply.fields["Content-Length"] == str(FILE_SIZE)
    assert reply.content == DATA


def test_part_of_a_file(client: Client) -> None:
    reply = client("GET", "/file", Range="bytes=100000-1999999")
    if client.framework in HAVE_RANGES:
        assert reply.status == 206
        assert reply.fields["Content-Range"] == f"bytes 100000-1999999/{FILE_SIZE}"
        assert reply.content == DATA[100_000:2_000_000]
    else:
        assert (reply.status, reply.content) == (200, DATA)


def test_a_file_that_has_not_changed(client: Client) -> None:
    changed = client("GET", "/file").fields["Last-Modified"]
    reply = client("GET", "/file", If_Modified_Since=changed or "")
    if changed is not None and client.framework != "django":
        assert (reply.status, reply.content) == (304, b"")


def test_big(client: Client) -> None:
    reply = client("GET", f"/big?size={MEGABYTES}")
    assert reply.fields["Content-Length"] == str(MEGABYTES)
    assert reply.content == b"0123456789abcdef" * (MEGABYTES // 16)


def test_a_slow_reader(client: Client) -> None:
    """The response is larger than what the server keeps; others are served meanwhile."""
    address = (client.served.host, client.served.port)
    request = f"GET /big?size={MEGABYTES} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    client.requests += 1
    with socket.create_connection(address, timeout=PATIENCE) as slow:
        slow.sendall(request)
        for _ in range(10):
            assert client("GET", "/page?name=x").status == 200
        with http.client.HTTPResponse(slow) as response:
            response.begin()
            assert response.read() == b"0123456789abcdef" * (MEGABYTES // 16)


def test_not_found(client: Client) -> None:
    assert client("GET", "/missing").status == 404


def test_not_found_with_content_that_nobody_reads(client: Client) -> None:
    assert client("POST", "/missing", DATA).status == 404
    assert client("GET", "/page?name=x").status == 200


def test_error(client: Client) -> None:
    """Its traceback is in the server's log, and not in the response."""
    # Pyramid leaves it to the server, whose answer is the last on a connection.
    reply = client("GET", "/error", stays=client.framework != "pyramid")
    assert reply.status == 500
    assert b"on purpose" not in reply.content
    assert client("GET", "/page?name=x").status == 200


@pytest.mark.parametrize("size", [0, 1, 70_000, FILE_SIZE])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_chunked_content(client: Client, method: str, size: int) -> None:
    data = pattern(size)
    reply = client(method, "/content", iter([data[n : n + 9973] for n in range(0, size, 9973)]))
    assert reply.json == {"size": size, "sha256": digest(data)}


@pytest.mark.parametrize("chunked", [False, True])
def test_content_after_100(client: Client, chunked: bool) -> None:
    """The client waits for 100 (Continue), as curl does before a large upload."""
    client.requests += 1
    address = (client.served.host, client.served.port)
    data = pattern(100_000)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.sendall(
            f"POST /content HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        came = b""
        while not came.endswith(b"\r\n\r\n"):
            came += connection.recv(1)
        assert came.startswith(b"HTTP/1.1 100 ")
        if chunked:
            connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        else:
            connection.sendall(data)
        with http.client.HTTPResponse(connection) as response:
            response.begin()
            assert json.loads(response.read()) == {"size": len(data), "sha256": digest(data)}


def test_path_and_query_beyond_ascii(client: Client) -> None:
    reply = client("GET", "/path/sm%C3%B8rrebr%C3%B8d%20%E2%82%AC?q=%C3%BC%26")
    assert reply.json == {"path": "smørrebrød €", "query": "ü&"}


def test_pipelined(client: Client) -> None:
    """Several requests in one send are answered in their order."""
    form = b"name=a"
    came = client.raw(
        b"GET /path/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        b"POST /form HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\n"
        + form
        + b"GET /stream?blocks=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        b"GET /path/2 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        responses=4,
    )
    assert came.count(b"HTTP/1.1 200 ") == 4
    places = [came.index(part) for part in (b'"1"', b'"a"', b"000000\n", b'"2"')]
    assert places == sorted(places)


def test_a_response_does_not_wait_for_the_next_request(client: Client) -> None:
    """A request, and the first half of the next one in the same send."""
    client.requests += 2
    address = (client.served.host, client.served.port)
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.sendall(
            b"GET /path/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            b"POST /content HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 6\r\n\r\nabc"
        )
        for rest, told in ((b"def", {"path": "1", "query": ""}), (b"", {"size": 6})):
            with http.client.HTTPResponse(connection) as response:
                response.begin()
                assert json.loads(response.read()).items() >= told.items()
            connection.sendall(rest)


def test_many_at_once(client: Client) -> None:
    """Thirty connections, each in the middle of its content at the same time."""
    address = (client.served.host, client.served.port)
    connections = [socket.create_connection(address, timeout=PATIENCE) for _ in range(30)]
    client.requests += len(connections)
    halves = (DATA[:40_000], DATA[40_000:80_000])
    try:
        for connection in connections:
            connection.sendall(
                b"POST /content HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 80000\r\n\r\n"
                + halves[0]
            )
        for connection in reversed(connections):
            connection.sendall(halves[1])
        for connection in connections:
            with http.client.HTTPResponse(connection) as response:
                response.begin()
                assert json.loads(response.read())["sha256"] == digest(DATA[:80_000])
    finally:
        for connection in connections:
            connection.close()
