"""The head of a response: which headers are added, how the body is delimited, the bytes.

The first base of :class:`~quaich.handlers.BaseHandler`; a class of its own for the reader, not
for use. Subclasses override its steps one by one, so each is a method; where none is
overridden, :meth:`ResponseHead._complete_head` goes through the headers once.
"""

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from quaich.exchange.files import size_left
from quaich.headers import Headers
from quaich.protocol.date import format_imf_fixdate
from quaich.protocol.framing import ResponsePlan, implied_length, known_total, plan_response
from quaich.protocol.memo import ENTRY_MAX
from quaich.protocol.response import FieldSection, section
from quaich.types import WSGIEnvironment
from quaich.util import FileWrapper


@lru_cache(maxsize=64)  # the same for a second
def _origin_preamble(
    http_version: str, status: str, second: int | None, software: str | None
) -> str:
    """Status line, Date for ``second`` and Server for ``software``, where they are given."""
    date = "" if second is None else f"Date: {format_imf_fixdate(second)}\r\n"
    server = f"Server: {software}\r\n" if software else ""
    return f"HTTP/{http_version} {status}\r\n{date}{server}"


def is_bound_to(method: object, function: object) -> bool:
    """The method of an instance is this function, overridden neither by its class nor on the
    instance."""
    return getattr(method, "__func__", None) is function


