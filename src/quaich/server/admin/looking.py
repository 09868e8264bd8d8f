"""What the board says at one moment, as values; and whether that means ready."""

import json
import platform
from dataclasses import dataclass
from time import monotonic, time
from typing import Final

import quaich
from quaich.server.figures.board import Board, Restart, Slot, State
from quaich.server.figures.counters import Tally
from quaich.server.health import DRAINING, NO_WORKER, READY, saturated
from quaich.settings import Settings

STALE: Final = 10.0
"""Seconds without a sign of life after which a worker does not count as ready. They come once a
second at least; a worker whose interpreter is held by an extension gives none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the server runs."""

    version: str
    python: str
    addresses: tuple[str, ...]  # of the application


def facts_of(settings: Settings) -> Facts:
    """Those of a server with these settings."""
    return Facts(
        version=quaich.__version__,
        python=platform.python_version(),
        addresses=settings.listen.bind,
    )


@dataclass(frozen=True, slots=True)
class InFlight:
    """A request that the application is busy with."""

    method: str
    path: str
    client: str
    age: float  # seconds


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that serves, or is about to, or finishes. Ages are seconds, sizes bytes."""

    index: int
    pid: int
    generation: int
    state: State
    age: float
    silence: float | None  # seconds since its last sign of life; None if there was none yet
    requests: int
    in_flight: int
    queued: int
    threads: int
    thread_limit: int  # calls at once
    connections: int
    memory: int
    calls: tuple[InFlight, ...]

    @property
    def is_ready(self) -> bool:
        return self.state == "ready" and (self.silence is None or self.silence < STALE)


@dataclass(frozen=True, slots=True)
class View:
    """The board at one moment."""

    time: float  # seconds since the epoch
    started: float  # the same
    is_stopping: bool
    workers: tuple[Worker, ...]
    requests: int  # calls of the application that have begun, ever
    tally: Tally  # what has ended, ever
    restarts: dict[str, int]
    last_restarts: tuple[Restart, ...]

    def total(self, name: str) -> int:
        """The sum of a field over all workers."""
        return sum(getattr(worker, name) for worker in self.workers)


def look(board: Board) -> View:
    """What the board says now."""
    now, ticks = time(), monotonic()
    totals = board.totals()
    return View(
        time=now,
        started=board.made,
        is_stopping=board.is_stopping,
        workers=tuple(_worker(slot, now, ticks) for slot in board.workers()),
        requests=totals.requests,
        tally=Tally(totals.counters),
        restarts=board.restarts(),
        last_restarts=tuple(board.last_restarts()),
    )


def _worker(slot: Slot, now: float, ticks: float) -> Worker:
    beat = slot.beat
    return Worker(
        index=slot.index,
        pid=slot.pid,
        generation=slot.generation,
        state=slot.state,
        age=max(0.0, now - slot.started),
        silence=max(0.0, ticks - beat) if beat else None,
        requests=slot.requests,
        in_flight=slot.in_flight,
        queued=slot.queued,
        threads=slot.threads,
        thread_limit=slot.thread_limit,
        connections=slot.connections,
        memory=slot.memory,
        calls=_calls(slot.text.read(), ticks),
    )


def _calls(text: bytes, ticks: float) -> tuple[InFlight, ...]:
    try:
        entries = json.loads(text or b"[]")
    except ValueError:
        return ()  # read while it was written, again and again
    return tuple(
        InFlight(
            each["method"], each["path"], each["client"], max(0.0, round(ticks - each["since"], 3))
        )
        for each in entries
    )


def readiness(view: View) -> tuple[bool, str]:
    """Whether a request that comes now is answered soon; and why, in a line.

    Saturated is a server all of whose ready workers have requests that wait for a thread. Where
    one has none, it takes what comes: all of them accept from the same sockets.
    """
    ready = [worker for worker in view.workers if worker.is_ready]
    if view.is_stopping:
        return False, DRAINING
    if not ready:
        is_draining = any(worker.state == "draining" for worker in view.workers)
        is_starting = any(worker.state == "starting" for worker in view.workers)
        return False, DRAINING if is_draining and not is_starting else NO_WORKER
    if all(worker.queued for worker in ready):
        return False, saturated(sum(worker.queued for worker in ready))
    return True, READY
