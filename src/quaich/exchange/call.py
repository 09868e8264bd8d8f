"""One call of an application: start_response, write(), the iterable, and what goes out.

    Call.run            the application is called, its blocks go out as they come
      start_response      status and headers are checked and kept
      write               a block, at once
      _send_result        each block of the iterable, at once
      _begin              the head, with the first block
    Call.end            what the server does next

Knows no socket: a :class:`Channel` takes the bytes, and may hold its caller until the peer has
taken some. What may go out and how it is framed is decided in :mod:`quaich.protocol`.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Protocol

from quaich.exchange.files import FileParts, Piece, size_left
from quaich.exchange.log import SafeLogger
from quaich.exchange.response import (
    check_block,
    check_headers,
    check_restart,
    check_result,
    check_status,
    close_result,
)
from quaich.protocol.body import LAST_CHUNK, encode_chunk
from quaich.protocol.errors import Fault, ProtocolError
from quaich.protocol.framing import implied_length, known_total, plan_response
from quaich.protocol.http1 import Request
from quaich.protocol.memo import ENTRY_MAX, remember
from quaich.protocol.response import FieldSection, checked_section
from quaich.types import WSGIApplication, WSGIEnvironment
from quaich.util import FileWrapper

logger = SafeLogger("quaich.error")

_sound_statuses: dict[str, bool] = {}

READ_MAX: Final = 64 * 1024
"""Bytes up to which a file is read; more are left to the system to send."""

DRAIN_MAX: Final = 1024 * 1024
"""Bytes of unread content that a server reads for the sake of the next request (H078)."""


class End(Enum):
    """How a call has ended, and so what becomes of the connection."""

    PERSISTS = "the response is whole, and the connection goes on"
    CLOSES = "the response is whole, and the connection is to be closed"
    ABORTED = "the response is not whole: no client may take it for that (S91)"
    GONE = "the peer has gone"
    REFUSED = "nothing has been sent; Call.refusal says what is to be"


# A member of an Enum, looked up by its class, costs as much as a call.
_PERSISTS: Final = End.PERSISTS


class PeerGone(OSError):
    """The peer takes no more bytes: it has gone, or was given up."""


class Channel(Protocol):
    """Where a response goes. Each method raises :class:`PeerGone` if it cannot go there."""

    gone: bool
    """The peer takes no more."""

    is_closing: bool
    """The connection does not go on after this response, whatever the request says."""

    def send(self, data: bytes, block: bytes = b"", /) -> None:
        """Send both, or see to it that they are sent while the caller goes on (S82)."""

    def send_more(self, data: bytes, /) -> None:
        """As :meth:`send`, for what follows the first block."""

    def send_file(self, file: Any, pieces: list[Piece], /) -> None:
        """Send pieces of an open file. Does not wait, however slowly the peer takes them."""

    def origin_fields(self, has_date: bool, has_server: bool, /) -> str:
        """Date and Server, those that the application has not given (S61, H133, H135)."""


class Call:
    """One request's call of the application, on one thread.

    ``persists``: the connection may go on after it. Of use afterwards: ``status`` and
    ``section`` as the application gave them, ``content_sent`` in bytes, ``refusal``.
    """

    __slots__ = (
        "_chunked",
        "_left",
        "_silent",
        "_started",
        "body",
        "channel",
        "content_sent",
        "delimited",
        "end",
        "head_sent",
        "persists",
        "refusal",
        "request",
        "section",
        "status",
    )

    is_recorded: bool = False  # for the log and the figures it has ended already
    body: Any
    end: End
    refusal: ProtocolError | None
    status: str
    _left: int | None  # bytes that may still follow, None: no limit
    _chunked: bool
    _silent: bool  # no content goes out, whatever there is

    def __init__(self, request: Request, channel: Channel, persists: bool) -> None:
        self.request = request
        self.channel = channel
        self.persists = persists
        self.head_sent = False
        self.section: FieldSection | None = None
        self.content_sent = 0
        self.delimited = True  # the end of the content shows, also without the connection's
        self._started = False  # start_response has been called, well or not (S70)

    def start_response(self, status: str, headers: Any, exc_info: Any = None, /) -> Any:
        """As PEP 3333 has it (S12, S13, S63-S72); returns :meth:`write`."""
        if self._started or exc_info:
            check_restart(exc_info, called=self._started, headers_sent=self.head_sent)
        self._started = True
        if type(status) is not str or status not in _sound_statuses:
            check_status(status)
            if len(status) <= ENTRY_MAX:
                remember(_sound_statuses, status, True)
        section = checked_section(headers) if type(headers) is list else None
        if section is None or isinstance(section, Fault) or len(section[0]) != len(headers):
            section = check_headers(headers)  # raises, or says what it drops
        self.section = section
        self.status = status
        return self.write

    def write(self, data: bytes, /) -> None:
        """Send a block at once (S83, S84)."""
        check_block(data)
        if not self.head_sent:
            self._begin(data, None)
        elif data:
            self._send_block(data)

    def run(self, application: WSGIApplication, environ: WSGIEnvironment, body: Any = None) -> None:
        """Call the application and send what it answers; sets ``end``, raises nothing.

        ``body``: the request's content where it is read from the peer on the way, as an
        :class:`~quaich.exchange.input.Input`.
        """
        self.body = body
        result: Any = None
        try:
            result = application(environ, self.start_response)
            if type(result) is list and len(result) == 1 and not self.head_sent:
                block = result[0]  # most responses
                if type(block) is not bytes:
                    check_block(block)
                if not self._answer(block):
                    self._begin(block, len(block))
                    self._finish()
            else:
                self._send_result(result)
        except BaseException as error:  # also SystemExit: the server is not to end for it
            self._fail(error)
        if type(result) is not list:
            try:
                close_result(result)
            except BaseException as error:
                logger.error(
                    "%s: close() of the application's iterable failed", self.channel, exc_info=error
                )

    # --- What the application gives -----------------------------------------------------------

    def _send_result(self, result: Any) -> None:
        check_result(result)
        if type(result) is FileWrapper and not self.head_sent and self._send_file(result):
            return
        for block in result:
            check_block(block)
            if not block:
                continue  # the head may still change (S66)
            if not self.head_sent:
                self._begin(block, known_total(result, len(block)))
            else:
                self._send_block(block)
            if self._silent or self._left == 0:
                break  # whatever is left would not be sent (S73, S74)
        if not self.head_sent:
            self._begin(b"", 0)
        self._finish()

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Let the channel take the content from the file itself, if that can be (S113-S117)."""
        file = wrapper.filelike
        size = size_left(file)
        if not size:
            return False
        if size <= READ_MAX and self._is_whole(size):
            # For so little it is quicker to read it, and the client holds no descriptor.
            block = file.read(size)
            if not self._answer(block):
                self._begin(block, len(block))
                self._finish()
            return True
        self._begin(b"", size)
        if self._left is not None:
            size = min(size, self._left)
        if self._silent or not size:
            self._finish()
            return True
        if type(file) is FileParts:
            self.channel.send_file(file.file, file.pieces_left(size))
        else:
            self.channel.send_file(file, [(file.tell(), size)])
        self.content_sent += size
        if self._left is not None:
            self._left -= size
        self._finish()
        return True

    def _is_whole(self, size: int) -> bool:
        """Whether so many bytes are the content, and content is to go out."""
        section = self.section
        return (
            section is not None
            and section[1] in (None, str(size))
            and self.request.method != "HEAD"
        )

    # --- What goes out --------------------------------------------------------------------

    def _answer(self, block: bytes) -> bool:
        """Send head and content at once, if nothing about them is unusual: as :meth:`_begin`
        and the rules that it asks say of most responses. Whether that was so."""
        section, request, channel = self.section, self.request, self.channel
        size = len(block)
        if (
            section is None
            or not size
            or not self.persists
            or self.body is not None
            or channel.is_closing
            or request.method == "HEAD"
            or request.version != "HTTP/1.1"
            or self.status[:3] != "200"
        ):
            return False
        _, length, has_date, has_server, text = section
        if length is None:
            text += f"Content-Length: {size}\r\n"
        elif length != str(size):
            return False
        self.head_sent = True
        self.content_sent = size
        self._left, self._chunked, self._silent = 0, False, False
        channel.send(
            f"HTTP/1.1 {self.status}\r\n{text}"
            f"{channel.origin_fields(has_date, has_server)}\r\n".encode("latin-1"),
            block,
        )
        self.end = _PERSISTS
        return True

    def _begin(self, block: bytes, total: int | None) -> None:
        """Send the head, with the first block. ``total``: bytes of the whole content, if
        that is known."""
        section = self.section
        if section is None:
            raise AssertionError(
                "start_response() has not been called, and the first block is there"
                " (PEP 3333, Specification Details)"
            )
        _, length, has_date, has_server, text = section
        status = self.status
        code = status[:3]
        request = self.request
        method, version = request.method, request.version
        if length is None or code == "205":
            implied = implied_length(method, code, total)
            if implied is not None:
                text = _without_length(section) + f"Content-Length: {implied}\r\n"
                length = str(implied)
        plan = plan_response(method, code, length, version >= "HTTP/1.1")
        if plan.drop_length and length is not None:
            text = _without_length(section)
        left, chunked, silent = plan.length, plan.chunked, not plan.has_body
        if chunked:
            text += "Transfer-Encoding: chunked\r\n"
        if plan.ends_with_connection:
            self.persists = self.delimited = False
        if self.body is not None and not self.body.ended:
            if self.body.awaits_continue:
                # It is too late for 100, and whether the client will send the rest all the
                # same, nobody knows (H098).
                self.body.forgo_continue()
                self.persists = False
            elif self.body.left > DRAIN_MAX:
                self.persists = False  # if it is not read by then, that is; but who knows
        if not self.persists or self.channel.is_closing:
            self.persists = False
            text += "Connection: close\r\n"
        elif version == "HTTP/1.0":
            text += "Connection: keep-alive\r\n"
        self._left, self._chunked, self._silent = left, chunked, silent
        self.head_sent = True
        head = (
            f"HTTP/1.1 {status}\r\n{text}{self.channel.origin_fields(has_date, has_server)}\r\n"
        ).encode("latin-1")
        if silent or not block:
            self.channel.send(head)
        elif chunked:
            self.content_sent = len(block)
            self.channel.send(head, encode_chunk(block))
        else:
            if left is not None:
                if len(block) > left:
                    block = self._cut(block, left)
                self._left = left - len(block)
            self.content_sent = len(block)
            self.channel.send(head, block)

    def _send_block(self, block: bytes) -> None:
        if self._silent:
            return
        if self._chunked:
            self.content_sent += len(block)
            self.channel.send_more(encode_chunk(block))
            return
        if self._left is not None:
            if len(block) > self._left:
                block = self._cut(block, self._left)
            self._left -= len(block)
        if block:
            self.content_sent += len(block)
            self.channel.send_more(block)

    def _cut(self, block: bytes, left: int) -> bytes:
        """What of a block is still within the Content-Length (S73, H131)."""
        logger.error(
            "%s: the application gives more content than its Content-Length says; the rest is"
            " not sent",
            self.channel,
        )
        return block[:left]

    def _finish(self) -> None:
        if self._chunked:
            self.channel.send_more(LAST_CHUNK)
        elif self._left and not self._silent:
            logger.error(
                "%s: the application gave %d bytes less than its Content-Length says; the"
                " response is broken off (S76)",
                self.channel,
                self._left,
            )
            self.end = End.ABORTED
            return
        self.end = _PERSISTS if self.persists else End.CLOSES

    # --- Failure ----------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        errors = list(_with_origins(error))
        if any(isinstance(each, PeerGone) for each in errors):
            logger.debug("%s: the client has gone", self.channel)
            self.end = End.GONE
            return
        fault = self.body.fault if self.body is not None else None
        if fault is not None and any(each is fault for each in errors):
            # The peer's content is at fault, not the application that reads it.
            logger.debug("%s: the request's content cannot be read: %s", self.channel, fault)
            self.refusal = fault if isinstance(fault, ProtocolError) else None
            self.end = End.GONE if self.refusal is None else End.REFUSED
        else:
            logger.error("%s: the application failed", self.channel, exc_info=error)
            self.refusal = None
            self.end = End.REFUSED
        if self.channel.gone:
            self.end = End.GONE
        elif self.head_sent:
            self.end = End.ABORTED


def _without_length(section: FieldSection) -> str:
    return "".join(
        f"{name}: {value}\r\n" for name, value in section[0] if name.lower() != "content-length"
    )


def _with_origins(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those while whose handling it was raised: frameworks have errors of their
    own for ours."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