class ResponseHead:
    """Status and headers of one response, from start_response to the bytes that are sent."""

    # Configuration.
    origin_server = True
    """The output goes to the client and not to a gateway: it begins with an HTTP status line,
    else with a ``Status:`` field."""
    http_version = "1.0"
    server_software: str | None = None
    chunked_output = False
    """Output of unknown length to an HTTP/1.1 client is chunked instead of ended by closing.
    For a transport whose connections persist; then ``http_version`` is ``"1.1"``."""

    wsgi_file_wrapper: Any = FileWrapper  # None: not offered

    # State of one request.
    environ: WSGIEnvironment
    status: str | None = None
    result: Iterable[bytes] | None = None
    headers: Headers | None = None
    headers_sent = False
    bytes_sent = 0  # of content; while the first block is sent, its size

    # As the request had it, whatever the application makes of its environ.
    _method: str | None = None
    _protocol: str | None = None
    _section: FieldSection | None = None  # self.headers as start_response got them
    _plan: ResponsePlan | None = None
    _framed = False  # send_headers() is called by write()

    def set_content_length(self) -> None:
        """Set Content-Length if the size of the whole content is known."""
        length = self._implied_length(self.status[:3] if self.status else "")
        if length is not None and self.headers is not None:
            self.headers["Content-Length"] = length

    def _implied_length(self, code: str) -> str | None:
        total = known_total(self.result, self.bytes_sent)
        # Only of our own wrapper: one that subclasses it may well give a part of its file.
        if total is None and type(self.result) is FileWrapper:
            total = size_left(self.result.filelike, read=self.bytes_sent)
        if total is not None:
            total = implied_length(self._method or "", code, total)
        return None if total is None else str(total)

    def cleanup_headers(self) -> None:
        """Complete ``self.headers`` before they are sent. For subclasses to extend."""
        if self.headers is not None and "Content-Length" not in self.headers:
            self.set_content_length()

    def send_headers(self) -> None:
        """Send status line and headers; called once, before the first content."""
        framed, self._framed = self._framed, False
        head = self._complete_head(framed)
        if not head:
            return
        if is_bound_to(self.send_preamble, ResponseHead.send_preamble):
            self._send(head)
        else:
            self.send_preamble()
            self._send(bytes(self.headers))  # type: ignore[arg-type]

    def _complete_head(self, framed: bool) -> bytes:
        """Complete the headers, decide on the framing, and give the head in bytes.

        ``framed``: what follows comes through write(), which makes chunks; whoever sends the
        headers and then its own bytes does not (a sendfile(), a write() in a subclass).
        Empty where no head is to be sent. Fields in our own class are looked at in one pass;
        of another class only what ``wsgiref`` asks of it is used.
        """
        headers: Any = self.headers
        ours = type(headers) is Headers
        # Where cleanup_headers() is ours too, what it does is done here, without searching.
        # (Not is_bound_to(): a call costs more than the question.)
        try:
            cleaned = (
                self.cleanup_headers.__func__ is not ResponseHead.cleanup_headers  # type: ignore[attr-defined]
                or not ours
            )
        except AttributeError:  # replaced on the instance
            cleaned = True
        if cleaned:
            self.cleanup_headers()
        code = self.status[:3] if self.status else ""
        known = self._section
        if not ours or known is None or known[0] != headers._headers:
            known = self._known_section(ours)
        _, length, has_date, has_server, text = known
        if length is None and not cleaned:
            if is_bound_to(self.set_content_length, ResponseHead.set_content_length):
                length = self._implied_length(code)
                if length is not None:
                    headers._headers.append(("Content-Length", length))
                    text += f"Content-Length: {length}\r\n"
            else:
                self.set_content_length()
                _, length, has_date, has_server, text = self._known_section(ours)
        method = self._method
        self._plan = plan = plan_response(
            # The two that matter: plans are remembered, and methods can be anything.
            method if method in ("HEAD", "CONNECT") else "GET",
            code,
            length,
            framed and self.chunked_output and self.origin_server and self._protocol == "HTTP/1.1",
        )
        if self.finish_headers(plan):
            _, _, has_date, has_server, text = self._known_section(ours)
        if self.origin_server and not self.client_is_modern():
            head = b""
        else:
            preamble = self._preamble(has_date, has_server)
            if ours:
                head = f"{preamble}{text}\r\n".encode("iso-8859-1")
            else:
                head = preamble.encode("iso-8859-1") + bytes(headers)
        self.headers_sent = True  # only now: what cannot be encoded has not been sent (D080)
        return head

    def _known_section(self, ours: bool) -> FieldSection:
        """``self.headers`` as a section, where they are not any more what was checked."""
        headers: Any = self.headers
        if ours:
            return section(headers._headers)
        # Of another class, only what wsgiref asks of it is used: there is no get().
        length = headers["Content-Length"] if "Content-Length" in headers else None  # noqa: SIM401
        return [], length, "Date" in headers, "Server" in headers, ""

    def finish_headers(self, plan: ResponsePlan) -> bool:
        """Fit ``self.headers`` to the framing, once that is decided; true if they changed.

        The last word on them, after :meth:`cleanup_headers`: for a server to whom the
        connection belongs.
        """
        headers: Any = self.headers
        # wsgiref does not ask of headers_class that a field can be deleted.
        if plan.drop_length and "Content-Length" in headers and hasattr(headers, "__delitem__"):
            del headers["Content-Length"]
            return True
        if not plan.has_body and self.status is not None and self.status.startswith("205"):
            headers["Content-Length"] = "0"  # unlike 204, its end is found by its fields (H124)
            return True
        if plan.chunked:
            headers["Transfer-Encoding"] = "chunked"
        return plan.chunked

    def send_preamble(self) -> None:
        """Send status line, Date and Server, or the ``Status:`` field."""
        if self.origin_server and not self.client_is_modern():
            return
        headers: Any = self.headers
        preamble = self._preamble("Date" in headers, "Server" in headers)
        self._send(preamble.encode("iso-8859-1"))

    def _preamble(self, has_date: bool, has_server: bool) -> str:
        if not self.origin_server:
            return f"Status: {self.status}\r\n"
        status = self.status or ""
        preamble = _origin_preamble if len(status) <= ENTRY_MAX else _origin_preamble.__wrapped__
        return preamble(
            self.http_version,
            status,
            None if has_date else int(time.time()),
            None if has_server else self.server_software,
        )

    def result_is_file(self) -> bool:
        """The result is an instance of :attr:`wsgi_file_wrapper`, if that is a class."""
        wrapper = self.wsgi_file_wrapper
        return isinstance(wrapper, type) and isinstance(self.result, wrapper)

    def client_is_modern(self) -> bool:
        """The client knows status lines and headers: it does not speak HTTP/0.9."""
        protocol = self._protocol
        if protocol is None:
            protocol = self.environ["SERVER_PROTOCOL"]
        return protocol.upper() != "HTTP/0.9"

    def _send(self, data: bytes) -> None:
        """Send bytes; ``BaseHandler`` defines it."""
        raise NotImplementedError
