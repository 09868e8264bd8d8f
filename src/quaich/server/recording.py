"""What is written down of a request: from a call and its connection to a line of the access
log."""

import os
from time import time

from quaich.exchange.call import Call, End
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import Request
from quaich.server.access_format import Entry, user_of
from quaich.server.access_log import AccessLog
from quaich.server.connection import Connection
from quaich.types import WSGIEnvironment


class Recorder:
    """Writes requests to an access log, or does nothing if there is none."""

    def __init__(self, log: AccessLog | None) -> None:
        self._log = log
        self._pid = os.getpid()
        self.is_on = log is not None

    def flush(self) -> None:
        """Let the log write what it has gathered."""
        if self._log is not None:
            self._log.flush()

    def answered(
        self, connection: Connection, call: Call, environ: WSGIEnvironment, seconds: float
    ) -> None:
        """A call has ended; it took so many seconds."""
        status = None if call.section is None else call.status
        if call.end is End.REFUSED:
            status = "500" if call.refusal is None else str(call.refusal.status)
        headers = [] if call.section is None else call.section[0]
        self._write(connection, call.request, status, headers, environ, call.content_sent, seconds)

    def refused(self, connection: Connection, error: ProtocolError) -> None:
        """A request was refused before the application could be called."""
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
        peer = connection.peer
        self._log.write(
            Entry(
                remote_addr=str(peer[0]) if isinstance(peer, tuple) else "",
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
