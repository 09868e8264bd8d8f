"""A server in memory, by PEP 3333 and without sockets, that can be told what to be odd about.

call          one request: the application is called, its result iterated and closed
  Call          start_response, write(), and what has come of it
"""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NoReturn

from quaich.types import WSGIApplication, WSGIEnvironment

HOST: Final = "localhost:8000"

BLOCKS_MAX: Final = 10_000
"""Blocks of a result that are taken. An event stream has no end, and is legal."""

CONTENT_MAX: Final = 32 * 1024 * 1024
"""Bytes of a result that are taken: all are kept, and a download may be larger than memory."""


class FileWrapper:
    """``wsgi.file_wrapper``: what PEP 3333 shows, and no more."""

    def __init__(self, filelike: Any, block_size: int = 8192) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> Any:
        block = self.filelike.read(self.block_size)
        if not block:
            raise StopIteration
        return block


class Errors(io.StringIO):
    """``wsgi.errors``: keeps what it gets."""


class Gone(OSError):
    """The client has gone: what a server's write() and wsgi.input raise then."""


class Content(io.BytesIO):
    """``wsgi.input`` of a client that sends only so many bytes, and then goes."""

    def __init__(self, content: bytes, raises: bool = False) -> None:
        super().__init__(content)
        self._raises = raises

    def _or_gone(self, data: Any) -> Any:
        if not data and self._raises:
            raise Gone("the client went before it had sent all content")
        return data

    def read(self, size: int | None = -1, /) -> bytes:
        return bytes(self._or_gone(super().read(size)))

    def readline(self, size: int | None = -1, /) -> bytes:
        return bytes(self._or_gone(super().readline(size)))


@dataclass(frozen=True)
class Oddity:
    """What a call is to be odd about; each of it is legal for a server."""

    stop_after: int | None = None  # blocks, after which the result is closed (S20)
    edits_headers: bool = False  # the list of headers is changed after start_response (S60)
    gone: bool = False  # write() raises: the client has gone


@dataclass
class Answer:
    """What came of a call."""

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""
    error: BaseException | None = None  # what the application raised
    close_error: BaseException | None = None  # what close() of its result raised
    errors: str = ""  # what it wrote to wsgi.errors
    cut: bool = False  # not all of the result was taken
    file: Any = None  # what the wrapper was given that it has returned
    no_bytes: Any = None  # a list of the first block that is not bytes

    @property
    def failed(self) -> bool:
        """There is no answer that a client could be given."""
        return self.error is not None or not self.status

    def value(self, name: str) -> str:
        """The value of a header, or nothing; its name in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def content_type(self) -> str:
        """Content-Type, or nothing."""
        return self.value("content-type")

    @property
    def location(self) -> str:
        """Location, or nothing."""
        return self.value("location")


def environ_of(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    content: bytes = b"",
    content_type: str = "",
    more: Mapping[str, Any] | None = None,
    host: str = HOST,
) -> WSGIEnvironment:
    """The environ of an ordinary request. ``path`` is decoded, one character for each octet."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):  # no port, and perhaps an address of IPv6
        name, port = host, "80"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": name,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "quaich-check",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "HTTP_HOST": host,
        "HTTP_USER_AGENT": "quaich-check",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": Errors(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if content or method in ("POST", "PUT", "PATCH"):
        environ["CONTENT_LENGTH"] = str(len(content))
    if content_type:
        environ["CONTENT_TYPE"] = content_type
    environ.update(more or {})
    return environ


ORDINARY: Final = Oddity()


def call(
    application: WSGIApplication, environ: WSGIEnvironment, oddity: Oddity = ORDINARY
) -> Answer:
    """Have a request answered; raises nothing that the application raises, but what ends the
    process (KeyboardInterrupt)."""
    errors = environ.get("wsgi.errors")
    one = Call(oddity)
    answer = one.answer
    result: Any = None
    try:
        result = application(environ, one.start_response)
        if issubclass(type(result), FileWrapper):  # a proxy's __class__ may fail
            answer.file = result.filelike
        one.send_all(result)
    except Gone:
        answer.cut = True
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # such as asyncio.CancelledError
        answer.error = error
    try:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        answer.close_error = error
    if isinstance(errors, Errors) and not errors.closed:
        answer.errors = errors.getvalue()
    return answer


class Call:
    """One request on its way."""

    def __init__(self, oddity: Oddity) -> None:
        self.answer = Answer()
        self._oddity = oddity
        self._status: str | None = None
        self._headers: list[tuple[str, str]] = []
        self._blocks: list[bytes] = []
        self._sent = False
        self._size = 0  # bytes of the result

    def start_response(
        self, status: Any, headers: Any, exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        """As PEP 3333 has it: strict about its order, and what its text allows a server to do."""
        if exc_info:
            try:
                if self._sent:
                    self._raise(exc_info)
            finally:
                exc_info = None
        elif self._status is not None:
            raise AssertionError("start_response is called again without exc_info")
        self._status, self._headers = status, list(headers)
        if self._oddity.edits_headers and isinstance(headers, list):
            headers.append(("X-Quaich-Check", "the server's"))
            headers.reverse()
        return self.write

    def _raise(self, exc_info: tuple[Any, BaseException, TracebackType | None]) -> NoReturn:
        raise exc_info[1].with_traceback(exc_info[2])

    def write(self, block: bytes, /) -> None:
        """Send a block."""
        if self._oddity.gone and self._sent:
            raise Gone("the client has gone")
        self._send(block)

    def _send(self, block: bytes) -> None:
        if self._status is None:
            raise AssertionError("start_response has not been called before the first block")
        if not _is_bytes(block) and self.answer.no_bytes is None:
            self.answer.no_bytes = [block]
        self._sent = self._sent or bool(block)
        self._blocks.append(block)

    def send_all(self, result: Iterable[bytes]) -> None:
        """Iterate over the result, and send what it gives."""
        stop = BLOCKS_MAX if self._oddity.stop_after is None else self._oddity.stop_after
        try:
            if stop == 0:
                self.answer.cut = True
                return
            for number, block in enumerate(result, 1):
                self._send(block)
                self._size += len(block) if _is_bytes(block) else 0
                if number == stop or self._size >= CONTENT_MAX:
                    self.answer.cut = True
                    break
            if self._status is None and not self.answer.cut:
                raise AssertionError("the result ended, and start_response has not been called")
        finally:
            if self._status is not None:
                self.answer.status, self.answer.headers = self._status, self._headers
            self.answer.content = b"".join(filter(_is_bytes, self._blocks))


def _is_bytes(block: object) -> bool:
    return isinstance(block, bytes)
