"""The threads: who leads, who watches, who answers.

One thread leads. It waits for sockets, reads, and calls the application itself, because handing
a request to another thread costs more than most applications do. Three things keep that from
holding up others:

* The leader steps down before a call that is likely to be slow (:meth:`Crew.step_down`).
* A second thread watches. If the leader has been inside one call for longer than a tick, the
  watcher deposes it and leads from there on (:meth:`Crew._depose`); the old leader finishes its
  request, and then has nothing to say any more.
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
from time import monotonic, sleep
from typing import Any, Final, Protocol

from quaich.exchange.log import SafeLogger

logger = SafeLogger("quaich.error")

TICK: Final = 0.002
"""Seconds after which a watcher finds a call slow, at most twice that."""

SHORT_TICK: Final = 0.0005
"""The same while some route is known to be slow at times: each such call keeps all others
waiting for a tick."""


_PAUSE: Final = 0.1
"""Seconds after a failure of the server or of the system, which may well happen again."""


class Member:
    """One thread of the crew. Fields are its own, but where it says otherwise."""

    __slots__ = (
        "benched",
        "calls",
        "current",
        "has_slot",
        "job",
        "leads",
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
        # While it leads:
        self.calls = 0  # calls begun; read by the watcher
        self.current: Any = None  # the connection that it calls for; read once it is deposed
        self.tenure: list[None] = []  # the token, while the leader is inside a call


class Work(Protocol):
    """What the threads do; the server's loop."""

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
        # By the leader alone: the watcher may sleep, nothing is going on.
        self.parked = False
        # By the leader alone: some route is known to be slow at times.
        self.tick = TICK

    # --- Called by the leader ---------------------------------------------------------------

    def take_slot(self, me: Member) -> bool:
        """Get the right to call the application, if anybody has one to spare."""
        with self.mutex:
            if not me.has_slot and self.free_slots:
                self.free_slots -= 1
                me.has_slot = True
            if me.has_slot and self.watcher is None:
                self._appoint_watcher()
            return me.has_slot

    def enqueue(self, me: Member, job: Any) -> bool:
        """Leave a request to whoever has a slot next; False if the leader has one itself, by
        now."""
        with self.mutex:
            if self.free_slots:
                self.free_slots -= 1
                me.has_slot = True
                if self.watcher is None:
                    self._appoint_watcher()
                return False
            self._queue.append(job)
            return True

    def step_down(self, me: Member) -> bool:
        """Let the watcher lead, before something that may take long. False if there is nobody
        to lead; then the caller still does."""
        with self.mutex:
            if self.leader is not me:
                return not self.ended  # the watcher was quicker
            watcher = self.watcher
            if watcher is None or self.ended:
                return False
            me.leads = False
            if me.tenure:
                me.tenure.pop()
            self._work.overtaken(me.current)
            self._succeed(watcher)
            self._rouse(watcher)
            return True

    def park(self) -> None:
        """Let the watcher sleep until :meth:`unpark`: nothing is going on."""
        self.parked = True

    def unpark(self) -> None:
        """Let the watcher watch again."""
        self.parked = False
        with self.mutex:
            if self.watcher is not None:
                self._rouse(self.watcher)

    # --- Under the mutex ----------------------------------------------------------------------

    def _succeed(self, member: Member) -> None:
        """``member``, until now the watcher, leads."""
        self.watcher = None
        self.leader = member
        member.leads = True
        self.parked = False
        if not member.has_slot and self.free_slots:
            self.free_slots -= 1
            member.has_slot = True
        if member.has_slot:
            # A leader without a slot calls nobody, so there is nothing to watch.
            self._appoint_watcher()

    def _appoint_watcher(self) -> None:
        if self._bench:
            self.watcher = self._bench.pop()
            self.watcher.benched = False
            self._rouse(self.watcher)
            return
        self.watcher = self._start()

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
        """Take a request from the queue, or watch, or wait to be needed."""
        with self.mutex:
            if self.ended or self.watcher is me or me.leads:
                return  # it has been given one already
            if me.has_slot and self._queue:
                me.job = self._queue.popleft()
                return
            if me.has_slot:
                me.has_slot = False
                self.free_slots += 1
            leader = self.leader
            if self.watcher is None and leader is not None and leader.has_slot:
                self.watcher = me
                return
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
        """Depose the leader if it is inside one call from one tick to the next."""
        seen: tuple[Member | None, int] = (None, 0)
        while not me.leads and not self.ended:
            if self._sleep(me, -1 if self.parked else self.tick):
                continue
            leader = self.leader
            if leader is None:
                continue
            now = (leader, leader.calls)
            if now == seen and leader.tenure:
                self._depose(me, leader)
            seen = now

    def _depose(self, me: Member, leader: Member) -> None:
        with self.mutex:
            if self.leader is not leader or self.watcher is not me or self.ended:
                return
            try:
                leader.tenure.pop()
            except IndexError:
                return  # it came back in this moment
            self._work.overtaken(leader.current)
            self._succeed(me)

    def finish(self) -> None:
        """Let every thread end as soon as it is not inside a call."""
        with self.mutex:
            self.ended = True
            for member in self.members:
                self._rouse(member)

    def join(self, timeout: float) -> bool:
        """Wait for the threads to end; whether all have."""
        deadline = monotonic() + timeout
        for member in self.members:
            if member.thread is not None and member.thread is not threading.current_thread():
                member.thread.join(max(0.0, deadline - monotonic()))
        return not any(m.thread is not None and m.thread.is_alive() for m in self.members)
