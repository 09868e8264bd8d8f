"""Calls that take too long: noticed, logged with where they are, answered for, interrupted.

    WatchedCall         a call of which it is known when it began, and who answers
    Deadlines           the thread that looks at them a few times a second
      _slow               --slow-request-threshold
      _expire             --timeout: 504, and the thread is interrupted
      _give_up            the thread has not ended all the same

Where neither setting is given there is nothing of this, and a request costs nothing more.

Two threads may want to answer a request: that of the application, and this one with 504. A call
has one token, ``_right``; who takes it answers, and the other finds none. Interrupting is an
exception that CPython raises in another thread at its next bytecode. So it must never be on its
way when the call has ended: ``_guard`` is held while it is sent, and the call forbids it under
the same lock before it returns.

A thread that waits in C (a socket, a sleep, an extension) sees the exception only when it is
back. Its client has had its answer by then, but the thread is lost for as long.

One that waits in ``lock.acquire()`` would see it when it has the lock, and before the ``try`` that
is to release it; then nobody ever gets that lock again. Up to Python 3.12, logging takes its own
like that: one pause of whoever reads the log would end all logging. So it is interrupted later.
"""

import ctypes
import dis
import sys
import threading
import traceback
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final

from quaich.exchange.call import Call, End, PeerGone
from quaich.exchange.log import SafeLogger
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import Request
from quaich.server.clock import Clock
from quaich.server.connections import refusal
from quaich.server.connections.connection import Connection
from quaich.server.recording import Recorder
from quaich.server.threads.crew import Crew
from quaich.settings import Settings
from quaich.types import WSGIApplication, WSGIEnvironment

logger = SafeLogger("quaich.error")

_LOOKS: Final = 8  # in the time that a call has
_INTERVAL_MIN: Final = 0.02  # seconds
_INTERVAL_MAX: Final = 1.0  # seconds

_OURS: Final = str(Path(__file__).parents[2])

_set_async_exc: Any = getattr(getattr(ctypes, "pythonapi", None), "PyThreadState_SetAsyncExc", None)


class DeadlineExceeded(BaseException):
    """Raised in a thread whose request has taken too long. No Exception, so that an application
    that catches these does not take it for an error of its own; ``finally`` is honoured."""


