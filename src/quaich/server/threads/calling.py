"""Who calls the application, and what follows a call.

    Calling.dispatch      the leader, at once; or, if the route is likely to be slow, the leader
                          once another thread leads; or whoever has a slot next
      Call.run              the call itself (quaich.exchange.call)
      _learn                how long it took
      Ending.settle         what becomes of the connection
    Calling.do            a request that waited for a thread
      _finish               the leader gets the connection back
    Calling.overtaken     the leader has been inside a call for too long, or has stepped down

A connection is ``busy`` from the moment when the thread that answers it leads no more, until
the leader has it back.
"""

import threading
from collections import deque
from time import monotonic
from typing import Final

from quaich.exchange.call import Call, End
from quaich.exchange.log import SafeLogger
from quaich.protocol.http1 import Request
from quaich.server.connections.connection import Connection, State
from quaich.server.connections.content import COPY_MAX
from quaich.server.connections.ending import Ending
from quaich.server.connections.registry import Connections
from quaich.server.poller import Poller
from quaich.server.recording import Recorder
from quaich.server.threads.crew import PATIENCE, Crew, Member
from quaich.server.threads.predictor import SLOW, Predictor, Timed, route_of
from quaich.types import WSGIApplication, WSGIEnvironment

logger = SafeLogger("quaich.error")

_HAND_OVER: Final = 0.1
"""Share of slow calls above which the leader steps down before it calls. Below, it is cheaper
to be deposed now and then."""

_WEIGHT: Final = 1 / 64  # of the newest quick call in what is usual
_UNUSUAL: Final = 3  # times as long
_PATIENCE_MIN: Final = 0.00012  # seconds; waking a watcher more often costs more than it saves

_PERSISTS: Final = End.PERSISTS

Job = tuple[Connection, Request, WSGIEnvironment, float]
"""The last is when its bytes were there, as :attr:`Calling.polled`."""


