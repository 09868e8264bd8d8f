"""The life of a worker: a process that was forked to serve.

    live            all of it
      _begin          the logs, the owner, the application, the server
        _ask            --ready-path
      serve           until it is told to retire; meanwhile signs of life
      retire          nothing new is accepted, what there is is finished
    leave           the end of the process, without going back to where it was forked

The supervisor knows it by its channel and by its slot on the board. If the channel ends, the
supervisor is no more, and the worker retires.
"""

import atexit
import contextlib
import faulthandler
import os
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Final

from quaich.exchange.log import SafeLogger
from quaich.server.figures.board import Slot
from quaich.server.listeners.listening import CannotListen, own_listeners
from quaich.server.logs.access_log import AccessLog
from quaich.server.logs.files import ErrorLog, open_access_log
from quaich.server.running import IDLE, QUICK
from quaich.server.server import Server
from quaich.server.starting import CannotStart
from quaich.server.supervisor import channel as messages
from quaich.server.supervisor.channel import Channel
from quaich.server.supervisor.signals import OF_WORKER, TERM, USR1, Signals
from quaich.server.system.process import drop_privileges
from quaich.settings import SettingError, Settings, Tls
from quaich.types import WSGIApplication

if TYPE_CHECKING:
    from quaich.server.tls.certificates import Certificates

logger = SafeLogger("quaich.error")

_RARELY: Final = 1.0  # seconds between two signs of life
_OFTEN: Final = 0.25  # the same where somebody counts what the worker does

_SPARE_TIME: Final = 5.0
"""Seconds, besides those for requests, in which a worker without a supervisor has to end: nobody
kills it if a thread of the application keeps it."""

_PARENT_LOOK: Final = 1.0  # seconds between two looks for the supervisor while it is not ready yet

_ASK_TIMEOUT: Final = 60.0  # seconds that the application has for ready_path

