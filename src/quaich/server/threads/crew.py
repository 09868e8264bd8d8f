"""The threads: who leads, who watches, who answers.

One thread leads. It waits for sockets, reads, and calls the application itself, because handing
a request to another thread costs more than most applications do. Three things keep that from
holding up others:

* The leader steps down before a call that is likely to be slow, or before it waits for a client
  (:meth:`Crew.step_down`): another thread leads, and it goes on with its request.
* A second thread watches. If the leader has been inside one call for longer than is usual, the
  watcher deposes it and leads from there on (:meth:`Crew._depose`); the old leader finishes its
  request, and then has nothing to say any more. Where nothing is called, nobody watches.
* A thread may call the application only if it holds one of the ``threads`` slots. A leader that
  finds none free keeps moving bytes, and leaves requests in a queue to those that hold them.

Leadership changes hands in two ways only, both under ``mutex``: the leader gives it away, or
the watcher takes the leader's token. The leader has the token to itself except while it is
inside a call; so a request that is answered quickly costs an append to a list and a pop, which
no two threads can both win.

Threads are started when they are needed, and at most one more than there are slots.
"""

import threading
from collections import deque
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, Protocol

from quaich.exchange.log import SafeLogger

try:
    import resource
    from resource import getrusage

    _RUSAGE_THREAD: int | None = getattr(resource, "RUSAGE_THREAD", None)  # Linux, FreeBSD
except ImportError:  # Windows
    _RUSAGE_THREAD = None

logger = SafeLogger("quaich.error")

PATIENCE: Final = 0.002
"""Seconds after which a watcher finds a call slow, at most twice that, where none was of late."""

_IDLE_TICKS: Final = 25  # without a call, after which nobody need watch

_JOIN: Final = 10.0
"""Seconds for threads that are inside no call to end: they do at once, on a machine that lets
them run."""

_PAUSE: Final = 0.1
"""Seconds after a failure of the server or of the system, which may well happen again."""


class Member:
    """One thread of the crew. Fields are its own, but where it says otherwise."""

    __slots__ = (
        "benched",
        "call",
        "calls",
        "current",
        "has_slot",
        "job",
        "leads",
        "preemptions",
        "since",
        "tenure",
        "thread",
        "wake",
        "woken",
    )

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.wake = threading.Lock()  # held; released to wake the thread
        self.wake.acquire()
        self.woken = False  # under the mutex: wake has been released and not yet taken
        self.benched = False  # under the mutex: it waits to be needed
        self.leads = False  # changed by the thread itself, or while it waits
        self.has_slot = False
        self.job: Any = None
        self.preemptions = 0
        self.calls = 0  # begun; the leader's are read by the watcher
        self.since = 0.0  # when the call began that it is in, if it does not lead; else 0
        # While it leads:
        self.call: Any = None  # the last one that began
        self.current: Any = None  # the connection that it calls for; read once it is deposed
        self.tenure: list[None] = []  # the token, while the leader is inside a call

    @property
    def is_inside_call(self) -> bool:
        """Whether it is inside the application, or busy with what follows a call."""
        return bool(self.tenure or self.since)

    def was_preempted(self) -> bool:
        """Whether the system has taken the processor from this thread since the last time it
        asked. Then it was not the application that took so long, for all one knows: on a busy
        machine every route would seem slow now and then. For the thread itself."""
        if _RUSAGE_THREAD is None:
            return False
        before, self.preemptions = self.preemptions, getrusage(_RUSAGE_THREAD).ru_nivcsw
        return self.preemptions != before


class Work(Protocol):
    """What the threads do; the server's loop."""

    @property
    def mark(self) -> float:
        """While the leader is inside a call: when that began, or a little earlier (monotonic)."""

    def is_answering(self, member: Member) -> bool:
        """Whether the answer of a member's call has begun to go out: mostly that is all of it."""

    def lead(self, me: Member) -> None:
        """Lead until ``me.leads`` is false."""

    def do(self, me: Member, job: Any) -> None:
        """Answer a request that was queued."""

    def overtaken(self, connection: Any) -> None:
        """The call for this connection goes on, on a thread that no longer leads. Called
        under the mutex."""