class Calling:
    """See the module. ``returned``: connections for the leader to take back."""

    def __init__(
        self,
        application: WSGIApplication,
        crew: Crew,
        ending: Ending,
        connections: Connections,
        poller: Poller,
        recorder: Recorder,
        returned: deque[Connection],
        keeps_alive: bool,
        call: type[Call] = Call,
    ) -> None:
        self._application = application
        self._call = call
        self._crew = crew
        self._ending = ending
        self._connections = connections
        self._poller = poller
        self._recorder = recorder
        self._returned = returned
        self._predictor = Predictor()
        self.shares = self._predictor.shares
        self._usual = SLOW / _UNUSUAL  # seconds of a quick call, since some are slow
        self.keeps_alive = keeps_alive
        """Connections may go on after a response; not any more once the server is stopping."""
        self.stopping = False
        self.mark = 0.0
        """The leader's: when the present event began, or the request before it ended."""
        self.polled = 0.0
        """The leader's: when it last got events; what they tell of was there by then."""

    def dispatch(
        self, connection: Connection, request: Request, environ: WSGIEnvironment, me: Member
    ) -> bool:
        """Have a request answered; whether this thread may go on with the connection."""
        if (
            not me.has_slot
            and not self._crew.take_slot(me)
            and self._enqueue(connection, request, environ, me)
        ):
            return False
        me.current = connection
        share = None
        if self.shares:
            share = self.shares.get(route_of(request.method, connection.target))
            if share is not None and share > _HAND_OVER:
                self._ending.unhold(connection)
                if self._crew.step_down(me):
                    self.do(me, (connection, request, environ, self.polled))
                    return False
        started, polled = self.mark, self.polled
        me.calls += 1
        me.tenure.append(None)  # from here on, this thread may be deposed
        if self._crew.watcher is None:
            self._crew.be_watched()
        call = me.call = self._call(request, connection, request.persists and self.keeps_alive)
        timed = None if share is None else Timed(self._application)
        call.run(timed or self._application, environ, connection.stream)
        try:
            me.tenure.pop()
        except IndexError:
            me.leads = False
            seconds = monotonic() - started
            self._learn(me, connection, request, _own(timed, seconds))
            self._finish(connection, call, environ, seconds, started - polled)
            return False
        self.mark = now = monotonic()
        if share is not None or now - started > SLOW:
            self._learn(me, connection, request, now - started)
        if self._recorder.is_on:
            self._recorder.answered(connection, call, environ, now - started, started - polled)
        if call.end is _PERSISTS and connection.content is None and connection.stream is None:
            if connection.outbox is None:
                return True
            if connection.holding:
                if connection.outbox.size <= COPY_MAX:
                    return True
                # The client takes no more for now; so the next requests can wait.
                self._ending.unhold(connection)
        return self._ending.settle(connection, call)

    def _enqueue(
        self, connection: Connection, request: Request, environ: WSGIEnvironment, me: Member
    ) -> bool:
        """Leave the request to a thread that has a slot; False if this one has, by now."""
        self._ending.unhold(connection)
        connection.busy = True
        if self._crew.enqueue(me, (connection, request, environ, self.polled)):
            return True
        connection.busy = False
        return False

    def do(self, me: Member, job: Job) -> None:
        """Answer a request on a thread that does not lead."""
        connection, request, environ, polled = job
        started = me.since = monotonic()
        me.current = connection
        me.calls += 1
        call = me.call = self._call(request, connection, request.persists and self.keeps_alive)
        timed = Timed(self._application)
        try:
            call.run(timed, environ, connection.stream)
            seconds = monotonic() - started
            self._learn(me, connection, request, _own(timed, seconds))
            self._finish(connection, call, environ, seconds, started - polled)
        except Exception as error:
            logger.error("%s: the server failed", connection, exc_info=error)
            self._connections.close(connection)
        me.call = None

    def _learn(self, me: Member, connection: Connection, request: Request, seconds: float) -> None:
        """Learn how long a request took."""
        if seconds <= SLOW:
            self._usual += (seconds - self._usual) * _WEIGHT
        elif me.was_preempted():
            return
        self._predictor.record(route_of(request.method, connection.target), seconds)

    def patience(self) -> float:
        """Seconds that a call may take before the leader is deposed. If there are routes of
        which nobody knows whether the next call is slow, not much more than a quick one takes:
        each slow call keeps all others waiting for so long."""
        if not any(share <= _HAND_OVER for share in tuple(self.shares.values())):
            return PATIENCE
        return min(max(_PATIENCE_MIN, _UNUSUAL * self._usual), SLOW)

    def _finish(
        self,
        connection: Connection,
        call: Call,
        environ: WSGIEnvironment,
        seconds: float,
        queued: float,
    ) -> None:
        """What follows a call on a thread that does not lead: the leader gets the connection
        back."""
        if self._recorder.is_on:
            self._recorder.answered(connection, call, environ, seconds, queued)
        self._ending.unhold(connection)
        self._ending.settle(connection, call)
        with self._crew.mutex:
            if connection.state is State.CLOSED:
                return
            again = bool(connection.pending or connection.buffer or self.stopping)
            # What is in the buffer comes before what comes now: until the leader has taken the
            # connection back, it only notes events.
            connection.busy = again
        if again:
            self._returned.append(connection)
            self._poller.wake()

    def overtaken(self, connection: Connection) -> None:
        """The thread that answers this connection leads no more (under the crew's mutex)."""
        connection.busy = True
        # What was to go out together with this response has waited long enough (S81).
        self._ending.unhold(connection)

    def is_watched(self, connection: Connection) -> bool:
        """Whether the calling thread answers this connection as the leader, and a watcher
        looks out for it taking long: then :meth:`overtaken` is called."""
        leader = self._crew.leader
        return (
            leader is not None
            and leader.current is connection
            and leader.thread is threading.current_thread()
            and bool(leader.tenure)
            and self._crew.watcher is not None
        )

    def about_to_wait(self) -> bool:
        """The calling thread, which answers a request, is about to wait for its peer; whether
        another thread leads meanwhile."""
        leader = self._crew.leader
        if leader is None or leader.thread is not threading.current_thread():
            return not self._crew.ended
        return self._crew.step_down(leader)


def _own(timed: Timed | None, seconds: float) -> float:
    """How long the application itself took, if that was measured."""
    return seconds if timed is None or timed.seconds is None else timed.seconds
