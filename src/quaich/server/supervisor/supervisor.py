"""The process that looks after the workers: one thread, which waits for signals, for what workers
say and for their ends.

    Supervisor.run      until all workers have ended
      _decide             what is due is done: workers are started, retired, killed (plan, workers)
      _on_signal          as gunicorn's (signals)
      _on_message         what a worker says (channel)
      _reap               children that have ended
      _look               at the board, and at the time

It never imports the application, unless it is to be preloaded: what is imported here cannot be
loaded anew.
"""

import contextlib
import gc
from time import monotonic
from typing import Final

from quaich.exchange.log import SafeLogger
from quaich.server.figures.board import Board
from quaich.server.logs.files import hand_over
from quaich.server.starting import CannotStart
from quaich.server.stopping import Stopping, Terminal, end_by, has_terminal
from quaich.server.supervisor import channel as messages
from quaich.server.supervisor import signals as known
from quaich.server.supervisor.children import Child, Children, how
from quaich.server.supervisor.notes import Figures, State, Worker
from quaich.server.supervisor.pages import Pages
from quaich.server.supervisor.plan import Crowd
from quaich.server.supervisor.reloading import Reloading
from quaich.server.supervisor.renewal import Renewal
from quaich.server.supervisor.service import WORKERS_MAX, Service, worker_count
from quaich.server.supervisor.signals import Signals, name_of
from quaich.server.supervisor.succession import Succession
from quaich.server.supervisor.workers import Workers
from quaich.server.system import process
from quaich.settings import SettingError

logger = SafeLogger("quaich.error")

_TWICE: Final = 0.5  # seconds in which a signal that comes again is the same one

_TICK: Final = 1.0  # seconds between two looks, if nothing happens
_TICK_BUSY: Final = 0.1  # the same while workers come and go


