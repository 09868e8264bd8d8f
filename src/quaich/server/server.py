"""The server as a whole: its sockets, its life and its end.

with Server(app, bind="127.0.0.1:0") as server:
    httpx.get(server.url)
"""

import socket
import threading
from typing import Any, Final

from quaich.exchange.environ import listener_environ
from quaich.exchange.log import SafeLogger
from quaich.server.accepting import Listener
from quaich.server.access_log import AccessLog
from quaich.server.listening import address_of, open_listener
from quaich.server.loop import Loop
from quaich.server.poller import open_poller
from quaich.settings import Address, Settings, parse_address
from quaich.settings import settings as settings_of
from quaich.types import WSGIApplication

logger = SafeLogger("quaich.error")

SOFTWARE: Final = "quaich"

_SPARE: Final = 64  # descriptors that are not for connections


class Server:
    """One process's server of an application.

    It listens once it is made; :meth:`start` begins to answer, on threads of its own. Every
    setting is a keyword argument (``quaich.settings``, docs/reference/settings.md). Raises
    :class:`~quaich.settings.SettingError` for a wrong one, and
    :class:`~quaich.server.listening.CannotListen`.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        settings: Settings | None = None,
        sockets: list[socket.socket] | None = None,
        access_log: AccessLog | None = None,
        **keywords: Any,
    ) -> None:
        """``settings``: the record that the commands have made, instead of keywords.
        ``sockets``: listening sockets to use instead of ``bind``."""
        if settings is None:
            settings = settings_of(**keywords)
        elif keywords:
            raise TypeError("either settings or keyword arguments, not both")
        self.settings = settings
        limit = raise_descriptor_limit()
        most = settings.listen.worker_connections
        if limit is not None and most > limit - _SPARE:
            most = max(limit - _SPARE, limit // 2)
            logger.debug("at most %d connections, as there are %d descriptors", most, limit)
        if sockets is None:
            sockets = []
            try:
                for text in settings.listen.bind:
                    sockets.append(open_listener(parse_address(text), settings.listen.backlog))
            except BaseException:
                for listening in sockets:
                    listening.close()
                raise
        for listening in sockets:
            listening.setblocking(False)
        self._addresses = [address_of(listening) for listening in sockets]
        poller = open_poller(settings.concurrency.poller)
        self._loop = Loop(
            application,
            [
                Listener(listening, self._environ(address))
                for listening, address in zip(sockets, self._addresses, strict=True)
            ],
            poller,
            settings,
            SOFTWARE if settings.environ.server_header else None,
            access_log,
            most=most,
        )
        self._started = False
        self._closed = False
        self._closing = threading.Lock()

    def _environ(self, address: Address) -> dict[str, Any]:
        return listener_environ(
            name=address.host,
            port=str(address.port),
            software=SOFTWARE,
            multithread=self.settings.concurrency.threads > 1,
        )

    @property
    def addresses(self) -> list[Address]:
        """The addresses that are bound, with their real ports."""
        return list(self._addresses)

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self._addresses[0].port

    @property
    def url(self) -> str:
        """A URL of the application, without a slash at the end, for a client on this host."""
        host, port = self._addresses[0]
        return f"http://{Address({'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host), port)}"

    @property
    def requests_under_way(self) -> int:
        """Connections whose request has begun to arrive or is being answered."""
        return self._loop.under_way()

    def start(self) -> None:
        """Begin to answer, on threads of the server's own; returns at once."""
        if self._started:
            raise RuntimeError("the server has been started; make another one to serve again")
        self._started = True
        self._loop.crew.start()

    def stop(self) -> None:
        """Begin to stop: accept no more, and end each connection after its present request.
        Returns at once; for signal handlers too."""
        self._loop.stop()

    def wait_until_stopped(self, timeout: float | None = None) -> bool:
        """Wait until, after :meth:`stop`, all requests have their responses; whether they
        have."""
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
                loop.stop()
                seconds = self.settings.timeouts.graceful_timeout if timeout is None else timeout
                if not loop.ended.wait(seconds):
                    cut_off = loop.under_way()
                loop.interrupt()
                loop.crew.finish()
                loop.poller.wake()
                # A thread that is inside the application cannot be ended; it is a daemon.
                loop.crew.join(0.1 if cut_off else 1.0)
            loop.abandon()
            return cut_off

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


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
