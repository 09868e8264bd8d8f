"""A reload by SIGHUP while clients ask: how long it takes, and what is lost meanwhile.

Half of the clients keep their connection, half make one for each request. Each asks for the number
of the process that answers, and pauses shortly after each answer: so the load is the same for every
server, and a connection that is closed while it is idle is met as in real life. What is lost is a
request that was sent, or for which no connection could be made, and that has no whole answer of
200. A client that sees its connection closed before it sends makes another, and has lost nothing.
"""

import contextlib
import math
import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks.deployed.memory import wait_for_workers
from benchmarks.servers.load import LoadError
from benchmarks.servers.process import Running, connect

CLIENTS: Final = 8
RELOADS: Final = 2  # of one server in one round

_PAUSE: Final = 0.004  # seconds, of a client after each answer
_BEFORE: Final = 0.5  # of load before a reload and after it
_CLIENT_PATIENCE: Final = 10
_ANSWERS_PATIENCE: Final = 5
_RELOAD_PATIENCE: Final = 40  # gunicorn's graceful timeout is 30 s
_HEAD: Final = b"GET /process HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_ANSWER: Final = re.compile(rb"HTTP/1\.1 200 .*\r\n\r\n(\d+)\n$", re.DOTALL)


@dataclass
class Tally:
    """Of one client; nobody else writes it."""

    answered: int = 0
    lost: int = 0
    longest: float = 0.0  # seconds that an answer took
    fault: str = ""  # of the first that was lost
    pids: dict[int, float] = field(default_factory=dict)  # process → its first answer


class _Client:
    def __init__(self, port: int, keeps: bool, stop: threading.Event) -> None:
        self._port = port
        self._keeps = keeps
        self._stop = stop
        self._connection: socket.socket | None = None
        self._request = _HEAD + (b"\r\n" if keeps else b"Connection: close\r\n\r\n")
        self.tally = Tally()

    def run(self) -> None:
        tally = self.tally
        while not self._stop.is_set():
            start = time.monotonic()
            try:
                pid = self._ask()
            except (OSError, ValueError) as error:
                tally.lost += 1
                if not tally.fault:
                    tally.fault = f"{type(error).__name__}: {error}"
                self._close()
            else:
                now = time.monotonic()
                tally.answered += 1
                tally.pids.setdefault(pid, now)
            tally.longest = max(tally.longest, time.monotonic() - start)
            self._stop.wait(_PAUSE)
        self._close()

    def _ask(self) -> int:
        """The process that answered. OSError, ValueError if the request is lost."""
        connection = self._connection
        if connection is not None and select.select([connection], [], [], 0)[0]:
            self._close()  # nothing has been asked, so it is the end of the connection
            connection = None
        if connection is None:
            connection = self._connection = connect(self._port, _CLIENT_PATIENCE)
        connection.sendall(self._request)
        data = b""
        while (found := _ANSWER.match(data)) is None:
            block = connection.recv(65536)
            if not block:
                raise ValueError(f"closed after {data[:40]!r}")
            data += block
        if not self._keeps or b"\r\nconnection: close\r\n" in data.lower():
            self._close()
        return int(found[1])

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextlib.contextmanager
def _asking(port: int) -> Iterator[list[Tally]]:
    """Clients that ask until the block is left."""
    stop = threading.Event()
    clients = [_Client(port, number % 2 == 0, stop) for number in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield [client.tally for client in clients]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def measure_reloads(running: Running, workers: int) -> tuple[dict[str, float], dict[str, int], str]:
    """Figures: seconds, means of the reloads. Counts of requests. The first fault, or nothing.

    LoadError if old workers are still there when patience has ended.
    """
    port = running.address
    if not isinstance(port, int):
        raise LoadError("it listens on no port")
    taken = []
    begun = []
    with _asking(port) as tallies:
        for _ in range(RELOADS):
            time.sleep(_BEFORE)
            old = set(wait_for_workers(running, workers))
            _wait_until_all_answer(tallies, old)
            start = time.monotonic()
            os.kill(running.leader, signal.SIGHUP)
            taken.append(_wait_until_new(running, old, workers) - start)
            begun.append((start, old))
        time.sleep(_BEFORE)
    answers = [answer for tally in tallies for answer in tally.pids.items()]
    firsts = [
        min((at for pid, at in answers if at > start and pid not in old), default=math.inf) - start
        for start, old in begun
    ]
    if math.inf in firsts:
        raise LoadError("no new worker has answered")
    figures = {
        "reload": sum(taken) / len(taken),
        "first": sum(firsts) / len(firsts),
        "longest": max(tally.longest for tally in tallies),
    }
    counts = {
        "answered": sum(tally.answered for tally in tallies),
        "lost": sum(tally.lost for tally in tallies),
    }
    faults = [tally.fault for tally in tallies if tally.fault]
    return figures, counts, f"the first that was lost: {faults[0]}" if faults else ""


def _wait_until_all_answer(tallies: list[Tally], pids: set[int]) -> None:
    """A worker that is there may still be loading the application. But the system need not give
    each of them a connection, so patience is short."""
    deadline = time.monotonic() + _ANSWERS_PATIENCE
    while not all(any(pid in tally.pids for tally in tallies) for pid in pids):
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)


def _wait_until_new(running: Running, old: set[int], workers: int) -> float:
    """When no old worker is left, and as many new ones are there."""
    deadline = time.monotonic() + _RELOAD_PATIENCE
    while True:
        found = set(running.workers())
        if not found & old and len(found) == workers:
            return time.monotonic()
        if time.monotonic() > deadline:
            left = len(found & old)
            raise LoadError(f"{left} old workers are left {_RELOAD_PATIENCE} s after the HUP")
        if running.has_ended():
            raise LoadError("it ended when it got the HUP")
        time.sleep(0.01)