class Supervisor:
    """See the module."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._board = Board(2 * WORKERS_MAX)
        self._crowd = Crowd(worker_count(service.settings))
        self._reloading = Reloading(service, self._crowd)
        self._renewal = Renewal(service, self._crowd)
        self._signals = Signals(known.OF_SUPERVISOR)
        self._children = Children(self._signals)
        self._workers = Workers(service, self._crowd, self._board, self._children)
        self._pages = Pages(service, self._children, self._board)
        self._succession = Succession(service, self._children)
        self._failure: CannotStart | None = None  # of the first workers
        self._terminal = Terminal()
        self._has_nohup = False
        self._stopped_by = (0, 0.0)  # the signal, and when it came
        self._next_watchdog = 0.0
        self._is_announced = False

    # --- The loop -------------------------------------------------------------------------------

    def run(self, stopping: Stopping) -> None:
        """Supervise until a signal ends it. ``stopping`` has noted those that have come so far.
        CannotStart if no worker ever came to serve."""
        self._service.set_title("supervisor")
        if self._service.is_preloaded:
            gc.collect()
        # What is there now is not looked at by the collector: so it stays shared with the
        # workers, which would write to each object that they look at.
        gc.freeze()
        try:
            with self._signals:
                try:
                    self._children.watch_signals()
                    self._heed(stopping)
                    self._loop()
                except BaseException:
                    # This one does not know any more what it does; but it leaves nobody behind.
                    self._children.tell_workers(messages.QUICK)
                    self._children.wait_for_workers(self._crowd.limits.quick)
                    raise
                finally:
                    self._pages.end()
        finally:
            gc.unfreeze()
        if self._failure is not None:
            raise self._failure

    def _heed(self, stopping: Stopping) -> None:
        """Do what has been said before there was a loop."""
        self._has_nohup = stopping.was_ignored(known.HUP)
        if stopping.is_noted:
            self._stop(known.INT if stopping.is_quick else known.TERM)
        for number in stopping.others():
            self._on_signal(number)

    def _loop(self) -> None:
        while True:
            self._decide()
            if self._crowd.is_stopping and not self._workers.by_index:
                break
            self._pages.see_to(monotonic(), is_wanted=self._has_say())
            for child in self._children.wait(self._patience()):
                self._hear(child)
            for number in _once(self._signals.read(), known.HUP):
                self._on_signal(number)
            for child, status in self._children.reap():
                self._on_end(child, status)
            self._look()

    def _patience(self) -> float:
        is_calm = not self._crowd.is_stopping and all(
            each.state is State.READY and each.wish is None for each in self._crowd.workers.values()
        )
        settings = self._service.settings.workers
        is_counting = settings.max_requests or settings.max_worker_memory
        seconds = (
            _TICK
            if is_calm and not is_counting and len(self._crowd.workers) >= self._crowd.target
            else _TICK_BUSY
        )
        interval = self._service.notifier.watchdog_interval
        return seconds if interval is None else min(seconds, interval)

    def _has_say(self) -> bool:
        """Whether this program is to tell how it goes. Of two over the same sockets the one does
        not that has no workers: it would be taken for both."""
        if self._service.inherited is not None:
            return self._crowd.has_served
        return self._crowd.target > 0 or not self._succession.has_successor

    def _decide(self) -> None:
        for action in self._crowd.decide(monotonic()):
            self._workers.do(action)
        if self._reloading.has_ended():
            self._service.notifier.ready(self._status())

    def _look(self) -> None:
        """At the board, and at what is due by the clock."""
        now = monotonic()
        crowd, board = self._crowd, self._board
        figures = {}
        for index in crowd.workers:
            slot = board.slot(index)
            figures[index] = Figures(slot.beat, slot.requests, slot.memory)
        crowd.look(figures, now)
        self._workers.warn_of_slow_ones(now)
        self._terminal.look(now)
        notifier = self._service.notifier
        if notifier.watchdog_interval is not None and now >= self._next_watchdog:
            self._next_watchdog = now + notifier.watchdog_interval
            notifier.watchdog()
        self._renewal.look(now)
        self._succession.maybe_inherit()

    # --- What workers say -----------------------------------------------------------------------

    def _hear(self, child: Child) -> None:
        for byte in self._children.hear(child):
            self._on_message(child, bytes((byte,)))
        if child.has_hung_up and child.index in self._workers.by_index:
            self._crowd.cannot_start(child.index, monotonic())

    def _on_message(self, child: Child, message: bytes) -> None:
        crowd = self._crowd
        if message == messages.READY:
            now = monotonic()
            crowd.ready(child.index, now)
            if not crowd.is_stopping:  # else the sockets are closed
                self._announce()
            logger.info("worker %d is ready, after %.1f s", child.pid, now - child.began)
        elif message == messages.CLOSED:
            crowd.closed(child.index)
        elif message == messages.STUCK:
            crowd.wish(child.index, "stuck")
        elif message == messages.SIGNALLED:
            crowd.wish(child.index, "signal")
        elif message == messages.CERTIFICATE:
            self._renewal.asked_by(child.index)

    def _announce(self) -> None:
        if self._is_announced:
            return
        self._is_announced = True
        self._service.announce()
        notifier = self._service.notifier
        self._succession.claim()
        notifier.ready(self._status())

    def _status(self) -> str:
        return f"{self._crowd.target} worker{'' if self._crowd.target == 1 else 's'}"

    # --- Ends -----------------------------------------------------------------------------------

    def _on_end(self, child: Child, status: int) -> None:
        if self._succession.is_child(child):
            self._succession.ended(status)
        elif self._pages.is_child(child):
            self._pages.ended(status)
        else:
            self._on_workers_end(child, status)

    def _on_workers_end(self, child: Child, status: int) -> None:
        self._hear(child)
        self._workers.forget(child)
        now = monotonic()
        crowd = self._crowd
        state = crowd.workers[child.index].state
        ended = crowd.died(child.index, now, was_asked=status == 0)
        self._board.retire(child.index, ended.restart)
        if state is State.STARTING:
            self._on_failed_start(ended, _failure_of(child, status))
        elif state is State.READY and status:
            logger.error("worker %d %s; another one takes its place", child.pid, how(status))
        else:
            words = f", {how(status)}" if status and state is State.RETIRING else ""
            logger.info("worker %d has ended (%s)%s", child.pid, ended.why, words)
        if status:
            # It may have been told of a connection that it has not accepted.
            self._children.tell_workers(messages.LOOK)

    def _on_failed_start(self, ended: Worker, failure: CannotStart) -> None:
        crowd = self._crowd
        if crowd.is_stopping:
            return
        if crowd.has_served and ended.generation != crowd.generation:
            logger.info("worker %d was of a reload that is over, and has not started", ended.pid)
            return
        if not crowd.has_served:
            if ended.generation == crowd.generation:
                # As it was never otherwise, trying again is no help.
                self._failure = failure
                self._begin_to_stop(quick=True)
            return  # else there has been a reload since
        report = f"\n{failure.report.rstrip()}" if failure.report else ""
        if crowd.is_reloading and not crowd.has_renewed_one:
            # With one that serves, the next may succeed.
            self._reloading.give_up(failure)
            return
        logger.error(
            "worker %d could not start: %s; next attempt in %.0f s%s",
            ended.pid,
            failure,
            max(0.0, crowd.may_start_at() - monotonic()),
            report,
        )

    # --- Signals --------------------------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        crowd = self._crowd
        if number in (known.TERM, known.INT, known.QUIT):
            self._stop(number)
        elif crowd.is_stopping:
            pass
        elif number == known.HUP:
            if self._terminal.was_closed() and not self._has_nohup:
                self._stop(number)  # nobody reloads by closing a window
            else:
                self._reloading.begin()
        elif number == known.USR1:
            self._reopen_logs()
        elif number == known.USR2:
            self._succession.start()
        elif number == known.TTIN:
            self._set_target(crowd.target + 1)
        elif number == known.TTOU:
            # Not from none, as after WINCH, to one.
            self._set_target(min(crowd.target, max(1, crowd.target - 1)))
        elif number == known.WINCH:
            if has_terminal():
                return  # the size of a window has changed
            self._set_target(0)

    def _set_target(self, target: int) -> None:
        self._crowd.set_target(min(target, WORKERS_MAX))
        logger.info("%s from now on", self._status())
        self._service.notifier.status(self._status())

    def _stop(self, number: int) -> None:
        now = monotonic()
        if self._crowd.is_stopping:
            former, since = self._stopped_by
            # timeout(1), and whoever signals a group as well as its leader, send it twice at once.
            if number != former or now - since > _TWICE:
                self._die(number)
            return
        self._stopped_by = (number, now)
        quick = number in (known.INT, known.QUIT)
        logger.info("%s: stopping", name_of(number))
        if not self._succession.has_successor:
            self._service.notifier.stopping()
        # So that nobody waits at a door behind which there is no one.
        self._succession.close(self._service.listeners)
        self._begin_to_stop(quick=quick)

    def _begin_to_stop(self, *, quick: bool) -> None:
        # Before any worker knows: who asks whether to send requests here is to send no more.
        self._board.is_stopping = True
        self._crowd.stop(monotonic(), quick=quick)

    def _die(self, number: int) -> None:
        """The second signal: at once, as if there were no handler; but nothing stays behind."""
        self._children.kill_workers()
        self._pages.kill()
        with contextlib.suppress(Exception):
            self.close()
            self._service.pidfile.remove()
        end_by(number)

    def _reopen_logs(self) -> None:
        settings = self._service.settings
        self._service.error_log.reopen()
        try:
            owner = process.owner(settings.process)
            hand_over(settings.logs, owner.uid, owner.gid)
        except SettingError as error:
            logger.error("the logs cannot be given to their owner: %s", error)
        self._children.tell_workers(messages.REOPEN)
        self._pages.reopen()
        logger.info("SIGUSR1: the logs are opened anew")

    def close(self) -> None:
        """Close the sockets; to be called at the end in any case."""
        admin = self._service.admin
        self._succession.close([*self._service.listeners, *([] if admin is None else [admin])])


def _once(numbers: list[int], number: int) -> list[int]:
    """``numbers``, of one of which only the last is kept: several that have come at once mean the
    same."""
    last = len(numbers) - numbers[::-1].index(number) - 1 if number in numbers else -1
    return [each for at, each in enumerate(numbers) if each != number or at == last]


def _failure_of(child: Child, status: int) -> CannotStart:
    """Why a worker did not come to serve."""
    if child.channel is not None and child.channel.failure is not None:
        return messages.decode(bytes(child.channel.failure))
    return CannotStart(f"worker {child.pid} {how(status)} while it loaded the application")
