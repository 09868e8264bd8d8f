"""The processes of the workers: what is decided about the crowd, done.

Workers.do      an action of the plan
  _start          a fork; the child lives in worker.live, and never comes back
  _retire         by the channel
  _kill           by a signal
"""

import os
import random
import signal
from math import inf
from time import monotonic
from typing import Final

from quaich.exchange.log import SafeLogger
from quaich.server.figures.board import Board
from quaich.server.supervisor import channel as messages
from quaich.server.supervisor import worker
from quaich.server.supervisor.channel import Channel
from quaich.server.supervisor.children import Child, Children
from quaich.server.supervisor.notes import Action, Retire, Start, State, Worker
from quaich.server.supervisor.plan import Crowd
from quaich.server.supervisor.service import Service

logger = SafeLogger("quaich.error")

_SLOW_START: Final = 60.0  # seconds after which it is said that a worker is not ready yet


class Workers:
    """See the module."""

    def __init__(self, service: Service, crowd: Crowd, board: Board, children: Children) -> None:
        self.by_index: dict[int, Child] = {}  # of the slots on the board
        self._service = service
        self._crowd = crowd
        self._board = board
        self._children = children

    def do(self, action: Action) -> None:
        """Do what was decided, and note in the crowd what has become of it."""
        if isinstance(action, Start):
            self._start(action)
        elif isinstance(action, Retire):
            self._retire(action.slot)
        else:
            self._kill(action.slot, action.number)

    def forget(self, child: Child) -> None:
        """It has ended, and all that it has said was heard."""
        self._children.forget(child)
        del self.by_index[child.index]

    def warn_of_slow_ones(self, now: float) -> None:
        """Say, once for each, which ones have not become ready for long."""
        for child in self.by_index.values():
            if (
                not child.is_slow
                and now - child.began > _SLOW_START
                and self._crowd.workers[child.index].state is State.STARTING
            ):
                child.is_slow = True
                logger.warning("worker %d is not ready after %g s", child.pid, _SLOW_START)

    def _start(self, action: Start) -> None:
        try:
            index = self._board.free()
        except LookupError as error:
            logger.error("no other worker: %s", error)
            self._crowd.not_started(monotonic())
            return
        slot = self._board.begin(index, 0, self._crowd.generation)
        service = self._service
        try:
            ours, theirs = Channel.pair()
        except OSError as error:
            self._not_started(index, f"the system has no sockets: {error.strerror}")
            return

        supervisor = os.getpid()

        def run() -> int:
            slot.pid = os.getpid()
            service.set_title("worker")
            return worker.live(
                worker.Post(
                    service.load,
                    service.settings,
                    service.listeners,
                    service.error_log,
                    slot,
                    theirs,
                    supervisor,
                    service.admin,
                    service.certificates,
                )
            )

        try:
            child = self._children.fork(run, ours)
        except OSError as error:
            ours.close()
            self._not_started(index, f"the system does not fork: {error.strerror}")
            return
        finally:
            theirs.close()
        now = monotonic()
        slot.pid = child.pid
        child.index, child.began = index, now
        self.by_index[index] = child
        settings = service.settings.workers
        jitter = random.randint(0, settings.max_requests_jitter)  # not for secrets
        lifetime = settings.max_worker_lifetime * (1 - random.random() / 10)
        self._crowd.started(
            Worker(
                index=index,
                pid=child.pid,
                generation=self._crowd.generation,
                born=now,
                replaces=action.replaces,
                ends_at=now + lifetime if lifetime else inf,
                most_requests=settings.max_requests + jitter if settings.max_requests else inf,
            )
        )
        former = None if action.replaces is None else self.by_index.get(action.replaces)
        if former is None:
            logger.info("worker %d started", child.pid)
        else:
            logger.info("worker %d started, to replace %d (%s)", child.pid, former.pid, action.why)

    def _not_started(self, index: int, why: str) -> None:
        logger.error("no other worker: %s", why)
        self._board.retire(index)
        self._crowd.not_started(monotonic())

    def _retire(self, index: int) -> None:
        child, known_worker = self.by_index[index], self._crowd.workers[index]
        logger.info("worker %d retires (%s)", child.pid, known_worker.why)
        child.tell(messages.QUICK if self._crowd.is_quick else messages.RETIRE)

    def _kill(self, index: int, number: int) -> None:
        child, known_worker = self.by_index[index], self._crowd.workers[index]
        if number == signal.SIGABRT:
            logger.error(
                "worker %d has given no sign of life for %.0f s; it is to say where it is, and is "
                "replaced",
                child.pid,
                known_worker.silence,
            )
        elif number == signal.SIGKILL:
            logger.error("worker %d does not end in time and is killed", child.pid)
        child.send_signal(number)
