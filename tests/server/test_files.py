"""wsgi.file_wrapper: the system sends a file where it can, and nobody can tell the difference."""

import errno
import gzip
import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quaich.exchange.call import READ_MAX
from server.applications import PLAIN, Environ
from server.conftest import Connect, Errors, Serve
from server.wire import Gate, Truncated, get, wait_until

pytestmark = pytest.mark.live

CONTENT = bytes(range(256)) * 1000


class Sendfile:
    """What os.sendfile has sent; over TLS, where it cannot be used, what the server has read."""

    def __init__(self) -> None:
        self.bytes = 0
        self.fails: OSError | None = None
        self._send = os.sendfile
        self._read = os.pread

    def __call__(self, out: int, source: int, offset: int, count: int) -> int:
        if self.fails is not None:
            raise self.fails
        sent = self._send(out, source, offset, count)
        self.bytes += sent
        return sent

    def pread(self, fd: int, count: int, offset: int) -> bytes:
        data = self._read(fd, count, offset)
        self.bytes += len(data)
        return data


@pytest.fixture
def sendfile(monkeypatch: pytest.MonkeyPatch, poller: str) -> Sendfile:
    if not hasattr(os, "sendfile"):
        pytest.skip("this platform has no sendfile()")
    spy = Sendfile()
    monkeypatch.setattr(os, "sendfile", spy)
    if poller == "tls":
        monkeypatch.setattr(os, "pread", spy.pread)
    return spy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


class Wrapping:
    """An application that wraps what ``make()`` gives."""

    def __init__(
        self,
        make: Callable[[], Any],
        headers: list[tuple[str, str]] | None = None,
        status: str = "200 OK",
        *size: int,
    ) -> None:
        self._make = make
        self._headers = PLAIN if headers is None else headers
        self._status = status
        self._size = size
        self.files: list[Any] = []

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        start_response(self._status, list(self._headers))
        self.files.append(self._make())
        return environ["wsgi.file_wrapper"](self.files[-1], *self._size)

    def all_are_closed(self) -> None:
        wait_until(lambda: all(file.closed for file in self.files), "the files to be closed")


# --- Files that the system sends --------------------------------------------------------------


@pytest.mark.rule("S108")
@pytest.mark.rule("S115")
@pytest.mark.rule("S116")
@pytest.mark.rule("S118")
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("position", [0, 1, 100_000, len(CONTENT) - 1])
@pytest.mark.parametrize("buffering", [-1, 0], ids=["buffered", "raw"])
def test_a_file_from_its_position_to_its_end(
    serve: Serve,
    connect: Connect,
    path: Path,
    sendfile: Sendfile,
    position: int,
    buffering: int,
    version: str,
) -> None:
    def make() -> Any:
        file: Any = path.open("rb", buffering=buffering)
        file.seek(position)
        return file

    app = Wrapping(make)
    client = connect(serve(app))
    request = get("/", "Connection: keep-alive", version=version)
    for number in (1, 2):
        response = client.exchange(request)
        assert (response.framing, response.content) == ("length", CONTENT[position:])
        app.all_are_closed()
        size = len(CONTENT) - position
        assert sendfile.bytes == number * (size if size > READ_MAX else 0)


def test_what_has_been_read_ahead_is_not_lost(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile
) -> None:
    def make() -> Any:
        file = path.open("rb")
        assert file.readline()
        assert file.read(5)
        file.peek()
        return file

    with path.open("rb") as file:
        file.readline()
        file.read(5)
        rest = file.read()
    assert connect(serve(Wrapping(make))).exchange(get()).content == rest


@pytest.mark.rule("S115")
@pytest.mark.parametrize("length", [0, 1, 1000, len(CONTENT) - 1, len(CONTENT)])
def test_no_more_than_the_content_length(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile, length: int
) -> None:
    app = Wrapping(lambda: path.open("rb"), [("Content-Length", str(length))])
    client = connect(serve(app))
    for _ in range(2):
        response = client.exchange(get())
        assert (response.framing, response.content) == ("length", CONTENT[:length])
    app.all_are_closed()
    assert sendfile.bytes == 2 * length


@pytest.mark.rule("S76")
def test_less_than_the_content_length(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile, errors: Errors
) -> None:
    app = Wrapping(lambda: path.open("rb"), [("Content-Length", str(len(CONTENT) + 1))])
    client = connect(serve(app))
    client.send(get())
    with pytest.raises(Truncated) as info:
        client.response()
    assert info.value.content == CONTENT
    assert len(errors()) == 1
    app.all_are_closed()


