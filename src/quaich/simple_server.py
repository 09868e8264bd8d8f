"""A WSGI server on ``http.server``: for development, tests, and a single page to log in at.

The interface is that of ``wsgiref.simple_server``. By default it answers one request per
connection as HTTP/1.0, in the thread that runs the server. A request handler class with
``protocol_version = "HTTP/1.1"`` speaks HTTP/1.1, and on a server that serves connections at
the same time (:class:`ThreadingWSGIServer`) keeps them open. ::

    serve_forever → process_request → finish_request
      WSGIRequestHandler(connection, address, server)
        handle → handle_one_request
          parse_request            request line, field lines, framing; or an error page
          get_environ
          ServerHandler.run(app)   quaich.handlers
        finish                     what the client still sends is read, then the close
"""

import logging
import socket
import socketserver
import sys
import urllib.parse
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from platform import python_implementation
from typing import Any, ClassVar, Final

from quaich import access_log
from quaich.exchange.input import Input
from quaich.handlers import SimpleHandler
from quaich.handlers.streams import DiscardedText
from quaich.protocol.errors import PEER_GONE, ProtocolError
from quaich.protocol.framing import body_decoder, expects_continue, persists
from quaich.protocol.request import (
    DROPIN,
    METHOD_MAX,
    Target,
    check_fields,
    parse_field_line,
    parse_request_line,
    parse_target,
    strip_line_end,
)
from quaich.protocol.variables import HeaderMap, add_fields, target_variables
from quaich.server_handler import ServerHandler as ServerHandler
from quaich.server_handler import server_version, software_version, sys_version
from quaich.sockets import drain, linger, make_close_a_reset, socket_of, tls_variables
from quaich.types import WSGIApplication, WSGIEnvironment

__all__ = ["ThreadingWSGIServer", "WSGIRequestHandler", "WSGIServer", "demo_app", "make_server"]

logger = logging.getLogger("quaich.simple_server")

# Names that programs take from here.
_incidental = (urllib, SimpleHandler, python_implementation, software_version)

# Limits of the head, bytes and fields. The first two are http.server's own (and wsgiref's
# 65536 for the request line); without a total, 100 fields made 6.4 MB of head (D052).
LINE_MAX: Final = 65536
FIELDS_MAX: Final = 100
HEAD_MAX: Final = 256 * 1024
# How much of a refused request line stands in the log, characters.
REFUSED_LINE_MAX: Final = 100
# Empty lines in front of a request line that are ignored (H005).
EMPTY_LINES_MAX: Final = 3