class WatchedCall(Call):
    """A call that may be answered for, and interrupted, by another thread."""

    __slots__ = (
        "_guard",
        "_is_ours",
        "_is_running",
        "_right",
        "began",
        "environ",
        "expired",
        "given_up",
        "interrupted_at",
        "is_broken_off",
        "is_due",
        "is_recorded",
        "is_slow",
        "progress",
        "since",
        "thread",
    )

    def __init__(self, request: Request, channel: Connection, persists: bool) -> None:
        super().__init__(request, channel, persists)
        self._guard = threading.Lock()
        self._right: list[None] = [None]  # to answer; whoever pops it has it
        self._is_ours = False  # the application's thread has it
        self._is_running = False  # under the guard: it may be interrupted
        self.expired = self.is_broken_off = self.is_recorded = False
        self.environ: WSGIEnvironment = {}
        self.end = End.GONE
        # Of the thread that looks, but for the first two; times are monotonic:
        self.began = self.since = monotonic()
        self.thread = threading.get_ident()
        self.progress: Any = None
        self.is_slow = self.given_up = False
        self.is_due = False  # to be interrupted, as soon as that may be
        self.interrupted_at = 0.0

    @property
    def is_running(self) -> bool:
        """Whether the thread is still inside it."""
        return self._is_running

    def run(self, application: WSGIApplication, environ: WSGIEnvironment, body: Any = None) -> None:
        """As :meth:`Call.run`. Nothing is on its way to this thread when it returns."""
        self.environ = environ
        try:
            self._is_running = True
            super().run(application, environ, body)
            if self.end is End.REFUSED and not self._is_ours:
                self._take()
        except (DeadlineExceeded, PeerGone):
            pass  # after the application had ended, or while its failure was being handled
        while True:
            # The exception may still come between any two of these steps; then they begin again.
            # Not in a function of their own: it can come where that begins, outside its try.
            try:
                with self._guard:
                    self._is_running = False
                if self.interrupted_at:
                    _set_async_exc(ctypes.c_ulong(self.thread), None)
                break
            except DeadlineExceeded:
                continue
        if self.expired:
            self._say_expired()  # whatever the application has said since
            self.end = End.CLOSES
        elif self.is_broken_off:
            self.end = End.GONE
        elif self.interrupted_at and self.end is not End.PERSISTS:
            self.end = End.ABORTED
        if self.is_slow:
            seconds = monotonic() - self.began
            logger.warning("%s: the slow request has ended after %.3g s", self.channel, seconds)

    def interrupt(self, now: float) -> None:
        """Raise :class:`DeadlineExceeded` in the thread, if it is inside the call; not while it
        waits for a lock, then ``is_due`` is set."""
        with self._guard:
            self.is_due = self._is_running and _waits_for_a_lock(self.thread)
            if self._is_running and not self.is_due and _set_async_exc is not None:
                self.interrupted_at = now
                _set_async_exc(ctypes.c_ulong(self.thread), ctypes.py_object(DeadlineExceeded))

    # --- Who answers --------------------------------------------------------------------------

    def _take(self) -> None:
        """The right to answer, for the application's thread. PeerGone if it has gone."""
        if not self._is_ours:
            try:
                self._right.pop()
            except IndexError:
                raise PeerGone("the request took too long and has been answered with 504") from None
            self._is_ours = True

    def answer_for(self, response: bytes) -> bool:
        """Answer in place of the application's thread; whether that is still to be done."""
        with self._guard:  # the thread cannot end the connection meanwhile
            if not self._is_running:
                return False
            try:
                self._right.pop()
            except IndexError:
                return False
            self.expired = self.is_recorded = True
            self._say_expired()
            connection: Any = self.channel
            connection.answer_for(response)
        return True

    def break_off(self) -> bool:
        """End the response that has begun, and the connection with it, because the thread may
        never come back to do so; whether that was still to be done."""
        with self._guard:
            if not self._is_running:
                return False
            self.is_broken_off = self.is_recorded = True
            connection: Any = self.channel
            connection.break_off(is_delimited=self.delimited)
        return True

    def _say_expired(self) -> None:
        """For the log: what the client has got."""
        self.status = f"504 {HTTPStatus.GATEWAY_TIMEOUT.phrase}"
        self.section = ([], None, False, False, "")

    def _answer(self, block: bytes) -> bool:
        self._take()
        return super()._answer(block)

    def _begin(self, block: bytes, total: int | None) -> None:
        self._take()
        super()._begin(block, total)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, DeadlineExceeded) or self.expired:
            return  # it has been said
        super()._fail(error)


