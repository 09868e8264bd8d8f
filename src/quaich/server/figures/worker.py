"""What a worker says of itself on the board: how many, how many now, and which.

    Figures.publish       a few times a second, by the main thread of the worker
      in_flight             the requests that the application is busy with
      memory_in_use         of this process

A request costs nothing of this but the counting, and that only where somebody asked for figures
(``--admin-bind``, ``--statsd-host``): what is in flight is found by looking at the threads.
"""

import json
import os
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final

from quaich.server.connections.registry import Connections
from quaich.server.figures.board import TEXT_MAX, Slot
from quaich.server.figures.counters import Counters
from quaich.server.figures.statsd import Statsd, statsd_of
from quaich.server.threads.crew import Crew
from quaich.settings import Admin

_PATH_MAX: Final = 200  # characters of a path that are shown
_METHOD_MAX: Final = 40  # the same of a method: one long enough would hide all the others

_STATM: Final = Path("/proc/self/statm")


class Figures:
    """The figures of one server."""

    def __init__(self, admin: Admin, crew: Crew, connections: Connections) -> None:
        self._admin = admin
        self._crew = crew
        self._connections = connections
        is_asked = admin.admin_bind is not None or admin.statsd_host is not None
        self.counters = Counters() if is_asked else None
        self._statsd: Statsd | None = None
        self._publishing = Lock()

    def publish(self, slot: Slot) -> None:
        """Write to a worker's slot how it is, and send statsd what has changed since. Raises
        nothing, waits for nobody. To be called once more when the server is closed: then
        nothing is left out."""
        now = monotonic()
        with self._publishing:
            calls = self._crew.in_flight()
            slot.requests = self._crew.calls
            slot.in_flight = len(calls)
            slot.queued = self._crew.queued
            slot.threads = len(self._crew.members)
            slot.thread_limit = self._crew.slots
            slot.connections = len(self._connections)
            slot.memory = memory_in_use()
            if self.counters is not None:
                values = self.counters.values()
                slot.write_counters(values)
                slot.text.write(describe(calls, TEXT_MAX))
                self._send(values, slot)
            slot.beat = now

    def close(self) -> None:
        """Let go of statsd, after the last publication."""
        with self._publishing:
            if self._statsd is not None:
                self._statsd.close()

    def _send(self, values: list[int], slot: Slot) -> None:
        if self._admin.statsd_host is None:
            return
        if self._statsd is None:
            self._statsd = statsd_of(self._admin)
        self._statsd.send(values, slot)


def describe(calls: list[tuple[Any, float]], size: int) -> bytes:
    """Requests in flight as JSON, those that have taken the longest first; no more of them than
    go into ``size`` bytes. Of each: method, path without the query, client, and since when
    (monotonic seconds, which are the same in all processes of a host)."""
    entries = []
    size -= 2
    for connection, since in sorted(calls, key=_since):
        request = connection.request  # may be gone in the next moment
        if request is None:
            continue
        entry = json.dumps(
            {
                "method": request.method[:_METHOD_MAX],
                "path": connection.target.partition("?")[0][:_PATH_MAX],
                "client": client_of(connection.peer),
                "since": round(since, 3),
            },
            separators=(",", ":"),
        )
        size -= len(entry) + 1
        if size < 0:
            break
        entries.append(entry)
    return f"[{','.join(entries)}]".encode("ascii")


def _since(call: tuple[Any, float]) -> float:
    return call[1]


def client_of(peer: Any) -> str:
    """The address of a client, without its port; "" for one of a Unix socket."""
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def memory_in_use() -> int:
    """Bytes of this process that are in memory, shared ones too (its resident set); 0 where the
    system does not say so (Linux does)."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0
