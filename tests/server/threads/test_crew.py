"""The crew of threads: one leads, one watches, and nobody calls without a slot.

The work is a stand-in: jobs come from a queue, and a call is whatever a job does.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import pytest

from quaich.server.threads.crew import Crew, Member

TIMEOUT = 10.0


def until(condition: Callable[[], object]) -> None:
    """Poll until something holds."""
    deadline = monotonic() + TIMEOUT
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)  # the interval of polling


class Call:
    """A job: says that it has begun, and ends when it is let go."""

    def __init__(self, *, quick: bool = False) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None
        if quick:
            self.may_end.set()

    def run(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.may_end.wait(TIMEOUT)
        self.ended.set()


class Work:
    """As the server's loop, with a queue for the sockets."""

    def __init__(self, slots: int) -> None:
        self.jobs: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.crew = Crew(self, slots)
        self.counts = threading.Lock()
        self.leading = self.calling = self.most_leading = self.most_calling = 0
        self.overtaken_calls: list[Any] = []
        self.hands_over = False
        self.mark = 0.0

    def is_answering(self, member: Member) -> bool:
        return False

    def lead(self, me: Member) -> None:
        with self.counts:
            self.leading += 1
            self.most_leading = max(self.most_leading, self.leading)
        while me.leads and not self.crew.ended:
            job = self.jobs.get()
            if job is not None:
                self._dispatch(me, job)
            if not me.leads:
                return  # _stop_leading() has counted
        self._stop_leading()

    def _stop_leading(self) -> None:
        with self.counts:
            self.leading -= 1

    def _dispatch(self, me: Member, job: Call) -> None:
        if not me.has_slot and not self.crew.take_slot(me) and self.crew.enqueue(me, job):
            return
        me.current = job
        if self.hands_over:
            self._stop_leading()
            assert self.crew.step_down(me)
            self.do(me, job)
            return
        self.mark = monotonic()
        me.calls += 1
        me.tenure.append(None)
        if self.crew.watcher is None:
            self.crew.be_watched()
        self._call(job)
        try:
            me.tenure.pop()
        except IndexError:
            me.leads = False

    def do(self, me: Member, job: Any) -> None:
        assert me.has_slot
        self._call(job)

    def _call(self, job: Call) -> None:
        with self.counts:
            self.calling += 1
            self.most_calling = max(self.most_calling, self.calling)
        job.run()
        with self.counts:
            self.calling -= 1

    def overtaken(self, connection: Any) -> None:
        if not self.hands_over:
            self._stop_leading()
        self.overtaken_calls.append(connection)


@contextmanager
def working(slots: int) -> Iterator[Work]:
    work = Work(slots)
    work.crew.start()
    try:
        yield work
    finally:
        work.crew.finish()
        for _ in range(slots + 2):
            work.jobs.put(None)
        assert work.crew.join(TIMEOUT)


def test_quick_calls_stay_on_one_thread() -> None:
    with working(4) as work:
        calls = [Call(quick=True) for _ in range(200)]
        for call in calls:
            work.jobs.put(call)
        for call in calls:
            assert call.ended.wait(TIMEOUT)
        assert len({call.thread for call in calls}) == 1


def test_the_watcher_leads_when_a_call_is_slow() -> None:
    with working(4) as work:
        slow, quick = Call(), Call(quick=True)
        work.jobs.put(slow)
        work.jobs.put(quick)
        assert quick.ended.wait(TIMEOUT)
        assert not slow.ended.is_set()
        assert quick.thread is not slow.thread
        assert work.overtaken_calls == [slow]
        slow.may_end.set()
        assert slow.ended.wait(TIMEOUT)


def test_there_is_one_leader_at_a_time() -> None:
    with working(8) as work:
        calls = [Call(quick=index % 3 != 0) for index in range(24)]
        for call in calls:
            work.jobs.put(call)
        for index, call in enumerate(calls):
            if index % 3 == 0:
                assert call.begun.wait(TIMEOUT)
                call.may_end.set()
        for call in calls:
            assert call.ended.wait(TIMEOUT)
        assert work.most_leading == 1


