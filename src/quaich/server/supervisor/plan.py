"""What is to be done about the workers, given what is known of them and the time.

    Crowd               the workers there are, how many there should be, and what has happened
      decide              what to do now: start one, retire one, signal one
      started, ready, died …   what has become of it

No process, signal or clock is touched here: times are arguments, in seconds of a clock that only
goes forward.

Replacing a worker is one mechanism, whatever the reason: another one is started in its place;
when that is ready, the old one is retired. If the new one fails, the old one stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from signal import SIGABRT, SIGKILL, SIGTERM
from typing import Final

from quaich.server.figures.board import Reason
from quaich.server.supervisor.notes import (
    Action,
    Figures,
    Limits,
    Retire,
    Signal,
    Start,
    State,
    Worker,
)

QUICK_DEATH: Final = 2.0
"""Seconds: a worker that dies sooner than that, without having been asked to, has died quickly."""

BACKOFF_MAX: Final = 30.0  # seconds between two attempts to start a worker, at most

BACKOFF_ALONE: Final = 5.0
"""The same where no worker serves: what made the others die may be over at any moment."""

ABORT_TIME: Final = 2.0
"""Seconds for which a worker that shows no sign of life may write down where it is."""

CROWDED: Final = 5.0
"""Seconds for which a worker that is retiring counts as one too many. One that takes longer, with
a download that lasts, does not hold up the replacement of the others."""

SETTLING: Final = 10.0
"""Seconds that a worker has at least, whatever its memory: with a limit below what the application
needs, it would be replaced for ever, and without a pause."""

SPARE_SHARE: Final = 4  # of so many workers, one more may be there while they are replaced


@dataclass(slots=True)
class Crowd:
    """All workers, by the index of their slot."""

    target: int
    limits: Limits = field(default_factory=Limits)
    generation: int = 1  # of the workers that are started now
    workers: dict[int, Worker] = field(default_factory=dict)
    is_stopping: bool = False
    is_quick: bool = False  # whoever stops, does not wait for long
    has_served: bool = False  # some worker has been ready
    quick_deaths: int = 0  # in a row
    is_reloading: bool = False
    _newest: int = 1  # of all generations there were
    _proven: int = 1  # the last one that has come to serve
    _start_at: float = 0.0  # not before, unless none serves
    _counted_at: float = 0.0  # the last of the quick deaths
    _wanted: int | None = None  # the target, once the reload has a worker that serves
    _looked: float | None = None

    # --- What has happened --------------------------------------------------------------------

    def started(self, worker: Worker) -> None:
        """A worker has been forked."""
        self.workers[worker.index] = worker

    def ready(self, index: int, now: float) -> None:
        """A worker serves. The one whose place it takes may go."""
        worker = self.workers[index]
        if worker.state is State.ABORTING and worker.is_cancelled:
            # It was quicker than the signal, and may have got requests by now.
            worker.state, worker.retiring_since = State.RETIRING, now
            worker.kill_at = now + self.patience
        if worker.state is not State.STARTING:
            return
        worker.state = State.READY
        worker.ready_since = now
        self.has_served = True
        self._proven = max(self._proven, worker.generation)

    def closed(self, index: int) -> None:
        """A worker that retires accepts no more."""
        self.workers[index].is_closed = True

    def wish(self, index: int, reason: Reason) -> None:
        """A worker is to be replaced."""
        worker = self.workers.get(index)
        if worker is not None and worker.state is State.READY and worker.wish is None:
            worker.wish = reason

    def wish_all(self, reason: Reason) -> None:
        """All workers are to be replaced, those too that are not ready yet: they were made before
        there was a reason."""
        for worker in self.workers.values():
            if worker.state in (State.STARTING, State.READY) and worker.wish is None:
                worker.wish = reason

    def set_target(self, target: int) -> None:
        """So many workers from now on."""
        self.target, self._wanted = target, None

    def reload(self, target: int) -> None:
        """Workers that were started before now are to be replaced, and so many are wanted. Those
        that do not serve yet are ended: what they load is out of date, and may be what the reload
        is to mend."""
        self._newest += 1  # never one again that was given up: some of it may still be there
        self.generation = self._newest
        self.is_reloading = True
        # While it may still turn out that there is nothing to replace them by, none is spared.
        self._wanted = target
        self._take_wanted()

    def _take_wanted(self) -> None:
        if self._wanted is not None and (
            self.has_renewed_one or not self.target or not self._some_serve
        ):
            self.set_target(self._wanted)

    def give_up_reload(self) -> int:
        """The new application cannot be had: the generation that counts is the newest one that
        serves. How many workers of it there are.

        Mostly that is all of them. Where another reload was under way, it goes on: some would be of
        one version for good, and some of another.
        """
        self._wanted = None
        serving = [each.generation for each in self.workers.values() if each.state is State.READY]
        self.generation = max(serving, default=self._proven)
        self.is_reloading = self.older > 0
        return serving.count(self.generation)

    @property
    def older(self) -> int:
        """How many workers serve that are of another generation than the present one."""
        return sum(
            worker.state is State.READY and worker.generation != self.generation
            for worker in self.workers.values()
        )

    @property
    def has_renewed_one(self) -> bool:
        """Whether a worker of the present generation serves."""
        return any(
            worker.state is State.READY and worker.generation == self.generation
            for worker in self.workers.values()
        )

    @property
    def _some_serve(self) -> bool:
        return any(worker.state is State.READY for worker in self.workers.values())

    def may_start_at(self) -> float:
        """When the next worker may be started."""
        if self._some_serve:
            return self._start_at
        return min(self._start_at, self._counted_at + BACKOFF_ALONE)

    def cannot_start(self, index: int, now: float) -> None:
        """A worker says no more; if it was starting, it cannot, and is to end soon."""
        worker = self.workers[index]
        if worker.state is State.STARTING:
            worker.kill_at = min(worker.kill_at, now + ABORT_TIME)

    def died(self, index: int, now: float, *, was_asked: bool = False) -> Worker:
        """A worker has ended, for whatever reason; ``was_asked``: by itself, as when somebody has
        sent it a signal. What was known of it."""
        worker = self.workers.pop(index)
        for other in self.workers.values():
            if other.replaces == index:
                other.replaces = None  # the slot will be another one's
        if worker.state in (State.STARTING, State.READY):
            if worker.state is State.READY and not self.is_stopping:
                worker.restart = "signal" if was_asked else "crash"
            worker.why = worker.restart or "stop"
            is_quick = min(now - worker.born, now - worker.ready_since) < QUICK_DEATH
            self._count_death(is_quick or worker.state is State.STARTING, now)
        return worker

    def not_started(self, now: float) -> None:
        """There is no process to be had."""
        self._count_death(True, now)

    def _count_death(self, is_quick: bool, now: float) -> None:
        if not is_quick:
            self.quick_deaths = 0
            return
        # Several that die in the same moment have died once.
        if now >= self.may_start_at():
            self._start_at, self._counted_at = now + backoff(self.quick_deaths), now
            self.quick_deaths += 1

    def stop(self, now: float, *, quick: bool) -> None:
        """All workers are to end."""
        self.is_stopping = True
        self.is_quick = self.is_quick or quick
        self.set_target(0)
        for worker in self.workers.values():
            if worker.state is State.RETIRING:
                worker.kill_at = min(worker.kill_at, now + self.patience)

    @property
    def patience(self) -> float:
        """Seconds that a worker which retires has."""
        limits = self.limits
        return min(limits.quick, limits.graceful) if self.is_quick else limits.graceful

    # --- What to do -----------------------------------------------------------------------------

    def look(self, figures: dict[int, Figures], now: float) -> None:
        """Take note of what the board says, and of the time."""
        # If it is this process that was not running for a while, nobody else has been silent.
        passed = 0.0 if self._looked is None else min(now - self._looked, 2.0)
        self._looked = now
        for index, worker in self.workers.items():
            if worker.state is not State.READY or index not in figures:
                continue
            found = figures[index]
            worker.silence = 0.0 if found.beat != worker.beat else worker.silence + passed
            worker.beat = found.beat
            if worker.wish is None:
                worker.wish = self._due(worker, found, now)
        if self.quick_deaths and self._is_calm(now):
            self.quick_deaths = 0

    def _due(self, worker: Worker, figures: Figures, now: float) -> Reason | None:
        if figures.requests >= worker.most_requests:
            return "max-requests"
        if figures.memory > self.limits.memory and now - worker.ready_since >= SETTLING:
            return "memory"
        return "lifetime" if now >= worker.ends_at else None

    def _is_calm(self, now: float) -> bool:
        """Whether one that was started since the last quick death has lived for longer; or it was
        long ago. That others go on to live tells nothing of the next one."""
        return now - self._counted_at > 2 * BACKOFF_MAX or any(
            worker.born > self._counted_at and now - worker.ready_since >= QUICK_DEATH
            for worker in self.workers.values()
        )

    def decide(self, now: float) -> Iterator[Action]:
        """What is to be done now, one thing after the other: each is to be done, and noted here,
        before the next is asked for."""
        yield from self._kill(now)
        if self.is_stopping:
            yield from self._end_all(now)
            return
        self._take_wanted()
        yield from self._hand_over(now)
        for worker in list(self.workers.values()):
            if worker.state is State.STARTING and worker.generation != self.generation:
                yield from self._cancel(worker, now)
        yield from self._fill(now)
        yield from self._replace(now)

    def _kill(self, now: float) -> Iterator[Action]:
        for worker in list(self.workers.values()):
            if worker.state is State.READY and worker.silence > self.limits.silence:
                worker.state = State.ABORTING
                worker.restart = worker.why = "stuck"
                worker.kill_at = now + ABORT_TIME
                yield Signal(worker.index, SIGABRT)
            elif now >= worker.kill_at:
                worker.kill_at = now + 1.0  # again, should it not have come
                yield Signal(worker.index, SIGKILL)

    def _end_all(self, now: float) -> Iterator[Action]:
        for worker in list(self.workers.values()):
            if worker.state is State.READY:
                yield from self._retire(worker, "stop", now)
            elif worker.state is State.STARTING:
                yield from self._cancel(worker, now)

    def _retire(self, worker: Worker, why: str, now: float) -> Iterator[Action]:
        worker.state, worker.why = State.RETIRING, why
        worker.retiring_since = now
        worker.kill_at = now + self.patience
        yield Retire(worker.index)

    def _cancel(self, worker: Worker, now: float) -> Iterator[Action]:
        """End a worker that has not begun to serve."""
        worker.state, worker.why = State.ABORTING, "not needed any more"
        worker.is_cancelled = True
        worker.kill_at = now + ABORT_TIME
        yield Retire(worker.index)
        yield Signal(worker.index, SIGTERM)

    def _hand_over(self, now: float) -> Iterator[Action]:
        """Whoever has a successor that is ready retires."""
        for worker in list(self.workers.values()):
            if worker.state is not State.READY or worker.replaces is None:
                continue
            former, worker.replaces = self.workers.get(worker.replaces), None
            if former is not None and former.state is State.READY:
                former.restart = former.wish or "reload"
                yield from self._retire(former, former.restart, now)
        if self.is_reloading and self._is_renewed():
            self.is_reloading = False
            self._proven = self.generation

    def _is_renewed(self) -> bool:
        """Whether there are as many workers as there should be, all of the present generation, and
        no other one may still get a request on a new connection."""
        there = [
            worker
            for worker in self.workers.values()
            if worker.state in (State.STARTING, State.READY)
        ]
        return (
            self._wanted is None
            and len(there) >= self.target
            and all(each.state is State.READY for each in there)
            and all(
                each.generation == self.generation or each.is_closed
                for each in self.workers.values()
            )
        )

    def _has_old_place(self, worker: Worker) -> bool:
        """Whether it is there besides the worker that it is to replace."""
        former = None if worker.replaces is None else self.workers.get(worker.replaces)
        return worker.state is State.STARTING and former is not None and former.state is State.READY

    def _fill(self, now: float) -> Iterator[Action]:
        """As many as there should be."""
        seats = [
            worker
            for worker in self.workers.values()
            if worker.state in (State.STARTING, State.READY) and not self._has_old_place(worker)
        ]
        for _ in range(self.target - len(seats)):
            if now < self.may_start_at():
                return
            yield Start(None, "")
        # Those that serve go last, and of those the oldest first.
        seats.sort(key=lambda worker: (worker.state is State.READY, worker.born))
        for worker in seats[: max(0, len(seats) - self.target)]:
            if worker.state is State.STARTING:
                yield from self._cancel(worker, now)
            else:
                yield from self._retire(worker, "one less is wanted", now)

    def _replace(self, now: float) -> Iterator[Action]:
        """Start the successors of those that are to be replaced, a few at a time."""
        if now < self.may_start_at():
            return
        taken = {worker.replaces for worker in self.workers.values()}
        tired = [
            worker
            for worker in self.workers.values()
            if worker.state is State.READY
            and (worker.wish or worker.generation != self.generation)
            and worker.index not in taken
        ]
        tired.sort(key=lambda worker: (worker.wish is None, worker.born))
        too_many = sum(
            self._has_old_place(worker)
            or (worker.state is State.RETIRING and now - worker.retiring_since < CROWDED)
            for worker in self.workers.values()
        )
        room = max(1, self.target // SPARE_SHARE) - too_many
        for worker in tired[: max(0, room)]:
            yield Start(worker.index, worker.wish or "reload")


def backoff(quick_deaths: int) -> float:
    """Seconds to wait after so many quick deaths before: 1, 2, 4 … up to the most."""
    return min(BACKOFF_MAX, 2.0**quick_deaths)