class WSGIServer(HTTPServer):
    """An HTTP server for one application, serving a connection at a time.

    ``server_address`` is ``(host, port)``; an IPv6 address makes it an IPv6 server (D014).
    ``base_environ`` is the start of every environ. Binding looks nothing up (D015):
    ``server_name`` is the address itself, or the host's name if it is the wildcard.
    """

    application: WSGIApplication | None = None
    base_environ: WSGIEnvironment
    # socketserver's 5 drops the sixth of a browser's connections (D018).
    request_queue_size = 128
    # On Linux, a connection is accepted when its first bytes are there: so one that a browser
    # opened in advance does not keep all others waiting (D007). Seconds; Apache's value is 30.
    defer_accept: ClassVar[int] = 300

    def __init__(
        self,
        server_address: Any,
        RequestHandlerClass: Callable[..., Any],
        bind_and_activate: bool = True,
    ) -> None:
        host = server_address[0] if isinstance(server_address, tuple) else ""
        if self.address_family == socket.AF_INET and isinstance(host, str) and ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    def server_bind(self) -> None:
        """Bind, name the server, and set up ``base_environ``."""
        # Not HTTPServer's: it asks the resolver for the name of the address (gh-106505).
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        wildcard = host in ("", "0.0.0.0", "::")
        self.server_name = socket.gethostname() or "localhost" if wildcard else str(host)
        self.server_port = port
        if self.defer_accept and hasattr(socket, "TCP_DEFER_ACCEPT"):
            try:
                self.socket.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, self.defer_accept
                )
            except OSError:
                logger.debug("TCP_DEFER_ACCEPT is not to be had", exc_info=True)
        self.setup_environ()

    def setup_environ(self) -> None:
        """Set up ``base_environ`` from ``server_name`` and ``server_port``."""
        self.base_environ = {
            "SERVER_NAME": self.server_name,
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PORT": str(self.server_port),
            "REMOTE_HOST": "",
            "CONTENT_LENGTH": "",
            "SCRIPT_NAME": "",
        }

    def get_app(self) -> WSGIApplication | None:
        """The application."""
        return self.application

    def set_app(self, application: WSGIApplication | None) -> None:
        """Serve this application from now on."""
        self.application = application

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the current exception; a client that went away is none (D019)."""
        error = sys.exception()
        ssl = sys.modules.get("ssl")
        if isinstance(error, (*PEER_GONE, TimeoutError)) or (
            ssl is not None and isinstance(error, ssl.SSLError)
        ):
            logger.debug("%s went away", client_address, exc_info=True)
        else:
            super().handle_error(request, client_address)


class ThreadingWSGIServer(socketserver.ThreadingMixIn, WSGIServer):
    """A :class:`WSGIServer` with a thread for each connection. Threads do not outlive the
    process; ``wsgi.multithread`` is true."""

    daemon_threads = True


class WSGIRequestHandler(BaseHTTPRequestHandler):
    """The requests of one connection.

    For subclasses: ``get_environ``, ``get_stderr``, ``handle``, and what http.server lets them
    override: ``log_message``, ``address_string``, ``timeout`` (seconds without a byte, None for
    no limit), ``protocol_version``.
    """

    server: Any
    client_address: Any
    server_version = server_version
    sys_version = sys_version  # one name in the Server field, the environ and error pages (D050)

    server_handler: ClassVar[Any] = None
    """The class that runs the application (D012; gh-84877). None: :class:`ServerHandler`."""
    header_map: ClassVar[HeaderMap] = "drop"
    """What becomes of a field with ``_`` in its name: ``drop``, ``refuse`` (400) or
    ``dangerous``: it counts as the one with ``-`` (D043)."""
    drain_limit: ClassVar[int] = 64 * 1024 * 1024
    drain_timeout: ClassVar[float] = 5.0
    """How many bytes of a body that the application left, and for how many seconds, are read
    so that the client gets to read its response (D005; RFC 9112, section 9.6)."""

    # Per request.
    awaits_continue = False
    unread_body: Input | None = None
    reset_connection = False
    raw_target: str | None = None
    _refused = False  # where this request ends is not known
    _refusal = ""  # why

    # --- The request --------------------------------------------------------------------

    def handle(self) -> None:
        """Serve the connection's one request; its requests, if HTTP/1.1 is spoken."""
        self.close_connection = True
        self.handle_one_request()
        while not self.close_connection:
            self.handle_one_request()

    def handle_one_request(self) -> None:
        """Serve the next request of the connection."""
        try:
            self.raw_requestline = self.rfile.readline(LINE_MAX + 1)
        except TimeoutError:
            self.close_connection = True  # idle, or not even a line in time: nothing to answer
            return
        if len(self.raw_requestline) > LINE_MAX:
            self._refuse_long_line()
            return
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        if not self._is_concurrent():
            self.close_connection = True  # an idle client would keep all others out (D009)
        # Looked up now: programs put a class of their own under this module's name.
        handler = (self.server_handler or ServerHandler)(
            self.rfile,
            self.wfile,
            self.get_stderr(),
            self.get_environ(),
            multithread=isinstance(self.server, socketserver.ThreadingMixIn),
            multiprocess=_forks(self.server),
        )
        handler.request_handler = self
        handler.connection_field = True
        if self.protocol_version >= "HTTP/1.1":
            handler.http_version = "1.1"
            handler.chunked_output = True
        handler.run(self.server.get_app())
        if not self.close_connection and self.unread_body is not None:
            # The rest of the body is not the next request (D006).
            self.close_connection = not self._drain_body(self.unread_body)
            self.unread_body = None

    def _drain_body(self, body: Input) -> bool:
        connection = socket_of(self)
        drained = drain(connection, body, self.drain_limit, self.drain_timeout)
        if connection is not None:
            connection.settimeout(self.timeout)
        return drained

    def _is_concurrent(self) -> bool:
        return isinstance(self.server, socketserver.ThreadingMixIn) or _forks(self.server)

    def _refuse_long_line(self) -> None:
        self.requestline = self.request_version = self.command = ""
        self.close_connection = self._refused = True
        # RFC 9112, section 3: a method too long is 501, a target too long is 414 (D053).
        method_ends = b" " in self.raw_requestline[: METHOD_MAX + 1]
        self.send_error(414 if method_ends else 501)

    def parse_request(self) -> bool:
        """Parse ``raw_requestline`` and read the header section.

        Sets ``requestline``, ``command``, ``path``, ``request_version``, ``headers`` and
        ``close_connection``. False: the request was refused, and the error page is sent.
        """
        self.requestline = self.command = self.path = self._refusal = ""
        self.raw_target = None
        self.awaits_continue = self.reset_connection = self._refused = False
        self.unread_body = None
        # An error page has a status line, whatever the request line was (D030).
        self.request_version = "HTTP/1.0"
        self.close_connection = True
        try:
            return self._parse_head()
        except ProtocolError as fault:
            self.close_connection = self._refused = True
            self.requestline = self.requestline[:REFUSED_LINE_MAX]  # for the log
            self._refusal = str(fault)
            self.send_error(fault.status, None, self._refusal)
        except TimeoutError:
            self.close_connection = True
            self.send_error(408)
        return False

    def _parse_head(self) -> bool:
        raw = self.raw_requestline
        for _ in range(EMPTY_LINES_MAX):
            if raw not in (b"\r\n", b"\n"):
                break
            raw = self.rfile.readline(LINE_MAX + 1)
        if not raw:
            return False
        self.raw_requestline = raw
        self.requestline = raw.decode("latin-1").rstrip("\r\n")
        if len(raw) > LINE_MAX:
            self._refuse_long_line()
            return False
        line = parse_request_line(strip_line_end(raw, DROPIN), DROPIN)
        self.command, self.raw_target = line.method, line.target
        parse_target(line.method, line.target)  # refused here, used in get_environ()
        # http.server's guard against redirects to //host (CVE-2021-28861); D025.
        self.path = "/" + line.target.lstrip("/") if line.target[:2] == "//" else line.target
        self.request_version = line.version

        headers = self.headers = self.MessageClass()
        if line.version == "HTTP/0.9":
            return True  # it has no header section (D031)
        fields = self._read_fields()
        for name, value in fields:
            headers.set_raw(name, value)
        check_fields(line.version, fields)
        if self.header_map == "refuse" and any("_" in name for name, _ in fields):
            raise ProtocolError("H057", 400, "a field name holds an underscore")
        body_decoder(
            line.version,
            headers.get_all("Transfer-Encoding", []),
            headers.get_all("Content-Length", []),
        )
        if self.protocol_version >= "HTTP/1.1":
            self.close_connection = not persists(line.version, headers.get_all("Connection", []))
        self.awaits_continue = expects_continue(line.version, headers.get("Expect", ""))
        if self.awaits_continue and self.protocol_version >= "HTTP/1.1":
            self._refused = not self.handle_expect_100()
            self.close_connection |= self._refused  # whether a body follows is not known
        return not self._refused

    def _read_fields(self) -> list[tuple[str, str]]:
        """The field lines up to the empty line, or to the client's end of stream (H009)."""
        fields: list[tuple[str, str]] = []
        total = 0
        while line := self.rfile.readline(LINE_MAX + 1):
            total += len(line)
            if len(line) > LINE_MAX or total > HEAD_MAX:
                raise ProtocolError("H051", 431, "a field line or the header section is too large")
            line = strip_line_end(line, DROPIN)
            if not line:
                break
            if len(fields) == FIELDS_MAX:
                raise ProtocolError("H051", 431, f"there are more than {FIELDS_MAX} field lines")
            fields.append(parse_field_line(line))
        return fields

    def handle_expect_100(self) -> bool:
        """Whether a request that waits for 100 (Continue) goes to the application.

        For subclasses to refuse it, with ``send_error()`` and False. Nothing is sent here:
        100 goes out when the application reads (D004).
        """
        return True

    def get_environ(self) -> WSGIEnvironment:
        """A new environ for the request: ``base_environ`` and what the request said."""
        environ: WSGIEnvironment = self.server.base_environ.copy()
        environ["SERVER_PROTOCOL"] = self.request_version
        environ["SERVER_SOFTWARE"] = self.version_string()
        environ["REQUEST_METHOD"] = self.command
        try:
            target = parse_target(self.command, self.path)
        except ProtocolError:
            # A subclass has put something of its own into self.path.
            path, _, query = self.path.partition("?")
            target = Target(path, query)
        environ.update(target_variables(target, self.raw_target or self.path))
        environ["REMOTE_ADDR"] = self.client_address[0]
        # Not every server's addresses are pairs: Django's tests have a string here.
        if type(self.client_address) is tuple and len(self.client_address) > 1:
            environ["REMOTE_PORT"] = str(self.client_address[1])
        environ.update(tls_variables(getattr(self, "connection", None)))

        headers = self.headers
        content_type = headers.get("content-type")
        # pytest-httpbin deletes the key, so it is there without the field too (D046).
        environ["CONTENT_TYPE"] = (
            headers.get_content_type() if content_type is None else content_type
        )
        length = headers.get("content-length")
        if length:
            environ["CONTENT_LENGTH"] = length
        # Not strip() alone, which would take octets like NEL and NBSP for white space (H046).
        fields = [(name, value.strip(" \t\r\n")) for name, value in headers.items()]
        # CPython's tests pin the comma without a space (D045).
        add_fields(environ, fields, header_map=self.header_map, separator=",")
        if target.authority is not None:
            environ["HTTP_HOST"] = target.authority  # not the Host field (H028, D021)
        return environ

    def get_stderr(self) -> Any:
        """``wsgi.errors``: the ``sys.stderr`` of the moment."""
        return DiscardedText() if sys.stderr is None else sys.stderr

    # --- The end of the connection ------------------------------------------------------

    def finish(self) -> None:
        connection = socket_of(self)
        if connection is None:
            super().finish()
            return
        if self.reset_connection:
            # A body that only the connection's end delimits was broken off: an orderly close
            # would make it look whole (S91).
            make_close_a_reset(connection)
        elif self.unread_body is not None or self._refused:
            try:
                self.wfile.flush()
            except OSError:
                pass  # the client is gone: nobody to linger for
            else:
                linger(connection, self.unread_body, self.drain_limit, self.drain_timeout)
        try:
            super().finish()
        finally:
            self.rfile.close()  # closing wfile may have failed; the socket is open as long as one
            if self.reset_connection:
                connection.close()  # before the server gets to shut it down in order

    # --- The log ------------------------------------------------------------------------

    def log_error(self, format: str, *args: Any) -> None:
        """Log what http.server says of an error page, and for what the request was refused."""
        if self._refusal and format == "code %d, message %s":
            args = (args[0], f"{args[1]}: {self._refusal}")
        super().log_error(format, *args)

    def log_message(self, format: str, *args: Any) -> None:
        """Log ``format % args`` with the client's address and the time (access_log)."""
        access_log.write_line(self.address_string(), self.log_date_time_string(), format % args)


