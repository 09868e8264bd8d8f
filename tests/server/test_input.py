"""``wsgi.input``: whatever way the content comes, it is a file over the content."""

import io
import tempfile
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.applications import Environ, Recorder, echo
from server.conftest import Connect, Serve, on_one_poller
from server.wire import Client, Ending, chunks, get, post, wait_until

pytestmark = pytest.mark.live

WAYS: dict[str, dict[str, Any]] = {
    "in memory": {},
    "spooled": {"body_buffer": 16},
    "streamed": {"stream_body": True},
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())

CHUNKED = "Transfer-Encoding: chunked"
EXPECT = "Expect: 100-continue"


class Script:
    """An application that does to its input what the test says, and keeps the results."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, Any]] = []
        self.results: list[Any] = []
        self.environ: Environ = {}

    def __call__(self, environ: Environ, start_response: Any) -> list[bytes]:
        self.environ = dict(environ)
        self.results = [perform(environ["wsgi.input"], *step) for step in self.steps]
        start_response("200 OK", [])
        return [b"done"]


def perform(stream: Any, operation: str, argument: Any) -> Any:
    match operation:
        case "next":
            return next(iter(stream), None)
        case "list":
            return list(stream)
        case _ if argument is None:
            return getattr(stream, operation)()
        case _:
            return getattr(stream, operation)(argument)


steps = st.lists(
    st.tuples(st.sampled_from(["read", "readline"]), st.none() | st.integers(-1, 30))
    | st.tuples(st.just("readlines"), st.none() | st.integers(0, 60))
    | st.tuples(st.sampled_from(["next", "list"]), st.none()),
    min_size=1,
    max_size=10,
)
contents = st.lists(
    st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"a longer line ", b"\0\xff"]), max_size=20
).map(b"".join)


def in_length(client: Client, content: bytes, cuts: list[int]) -> None:
    client.send(post(content))


def in_chunks(client: Client, content: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    blocks = [content[one:two] for one, two in pairwise(edges)]
    client.send(get("/", CHUNKED, method="POST") + chunks(*filter(None, blocks)))


def in_pieces(client: Client, content: bytes, cuts: list[int]) -> None:
    """In several segments, so that the application may have to wait for the next."""
    data = post(content)
    for cut in cuts:
        client.send(data[: 1 + cut])
        data = data[1 + cut :]
    client.send(data)


def expecting(client: Client, content: bytes, cuts: list[int]) -> None:
    client.send(get("/", EXPECT, f"Content-Length: {len(content)}", method="POST"))
    if content:
        # Some applications never read.
        client.receive_until(b"\r\n\r\n")
        client.send(content)


@pytest.mark.rule("S49")
@pytest.mark.rule("S51")
@pytest.mark.rule("S52")
@pytest.mark.rule("S53")
@pytest.mark.rule("S54")
@pytest.mark.rule("S55")
@pytest.mark.rule("S56")
@pytest.mark.rule("S58")
@pytest.mark.rule("H065")
@ways
@pytest.mark.parametrize("send", [in_length, in_chunks, in_pieces, expecting])
def test_it_is_a_file_over_the_content(
    serve: Serve,
    connect: Connect,
    way: dict[str, Any],
    send: Callable[[Client, bytes, list[int]], None],
) -> None:
    app = Script()
    client = connect(serve(app, **way))

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=25,
        suppress_health_check=list(HealthCheck),
    )
    @given(content=contents, script=steps, cuts=st.lists(st.integers(0, 60), max_size=4))
    def check(content: bytes, script: list[tuple[str, Any]], cuts: list[int]) -> None:
        # What reads nothing gets no 100, so each script begins with a byte and ends at the end.
        app.steps = [("read", 1), *script, ("read", None), ("read", 1), ("readline", None)]
        app.results = []
        send(client, content, cuts)
        assert client.response().content == b"done"
        model = io.BytesIO(content)
        assert app.results == [perform(model, *step) for step in app.steps]
        assert all(
            type(block) is bytes
            for result in app.results
            for block in (result if isinstance(result, list) else [result])
            if block is not None
        )

    check()


@pytest.mark.rule("S49")
@ways
def test_several_megabytes_in_lines(serve: Serve, connect: Connect, way: dict[str, Any]) -> None:
    content = b"".join(b"%d %s\n" % (number, b"x" * (number % 777)) for number in range(10_000))
    app = Script()
    app.steps = [("list", None)]
    client = connect(serve(app, **way))
    client.send(post(content))
    client.response()
    assert app.results[0] == content.splitlines(keepends=True)


@pytest.mark.rule("S15")
@ways
def test_content_is_binary(serve: Serve, connect: Connect, way: dict[str, Any]) -> None:
    content = bytes(range(256)) * 3 + b"\r\n\n\r\r\n"
    client = connect(serve(echo, **way))
    assert client.exchange(post(content)).content == content
    client.send(get("/", CHUNKED, method="POST") + chunks(content[:300], content[300:]))
    assert client.response().content == content


@pytest.mark.rule("S52")
@pytest.mark.rule("S54")
@pytest.mark.rule("H061")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("field", [(), ("Content-Length: 0",)], ids=["no length", "length 0"])
@ways
def test_without_content_it_is_at_its_end(
    serve: Serve, connect: Connect, way: dict[str, Any], method: str, field: tuple[str, ...]
) -> None:
    app = Script()
    app.steps = [("read", None), ("read", 5), ("readline", None), ("readlines", None), ("list", 0)]
    client = connect(serve(app, **way))
    client.exchange(get("/", *field, method=method))
    assert app.results == [b"", b"", b"", [], []]


@pytest.mark.rule("S52")
@ways
def test_what_stands_behind_the_content_is_the_next_request(
    serve: Serve, connect: Connect, way: dict[str, Any]
) -> None:
    app = Script()
    app.steps = [("read", 1000), ("read", 1)]
    client = connect(serve(app, **way))
    first, second = post(b"one"), get("/", CHUNKED, method="POST") + chunks(b"t", b"wo")
    client.send(first + second + post(b"three"))
    for _ in range(3):
        assert client.response().content == b"done"
    assert app.results == [b"three", b""]


@pytest.mark.rule("H060")
def test_content_is_framed_whatever_the_method(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo))
    for method in ("GET", "DELETE", "OPTIONS", "PATCH", "ODD"):
        assert client.exchange(post(b"content", method=method)).content == b"content"


@pytest.mark.rule("H092")
@pytest.mark.rule("S96")
def test_of_chunks_the_length_is_known_once_they_are_there(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app))
    client.exchange(get("/", CHUNKED, method="POST") + chunks(b"ab", b"cde"))
    assert app.environ["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in app.environ
    assert app.environ["wsgi.input_terminated"] is True


@pytest.mark.rule("H092")
def test_of_streamed_chunks_no_length_is_claimed(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app, stream_body=True))
    client.exchange(get("/", CHUNKED, method="POST") + chunks(b"ab", b"cde"))
    assert "CONTENT_LENGTH" not in app.environ
    assert "HTTP_TRANSFER_ENCODING" not in app.environ
    assert app.environ["wsgi.input_terminated"] is True


@pytest.mark.rule("H089")
@ways
def test_trailers_are_no_content_and_no_fields(
    serve: Serve, connect: Connect, way: dict[str, Any]
) -> None:
    app = Script()
    app.steps = [("read", None)]
    client = connect(serve(app, **way))
    body = chunks(b"content")[:-2] + b"X-Late: yes\r\n\r\n"
    client.exchange(get("/", CHUNKED, method="POST") + body)
    assert app.results == [b"content"]
    assert "HTTP_X_LATE" not in app.environ


def test_it_is_ended_for_other_readers_too(serve: Serve, connect: Connect) -> None:
    """TextIOWrapper is how applications read text."""
    texts = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        wrapper = io.TextIOWrapper(environ["wsgi.input"], "utf-8")
        texts.append(wrapper.read())
        wrapper.detach()
        start_response("200 OK", [])
        return []

    for way in WAYS.values():
        client = connect(serve(app, **way))
        for _ in range(2):
            client.exchange(post("größer als ein Puffer\n".encode()))
    assert texts == ["größer als ein Puffer\n"] * 6


# --- Spooling ---------------------------------------------------------------------------------


def test_the_application_is_called_once_all_content_is_there(
    serve: Serve, connect: Connect
) -> None:
    app = Script()
    server = serve(app)
    client, other = connect(server), connect(server)
    client.send(post(b"content")[:-1])
    assert other.exchange(get()).content == b"done"  # the server has looked at both by now
    app.environ = {}
    assert other.exchange(get("/other")).content == b"done"
    assert app.environ["PATH_INFO"] == "/other"
    client.send(b"t")
    client.response()
    assert app.environ["CONTENT_LENGTH"] == "7"


@pytest.mark.parametrize("size", [0, 15, 16, 17, 100_000])
def test_a_temporary_file_takes_what_is_too_much(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    files = []
    make: Any = tempfile.TemporaryFile

    def spy() -> Any:
        files.append(make())
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", spy)
    client = connect(serve(echo, body_buffer=16))
    assert client.exchange(post(b"x" * size)).content == b"x" * size
    assert len(files) == (size > 16)
    wait_until(lambda: all(file.closed for file in files), "the file to be closed")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_temporary_file_is_closed_when_the_client_goes(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, framing: str
) -> None:
    files = []
    make: Any = tempfile.TemporaryFile

    def spy() -> Any:
        files.append(make())
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", spy)
    app = Recorder()
    client = connect(serve(app, body_buffer=0))
    if framing == "length":
        client.send(post(b"content")[:-1])
    else:
        client.send(get("/", CHUNKED, method="POST") + chunks(b"content")[:-1])
    wait_until(lambda: files, "the content to be spooled")
    client.reset()
    wait_until(lambda: files[0].closed, "the file to be closed")
    assert not app.environs


def test_no_room_for_content_is_503(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, errors: Any
) -> None:
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    app = Recorder()
    client = connect(serve(app, body_buffer=16))
    client.send(post(b"x" * 100))
    response = client.response()
    assert response.status == 503
    assert not response.persists
    assert client.ending() is Ending.CLEAN
    assert not app.environs
    assert "content cannot be kept" in errors()[0].getMessage()


# --- Content that does not come ---------------------------------------------------------------

BROKEN = [
    pytest.param(post(b"content")[:-1], id="length"),
    pytest.param(get("/", CHUNKED, method="POST") + chunks(b"content")[:-5], id="chunks"),
    pytest.param(get("/", CHUNKED, method="POST") + b"7\r\ncon", id="chunk"),
]


@pytest.mark.rule("H077")
@pytest.mark.rule("H091")
@pytest.mark.parametrize("data", BROKEN)
def test_content_that_breaks_off_is_never_handed_on(
    serve: Serve, connect: Connect, data: bytes
) -> None:
    app = Recorder()
    client = connect(serve(app))
    client.send(data)
    client.half_close()
    client.ending()
    assert not app.environs


@pytest.mark.rule("H077")
@pytest.mark.rule("H091")
@pytest.mark.parametrize("data", BROKEN)
def test_streamed_content_that_breaks_off_is_an_error_for_its_reader(
    serve: Serve, connect: Connect, data: bytes
) -> None:
    raised: list[BaseException] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raised.append(error)
            raise
        start_response("200 OK", [])
        return [b"whole"]

    client = connect(serve(app, stream_body=True))
    client.send(data)
    client.half_close()
    assert b"whole" not in client._all()
    assert len(raised) == 1


@pytest.mark.rule("H080")
@ways
def test_broken_chunks_are_refused(serve: Serve, connect: Connect, way: dict[str, Any]) -> None:
    client = connect(serve(echo, **way))
    client.send(get("/", CHUNKED, method="POST") + b"5\r\nhello\r\nnonsense\r\n\r\n")
    response = client.response()
    assert response.status == 400
    assert not response.persists
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H010")
def test_content_that_does_not_come_in_time_is_refused(serve: Serve, connect: Connect) -> None:
    app = Recorder()
    client = connect(serve(app, body_timeout=0.2))
    client.send(post(b"content")[:-1])
    response = client.response()
    assert response.status == 408
    assert not response.persists
    assert client.ending() is Ending.CLEAN
    assert not app.environs


@pytest.mark.rule("H010")
def test_streamed_content_that_does_not_come_in_time_is_refused(
    serve: Serve, connect: Connect
) -> None:
    client = connect(serve(echo, body_timeout=0.2, stream_body=True))
    client.send(post(b"content")[:-1])
    response = client.response()
    assert response.status == 408
    assert not response.persists


@on_one_poller
def test_each_byte_of_content_gives_the_client_more_time(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo, body_timeout=0.4))
    pause = threading.Event()
    client.send(get("/", "Content-Length: 7", method="POST"))
    for _ in range(7):
        pause.wait(0.1)
        client.send(b"x")
    assert client.response().content == b"x" * 7


# --- Content that is too large ----------------------------------------------------------------


@pytest.mark.rule("H076")
@pytest.mark.parametrize("fields", [(), (EXPECT,)], ids=["", "expecting"])
@ways
def test_too_large_a_length_is_refused_before_it_is_read(
    serve: Serve, connect: Connect, way: dict[str, Any], fields: tuple[str, ...]
) -> None:
    app = Recorder()
    client = connect(serve(app, limit_request_body=10, **way))
    client.send(get("/", *fields, "Content-Length: 11", method="POST"))
    response = client.response()
    assert response.status == 413
    assert not response.persists
    assert b"10 bytes (H076)" in response.content
    assert client.ending() is Ending.CLEAN
    assert not app.environs


@pytest.mark.rule("H076")
@ways
def test_the_limit_itself_is_allowed(serve: Serve, connect: Connect, way: dict[str, Any]) -> None:
    client = connect(serve(echo, limit_request_body=10, **way))
    assert client.exchange(post(b"x" * 10)).content == b"x" * 10
    request = get("/", CHUNKED, method="POST") + chunks(b"x" * 4, b"x" * 6)
    assert client.exchange(request).content == b"x" * 10


@pytest.mark.rule("H076")
@ways
def test_too_many_chunks_are_refused(serve: Serve, connect: Connect, way: dict[str, Any]) -> None:
    client = connect(serve(echo, limit_request_body=10, **way))
    client.send(get("/", CHUNKED, method="POST") + chunks(b"x" * 6, b"x" * 5))
    response = client.response()
    assert response.status == 413
    assert not response.persists
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("H076")
def test_limit_0_is_no_limit(serve: Serve, connect: Connect) -> None:
    client = connect(serve(echo, limit_request_body=0))
    assert client.exchange(post(b"x" * 100_000)).content == b"x" * 100_000


@pytest.mark.rule("H110")
def test_a_client_that_still_sends_can_read_that_it_was_refused(
    serve: Serve, connect: Connect
) -> None:
    client = connect(serve(echo, limit_request_body=10))
    content = b"x" * 3_000_000
    client.send(post(content))
    assert client.response().status == 413


# --- Content that nobody reads ----------------------------------------------------------------


@pytest.mark.rule("H078")
@ways
@pytest.mark.parametrize("size", [3, 500_000])
def test_what_the_application_leaves_does_not_disturb_the_next_request(
    serve: Serve, connect: Connect, way: dict[str, Any], size: int
) -> None:
    app = Recorder()
    client = connect(serve(app, **way))
    for request in (
        post(b"x" * size, "/one"),
        get("/two", CHUNKED, method="POST") + chunks(b"x" * size, b"y" * size),
        get("/three"),
    ):
        client.send(request)
        response = client.response()
        assert response.content == b"ok"
        assert response.persists
    assert [environ["PATH_INFO"] for environ in app.environs] == ["/one", "/two", "/three"]


@pytest.mark.rule("H078")
def test_too_much_unread_content_ends_the_connection(serve: Serve, connect: Connect) -> None:
    """The response is there all the same, and whole."""
    client = connect(serve(Recorder(), stream_body=True))
    content = b"x" * 4_000_000
    client.send(post(content))
    assert client.response().content == b"ok"
    assert client.ending() is Ending.CLEAN


@pytest.mark.rule("S93")
def test_the_application_reads_while_the_client_sends(serve: Serve, connect: Connect) -> None:
    """Both ways at once: each line is answered before the next is sent."""

    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", [])
        while line := environ["wsgi.input"].readline():
            yield b"got " + line

    client = connect(serve(app, stream_body=True))
    client.send(get("/", CHUNKED, method="POST"))
    for number in range(5):
        line = b"line %d\n" % number
        client.send(b"%x\r\n%b\r\n" % (len(line), line))
        if not number:
            assert client.head().status == 200
        assert client.chunk() == b"got " + line
    client.send(b"0\r\n\r\n")
    assert client.chunk() == b""
