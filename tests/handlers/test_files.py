"""Files as results (PEP 3333, Optional Platform-Specific File Handling; D105-D107)."""

import contextlib
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, answer, make_handler, run
from quaich import handlers as our_handlers
from quaich.exchange.files import size_left
from quaich.util import FileWrapper

OURS = SimpleNamespace(handlers=our_handlers)
DATA = bytes(range(256)) * 100  # several blocks of a FileWrapper


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def serving(opened: Any, headers: Any = ()) -> Any:
    """An application that returns a file through the environ's ``wsgi.file_wrapper``."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [*TEXT, *headers])
        return environ["wsgi.file_wrapper"](opened())

    return app


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(lambda path: path.open("rb"), id="buffered"),
        pytest.param(lambda path: path.open("rb", buffering=0), id="unbuffered"),
        pytest.param(lambda path: path.open("r+b"), id="read and write"),
        pytest.param(lambda path: io.BytesIO(path.read_bytes()), id="BytesIO"),
    ],
)
def test_a_file_is_sent_and_closed(wsgiref: SimpleNamespace, path: Path, opened: Any) -> None:
    """S110, S117, S118."""
    file = opened(path)
    assert run(wsgiref, serving(lambda: file)).body == DATA
    assert file.closed


@pytest.mark.defect("D106")
@pytest.mark.parametrize("mode", ["rb", "r+b"])
@pytest.mark.parametrize("buffering", [0, -1])
def test_its_length_is_known(
    wsgiref: SimpleNamespace, path: Path, mode: str, buffering: int
) -> None:
    """S116, H128."""
    if mode == "r+b" and buffering == 0:
        mode = "rb+"
    answer = run(wsgiref, serving(lambda: path.open(mode, buffering=buffering)))
    assert answer.field("Content-Length") == str(len(DATA))
    assert answer.body == DATA


@pytest.mark.defect("D106")
def test_it_is_sent_from_where_it_stands(wsgiref: SimpleNamespace, path: Path) -> None:
    """S115."""

    def opened() -> Any:
        file = path.open("rb")
        file.seek(20_000)
        return file

    answer = run(wsgiref, serving(opened))
    assert answer.field("Content-Length") == str(len(DATA) - 20_000)
    assert answer.body == DATA[20_000:]


@pytest.mark.defect("D085")
def test_it_is_sent_as_far_as_the_application_says(
    wsgiref: SimpleNamespace, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """S115: "or until Content-Length bytes"; no error, then."""
    answer = run(wsgiref, serving(lambda: path.open("rb"), [("Content-Length", "10")]))
    assert answer.body == DATA[:10]
    assert answer.err == ""
    assert not caplog.records


def test_an_empty_file_is_an_empty_body(wsgiref: SimpleNamespace, path: Path) -> None:
    path.write_bytes(b"")
    answer = run(wsgiref, serving(lambda: path.open("rb")))
    assert answer.field("Content-Length") == "0"
    assert answer.body == b""


class Part(FileWrapper):
    """What programs make of FileWrapper: the first bytes of a file."""

    left = 10

    def __next__(self) -> Any:
        block = super().__next__()[: self.left]
        self.left -= len(block)
        if not block:
            raise StopIteration
        return block


def test_a_wrapper_that_gives_a_part_is_believed(path: Path) -> None:
    """S113: what another class makes of its file, the file's size does not say."""
    answer = run(OURS, serving(lambda: path.open("rb")), wsgi_file_wrapper=Part)
    assert answer.body == DATA[:10]
    assert answer.field("Content-Length") is None
    assert answer.err == ""


@contextlib.contextmanager
def pipe() -> Iterator[Any]:
    read, write = os.pipe()
    os.write(write, b"piped")
    os.close(write)
    with os.fdopen(read, "rb") as file:
        yield file


def test_what_is_no_regular_file_has_no_known_length(path: Path) -> None:
    """S113, S117: a GzipFile's fileno() is that of the compressed file."""
    compressed = path.with_suffix(".gz")
    compressed.write_bytes(gzip.compress(DATA))
    with gzip.open(compressed) as unzipped, pipe() as piped, path.open() as text:
        for file in (unzipped, piped, text, io.BytesIO(DATA), object(), None):
            assert size_left(file) is None
    closed = path.open("rb")
    closed.close()
    assert size_left(closed) is None
    with pipe() as piped:
        answer = run(OURS, serving(lambda: piped))
    assert answer.body == b"piped"
    assert answer.field("Content-Length") is None


