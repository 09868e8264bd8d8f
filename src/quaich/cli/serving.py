"""Serving an application from the command line, for now with :mod:`quaich.simple_server`.

    open_server           resolve, bind, listen; or one line that says why not
    serve                 "Listening on …", then a thread for each connection, until a signal
    Server.begin_to_stop  idle connections are closed, requests under way get their responses
    Server.wait_for_end   how many of them did not, in time

The only module of the commands that knows the server: the production server takes its place.
Not here, because they are that server's: worker processes, a bound on threads.
"""

import contextlib
import errno
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from quaich import __version__, access_log
from quaich.cli.address import Address
from quaich.cli.errors import ConfigurationError
from quaich.cli.ports import describe_holder
from quaich.simple_server import ServerHandler, ThreadingWSGIServer, WSGIRequestHandler
from quaich.types import WSGIApplication, WSGIEnvironment

SOFTWARE: Final = f"quaich/{__version__}"

# Seconds without a byte before a connection is closed. It must be more than the 60 that a proxy
# keeps an idle connection (AWS's load balancer, nginx's upstream keepalive_timeout): the side
# that sends requests has to be the one that closes, or a request meets a close and is lost.
# Precedents: nginx to its clients 75, waitress 120, uvicorn and Apache 5, gunicorn 2.
IDLE_TIMEOUT: Final = 75.0

# Seconds that requests under way have to end when the server stops. Docker kills 10 s after its
# SIGTERM, and who presses Ctrl-C is waiting. Precedents: gunicorn 30, Kubernetes 30, werkzeug 0.
DRAIN_TIMEOUT: Final = 5.0

# Of these, how many pass before it is said that they do: mostly there is nothing to say.
QUIET_TIME: Final = 0.3

_POLL: Final = 0.1  # seconds, at most, until the accepting thread sees that it is to stop


class _Handler(ServerHandler):
    server_software = SOFTWARE


class _RequestHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = SOFTWARE
    server_handler = _Handler
    timeout = IDLE_TIMEOUT
    # A response in two sends would wait for the client's delayed acknowledgement, 40 ms.
    disable_nagle_algorithm = True

    def version_string(self) -> str:
        return SOFTWARE  # without Python's version, which is nobody's business

    def get_environ(self) -> WSGIEnvironment:
        """CONTENT_TYPE is left out if there is no such field; who calls ``wsgiref`` gets it
        all the same (D046)."""
        environ = super().get_environ()
        if "Content-Type" not in self.headers:
            environ.pop("CONTENT_TYPE", None)
        return environ

    def handle_one_request(self) -> None:
        self.server.set_idle(self.connection)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.server.set_busy(self.connection)
        parsed = super().parse_request()
        if self.server.stopping:
            self.close_connection = True  # said in the response
        return parsed