class Deadlines:
    """Looks at the calls of a crew. ``on_stuck`` is called for a thread that does not end, once,
    with a line that says which; on this class's thread."""

    def __init__(self, crew: Crew, settings: Settings, clock: Clock, recorder: Recorder) -> None:
        self._crew = crew
        self._clock = clock
        self._recorder = recorder
        self._timeout = settings.deadlines.timeout
        self._slow_after = settings.deadlines.slow_request_threshold
        self._grace = settings.timeouts.graceful_timeout
        self.on_stuck: Callable[[str], object] | None = None
        shortest = min(filter(None, (self._timeout, self._slow_after)), default=0.0)
        self._interval = min(max(shortest / _LOOKS, _INTERVAL_MIN), _INTERVAL_MAX)
        self.is_on = bool(shortest)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, if there is anything to look for."""
        if self.is_on:
            self._thread = threading.Thread(
                target=self._watch, name="quaich-deadlines", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(1.0)  # it may wait for whoever reads the log

    def _watch(self) -> None:
        while not self._ended.wait(self._interval):
            now = monotonic()
            for member in [*self._crew.members]:
                call = member.call
                if isinstance(call, WatchedCall) and call.is_running:
                    try:
                        self._look(call, now)
                    except Exception as error:
                        logger.error("a deadline could not be kept", exc_info=error)

    def _look(self, call: WatchedCall, now: float) -> None:
        # Blocks that come one after another, and a client that takes its time, are no reason
        # to end a call: only an application from which nothing comes.
        progress = (call.head_sent, call.content_sent, getattr(call.body, "received", 0))
        channel: Any = call.channel
        if progress != call.progress or channel.is_waiting:
            if call.progress is not None:
                call.since = now
            call.progress = progress
        if self._slow_after and not call.is_slow and now - call.began >= self._slow_after:
            self._slow(call, now)
        if not self._timeout or now - call.since < self._timeout:
            return
        if not call.interrupted_at:
            self._expire(call, now)
        elif call.is_due or now - call.interrupted_at >= self._timeout:
            call.interrupt(now)  # it may have caught the first
        if not call.given_up and now - call.since >= self._timeout + self._grace:
            call.given_up = True
            self._give_up(call, now)

    def _slow(self, call: WatchedCall, now: float) -> None:
        call.is_slow = True
        logger.warning(
            "%s: slow, %.3g s so far; its thread is here:\n%s",
            call.channel,
            now - call.began,
            where_is(call.thread),
        )

    def _expire(self, call: WatchedCall, now: float) -> None:
        where = where_is(call.thread)
        error = ProtocolError("S82", 504, f"no answer within {self._timeout:g} s")
        head_only = call.request.method == "HEAD"
        is_answered = call.answer_for(
            refusal.refusal(error, self._clock.fields(), head_only=head_only)
        )
        if not is_answered and not (call.progress[0] and call.break_off()):
            call.since = now  # the response has begun in this moment, or the call has ended
            return
        self._record(call, now)
        logger.error(
            "%s: nothing came from the application for %.3g s (--timeout); %s, and its thread is"
            " interrupted, which is here:\n%s",
            call.channel,
            now - call.since,
            "it is answered with 504" if is_answered else "the response is broken off",
            where,
        )
        call.interrupt(now)
        call.interrupted_at = call.interrupted_at or now

    def _record(self, call: WatchedCall, now: float) -> None:
        """What the client has got is known now; that the thread ends some time, is not."""
        connection: Any = call.channel
        if self._recorder.is_on:
            self._recorder.ended(connection, call, call.environ, now - call.began, 0.0)

    def _give_up(self, call: WatchedCall, now: float) -> None:
        line = f"{call.channel}: its thread has not ended {now - call.since:.3g} s after it began"
        logger.error(
            "%s%s, and is here:\n%s",
            line,
            "" if self.on_stuck else "; with --workers this process would be replaced",
            where_is(call.thread),
        )
        if self.on_stuck is not None:
            self.on_stuck(line)


def where_is(thread: int) -> str:
    """The stack of a thread, without the server's own part of it, as Python writes stacks."""
    frame: FrameType | None = sys._current_frames().get(thread)
    if frame is None:
        return "  (the thread has ended)"
    stack = traceback.extract_stack(frame)
    own = next(
        (
            index
            for index, entry in enumerate(stack)
            if not entry.filename.startswith(_OURS) and "threading" not in entry.filename
        ),
        0,
    )
    return "".join(traceback.format_list(stack[own:])).rstrip("\n")


def _waits_for_a_lock(thread: int) -> bool:
    """Whether a thread is inside ``….acquire()``, without arguments: who gives a time to wait asks
    again and again, and would never be found elsewhere. What the module threading waits for in
    this way is safe: it looks after its locks whatever is raised."""
    frame = sys._current_frames().get(thread)
    if frame is None or frame.f_code.co_filename == threading.__file__:
        return False
    if "acquire" not in frame.f_code.co_names:
        return False
    before = None
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset >= frame.f_lasti:
            is_call = instruction.opname in ("CALL", "PRECALL") and not instruction.arg
            return is_call and before == "acquire"
        if instruction.opname != "PRECALL":  # CPython 3.11 has one before each CALL
            before = instruction.argval
    return False