def _forks(server: Any) -> bool:
    forking = getattr(socketserver, "ForkingMixIn", None)  # not on Windows
    return forking is not None and isinstance(server, forking)


def demo_app(environ: WSGIEnvironment, start_response: Any) -> list[bytes]:
    """A page that says "Hello world!" and lists the environ, sorted by name."""
    lines = ["Hello world!", "", *(f"{key} = {environ[key]!r}" for key in sorted(environ)), ""]
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return ["\n".join(lines).encode("utf-8", "backslashreplace")]


def make_server(
    host: str,
    port: int,
    app: WSGIApplication,
    server_class: Any = WSGIServer,
    handler_class: Any = WSGIRequestHandler,
) -> Any:
    """A server for ``app``, bound to ``host`` and ``port`` and listening.

    ``""`` is all IPv4 addresses, port 0 any free port (``server.server_port`` says which).
    Returns an instance of ``server_class``. OSError if it cannot be bound. ::

        with make_server("127.0.0.1", 8000, app) as server:
            server.serve_forever()
    """
    server = server_class((host, port), handler_class)
    server.set_app(app)
    return server


def __getattr__(name: str) -> str:
    if name == "__version__":
        if sys.version_info >= (3, 15):
            # As CPython's, whose tests pin the text.
            warnings.warn(
                "'__version__' is deprecated and slated for removal in Python 3.20",
                DeprecationWarning,
                stacklevel=2,
            )
        return "0.2"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    with make_server("", 8000, demo_app) as httpd:
        print("Serving HTTP on", *httpd.socket.getsockname()[:2], "...")  # noqa: T201
        import webbrowser

        webbrowser.open("http://localhost:8000/xyz?abc")
        httpd.handle_request()