class Crew:
    """At most ``slots`` calls at once, and one thread more that moves bytes meanwhile."""

    def __init__(self, work: Work, slots: int, name: str = "quaich") -> None:
        self._work = work
        self._slots = slots
        self._name = name
        self.mutex = threading.Lock()
        # All of these under the mutex.
        self.free_slots = slots
        self.leader: Member | None = None
        self.watcher: Member | None = None
        self._bench: list[Member] = []
        self._queue: deque[Any] = deque()  # requests that wait for a slot
        self.members: list[Member] = []
        self.ended = False
        self._start_again = 0.0  # when, after the system had no thread to give
        # By the leader alone: seconds that a call may take before the leader is deposed.
        self.patience = PATIENCE

    # --- Called by the leader ---------------------------------------------------------------

    def take_slot(self, me: Member) -> bool:
        """Get the right to call the application, if anybody has one to spare."""
        with self.mutex:
            if not me.has_slot and self.free_slots:
                self.free_slots -= 1
                me.has_slot = True
            return me.has_slot

    def enqueue(self, me: Member, job: Any) -> bool:
        """Leave a request to whoever has a slot next; False if the leader has one itself, by
        now."""
        with self.mutex:
            if self.free_slots:
                self.free_slots -= 1
                me.has_slot = True
                return False
            self._queue.append(job)
            return True

    def be_watched(self) -> None:
        """Let somebody watch. For the leader, inside a call, if there is no watcher."""
        with self.mutex:
            if self.watcher is None and not self.ended:
                watcher = self._spare()
                self.watcher = watcher
                if watcher is not None:
                    self._rouse(watcher)

    def step_down(self, me: Member) -> bool:
        """Let another thread lead, before something that may take long; whether one does. If
        not, there is no thread to be had, and the caller still leads."""
        with self.mutex:
            if self.leader is not me:
                return not self.ended  # the watcher was quicker
            if self.ended:
                return False
            # Not the watcher, if there is another: so its successor need not be roused too.
            successor = self._spare() or self.watcher
            if successor is None:
                return False
            me.leads = False
            me.since = self._work.mark
            if me.tenure:
                me.tenure.pop()
            self._work.overtaken(me.current)
            self._succeed(successor)
            self._rouse(successor)
            return True

    # --- Under the mutex ----------------------------------------------------------------------

    def _succeed(self, member: Member) -> None:
        """``member`` leads."""
        if self.watcher is member:
            self.watcher = None
        self.leader = member
        member.leads = True
        if not member.has_slot and self.free_slots:
            self.free_slots -= 1
            member.has_slot = True

    def _spare(self) -> Member | None:
        """A thread that has nothing to do; a new one, if there may be one more."""
        if self._bench:
            # The last to sit down: what it needs is still in the processor's cache.
            member = self._bench.pop()
            member.benched = False
            return member
        return self._start() if len(self.members) <= self._slots else None

    def _start(self) -> Member | None:
        if monotonic() < self._start_again:
            return None
        member = Member()
        member.thread = threading.Thread(
            target=self._live, args=(member,), name=f"{self._name}-{len(self.members)}", daemon=True
        )
        try:
            member.thread.start()
        except RuntimeError:
            # The system has no thread to give: the leader goes on without being watched.
            logger.error("cannot start another thread; a slow request now holds up others")
            self._start_again = monotonic() + 1.0
            return None
        self.members.append(member)
        return member

    def _rouse(self, member: Member) -> None:
        if not member.woken:
            member.woken = True
            member.wake.release()

    # --- The life of a thread -----------------------------------------------------------------

    def start(self) -> None:
        """Start the first thread; it leads."""
        with self.mutex:
            member = Member()
            self.leader = member
            member.leads = member.has_slot = True
            self.free_slots -= 1
            self.members.append(member)
            member.thread = threading.Thread(
                target=self._live, args=(member,), name=f"{self._name}-0", daemon=True
            )
        member.thread.start()

    def _live(self, me: Member) -> None:
        _be_punctual()
        while not self.ended:
            try:
                if me.leads:
                    self._work.lead(me)
                elif me.job is not None:
                    job, me.job = me.job, None
                    self._work.do(me, job)
                elif self.watcher is me:
                    self._watch(me)
                if not me.leads:
                    self._next_duty(me)
            except BaseException as error:
                logger.error("a thread of the server failed", exc_info=error)
                sleep(_PAUSE)

    def _next_duty(self, me: Member) -> None:
        """Take a request from the queue, or wait to be needed."""
        me.since = 0.0
        with self.mutex:
            if self.ended or self.watcher is me or me.leads:
                return  # it has been given one already
            if me.has_slot and self._queue:
                me.job = self._queue.popleft()
                return
            if me.has_slot:
                me.has_slot = False
                self.free_slots += 1
            self._bench.append(me)
            me.benched = True
        while me.benched and not self.ended:
            # Roused does not mean needed: the rousing may have been for what it did before.
            self._sleep(me)

    def _sleep(self, me: Member, seconds: float = -1) -> bool:
        """Wait to be roused; whether that happened."""
        if not me.wake.acquire(timeout=seconds):
            return False
        with self.mutex:
            me.woken = False
        return True

    def _watch(self, me: Member) -> None:
        """Depose the leader if it is inside one call for too long. Ends when there have been no
        calls for a while."""
        seen: tuple[Member | None, int] = (None, 0)
        idle = 0
        left = 0.0  # seconds that the present call still may take
        while self.watcher is me and not self.ended:
            if self._sleep(me, left or self.patience):
                continue
            left = 0.0
            leader = self.leader
            if leader is None:
                continue
            now = (leader, leader.calls)
            if leader.tenure:
                idle = 0
                # What sends an answer is about to end: to take its place would gain nothing.
                patience = PATIENCE if self._work.is_answering(leader) else self.patience
                left = patience - (monotonic() - self._work.mark)
                if left <= 0:
                    self._depose(me, leader)
                left = min(max(left, self.patience / 4), self.patience)
            elif now != seen:
                idle = 0
            elif (idle := idle + 1) >= _IDLE_TICKS and self._stop_watching(me, leader, now[1]):
                return
            seen = now

    def _stop_watching(self, me: Member, leader: Member, calls: int) -> bool:
        """Give up watching, unless a call begins in this moment."""
        with self.mutex:
            if self.watcher is me:
                self.watcher = None
        # The leader goes into a call first and looks for a watcher then; this is the reverse
        # order, so at least one of the two sees what the other has done.
        if self.leader is leader and leader.calls == calls and not leader.tenure:
            return True
        with self.mutex:
            if self.watcher is None and not me.leads:
                self.watcher = me
            return self.watcher is not me

    def _depose(self, me: Member, leader: Member) -> None:
        with self.mutex:
            if self.leader is not leader or self.watcher is not me or self.ended:
                return
            try:
                leader.tenure.pop()
            except IndexError:
                return  # it came back in this moment
            leader.since = self._work.mark
            self._work.overtaken(leader.current)
            self._succeed(me)

    # --- For whoever looks at it ----------------------------------------------------------------

    @property
    def calls(self) -> int:
        """Calls that have begun so far."""
        return sum(member.calls for member in [*self.members])

    @property
    def slots(self) -> int:
        """Most calls at once."""
        return self._slots

    @property
    def queued(self) -> int:
        """Requests that wait for a slot."""
        return len(self._queue)

    def in_flight(self) -> list[tuple[Any, float]]:
        """The connections for which a thread is inside a call, and when that began (monotonic);
        of about the same moment. Takes no lock, and costs a call nothing."""
        found = []
        for member in [*self.members]:
            # The call of a leader is its present event; any other's, the watcher or it noted.
            since = self._work.mark if member.tenure else member.since
            if since:
                found.append((member.current, since))
        return found

    def finish(self) -> None:
        """Let every thread end as soon as it is not inside a call."""
        with self.mutex:
            self.ended = True
            for member in self.members:
                self._rouse(member)

    def join(self, timeout: float) -> bool:
        """After :meth:`finish`: wait for the threads to end; for one that is inside a call, at
        most ``timeout`` seconds, because it cannot be made to end. Whether all have ended."""
        deadline = monotonic() + timeout
        given_up = deadline + _JOIN
        for member in self.members:
            thread = member.thread
            if thread is None or thread is threading.current_thread():
                continue
            while thread.is_alive() and monotonic() < given_up:
                if member.is_inside_call and monotonic() >= deadline:
                    break
                thread.join(_PAUSE)
        return not any(m.thread is not None and m.thread.is_alive() for m in self.members)


def _be_punctual() -> None:
    """Let this thread wake up when it wants to. Linux may wake it 50 µs later, to save energy:
    as long as the calls that a watcher looks at."""
    try:
        Path(f"/proc/{threading.get_native_id()}/timerslack_ns").write_text("1000")
    except OSError:
        pass  # another system; or one where that file is not to be written
