"""Applications that middleware is put around: each shows one thing that it may do wrong.

A probe takes a :class:`Seen` and gives an application, which writes down there what it sees. The
bytes of its blocks, and the names of its headers, are such as middlewares look for.
"""

import io
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from quaich.types import WSGIApplication

TEXT: Final = (("Content-Type", "text/plain; charset=utf-8"),)
PAGE: Final = (b"<html><head></head><body>\n", b"caf\xc3\xa9 &amp; more\n", b"</body></html>\n")

STEPS: Final = (b"one ", b"", b"two ", b"three")
"""Blocks that are all different, so that each is known when it comes out again."""

NAMES: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", str(len(b"".join(PAGE)))),
    ("Content-Language", "en"),
    ("Cache-Control", "max-age=60"),
    ("ETag", '"probe"'),
    ("Last-Modified", "Mon, 05 Jun 2006 18:49:54 GMT"),
    ("Vary", "Accept-Language"),
    ("Set-Cookie", "probe=1"),
    ("Location", "/probe/other"),
)
"""Headers that middlewares look for."""


@dataclass
class Seen:
    """What a probe has seen of the middleware in one request."""

    environ: dict[str, Any] = field(default_factory=dict)
    was_called: bool = False
    is_writing: bool = False  # it is inside of the write() that it was given
    asked: int = 0  # steps of the iteration
    given: int = 0  # blocks
    closed: int = 0
    read: bytes | None = None
    held: weakref.ref[Any] | None = None  # to an object in the frames of its exception


Probe = Callable[[Seen], WSGIApplication]


class Blocks:
    """An iterable with ``close()`` that counts."""

    def __init__(
        self, blocks: tuple[bytes, ...], seen: Seen, fails: BaseException | None = None
    ) -> None:
        self._blocks = iter(blocks)
        self._seen = seen
        self._fails = fails

    def __iter__(self) -> "Blocks":
        return self

    def __next__(self) -> bytes:
        self._seen.asked += 1
        block = next(self._blocks, None)
        if block is None:
            if self._fails is not None:
                raise self._fails
            raise StopIteration
        self._seen.given += 1
        return block

    def close(self) -> None:
        """Count."""
        self._seen.closed += 1


class SizedBlocks(Blocks):
    """The same with a ``len()`` that is right."""

    def __init__(self, blocks: tuple[bytes, ...], seen: Seen) -> None:
        super().__init__(blocks, seen)
        self._size = len(blocks)

    def __len__(self) -> int:
        return self._size


class FileBlocks(Blocks):
    """The same with attributes that file wrappers have, but of no server's type."""

    def __init__(self, blocks: tuple[bytes, ...], seen: Seen) -> None:
        super().__init__(blocks, seen)
        self.filelike = io.BytesIO(b"".join(blocks))
        self.headers: tuple[()] = ()
        self.status_code = 200


def _plain(result: Callable[[Seen], Any], *more: tuple[str, str]) -> Probe:
    """A probe that starts its response with 200 and returns this."""

    def probe(seen: Seen) -> WSGIApplication:
        def application(environ: dict[str, Any], start_response: Any) -> Any:
            seen.was_called = True
            seen.environ = dict(environ)
            start_response("200 OK", [*(more or TEXT)])
            return result(seen)

        return application

    return probe


blocks: Final = _plain(lambda seen: Blocks((b"one ", b"two ", b"three"), seen))
stepped: Final = _plain(lambda seen: Blocks(STEPS, seen))
sized: Final = _plain(lambda seen: SizedBlocks((b"one ", b"two"), seen))
file: Final = _plain(lambda seen: FileBlocks((b"one ", b"two"), seen))
with_length: Final = _plain(lambda seen: Blocks(PAGE, seen), *NAMES[:2])
failing: Final = _plain(lambda seen: Blocks((b"one ",), seen, ValueError("of the probe")))


def late(seen: Seen) -> WSGIApplication:
    """start_response with the first block."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [*TEXT])
        yield b"late"

    return application


def written(seen: Seen) -> WSGIApplication:
    """write() before the result."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [*TEXT])
        seen.is_writing = True
        try:
            write(b"written ")
        finally:
            seen.is_writing = False
        return [b"returned"]

    return application


def _fail(seen: Seen) -> None:
    held = Seen()  # any object that weak references take
    seen.held = weakref.ref(held)
    raise ValueError("of the probe")


def error_page(seen: Seen) -> WSGIApplication:
    """A page with 500."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("500 Internal Server Error", [*TEXT])
        return [b"replaced"]

    return application


def replaced(seen: Seen) -> WSGIApplication:
    """The same page, after a start_response that it replaces, with exc_info."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*TEXT])
        try:
            _fail(seen)
        except ValueError:
            start_response("500 Internal Server Error", [*TEXT], sys.exc_info())
        return [b"replaced"]

    return application


def empty_first(seen: Seen) -> WSGIApplication:
    """An empty block, behind which status and headers are replaced."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [*TEXT])
        yield b""
        try:
            _fail(seen)
        except ValueError:
            start_response("500 Internal Server Error", [*TEXT], sys.exc_info())
        yield b"replaced"

    return application


def _reading(read: Callable[[Any, int], bytes]) -> Probe:
    """A probe that reads the content of the request in this way."""

    def probe(seen: Seen) -> WSGIApplication:
        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            seen.environ = dict(environ)
            length = int(environ.get("CONTENT_LENGTH") or 0)
            seen.read = read(environ["wsgi.input"], length)
            start_response("200 OK", [*TEXT])
            return [b"read"]

        return application

    return probe


def _lines(stream: Any, length: int) -> bytes:
    return b"".join(iter(stream.readline, b""))


READING: Final[dict[str, Probe]] = {
    "read(length)": _reading(lambda stream, length: bytes(stream.read(length))),
    "read()": _reading(lambda stream, length: bytes(stream.read())),
    "readline()": _reading(_lines),
    "readlines()": _reading(lambda stream, length: b"".join(stream.readlines())),
    "iteration": _reading(lambda stream, length: b"".join(stream)),
}


def named(rename: Callable[[str], str]) -> Probe:
    """A probe of a page with many headers, whose names are written in this way."""
    headers = [(rename(name), value) for name, value in NAMES]

    def probe(seen: Seen) -> WSGIApplication:
        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [*headers])
            return [*PAGE]

        return application

    return probe


PROBES: Final[dict[str, Probe]] = {
    "blocks": blocks,
    "sized": sized,
    "file": file,
    "late": late,
    "written": written,
    "replaced": replaced,
    "empty_first": empty_first,
    "failing": failing,
    "with_length": with_length,
}
"""Those that are asked once, as a server does."""
