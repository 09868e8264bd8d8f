"""The middleware: files for some paths, the application for the rest.

StaticFiles.__call__    a request
  _find                   the file that it is for
  _respond                what is sent of it, and how
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import time
from typing import Any, Final, Protocol
from urllib.parse import quote

from quaich.exchange.files import FileParts, Piece
from quaich.settings.operations import Symlinks
from quaich.static.coding import CODINGS, accepted_codings, choose_coding
from quaich.static.conditions import (
    Outcome,
    Validators,
    evaluate,
    is_range_due,
    validators_of,
)
from quaich.static.content_types import content_type_of, is_compressible
from quaich.static.directory import Directory, Opened
from quaich.static.paths import Route, split_path
from quaich.static.ranges import ByteRange, Multipart, parse_range
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment
from quaich.util import FileWrapper

INDEX: Final = b"index.html"

BLOCK: Final = 64 * 1024  # bytes that are read at once where the system does not send the file

_REFERENCE: Final = "/:@!$&'()*+,;=-._~%?"  # what stands in the query of a URL as it is


class StaticFiles:
    """An application that sends files, and calls another for what is no file.

    ``routes``: texts ``/URL=DIRECTORY``, or ``Route`` objects; of several that fit a path, the
    longest is asked first. ``expires``: seconds for which clients may use a file without asking
    again. ``symlinks``: ``inside``, ``follow`` or ``refuse``, as the setting ``static_symlinks``.
    Raises ValueError for a route that is none, or whose directory is not there.
    """

    def __init__(
        self,
        application: WSGIApplication,
        routes: Iterable[Route | str],
        *,
        expires: float = 0.0,
        symlinks: Symlinks = "inside",
        clock: Callable[[], float] = time,
    ) -> None:
        self.application = application
        parsed = [Route.parse(each) if isinstance(each, str) else each for each in routes]
        for route in parsed:
            if not os.path.isdir(route.directory):  # noqa: PTH112
                raise ValueError(f"{route.directory!r} is no directory")
        parsed.sort(key=lambda route: -len(route.url))
        self._routes = [(route, Directory(route.directory, symlinks)) for route in parsed]
        self._cache_control = f"max-age={int(expires)}" if expires >= 1 else "no-cache"
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """As PEP 3333 has it."""
        path: str = environ.get("PATH_INFO", "")
        for route, directory in self._routes:
            rest = route.rest(path)
            if rest is None:
                continue
            names = split_path(rest) if rest else ()
            if names is None:
                continue
            result = self._answer(environ, start_response, directory, names)
            if result is not None:
                return result
        return self.application(environ, start_response)

    def _answer(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        directory: Directory,
        names: Sequence[bytes],
    ) -> Iterable[bytes] | None:
        """The answer, if the names lead to a file; None if they do not."""
        if names and not names[-1]:
            names = (*names[:-1], INDEX)
            opened = directory.open(names)
        elif names:
            opened = directory.open(names)
        else:
            opened = Opened(-1, 0, 0)  # the directory of the route
        if opened is None:
            return None
        if opened.is_directory:
            index = directory.open((*names, INDEX))
            if index is None or index.is_directory:
                return None
            os.close(index.fd)
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                return None
            return _redirect(environ, start_response, self._cache_control)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            os.close(opened.fd)
            return _say(environ, start_response, "405 Method Not Allowed", [("Allow", "GET, HEAD")])
        files = {"": opened}  # by coding, all that are open
        try:
            return self._respond(environ, start_response, directory, names, files)
        finally:
            for each in files.values():
                os.close(each.fd)

    def _respond(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        directory: Directory,
        names: Sequence[bytes],
        files: dict[str, Opened],
    ) -> Iterable[bytes]:
        """``files``: the one that is sent is taken out."""
        content_type = content_type_of(names[-1])
        if is_compressible(content_type):
            # Also for a client that takes none: caches have to know that there is a choice.
            for each, suffix in CODINGS.items():
                compressed = directory.open((*names[:-1], names[-1] + suffix))
                if compressed is not None and not compressed.is_directory:
                    files[each] = compressed
        coding = ""
        if len(files) > 1:
            accepted = accepted_codings(environ.get("HTTP_ACCEPT_ENCODING"))
            coding = choose_coding(accepted, tuple(files))
        opened, now = files[coding], self._clock()
        validators = validators_of(opened.size, opened.modified, coding, now)
        headers = [("ETag", validators.etag), ("Cache-Control", self._cache_control)]
        if len(files) > 1:
            headers.append(("Vary", "Accept-Encoding"))
        outcome = evaluate(environ, validators, now)
        if outcome is Outcome.NOT_MODIFIED:
            start_response("304 Not Modified", headers)
            return []
        if outcome is Outcome.FAILED:
            return _say(environ, start_response, "412 Precondition Failed", [])
        ranges = _ranges(environ, opened.size, validators, now)
        if ranges is not None and not ranges:
            unsatisfied = [("Content-Range", f"bytes */{opened.size}")]
            return _say(environ, start_response, "416 Range Not Satisfiable", unsatisfied)
        headers.append(("Last-Modified", validators.last_modified))
        headers.append(("Accept-Ranges", "bytes"))
        headers.append(("X-Content-Type-Options", "nosniff"))
        if coding:
            headers.append(("Content-Encoding", coding))
        del files[coding]
        return _send(environ, start_response, headers, opened, content_type, ranges)


def _ranges(
    environ: WSGIEnvironment, size: int, validators: Validators, now: float
) -> list[ByteRange] | None:
    """None: all of the file."""
    text = environ.get("HTTP_RANGE")
    if text is None or environ["REQUEST_METHOD"] != "GET":
        return None
    return parse_range(text, size) if is_range_due(environ, validators, now) else None


# --- Responses -------------------------------------------------------------------------------


def _send(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    headers: list[tuple[str, str]],
    opened: Opened,
    content_type: str,
    ranges: list[ByteRange] | None,
) -> Iterable[bytes]:
    """The file, or ranges of it. Closes the file, or leaves that to the server."""
    file = open(opened.fd, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed by what is returned
    try:
        if ranges is not None and len(ranges) > 1:
            # 128 bits by chance are in no file but by a chance that nobody lives to see.
            parts = Multipart(ranges, opened.size, content_type, os.urandom(16).hex())
            headers.append(("Content-Type", parts.content_type))
            headers.append(("Content-Length", str(parts.length)))
            start_response("206 Partial Content", headers)
            return _body(environ.get("wsgi.file_wrapper"), FileParts(file, _pieces(parts)))
        headers.append(("Content-Type", content_type))
        if ranges is None:
            status, sent = "200 OK", ByteRange(0, opened.size)
        else:
            status, (sent,) = "206 Partial Content", ranges
            headers.append(("Content-Range", sent.content_range(opened.size)))
        headers.append(("Content-Length", str(sent.stop - sent.start)))
        start_response(status, headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return []
        part = FileParts(file, [(sent.start, sent.stop - sent.start)])
        return _body(environ.get("wsgi.file_wrapper"), part)
    except BaseException:
        file.close()
        raise


def _pieces(parts: Multipart) -> Iterator[Piece]:
    """Ranges of a file, each behind its head."""
    for head, each in zip(parts.heads, parts.ranges, strict=True):
        yield head
        yield each.start, each.stop - each.start
    yield parts.end


def _body(wrapper: Any, parts: FileParts) -> Iterable[bytes]:
    """The bytes of a file as a response. With Quaich's wrapper, the system sends them. Others may
    send the whole file whatever Content-Length says: they get an iterable that ends where it is
    to end."""
    return FileWrapper(parts, BLOCK) if wrapper is FileWrapper else _Blocks(parts)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class _Blocks:
    """A file as an iterable."""

    def __init__(self, file: _Readable) -> None:
        self._file = file
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(BLOCK), b"")


def _say(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    status: str,
    headers: list[tuple[str, str]],
) -> list[bytes]:
    """A response that is its status."""
    content = f"{status[4:]}\n".encode("latin-1")
    headers += [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(content))),
    ]
    start_response(status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]


def _redirect(
    environ: WSGIEnvironment, start_response: StartResponse, cache_control: str
) -> list[bytes]:
    """To the same path with a slash at its end, so that relative links in the index lead into the
    directory."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    # Two slashes would begin the name of another host.
    location = "/" + quote(path.encode("latin-1").lstrip(b"/")) + "/"
    query = environ.get("QUERY_STRING", "")
    if query:
        location += "?" + quote(query.encode("latin-1", "replace"), safe=_REFERENCE)
    headers = [("Location", location), ("Cache-Control", cache_control)]
    return _say(environ, start_response, "301 Moved Permanently", headers)