_HOST: Final = "localhost"  # of that question


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is given by the supervisor."""

    load: Callable[[Settings], WSGIApplication]
    settings: Settings
    listeners: list[socket.socket]
    error_log: ErrorLog
    slot: Slot
    channel: Channel
    supervisor: int  # its pid
    admin: socket.socket | None = None  # not its own
    certificates: "Certificates | None" = None


def live(post: Post) -> int:
    """Serve until told otherwise; the exit code of the process."""
    try:
        return _live(post)
    except CannotStart as failure:
        return _fail(post, failure)
    except Exception as error:
        line = f"the worker failed: {type(error).__name__}: {error}"
        # There may be no standard error to which Python could say it.
        if post.slot.state == "starting":
            return _fail(post, CannotStart(line, traceback.format_exc(), exit_code=1))
        logger.error("%s", line, exc_info=error)
        return 1


def _fail(post: Post, failure: CannotStart) -> int:
    """Let the supervisor know; the exit code."""
    post.channel.send_failure(failure)
    # The supervisor is to know that this was all, though a thread of the application may keep the
    # process for a while.
    post.channel.close()
    return failure.exit_code


def _live(post: Post) -> int:
    # RuntimeError, AttributeError, …: there is no such stderr.
    with contextlib.suppress(RuntimeError, AttributeError, ValueError, OSError):
        faulthandler.enable()  # also for SIGABRT, by which a worker that hangs is ended
    if post.admin is not None:
        post.admin.close()
    with _supervised(post.supervisor):
        server, access_log = _begin(post)
    with Signals(OF_WORKER) as signals:
        worker = _Worker(post, server, access_log, signals)
        if post.certificates is not None:
            post.certificates.on_denied = lambda: post.channel.send(messages.CERTIFICATE)
        server.on_stuck = lambda line: post.channel.send(messages.STUCK)
        server.start()
        server.figures.publish(post.slot)
        post.slot.state = "ready"
        post.channel.send(messages.READY)
        worker.serve()
        worker.retire()
    if access_log is not None:
        access_log.close()
    return 0


def leave(run: Callable[[], int]) -> None:
    """Run it and end the process, without a way back to what the parent was doing. What was
    registered to be done at the exit of the interpreter is done."""
    code = 1
    try:
        code = run()
        # As in multiprocessing: without this, threads that are not daemons would be cut off.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


# --- The beginning --------------------------------------------------------------------------


@contextlib.contextmanager
def _supervised(supervisor: int) -> Iterator[None]:
    """A block during which the process ends at once if its supervisor does. An import may last for
    ever, with the sockets; and the main thread, which would hear of the end, is in it."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_PARENT_LOOK):
            if os.getppid() != supervisor:
                logger.warning("the supervisor is no more; this worker, not ready yet, ends too")
                os._exit(1)

    threading.Thread(target=look, name="quaich-supervised", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _begin(post: Post) -> tuple[Server, AccessLog | None]:
    """The server, which listens and does not answer yet. CannotStart."""
    settings = post.settings
    try:
        # Before the owner changes: the directory of the log may be closed to that one.
        access_log = open_access_log(settings.logs)
        # Whatever the settings say by now: those that were only reserved do not listen.
        listeners = own_listeners(post.listeners, settings.listen.backlog)
        drop_privileges(settings.process)
        application = _load(lambda: post.load(settings))
        post.error_log.yield_to_application()
        if settings.workers.ready_path is not None:
            _ask(application, settings, settings.workers.ready_path)
        server = Server(
            application,
            settings=settings,
            sockets=listeners,
            access_log=access_log,
            is_shared=True,
            certificates=post.certificates,
        )
    except SettingError as error:
        raise CannotStart(str(error), exit_code=2) from error
    except CannotListen as error:
        raise CannotStart(str(error), exit_code=2) from error
    return server, access_log


def _load(load: Callable[[], WSGIApplication]) -> WSGIApplication:
    try:
        return load()
    except CannotStart:
        raise
    except BaseException as error:
        line = f"the application could not be loaded: {type(error).__name__}"
        raise CannotStart(line, traceback.format_exc()) from error


def _ask(application: WSGIApplication, settings: Settings, path: str) -> None:
    """Ask the application for ``path``, through a server of its own on a private port: the same
    stack, and nobody else can come in. CannotStart, if the answer is 400 or more."""
    from http.client import HTTPConnection, HTTPException

    private = replace(
        settings,
        tls=Tls(),
        proxies=replace(settings.proxies, proxy_protocol="off"),
        listen=replace(settings.listen, bind=("127.0.0.1:0",), reuse_port=False),
    )
    try:
        with Server(application, settings=private, is_shared=True) as server:
            connection = HTTPConnection("127.0.0.1", server.port, timeout=_ASK_TIMEOUT)
            with contextlib.closing(connection):
                connection.request("GET", path, headers={"Host": _HOST})
                status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise CannotStart(f"ready_path: GET {path} has no answer: {reason}") from error
    if status >= 400:
        hint = f"; it was asked with Host: {_HOST}, which it may have to allow" * (status == 400)
        raise CannotStart(f"ready_path: the application answers GET {path} with {status}{hint}")


# --- What it does meanwhile --------------------------------------------------------------------


class _Worker:
    """The main thread of a worker, while others serve."""

    def __init__(
        self, post: Post, server: Server, access_log: AccessLog | None, signals: Signals
    ) -> None:
        self._settings = post.settings
        self._error_log = post.error_log
        self._slot = post.slot
        self._channel = post.channel
        self._server = server
        self._access_log = access_log
        self._signals = signals
        self._is_told = False  # to retire
        self._is_quick = False
        self._is_alone = False  # the supervisor is no more
        self._has_asked = False  # to be replaced
        self._poll = select.poll()
        self._poll.register(signals.fileno(), select.POLLIN)
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._interval = _OFTEN if _is_counted(post.settings) else _RARELY

    def serve(self) -> None:
        """Wait until it is to retire."""
        while not self._is_told:
            self._wait(self._interval)

    def retire(self) -> None:
        """Accept no more, finish what there is within the time for that, and end."""
        server = self._server
        self._slot.state = "draining"
        deadline = monotonic() + self._settings.timeouts.graceful_timeout
        server.stop(idle=0.0 if self._is_quick else IDLE)
        hurries = is_closed = False
        while not server.wait_until_stopped(0.02):
            if not is_closed and not server.is_accepting:
                is_closed = True
                self._channel.send(messages.CLOSED)
            if self._is_quick and not hurries:
                hurries = True
                server.stop()
                deadline = min(deadline, monotonic() + QUICK)
            if monotonic() >= deadline:
                break
            self._wait(0.0)
        cut_off = server.close(0.0)
        if cut_off:
            logger.warning("%d request%s cut off", cut_off, " was" if cut_off == 1 else "s were")
        self._publish()

    def _wait(self, seconds: float) -> None:
        """Wait for something to happen, and see to it."""
        self._poll.poll(round(seconds * 1000))
        for number in self._signals.read():
            self._on_signal(number)
        if not self._is_alone:
            said, has_ended = self._channel.receive()
            for byte in said:
                self._on_message(bytes((byte,)))
            if has_ended:
                logger.warning("the supervisor is no more; this worker ends too")
                self._is_alone = self._is_told = True
                _end_within(self._settings.timeouts.graceful_timeout + _SPARE_TIME)
                self._poll.unregister(self._channel.fileno())
        self._publish()

    def _publish(self) -> None:
        """The figures, which are a sign of life too."""
        self._server.figures.publish(self._slot)

    def _on_signal(self, number: int) -> None:
        if number == USR1:
            self._reopen()
        elif number == TERM and not self._has_asked:
            # Another one first, so that somebody is there meanwhile.
            self._has_asked = True
            self._channel.send(messages.SIGNALLED)
        else:
            self._is_told = True
            self._is_quick = self._is_quick or number != TERM

    def _on_message(self, message: bytes) -> None:
        if message == messages.LOOK:
            self._server.look_again()
        elif message == messages.REOPEN:
            self._reopen()
        elif message in (messages.RETIRE, messages.QUICK):
            self._is_told = True
            self._is_quick = self._is_quick or message == messages.QUICK

    def _reopen(self) -> None:
        self._error_log.reopen()
        if self._access_log is not None:
            self._access_log.reopen()


def _end_within(seconds: float) -> None:
    """End the process then, whatever keeps it."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _is_counted(settings: Settings) -> bool:
    """Whether somebody looks at the figures more than once a second."""
    workers, admin = settings.workers, settings.admin
    return bool(
        workers.max_requests or workers.max_worker_memory or admin.admin_bind or admin.statsd_host
    )
