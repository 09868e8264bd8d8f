"""What is kept of a request when it has ended: a line of the access log, and the figures."""

import os
from time import time

from quaich.exchange.call import Call, End
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import Request
from quaich.server.connections.connection import Connection
from quaich.server.figures.counters import Counters
from quaich.server.logs.access_format import Entry, user_of
from quaich.server.logs.access_log import AccessLog
from quaich.types import WSGIEnvironment


class Recorder:
    """Writes requests to an access log and counts them, where that is asked for. If neither is,
    ``is_on`` is false, and it is not called."""

    def __init__(self, log: AccessLog | None, counters: Counters | None = None) -> None:
        self._log = log
        self._counters = counters
        self._pid = os.getpid()
        self.is_on = log is not None or counters is not None

    def flush(self) -> None:
        """Let the log write what it has gathered."""
        if self._log is not None:
            self._log.flush()

    def answered(
        self,
        connection: Connection,
        call: Call,
        environ: WSGIEnvironment,
        seconds: float,
        queued: float,
    ) -> None:
        """A call has ended. It took so many seconds, and its request was there for ``queued``
        seconds before it began."""
        if not call.is_recorded:
            self.ended(connection, call, environ, seconds, queued)

    def ended(
        self,
        connection: Connection,
        call: Call,
        environ: WSGIEnvironment,
        seconds: float,
        queued: float,
    ) -> None:
        """The same, though its thread may still be inside the application."""
        status = None if call.section is None else call.status
        if call.end is End.REFUSED:
            status = "500" if call.refusal is None else str(call.refusal.status)
        if self._counters is not None:
            self._counters.answered(
                call.request.method,
                None if status is None else int(status[:3]),
                call.content_sent,
                seconds,
                queued,
                is_aborted=call.end is End.GONE,
            )
            if self._log is None:
                return
        headers = [] if call.section is None else call.section[0]
        self._write(connection, call.request, status, headers, environ, call.content_sent, seconds)

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """A request was refused before the application could be called."""
        if self._counters is not None:
            request = connection.request
            self._counters.refused(None if request is None else request.method, error.status)
        self._write(connection, connection.request, str(error.status), [], {}, 0, 0.0)

    def _write(
        self,
        connection: Connection,
        request: Request | None,
        status: str | None,
        headers: list[tuple[str, str]],
        environ: WSGIEnvironment,
        size: int,
        seconds: float,
    ) -> None:
        if self._log is None:
            return
        self._log.write(
            Entry(
                remote_addr=_client(connection, environ),
                user=user_of(environ),
                time=time() - seconds,
                method=None if request is None else request.method,
                target=None if request is None else connection.target,
                protocol=None if request is None else request.version,
                status=status,
                headers=headers,
                environ=environ,
                size=size,
                duration=seconds,
                pid=self._pid,
            )
        )


def _client(connection: Connection, environ: WSGIEnvironment) -> str:
    """The client's address: what a proxy that is believed has told, as in gunicorn's log."""
    told = environ.get("REMOTE_ADDR")
    if isinstance(told, str):
        return told
    return str(connection.peer[0]) if isinstance(connection.peer, tuple) else ""
