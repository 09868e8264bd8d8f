"""The handler that runs an application for :mod:`quaich.simple_server`, where its name is."""

import sys
from collections.abc import Callable
from platform import python_implementation
from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar

from quaich.exchange.input import READ_MAX, Input
from quaich.handlers import SimpleHandler
from quaich.protocol.body import Chunked, Decoder
from quaich.protocol.errors import BodyError
from quaich.protocol.framing import ResponsePlan
from quaich.types import WSGIApplication

server_version = "WSGIServer/0.2"
sys_version = python_implementation() + "/" + sys.version.split()[0]
software_version = server_version + " " + sys_version


class _Unconnected:
    """Stands for the request handler of a :class:`ServerHandler` to which none was given."""

    close_connection = True
    awaits_continue = False

    def log_request(self, code: object, size: object) -> None:
        pass


class ServerHandler(SimpleHandler):
    """The handler that :class:`WSGIRequestHandler` runs the application with.

    Its creator sets ``request_handler`` to itself.

    A chunked body is read before the application is called, for frameworks that go by
    CONTENT_LENGTH: up to :attr:`spool_memory` bytes are kept in memory, more in a temporary
    file, and more than :attr:`spool_limit` is refused with 413. Only where the client waits for
    100 (Continue) it is decoded as the application reads, and has no CONTENT_LENGTH.
    """

    server_software = software_version
    # The environment of the process is not the request's (D056): secrets would be shown, and
    # HTTPS=on in a shell would make https of every URL.
    os_environ: dict[str, str] = {}

    spool_memory: ClassVar[int] = 1024 * 1024
    spool_limit: ClassVar[int] = 1024 * 1024 * 1024  # waitress's max_request_body_size

    request_handler: Any = _Unconnected()
    connection_field = False
    """An HTTP/1.1 response without a Connection field gets one that says whether the
    connection goes on. Off for those who have a ``handle()`` of their own: Django's tests
    count on there being none."""

    _logged = False

    def run(self, application: WSGIApplication) -> None:
        self._logged = False
        try:
            super().run(application)
        finally:
            body = self._body
            if body is not None:
                if not body.ended:
                    self.request_handler.unread_body = body
                if self._input is not body:
                    self._input.close()  # the spool

    def setup_environ(self) -> None:
        super().setup_environ()
        self.environ["wsgi.input_terminated"] = True

    def get_stdin(self) -> Any:
        fresh = self._input is None
        stream = super().get_stdin()
        body = self._body
        if fresh and body is not None and self._chunked and not self._awaits_continue:
            stream = self._input = self._spool(body)
        return stream

    def _body_source(self, decoder: Decoder) -> Any:
        self._chunked = isinstance(decoder, Chunked)
        # Not a stdin that goes by CONTENT_LENGTH (Django's): a chunked body has none.
        return getattr(self.request_handler, "rfile", self.stdin) if self._chunked else self.stdin

    def _spool(self, body: Input) -> Any:
        # run() closes it, when the application has done with it.
        spool = SpooledTemporaryFile(max_size=self.spool_memory)  # noqa: SIM115
        try:
            while block := body.read(READ_MAX):
                spool.write(block)
                if spool.tell() > self.spool_limit:
                    raise self._too_large()
        except BaseException:
            spool.close()
            raise
        self.environ["CONTENT_LENGTH"] = str(spool.tell())
        spool.seek(0)
        return spool

    def _too_large(self) -> BodyError:
        fault = BodyError("H076", 413, f"the body is larger than {self.spool_limit} bytes")
        self._peer_fault = fault
        return fault

    def before_reading(self) -> Callable[[], object] | None:
        return self._send_continue if self._awaits_continue else None

    def _send_continue(self) -> None:
        """100 (Continue), when the application first reads and not before (S92, D004)."""
        self._awaits_continue = False
        if not self.headers_sent:
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._send_flush()

    @property
    def _awaits_continue(self) -> bool:
        return bool(getattr(self.request_handler, "awaits_continue", False))

    @_awaits_continue.setter
    def _awaits_continue(self, value: bool) -> None:
        self.request_handler.awaits_continue = value

    def finish_headers(self, plan: ResponsePlan) -> bool:
        """On HTTP/1.1, Connection says whether the connection goes on (H105-H107)."""
        changed = super().finish_headers(plan)
        connection, headers = self.request_handler, self.headers
        if self.http_version < "1.1" or headers is None:
            return changed
        # A client that still waits for 100 may or may not send its content after this (H098).
        if self._awaits_continue or plan.ends_with_connection:
            connection.close_connection = True
        if "Connection" in headers or not self.connection_field:
            return changed
        if getattr(connection, "close_connection", True):
            headers["Connection"] = "close"
        elif self._protocol == "HTTP/1.0":
            headers["Connection"] = "keep-alive"
        return True

    def abort(self) -> None:
        """End the connection; where only its end would end the body, by a reset (D096)."""
        super().abort()
        self.request_handler.close_connection = True
        self._break_off()
        self._log_request()

    def _break_off(self) -> None:
        if self._plan is None or self._plan.ends_with_connection:
            self.request_handler.reset_connection = True

    def _end_for(self, fault: BaseException) -> None:
        self.request_handler.close_connection = True  # nobody knows where a next request begins
        if self.headers_sent:
            self._break_off()
        try:
            super()._end_for(fault)
        finally:
            self._log_request()  # where a subclass's close() failed before it came to that

    def _write(self, data: bytes) -> None:
        try:
            super()._write(data)
        except OSError as error:
            # Also a timeout and the errors of TLS: it is the connection that failed (D008).
            self._peer_fault = error
            raise

    def _flush(self) -> None:
        try:
            super()._flush()
        except OSError as error:
            self._peer_fault = error
            raise

    def _log_request(self) -> None:
        if not self._logged:
            self._logged = True
            code = self.status.split(" ", 1)[0] if self.status else "-"
            self.request_handler.log_request(code, self.bytes_sent)

    def close(self) -> None:
        """Write the line of the access log; then as in the base class."""
        try:
            self._log_request()
        finally:
            super().close()
