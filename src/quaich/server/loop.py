"""The leader's work: bytes come in, requests are answered, what is left is sent.

    Loop.lead                whoever leads, as long as it does
      _wait                    poll, and what is due: returned connections, timeouts
        Retiring.go_on           … and the end, once it has begun (quaich.server.retiring)
      _accept                  new connections (quaich.server.connections.accepting)
      _event                   what a connection has, by its state
        _read_head               bytes of requests
          _requests                each complete one
            Gathering                … its content first (quaich.server.gathering)
            Calling.dispatch         who calls the application (quaich.server.threads.calling)
        Opening, Ending          what comes before and after (quaich.server.connections.ending)

A connection that is ``busy`` belongs to the thread that answers it; the leader only notes that
something came for it (``pending``). All others belong to the leader.
"""

import threading
from collections import deque
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from quaich.exchange.call import Call
from quaich.exchange.forwarded import SAID_BY_PROXIES, Forwarding
from quaich.exchange.log import SafeLogger
from quaich.protocol import variables
from quaich.protocol.body import ChunkLimits
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import HeadLimits, HeadOptions, Request, parse_head
from quaich.protocol.request import check_scheme
from quaich.server.clock import Clock
from quaich.server.connections.accepting import Acceptor, Listener
from quaich.server.connections.connection import RECEIVE_MAX, Connection, State
from quaich.server.connections.ending import RESUME, Ending
from quaich.server.connections.registry import Connections
from quaich.server.figures.worker import Figures
from quaich.server.gathering import Gathering
from quaich.server.health import Health
from quaich.server.logs.access_log import AccessLog
from quaich.server.opening import Opening
from quaich.server.poller import ENDED, READ, WRITE, Poller
from quaich.server.recording import Recorder
from quaich.server.retiring import Retiring
from quaich.server.threads.calling import Calling, Job
from quaich.server.threads.crew import PATIENCE, Crew, Member
from quaich.server.threads.deadlines import Deadlines, WatchedCall
from quaich.settings import Settings
from quaich.types import WSGIApplication

logger = SafeLogger("quaich.error")

_SWEEP: Final = 0.25  # seconds between two looks at the deadlines

_TURN: Final = 64
"""Requests of one connection that are answered before the others get their turn."""