@pytest.mark.rule("S100")
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_more_calls_than_slots_at_once(slots: int) -> None:
    with working(slots) as work:
        slow = [Call() for _ in range(slots)]
        waiting = [Call(quick=True) for _ in range(5)]
        for call in [*slow, *waiting]:
            work.jobs.put(call)
        for call in slow:
            assert call.begun.wait(TIMEOUT)
        until(lambda: work.jobs.empty())
        assert not any(call.begun.is_set() for call in waiting)
        for call in slow:
            call.may_end.set()
        for call in waiting:
            assert call.ended.wait(TIMEOUT)
        assert work.most_calling == slots


def test_what_waits_for_a_slot_is_called_in_its_order() -> None:
    with working(1) as work:
        first = Call()
        order: list[int] = []

        class Noted(Call):
            def __init__(self, number: int) -> None:
                super().__init__(quick=True)
                self.number = number

            def run(self) -> None:
                order.append(self.number)
                super().run()

        rest = [Noted(number) for number in range(5)]
        work.jobs.put(first)
        assert first.begun.wait(TIMEOUT)
        for call in rest:
            work.jobs.put(call)
        until(lambda: work.jobs.empty())
        first.may_end.set()
        for call in rest:
            assert call.ended.wait(TIMEOUT)
        assert order == [0, 1, 2, 3, 4]


def test_a_leader_that_steps_down_is_followed_at_once() -> None:
    with working(4) as work:
        work.hands_over = True
        slow, quick = Call(), Call(quick=True)
        work.jobs.put(slow)
        work.jobs.put(quick)
        assert quick.ended.wait(TIMEOUT)
        assert not slow.ended.is_set()
        slow.may_end.set()


def test_nobody_watches_where_nothing_is_called() -> None:
    with working(4) as work:
        call = Call(quick=True)
        work.jobs.put(call)
        assert call.ended.wait(TIMEOUT)
        until(lambda: work.crew.watcher is None)
        slow, quick = Call(), Call(quick=True)
        work.jobs.put(slow)
        work.jobs.put(quick)
        assert quick.ended.wait(TIMEOUT)  # somebody watched again
        slow.may_end.set()


def test_threads_are_used_again() -> None:
    with working(4) as work:
        for _ in range(20):
            slow, quick = Call(), Call(quick=True)
            work.jobs.put(slow)
            work.jobs.put(quick)
            assert quick.ended.wait(TIMEOUT)
            slow.may_end.set()
            assert slow.ended.wait(TIMEOUT)
        assert len(work.crew.members) <= 5


def test_a_thread_that_is_roused_for_nothing_waits_on() -> None:
    with working(4) as work:
        call = Call(quick=True)
        work.jobs.put(call)
        assert call.ended.wait(TIMEOUT)
        crew = work.crew
        until(lambda: crew._bench)
        member = crew._bench[0]
        for _ in range(3):
            with crew.mutex:
                crew._rouse(member)
            until(lambda: not member.woken)
        assert crew._bench.count(member) == 1


def test_a_thread_that_was_made_leader_before_it_could_sit_down_leads() -> None:
    crew = Crew(Work(1), 1)
    member = Member()
    member.leads = member.has_slot = True
    crew._next_duty(member)  # would wait for ever
    assert member.has_slot
    assert not member.benched


def test_without_another_thread_the_leader_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with working(4) as work:
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        calls = [Call(quick=True) for _ in range(5)]
        for call in calls:
            work.jobs.put(call)
        for call in calls:
            assert call.ended.wait(TIMEOUT)
        monkeypatch.setattr(threading.Thread, "start", start)


def test_all_threads_end() -> None:
    with working(3) as work:
        calls = [Call() for _ in range(3)]
        for call in calls:
            work.jobs.put(call)
        for call in calls:
            assert call.begun.wait(TIMEOUT)
            call.may_end.set()
    assert not any(m.thread is not None and m.thread.is_alive() for m in work.crew.members)


def test_only_a_call_is_given_up() -> None:
    """What a thread does besides, it ends: what it uses must not be taken from it."""
    with working(2) as work:
        call = Call()
        work.jobs.put(call)
        assert call.begun.wait(TIMEOUT)
        until(lambda: work.overtaken_calls)
        work.crew.finish()
        joined = threading.Event()

        def join() -> None:
            work.crew.join(0)
            joined.set()

        joining = threading.Thread(target=join)
        joining.start()
        assert not joined.wait(0.3)  # for the leader, which looks at its jobs
        work.jobs.put(None)
        assert joined.wait(TIMEOUT)
        joining.join()
        assert not call.ended.is_set()
        call.may_end.set()