@pytest.mark.rule("H120")
@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")],
)
def test_no_content_where_there_is_none(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile, method: str, status: str
) -> None:
    app = Wrapping(lambda: path.open("rb"), None, status)
    client = connect(serve(app))
    for _ in range(2):
        response = client.exchange(get(method=method), method)
        assert response.status == int(status[:3])
        assert response.field("Content-Length") == (str(len(CONTENT)) if method == "HEAD" else None)
    assert client.is_open()
    assert sendfile.bytes == 0
    app.all_are_closed()


def test_an_empty_file(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    client = connect(serve(Wrapping(lambda: (tmp_path / "empty").open("rb"))))
    for _ in range(2):
        response = client.exchange(get())
        assert (response.framing, response.content) == ("length", b"")


@pytest.mark.parametrize("make", [tempfile.TemporaryFile, tempfile.NamedTemporaryFile])
def test_temporary_files(serve: Serve, connect: Connect, make: Any) -> None:
    def filled() -> Any:
        file = make()
        file.write(CONTENT)
        file.seek(0)
        return file

    app = Wrapping(filled)
    assert connect(serve(app)).exchange(get()).content == CONTENT
    app.all_are_closed()


def test_pipelined_files_and_others(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile
) -> None:
    wrapping = Wrapping(lambda: path.open("rb"))

    def app(environ: Environ, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/file":
            return wrapping(environ, start_response)
        start_response("200 OK", PLAIN)
        return [b"other"]

    client = connect(serve(app))
    client.send((get("/other") + get("/file")) * 10)
    for _ in range(10):
        assert client.response().content == b"other"
        assert client.response().content == CONTENT
    wrapping.all_are_closed()


# --- Big files to slow readers ----------------------------------------------------------------


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big"
    with file.open("wb") as out:
        for number in range(256):
            out.write(bytes([number]) * 65536)
    return file


@pytest.mark.parametrize("response_buffer", [1000, 2**30])
@pytest.mark.parametrize("threads", [1, 32])
def test_a_big_file_to_a_slow_reader(
    serve: Serve,
    connect: Connect,
    big: Path,
    sendfile: Sendfile,
    response_buffer: int,
    threads: int,
) -> None:
    """The application's file may be closed long before the client has read it."""
    app = Wrapping(lambda: big.open("rb"))
    server = serve(app, response_buffer=response_buffer, threads=threads)
    client = connect(server, receive_buffer=8192)
    client.send(get())
    client.head()
    if response_buffer > 1000:
        app.all_are_closed()
        assert sendfile.bytes < 2**24
    pause = threading.Event()
    for number in range(256):
        if number % 64 == 0:
            pause.wait(0.01)
        assert client.receive(65536) == bytes([number]) * 65536
    app.all_are_closed()
    assert client.is_open()


@pytest.mark.parametrize("response_buffer", [1000, 2**30])
def test_a_client_that_goes(
    serve: Serve, connect: Connect, big: Path, response_buffer: int
) -> None:
    app = Wrapping(lambda: big.open("rb"))
    server = serve(app, response_buffer=response_buffer)
    client = connect(server, receive_buffer=8192)
    client.send(get())
    client.head()
    client.reset()
    wait_until(lambda: not server.requests_under_way, "the connection to be forgotten")
    app.all_are_closed()


@pytest.mark.rule("S91")
@pytest.mark.parametrize("response_buffer", [1000, 2**30])
def test_a_file_that_becomes_shorter(
    serve: Serve, connect: Connect, big: Path, response_buffer: int
) -> None:
    app = Wrapping(lambda: big.open("rb"))
    server = serve(app, response_buffer=response_buffer)
    client = connect(server, receive_buffer=8192)
    client.send(get())
    client.head()
    os.truncate(big, 2**20)
    with pytest.raises(Truncated):
        client.receive(2**24)
    app.all_are_closed()


def test_a_file_that_becomes_longer(serve: Serve, connect: Connect, path: Path) -> None:
    gate = Gate()

    def make() -> Any:
        file = path.open("rb")
        gate.open()
        return file

    client = connect(serve(Wrapping(make)))
    response = client.exchange(get())
    with path.open("ab") as file:
        file.write(b"more")
    assert response.content == CONTENT
    assert client.exchange(get()).content == CONTENT + b"more"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_where_the_system_cannot_send_it(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile, number: int
) -> None:
    """Some file systems cannot; the content comes all the same."""
    sendfile.fails = OSError(number, os.strerror(number))
    app = Wrapping(lambda: path.open("rb"))
    client = connect(serve(app))
    for _ in range(2):
        assert client.exchange(get()).content == CONTENT
    app.all_are_closed()


# --- Anything else that can be read -----------------------------------------------------------


class Reading:
    """read() and no more."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = list(blocks)
        self.sizes: list[int] = []

    def read(self, size: int) -> bytes:
        self.sizes.append(size)
        return self._blocks.pop(0) if self._blocks else b""


@pytest.mark.rule("S109")
@pytest.mark.rule("S117")
@pytest.mark.parametrize("size", [(), (7,)])
def test_read_is_enough(serve: Serve, connect: Connect, size: tuple[int, ...]) -> None:
    app = Wrapping(lambda: Reading(b"one", b"two"), PLAIN, "200 OK", *size)
    client = connect(serve(app))
    for _ in range(2):
        assert client.exchange(get()).content == b"onetwo"
    assert set(app.files[0].sizes) == ({7} if size else {8192})


@pytest.mark.rule("S113")
@pytest.mark.rule("S117")
def test_in_memory(serve: Serve, connect: Connect) -> None:
    app = Wrapping(lambda: io.BytesIO(CONTENT))
    assert connect(serve(app)).exchange(get()).content == CONTENT
    app.all_are_closed()


@pytest.mark.rule("S113")
def test_a_file_that_gives_other_bytes_than_the_system_would(
    serve: Serve, connect: Connect, tmp_path: Path, sendfile: Sendfile
) -> None:
    with gzip.open(tmp_path / "file.gz", "wb") as file:
        file.write(CONTENT)

    class Upper(io.BufferedReader):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(size).upper()

    app = Wrapping(lambda: gzip.open(tmp_path / "file.gz"))  # noqa: SIM115 - the server closes it
    assert connect(serve(app)).exchange(get()).content == CONTENT
    (tmp_path / "text").write_bytes(b"text")
    other = Wrapping(lambda: Upper(io.FileIO(tmp_path / "text")))
    assert connect(serve(other)).exchange(get()).content == b"TEXT"
    assert sendfile.bytes == 0
    app.all_are_closed()


@pytest.mark.rule("S117")
def test_a_pipe(serve: Serve, connect: Connect, sendfile: Sendfile) -> None:
    def make() -> Any:
        reader, writer = os.pipe()
        with open(writer, "wb") as out:  # noqa: PTH123 - a descriptor has no path
            out.write(b"through a pipe")
        return open(reader, "rb")  # noqa: PTH123 - the wrapper closes it

    app = Wrapping(make)
    client = connect(serve(app))
    for _ in range(2):
        response = client.exchange(get())
        assert (response.framing, response.content) == ("chunked", b"through a pipe")
    assert sendfile.bytes == 0
    app.all_are_closed()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_file_whose_size_is_not_its_contents(serve: Serve, connect: Connect) -> None:
    app = Wrapping(lambda: Path("/proc/self/status").open("rb"))  # noqa: SIM115 - the server closes it
    assert b"VmSize" in connect(serve(app)).exchange(get()).content


@pytest.mark.rule("S112")
def test_close_is_there_if_the_file_has_it(serve: Serve, connect: Connect) -> None:
    seen: list[bool] = []

    def app(environ: Environ, start_response: Any) -> Any:
        wrapper = environ["wsgi.file_wrapper"]
        seen.append(hasattr(wrapper(Reading()), "close"))
        seen.append(hasattr(wrapper(io.BytesIO()), "close"))
        start_response("200 OK", PLAIN)
        return []

    connect(serve(app)).exchange(get())
    assert seen == [False, True]


@pytest.mark.rule("S110")
@pytest.mark.rule("S111")
@pytest.mark.rule("S114")
def test_a_wrapper_that_is_not_returned_sends_nothing(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile
) -> None:
    def app(environ: Environ, start_response: Any) -> Any:
        with path.open("rb") as file:
            wrapper = environ["wsgi.file_wrapper"](file)
            assert next(iter(wrapper)) == CONTENT[:8192]
            start_response("200 OK", PLAIN)
            return [b"something else"]

    assert connect(serve(app)).exchange(get()).content == b"something else"
    assert sendfile.bytes == 0


@pytest.mark.rule("S114")
def test_middleware_sees_the_blocks(
    serve: Serve, connect: Connect, path: Path, sendfile: Sendfile
) -> None:
    inner = Wrapping(lambda: path.open("rb"))

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        result = inner(environ, start_response)
        try:
            for block in result:
                yield block.swapcase()
        finally:
            result.close()

    assert connect(serve(app)).exchange(get()).content == CONTENT.swapcase()
    assert sendfile.bytes == 0
    inner.all_are_closed()


@pytest.mark.rule("S84")
def test_behind_write(serve: Serve, connect: Connect, path: Path) -> None:
    def app(environ: Environ, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)(b"first ")
        return environ["wsgi.file_wrapper"](path.open("rb"))

    assert connect(serve(app)).exchange(get()).content == b"first " + CONTENT


def test_a_closed_file_is_the_applications_error(
    serve: Serve, connect: Connect, path: Path, errors: Errors
) -> None:
    def make() -> Any:
        file = path.open("rb")
        file.close()
        return file

    assert connect(serve(Wrapping(make))).exchange(get()).status == 500
    assert len(errors()) == 1
