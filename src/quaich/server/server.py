"""The server as a whole: its sockets, its life and its end.

with Server(app, bind="127.0.0.1:0") as server:
    httpx.get(server.url)
"""

import re
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from quaich.exchange.environ import listener_environ
from quaich.exchange.forwarded import mounted
from quaich.exchange.log import SafeLogger
from quaich.server.connections.accepting import Listener
from quaich.server.figures.worker import Figures
from quaich.server.listeners.listening import address_of, close_listeners, open_listeners
from quaich.server.logs.access_log import AccessLog
from quaich.server.loop import Loop
from quaich.server.opening import Preface
from quaich.server.poller import open_poller
from quaich.settings import Address, Settings
from quaich.settings import settings as settings_of
from quaich.settings.address import UnixAddress
from quaich.types import WSGIApplication

if TYPE_CHECKING:
    from quaich.server.tls.certificates import Certificates

logger = SafeLogger("quaich.error")

SOFTWARE: Final = "quaich"

_SPARE: Final = 64  # descriptors that are not for connections

_SHOWN_MAX: Final = 80  # characters of what was given instead of an application


class Server:
    """One process's server of an application.

    It listens once it is made; :meth:`start` begins to answer, on threads of its own. Every
    setting is a keyword argument (``quaich.settings``, docs/reference/settings.md). Raises
    :class:`~quaich.settings.SettingError` for a wrong one,
    :class:`~quaich.server.listeners.listening.CannotListen`, and TypeError for an application that
    cannot be called.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        settings: Settings | None = None,
        sockets: list[socket.socket] | None = None,
        access_log: AccessLog | None = None,
        is_shared: bool = False,
        certificates: "Certificates | None" = None,
        **keywords: Any,
    ) -> None:
        """``settings``: the record that the commands have made, instead of keywords.
        ``sockets``: listening sockets to use instead of ``bind``, of any kind: TCP or Unix,
        inherited or made here. Whoever has opened them removes the paths of Unix sockets
        (:func:`~quaich.server.listeners.listening.close_listeners`).
        ``is_shared``: other processes serve the application on the same sockets.
        ``certificates``: those of the settings, where they have been loaded already."""
        check_callable(application)
        if settings is None:
            settings = settings_of(**keywords)
        elif keywords:
            raise TypeError("either settings or keyword arguments, not both")
        self.settings = settings
        self._is_shared = is_shared
        if settings.files.static:
            from quaich.static import wrap  # who sends no files is not to load it

            application = wrap(application, settings.files)
        if certificates is None and settings.tls.certfile is not None:
            from quaich.server.tls.certificates import Certificates  # loads OpenSSL

            certificates = Certificates(settings.tls)
        proxies = settings.proxies
        preface = None
        if proxies.proxy_protocol != "off":
            preface = Preface(proxies.proxy_protocol, proxies.proxy_allow_from)
        limit = raise_descriptor_limit()
        most = settings.listen.worker_connections
        if limit is not None and most > limit - _SPARE:
            most = max(limit - _SPARE, limit // 2)
            logger.debug("at most %d connections, as there are %d descriptors", most, limit)
        self._own: list[socket.socket] = []
        if sockets is None:
            # Sockets of systemd are the process's, and not for each server that is made in it.
            sockets = self._own = open_listeners(settings.listen, environ=None)
        for listening in sockets:
            listening.setblocking(False)
        self._addresses = [address_of(listening) for listening in sockets]
        poller = open_poller(settings.concurrency.poller)
        self._loop = Loop(
            mounted(application, proxies.root_path),
            [
                Listener(listening, self._environ(address), certificates, preface)
                for listening, address in zip(sockets, self._addresses, strict=True)
            ],
            poller,
            settings,
            SOFTWARE if settings.environ.server_header else None,
            access_log,
            most=most,
            is_shared=is_shared,
        )
        self._started = False
        self._closed = False
        self._closing = threading.Lock()

    def _environ(self, address: Address | UnixAddress) -> dict[str, Any]:
        # Neither may be empty (S29). Whoever builds a URL of them gets http://localhost.
        port = 80 if self.scheme == "http" else 443
        name, port = address if isinstance(address, Address) else ("localhost", port)
        return listener_environ(
            name=name,
            port=str(port),
            software=SOFTWARE,
            multithread=self.settings.concurrency.threads > 1,
            multiprocess=self._is_shared,  # S46
            scheme=self.scheme,
        )

    @property
    def addresses(self) -> list[Address | UnixAddress]:
        """The addresses that are bound, with their real ports."""
        return list(self._addresses)

    @property
    def port(self) -> int:
        """The port of the first TCP address; LookupError if there is none."""
        for address in self._addresses:
            if isinstance(address, Address):
                return address.port
        raise LookupError(f"the server has no port: it listens on {self._addresses[0]}")

    @property
    def url(self) -> str:
        """A URL of the application, without a slash at the end, for a client on this host: that
        of the first TCP address; if there is none, ``http+unix://`` with the path, percent-encoded,
        as some clients know it."""
        tcp = (address for address in self._addresses if isinstance(address, Address))
        return next(tcp, self._addresses[0]).url(self.scheme)

    @property
    def scheme(self) -> str:
        """``http``, or ``https`` where there is a certificate."""
        return "http" if self.settings.tls.certfile is None else "https"

    @property
    def figures(self) -> Figures:
        """What it has counted, and what it is doing; for a board."""
        return self._loop.figures

    @property
    def is_stopping(self) -> bool:
        """Whether :meth:`stop` or :meth:`close` has been called."""
        return self._loop.stopping

    @property
    def requests_under_way(self) -> int:
        """Connections whose request has begun to arrive or is being answered."""
        return self._loop.under_way()

    @property
    def on_stuck(self) -> Callable[[str], object] | None:
        """Called for a thread that has not ended long after its request's ``timeout``, with a
        line that says which: it may never end. On a thread of the server's."""
        return self._loop.deadlines.on_stuck

    @on_stuck.setter
    def on_stuck(self, function: Callable[[str], object] | None) -> None:
        self._loop.deadlines.on_stuck = function

    def start(self) -> None:
        """Begin to answer, on threads of the server's own; returns at once."""
        if self._started:
            raise RuntimeError("the server has been started; make another one to serve again")
        self._started = True
        self._loop.crew.start()
        self._loop.deadlines.start()

    @property
    def is_accepting(self) -> bool:
        """Whether new connections may still come; not any more soon after :meth:`stop`."""
        return self._loop.is_accepting

    @property
    def beat(self) -> float:
        """When the loop came round last (monotonic). One that has nothing to do waits; after a
        :meth:`nudge` it comes round once, unless something is wrong."""
        return self._loop.beat

    def nudge(self) -> None:
        """Let the loop come round."""
        self._loop.poller.wake()

    def look_again(self) -> None:
        """Accept what waits at the listeners, though nothing has been reported: another process
        may have been told of it, and have died."""
        self._loop.look_again()

    def stop(self, idle: float = 0.0) -> None:
        """Begin to stop: accept no more, and end each connection after its present request; one
        that has none is closed when it has been idle for ``idle`` seconds. Returns at once; for
        signal handlers too."""
        self._loop.stop(idle)

    def wait_until_stopped(self, timeout: float | None = None) -> bool:
        """Wait until, after :meth:`stop`, all requests have their responses, at most ``timeout``
        seconds; whether they have."""
        return self._loop.ended.wait(timeout)

    def close(self, timeout: float | None = None) -> int:
        """Stop, wait up to ``timeout`` seconds for the requests under way (by default the
        setting ``graceful_timeout``), and end. How many were cut off. More calls do nothing."""
        with self._closing:
            if self._closed:
                return 0
            self._closed = True
            loop = self._loop
            cut_off = 0
            if self._started:
                if not loop.stopping:
                    loop.stop()
                seconds = self.settings.timeouts.graceful_timeout if timeout is None else timeout
                if not loop.ended.wait(seconds):
                    cut_off = loop.under_way()
                loop.interrupt()
                loop.deadlines.close()
                loop.crew.finish()
                loop.poller.wake()
                # A thread that is inside the application cannot be ended; it is a daemon.
                loop.crew.join(0.1 if cut_off else 1.0)
            loop.abandon()
            close_listeners(self._own)
            return cut_off

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def check_callable(application: object) -> None:
    """TypeError, if an application is none. Else each request would be answered with 500."""
    if callable(application):
        return
    hint = ""
    if isinstance(application, str):
        named = re.fullmatch(r"([\w.]+):(\w+)", application)
        hint = f"; import it: from {named[1]} import {named[2]}" if named else "; import it"
    value = repr(application)
    value = value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…"
    if application is not None:
        kind = type(application).__name__
        value = f"{value}, {'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
    raise TypeError(f"the application is {value}, which cannot be called{hint}")


def raise_descriptor_limit() -> int | None:
    """Let this process have as many descriptors as it may: a connection is one. How many."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            # macOS: the hard limit may be more than the system allows.
            logger.debug("the limit of %d descriptors cannot be raised", soft)
    return None if soft == resource.RLIM_INFINITY else soft