class Loop:
    """The server's loop; the threads of a :class:`~quaich.server.threads.crew.Crew` run it."""

    def __init__(
        self,
        application: WSGIApplication,
        listeners: list[Listener],
        poller: Poller,
        settings: Settings,
        software: str | None,
        access_log: AccessLog | None = None,
        *,
        most: int | None = None,
        is_shared: bool = False,
    ) -> None:
        """``most``: connections, if that is not what the settings say. ``is_shared``: other
        processes accept from the same listeners."""
        limits = settings.limits
        self.poller = poller
        self.bodies = settings.bodies
        self.timeouts = settings.timeouts
        self.clock = Clock(software)
        self.origin_fields = self.clock.fields
        self._keep_alive = self.timeouts.keep_alive
        self._options = HeadOptions(
            HeadLimits(
                request_line=limits.limit_request_line,
                fields=limits.limit_request_fields,
                field_size=limits.limit_request_field_size,
                head=limits.limit_request_head,
            ),
            ChunkLimits(
                extensions=limits.limit_chunk_extensions,
                trailer_section=limits.limit_request_trailer_size,
                trailers=limits.limit_request_trailers,
            ),
            settings.environ.header_map,
            scheme="http" if settings.tls.certfile is None else "https",
        )
        # Of which scheme a request is, a proxy says in the same head.
        self._options_of_proxies = replace(self._options, scheme=None)
        proxies = settings.proxies
        self.forwarding = Forwarding(
            proxies.forwarded_allow_ips, proxies.forwarded_headers, proxies.forwarded_count
        )
        self.connections = Connections(poller, self.timeouts)
        self._acceptor = Acceptor(
            listeners,
            self.connections,
            poller,
            most or settings.listen.worker_connections,
            self._sweep_soon,
            is_shared=is_shared,
        )
        self.crew = Crew(self, settings.concurrency.threads)
        self.figures = Figures(settings.admin, self.crew, self.connections)
        self._recorder = Recorder(access_log, self.figures.counters)
        path = settings.admin.health_path
        self._health = None if path is None else Health(path, self.crew, self.clock)
        self.deadlines = Deadlines(self.crew, settings, self.clock, self._recorder)
        self.stopping = False
        self.ended = threading.Event()  # it was stopping, and no connection is left
        self._returned: deque[Connection] = deque()  # from threads that answered
        # The leader's:
        self._ready: deque[tuple[int, int]] = deque()  # events that nobody has looked at
        self._ending = Ending(
            self.connections, poller, self.timeouts, self.clock, self._recorder, self._ready
        )
        self._opening = Opening(
            self.connections, poller, self._ending, self.clock, self._recorder, self._ready
        )
        self._calling = Calling(
            application,
            self.crew,
            self._ending,
            self.connections,
            poller,
            self._recorder,
            self._returned,
            keeps_alive=self.timeouts.keep_alive > 0,
            call=WatchedCall if self.deadlines.is_on else Call,
        )
        self._next_sweep = 0.0
        self._is_flushed = False  # nothing has happened since the logs were written
        self._must_look = False  # at the listeners, though there was no event
        self._gathering = Gathering(settings, self.connections, self._ending, self._calling)
        self._retiring = Retiring(
            self.connections, self._acceptor, self._ending, self.timeouts, self._ready
        )

    # --- Leading ----------------------------------------------------------------------------

    def lead(self, me: Member) -> None:
        """Move bytes and answer requests until another thread leads."""
        ready, connections = self._ready, self.connections.by_fd
        head = State.HEAD
        while me.leads:
            if not ready:
                if self.crew.ended:
                    return
                self._wait(me)
                continue
            fd, mask = ready.popleft()
            connection = connections.get(fd)
            if connection is None:
                self._accept(fd)
                continue
            if connection.busy and self._note(connection, mask):
                continue
            try:
                if mask == READ and connection.state is head:
                    self._read_head(connection, me)
                    if connection.pending and me.leads:
                        self._look_again(connection)
                else:
                    self._event(connection, mask, me)
            except Exception as error:
                logger.error("%s: the server failed", connection, exc_info=error)
                if me.leads or connection.busy:
                    self.connections.close(connection)

    def _accept(self, fd: int) -> None:
        """An event of no connection: a listener's, or of one that has been closed since."""
        listener = self._acceptor.listeners.get(fd)
        if listener is not None:
            deadline = self._calling.mark + self.timeouts.header_timeout
            self._acceptor.accept(listener, self, deadline)

    def _note(self, connection: Connection, mask: int) -> bool:
        """Something came for a connection that another thread has; whether it still has it."""
        outbox = connection.outbox
        if mask & ~READ and outbox is not None:
            # That thread may wait for room.
            try:
                if not outbox.flush():
                    self.poller.want_write(connection.fd)
            except OSError:
                pass  # the outbox knows, and tells that thread
        with self.crew.mutex:
            if connection.busy:
                connection.pending = True
                connection.ended = connection.ended or bool(mask & ~(READ | WRITE | RESUME))
                self.poller.mute(connection.fd)
            return connection.busy

    def _wait(self, me: Member) -> None:
        """Wait for events, and see to what is due besides."""
        crew, now = self.crew, self._calling.mark
        me.call = me.current = None  # what they hold need not wait for the next call
        if now >= self._next_sweep:
            self._sweep(now)
            self._next_sweep = now + _SWEEP
            self._recorder.flush()
        if self.stopping:
            self._retiring.go_on(self, monotonic())
            if not self.connections.by_fd:
                self.ended.set()
        if self._returned:
            self._take_back()
        if self._ready:
            return
        crew.patience = self._calling.patience() if self._calling.shares else PATIENCE
        is_idle = not (self.connections.by_fd or self.stopping or self._acceptor.is_paused)
        events = self.poller.wait(None if is_idle and self._is_flushed else _SWEEP)
        self._calling.mark = self._calling.polled = monotonic()
        self.clock.refresh()
        if not events:
            self._recorder.flush()  # now it keeps nobody waiting
            self._is_flushed = True
            return
        self._is_flushed = False
        self._ready.extend(events)

    def _take_back(self) -> None:
        """Connections that come back from the threads that answered them."""
        while self._returned:
            connection = self._returned.popleft()
            connection.busy = False
            if connection.state is not State.CLOSED:
                self._ready.append((connection.fd, RESUME | READ | WRITE))

    def _event(self, connection: Connection, mask: int, me: Member) -> None:
        """What has happened to a connection that the leader owns."""
        if mask & RESUME:
            self.poller.unmute(connection.fd)
        if mask & ~(READ | WRITE):
            # There is an end behind the bytes, or something that another thread has been told:
            # no other event will tell of it.
            connection.pending = True
            connection.ended = connection.ended or bool(mask & ~(READ | WRITE | RESUME))
        state = connection.state
        if state is State.FLUSHING:
            connection.pending = connection.pending or bool(mask & READ)
            self._ending.flush(connection)
            if connection.state is State.HEAD and connection.buffer:
                self._ready.append((connection.fd, RESUME | READ))
        elif state is State.HEAD:
            if connection.buffer and mask & RESUME:
                self._requests(connection, me, *connection.take_buffer())
            elif mask & ~WRITE:
                self._read_head(connection, me)
        elif state is State.CONTENT:
            if mask & WRITE:
                self._ending.push(connection)
            self._read_content(connection, me)
        elif state is State.DRAINING:
            self._ending.drain(connection)
        elif state is State.LINGERING:
            self._ending.discard(connection)
        elif state is State.HANDSHAKE or state is State.PREFACE:
            self._opening.go_on(connection)
        if me.leads:
            self._look_again(connection)

    def _look_again(self, connection: Connection) -> None:
        """If more has come for a connection than was read, read it in its turn."""
        if connection.pending and not connection.busy:
            if connection.state is State.FLUSHING or connection.state is State.CLOSED:
                return
            connection.pending = False
            self._ready.append((connection.fd, READ | ENDED if connection.ended else READ))

    # --- Requests ---------------------------------------------------------------------------

    def _read_head(self, connection: Connection, me: Member) -> None:
        try:
            data = connection.receive(RECEIVE_MAX)
        except BlockingIOError:
            connection.ended = False
            return
        except OSError:
            self.connections.close(connection)
            return
        if not data:
            # Of a head that is not complete nothing may be done (H009, H010).
            self._ending.leave(connection)
            return
        if len(data) == RECEIVE_MAX:
            connection.pending = True
        begun = connection.buffer
        if begun:
            data = begun[connection.start :] + data
            connection.buffer, connection.start = b"", 0
        self._requests(connection, me, data, 0, bool(begun))

    def _requests(
        self, connection: Connection, me: Member, data: bytes, start: int, begun: bool = False
    ) -> None:
        """Answer the requests in ``data[start:]``, in their order; what is left waits in the
        connection's buffer, which is empty at first. ``begun``: part of a head was there
        before."""
        base = connection.base or connection.first_environ()
        rewrite: Any = connection.rewrite
        options = self._options_of_proxies if connection.is_proxied else self._options
        health = self._health
        turns = _TURN
        while True:
            try:
                head = parse_head(data, start, base, options, connection.repetition)
                if head is None:
                    break
                end, request, environ = head
                if variables.some_seen and not environ.keys().isdisjoint(SAID_BY_PROXIES):
                    rewrite(environ)
                if request.scheme is not None:
                    check_scheme(request.scheme, environ["wsgi.url_scheme"])
            except ProtocolError as error:
                connection.request = None
                self._ending.refuse(connection, error, head_only=data.startswith(b"HEAD ", start))
                return
            start = end
            connection.request = request
            connection.target = environ["RAW_URI"]
            if start < len(data):
                connection.buffer, connection.start = data, start
                if request.decoder is None and not connection.holding:
                    # Another request is there: their responses go out together, unless one
                    # takes its time (see overtaken).
                    connection.holding = True
                    connection.outbox = connection.outbox or connection.make_outbox()
            elif connection.buffer:
                connection.buffer, connection.start = b"", 0
            if health is not None and health.is_asked(request, environ):
                if not self._answer_for_health(connection, request, health):
                    return
            else:
                if request.decoder is not None and not self._gathering.begin(
                    connection, request, environ
                ):
                    return
                if not self._calling.dispatch(connection, request, environ, me):
                    return
            if not connection.buffer:
                connection.deadline = self._calling.mark + self._keep_alive
                if connection.holding:
                    self._ending.release(connection)
                return
            data, start = connection.buffer, connection.start
            connection.buffer, connection.start, begun = b"", 0, False
            turns -= 1
            if not turns:
                self._ready.append((connection.fd, RESUME | READ))
                break
        connection.buffer = data[start:] if start else data
        if not begun:
            connection.deadline = self._calling.mark + self.timeouts.header_timeout
        if connection.holding:
            self._ending.release(connection)

    def _answer_for_health(self, connection: Connection, request: Request, health: Health) -> bool:
        """Answer without the application; whether the next request may be read."""
        persists = request.persists and self._calling.keeps_alive and not connection.is_closing
        answer = health.answer(request, is_draining=self.stopping, persists=persists)
        return self._ending.reply(connection, answer, persists=persists)

    def _read_content(self, connection: Connection, me: Member) -> None:
        request, environ = connection.request, connection.environ
        if not self._gathering.read(connection):
            return
        if self._calling.dispatch(connection, request, environ, me):
            if connection.buffer:
                self._requests(connection, me, *connection.take_buffer())
            else:
                connection.deadline = self._calling.mark + self._keep_alive
                if connection.holding:
                    self._ending.release(connection)

    # --- What the crew and the connections ask -------------------------------------------------

    def do(self, me: Member, job: Job) -> None:
        """Answer a request on a thread that does not lead."""
        self._calling.do(me, job)

    def overtaken(self, connection: Connection) -> None:
        """The thread that answers this connection leads no more (under the crew's mutex)."""
        self._calling.overtaken(connection)

    @property
    def mark(self) -> float:
        """As :attr:`Calling.mark`."""
        return self._calling.mark

    def is_answering(self, member: Member) -> bool:
        """Whether the answer of a member's call has begun to go out."""
        return member.call is not None and bool(member.call.head_sent)

    def is_watched(self, connection: Connection) -> bool:
        """As :meth:`Calling.is_watched`."""
        return self._calling.is_watched(connection)

    def about_to_wait(self) -> bool:
        """As :meth:`Calling.about_to_wait`."""
        return self._calling.about_to_wait()

    # --- Time -----------------------------------------------------------------------------------

    def _sweep(self, now: float) -> None:
        """See to the connections whose deadline has passed, and to new ones after a pause."""
        self._acceptor.maybe_resume(now)
        if self._must_look:
            self._must_look = False
            self._acceptor.look_again(self, now + self.timeouts.header_timeout)
        for connection in self.connections.overdue(now):
            self._ending.expire(connection, now)

    def _sweep_soon(self) -> None:
        self._next_sweep = 0.0
        self.poller.wake()

    @property
    def is_accepting(self) -> bool:
        """Whether new connections may still come."""
        return bool(self._acceptor.listeners)

    @property
    def beat(self) -> float:
        """When a leader last got events, or none (monotonic)."""
        return self._calling.polled

    def look_again(self) -> None:
        """Accept what waits at the listeners, as if there were an event. Any thread may call
        this."""
        self._must_look = True
        self._sweep_soon()

    def stop(self, idle: float = 0.0) -> None:
        """Accept no more, and end each connection after its present request; ``ended`` is set
        when none is left. Any thread may call this, and a signal handler.

        ``idle``: seconds, as :attr:`~quaich.server.retiring.Retiring.idle`."""
        self._retiring.idle = idle
        self._calling.keeps_alive = False
        self.stopping = self._calling.stopping = True
        self._retiring.begin()
        self.poller.wake()

    def under_way(self) -> int:
        """Connections whose request has begun to arrive or is being answered."""
        leader = self.crew.leader
        called = leader.current if leader is not None and leader.tenure else None
        return sum(
            connection.busy or connection is called or not connection.is_idle()
            for connection in list(self.connections.by_fd.values())
        )

    def interrupt(self) -> None:
        """Let no thread wait for a client any longer: what is under way is cut off."""
        for connection in list(self.connections.by_fd.values()):
            connection.interrupt()

    def abandon(self) -> None:
        """Give back all that the system has given. The threads have ended, but for those that
        are inside the application: those find their sockets and the poller closed."""
        self._acceptor.drop()
        for connection in list(self.connections.by_fd.values()):
            self.connections.reset(connection)
        self.poller.close()