class Server(ThreadingWSGIServer):
    """The server behind the commands; :func:`open_server` makes it.

    One thread accepts; each connection is then its own thread's. What both look at,
    ``stopping`` and who is idle, is changed under the lock only.
    """

    # On Windows the option lets a second server take the port as well.
    allow_reuse_address = os.name == "posix"
    allow_reuse_port = False  # two servers on one port would share its requests at random
    # Connections that wait to be accepted; the system caps it (Linux: net.core.somaxconn, 4096).
    # Precedents: gunicorn and uvicorn 2048, Apache 511.
    request_queue_size = 2048

    def __init__(self, address: tuple[str, int]) -> None:
        self.stopping = False
        self._idle: dict[socket.socket, bool] = {}  # of every open connection
        self._changed = threading.Condition()
        super().__init__(address, _RequestHandler)

    @property
    def address(self) -> Address:
        """The address that is bound, with the real port."""
        return Address(*self.server_address[:2])  # type: ignore[arg-type]  # typeshed: str | bytes

    def setup_environ(self) -> None:
        """Without the variables that ``wsgiref`` has empty where there is nothing to say."""
        super().setup_environ()
        for name in ("CONTENT_LENGTH", "REMOTE_HOST"):
            self.base_environ.pop(name, None)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.set_busy(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changed:
            self._idle.pop(request, None)
            self._changed.notify_all()
        super().shutdown_request(request)

    def set_busy(self, connection: socket.socket) -> None:
        """A request has begun to arrive, or may have."""
        with self._changed:
            self._idle[connection] = False

    def set_idle(self, connection: socket.socket) -> None:
        """The connection waits for a request."""
        with self._changed:
            self._idle[connection] = True
            if self.stopping:
                _stop_reading(connection)

    def begin_to_stop(self) -> None:
        """Every connection is to end: those without a request now, the others after theirs."""
        with self._changed:
            self.stopping = True
            for connection, idle in self._idle.items():
                if idle:
                    _stop_reading(connection)

    def wait_for_end(self, seconds: float) -> int:
        """Wait until all connections have ended; how many requests are under way after that."""
        with self._changed:
            self._changed.wait_for(lambda: not self._idle, seconds)
            return sum(not idle for idle in self._idle.values())


def _stop_reading(connection: socket.socket) -> None:
    """The thread that waits for a request gets those bytes that have arrived, then the end."""
    with contextlib.suppress(OSError):  # the client has closed it
        connection.shutdown(socket.SHUT_RD)


def open_server(application: WSGIApplication, address: Address) -> Server:
    """A server that listens on ``address``; ConfigurationError if it cannot."""
    host = _resolve(address)
    try:
        server = Server((host, address.port))
    except OSError as error:
        reason = _bind_fault(error, host, address.port)
        raise ConfigurationError(f"cannot listen on {address}: {reason}") from error
    server.set_app(application)
    return server


def _resolve(address: Address) -> str:
    """The host as a numeric address; of a name's several, the first IPv4 one."""
    try:
        found: list[Any] = socket.getaddrinfo(
            address.host or "0.0.0.0", address.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:  # UnicodeError: a label is too long for IDNA
        raise ConfigurationError(
            f"cannot listen on {address}: the host {address.host!r} has no known address"
        ) from error
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return str(found[0][4][0])


def _bind_fault(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the port is taken, {describe_holder(host, port)}"
    if error.errno == errno.EACCES:
        return f"no permission for port {port}; those below 1024 are as a rule the administrator's"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this host has no address {ipaddress.ip_address(host)}"
    return error.strerror or str(error)


def serve(server: Server) -> None:
    """Serve until KeyboardInterrupt (see :func:`stop_signals`); then end what is under way."""
    with server:
        # Not in this thread: it would get the interrupt between an accept and the start of the
        # connection's thread, and socketserver then closes the connection under that thread.
        acceptor = threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
        try:
            acceptor.start()
            _say(f"Listening on http://{server.address}")
            never = threading.Event()
            while acceptor.is_alive():
                never.wait(1.0)  # on Windows, an endless wait would not see Ctrl-C
        except KeyboardInterrupt:
            if acceptor.is_alive():
                server.shutdown()
    server.begin_to_stop()
    under_way = server.wait_for_end(QUIET_TIME)
    if not under_way:
        return
    _say(
        f"Stopping; waiting up to {DRAIN_TIMEOUT:g} s for {_requests(under_way)}, "
        "Ctrl-C again to quit now"
    )
    cut_off = server.wait_for_end(DRAIN_TIMEOUT - QUIET_TIME)
    if cut_off:
        _say(f"{_requests(cut_off)} {'was' if cut_off == 1 else 'were'} cut off")


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def stop_signals() -> Iterator[None]:
    """SIGINT and SIGTERM end the block quietly; a second one ends the process at once.

    SIGTERM needs a handler because process 1 of a container ignores it without one.
    """
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def stop(signum: int, frame: FrameType | None) -> None:
        for each in handlers:
            handlers[each] = signal.SIG_DFL
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    for each in handlers:
        signal.signal(each, stop)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


def configure_access_log(enabled: bool, path: str | None) -> None:
    """Send the lines of the access log to a file, ``-`` being stdout, or nowhere.

    Without a path they go to stderr, whatever the application has configured for its own
    lines; unless ``quaich.access`` is what it has configured. To be called when the application
    is loaded: ``logging.config`` disables the loggers that are there before it.
    """
    logger = access_log.logger()
    logger.disabled = not enabled
    if not enabled:
        return
    if path is None and any(
        not isinstance(handler, access_log._FallbackHandler) for handler in logger.handlers
    ):
        return
    try:
        handler = (
            logging.FileHandler(path, encoding="utf-8")
            if path not in (None, "-")
            else logging.StreamHandler(sys.stdout if path else sys.stderr)
        )
    except OSError as error:
        raise ConfigurationError(
            f"--access-logfile: cannot write to {path!r}: {error.strerror}"
        ) from error
    logger.addHandler(handler)
    logger.propagate = False  # only there