def test_a_position_behind_the_end_makes_no_negative_length(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(len(DATA) + 5)
        assert size_left(file) in (0, None)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="a file system of Linux")
def test_a_file_that_has_more_than_its_size_says() -> None:
    """Those of /proc are regular files of size 0."""
    proc = Path("/proc/self/status")
    answer = run(OURS, serving(lambda: proc.open("rb", buffering=0)))
    assert answer.body.startswith(b"Name:")
    assert b"nonvoluntary_ctxt_switches" in answer.body
    maps = Path("/proc/self/maps")
    assert len(maps.read_bytes()) > 8192
    answer = run(OURS, serving(lambda: maps.open("rb")))
    assert answer.field("Content-Length") is None
    assert len(answer.body) > 8192


# -- wsgi_file_wrapper and sendfile -------------------------------------------------------


@pytest.mark.defect("D105")
def test_a_function_may_be_the_wrapper(wsgiref: SimpleNamespace, path: Path) -> None:
    """S109: it is called, and what it returns is iterated over."""

    def wrapper(file: Any, block_size: int = 10) -> Any:
        return iter(lambda: file.read(block_size), b"")

    with path.open("rb") as file:
        answer = run(wsgiref, serving(lambda: file), wsgi_file_wrapper=staticmethod(wrapper))
    assert answer.body == DATA


def test_the_wrapper_transmits_nothing_by_itself(wsgiref: SimpleNamespace, path: Path) -> None:
    """S111, S114: a wrapper that is not returned is not sent, nor is one that is wrapped."""
    calls: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])
        with path.open("rb") as file:
            environ["wsgi.file_wrapper"](file)
            return [b"".join(environ["wsgi.file_wrapper"](file))[:3]]

    answer = run(wsgiref, app, sendfile=lambda self: calls.append("sendfile"))
    assert answer.body == DATA[:3]
    assert calls == []


def test_sendfile_that_sends_is_all_there_is(wsgiref: SimpleNamespace, path: Path) -> None:
    """D107, kept: it sends the headers itself; finish_content is not called (Django)."""

    def sendfile(self: Any) -> bool:
        self.send_headers()
        self._write(self.result.filelike.read(5))
        self._flush()
        return True

    def finish_content(self: Any) -> None:
        raise AssertionError

    file = path.open("rb")
    answer = run(wsgiref, serving(lambda: file), sendfile=sendfile, finish_content=finish_content)
    assert answer.status == "HTTP/1.0 200 OK"
    assert answer.body == DATA[:5]
    assert file.closed


def test_sendfile_that_sends_nothing_sends_nothing(wsgiref: SimpleNamespace, path: Path) -> None:
    """D107, kept."""
    answer = run(wsgiref, serving(lambda: path.open("rb")), sendfile=lambda self: True)
    assert answer.out == b""
    assert answer.err == ""


def test_sendfile_that_declines_is_followed_by_iteration(
    wsgiref: SimpleNamespace, path: Path
) -> None:
    """S117; also where it has put something else in the file's place."""

    def sendfile(self: Any) -> bool:
        assert self.result_is_file()
        self.result = [self.result.filelike.read(3)]
        return False

    with path.open("rb") as file:
        assert run(wsgiref, serving(lambda: file), sendfile=sendfile).body == DATA[:3]
    declined = run(wsgiref, serving(lambda: path.open("rb")), sendfile=lambda self: False)
    assert declined.body == DATA


def test_what_sendfile_sends_is_not_announced_in_chunks(path: Path) -> None:
    """S80, H127: only what goes through write() is framed."""

    def sendfile(self: Any) -> bool:
        self.send_headers()
        self._write(self.result.filelike.read())
        return True

    answer = run(
        OURS,
        serving(lambda: io.BytesIO(b"not in chunks")),
        {"SERVER_PROTOCOL": "HTTP/1.1"},
        sendfile=sendfile,
        http_version="1.1",
        chunked_output=True,
    )
    assert answer.field("Transfer-Encoding") is None
    assert answer.body == b"not in chunks"


def test_a_client_that_goes_away_from_sendfile_is_no_error(
    wsgiref: SimpleNamespace, path: Path
) -> None:
    """A sendfile() talks to the socket itself, so its word is taken for it."""

    def sendfile(self: Any) -> bool:
        raise ConnectionResetError

    handler = make_handler(wsgiref, sendfile=sendfile)
    file = path.open("rb")
    handler.run(serving(lambda: file))
    assert answer(handler).err == ""
    assert file.closed
