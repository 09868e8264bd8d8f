"""A server as a process: logs, signals, and the words that are said meanwhile.

serve               an application, until a signal
  serve_loaded        the same for what has to be loaded first: alone, or
                      supervised (quaich.server.supervisor)
    Stopping            SIGTERM, SIGINT: noted, the second one ends the process (stopping)
    serve_until         the order in which things are opened
      run                 "Listening on …", and what follows a signal
"""

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from quaich.exchange.log import SafeLogger
from quaich.server.listeners.listening import (
    CannotListen,
    address_of,
    close_listeners,
    open_listeners,
)
from quaich.server.logs.access_format import compile_format
from quaich.server.logs.files import ErrorLog, hand_over, open_access_log
from quaich.server.server import Server, check_callable
from quaich.server.stopping import Stopping, Terminal
from quaich.server.system import process
from quaich.server.system.notify import Notifier
from quaich.server.system.pidfile import PidFile
from quaich.settings import Address, SettingError, Settings, from_keywords, merge, parse_address
from quaich.settings.address import UnixAddress, collide
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment

if TYPE_CHECKING:
    from quaich.server.tls.certificates import Certificates

logger = SafeLogger("quaich.error")

Load = Callable[[Settings], WSGIApplication]
"""Gives the application that the settings name."""

QUICK: Final = 2.0
"""Seconds that requests under way have after SIGINT: whoever presses Ctrl-C is waiting.
gunicorn gives them none, uvicorn as many as after SIGTERM."""

IDLE: Final = 1.0
"""Seconds for which a connection has to have been idle before it is closed after SIGTERM: a
client that is about to send gets its answer, which says that it is the last."""

QUIET_TIME: Final = 0.3
"""Seconds after a signal before it is said that requests are waited for: mostly there is
nothing to say."""

# Settings that are about replacing workers.
_NEED_WORKERS: Final = (
    "preload",
    "ready_path",
    "max_requests",
    "max_worker_memory",
    "max_worker_lifetime",
)


def serve(application: WSGIApplication, **keywords: Any) -> None:
    """Serve an application until SIGTERM or SIGINT; every setting is a keyword argument.

    To be called in the main thread, where Python handles signals; elsewhere that is a
    RuntimeError. Raises :class:`~quaich.settings.SettingError` for a wrong setting,
    :class:`~quaich.server.listeners.listening.CannotListen`, and TypeError for an application that
    cannot be called.
    """
    check_callable(application)
    settings = settings_of(from_keywords(keywords))
    serve_loaded(lambda settings: application, settings, is_given=True)


def settings_of(*sources: Any) -> Settings:
    """The settings that sources say, the first counting most; also the texts are checked whose
    meaning only the server knows."""
    return merge(*sources, checks={"access_logformat": compile_format})


def serve_loaded(
    load: Load,
    settings: Settings,
    reread: Callable[[], Settings] | None = None,
    *,
    is_given: bool = False,
) -> None:
    """Load an application and serve it until a signal: in this process, or in workers that this
    one supervises.

    ``reread`` reads all settings again, for SIGHUP. ``is_given``: the application was there
    before, and ``load`` only returns it.
    Raises SettingError with the name of the setting alone, CannotListen, what ``load`` raises,
    and :class:`~quaich.server.starting.CannotStart` for a worker that does not come to serve.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "Python handles signals in the main thread, so serve() runs only there;"
            " quaich.Server does without"
        )
    check_workers(settings)
    if settings.workers.workers != 0:
        if not hasattr(os, "fork"):
            raise SettingError("workers", "this system cannot fork; 0 serves in one process")
        # Imported here: it is of no use to a single process, nor to a system without fork().
        from quaich.server.supervisor import supervise

        supervise(load, settings, reread, is_given=is_given)
        return
    with Stopping() as stopping:
        process.prepare(settings.process)
        check_files(settings)
        serve_until(stopping, lambda: load(settings), settings)


def check_workers(settings: Settings) -> None:
    """SettingError, if a setting needs workers and there are none."""
    if settings.workers.workers != 0:
        return
    wanted = [name for name in _NEED_WORKERS if getattr(settings.workers, name)]
    if settings.listen.reuse_port:
        wanted.append("reuse_port")
    if wanted:
        raise SettingError(wanted[0], "it needs --workers 1 or more")


def check_files(settings: Settings) -> None:
    """SettingError, if a directory of ``static`` is not there. To be called where the application
    is loaded, after ``chdir``."""
    if settings.files.static:
        from quaich.static import wrap  # who sends no files is not to load it

        wrap(_nobody, settings.files)


def _nobody(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An application that is not called."""
    return []


def serve_until(
    stopping: Stopping, load: Callable[[], WSGIApplication], settings: Settings
) -> None:
    """Serve until a signal, in this process; then stop as it says."""
    with contextlib.ExitStack() as stack:
        owner = process.owner(settings.process)
        hand_over(settings.logs, owner.uid, owner.gid)
        error_log = stack.enter_context(ErrorLog(settings.logs))
        access_log = open_access_log(settings.logs)
        if access_log is not None:
            stack.callback(access_log.close)
        listeners = open_all(settings, owner)
        stack.callback(close_listeners, listeners)
        admin_listener = open_pages(settings)
        if admin_listener is not None:
            stack.callback(close_listeners, [admin_listener])
        pidfile = stack.enter_context(PidFile(settings.process.pidfile))
        certificates = certificates_of(settings)
        process.drop_privileges(settings.process)
        process.set_title(settings.process.name or "quaich")
        application = stopping.load(load)
        if application is None:
            return
        error_log.yield_to_application()
        server = Server(
            application,
            settings=settings,
            sockets=listeners,
            access_log=access_log,
            certificates=certificates,
        )
        if admin_listener is not None or settings.admin.statsd_host is not None:
            from quaich.server import admin  # of no use where nobody asks for figures

            stack.enter_context(admin.start(server, admin_listener))
        stack.enter_context(contextlib.closing(server))

        def reopen() -> None:
            error_log.reopen()
            if access_log is not None:
                access_log.reopen()

        def clear() -> None:
            pidfile.remove()
            close_listeners([*listeners, *([] if admin_listener is None else [admin_listener])])

        stack.enter_context(stopping.clearing(clear))
        run(server, stopping, reopen, admin_listener)


def open_all(settings: Settings, owner: process.Owner) -> list[socket.socket]:
    """The listeners of the settings. CannotListen."""
    uid, gid = owner.uid, owner.gid
    return open_listeners(
        settings.listen,
        reserve=settings.listen.reuse_port,
        owner=None if gid is None else (-1 if uid is None else uid, gid),
    )


def open_pages(settings: Settings) -> socket.socket | None:
    """The listener of the pages for an operator, if there are to be any. To be opened after the
    others. CannotListen; SettingError, if it is one of the others that has the address."""
    text = settings.admin.admin_bind
    if text is None:
        return None
    from quaich.server.admin import open_admin  # of no use where nobody asks for pages

    address, others = parse_address(text), map(parse_address, settings.listen.bind)
    is_ours = any(collide(address, each) for each in others)
    reason = f"{text} is an address of --bind already; it takes one of its own"
    if is_ours and settings.listen.reuse_port:  # bound only, which does not keep others away
        raise SettingError("admin_bind", reason)
    try:
        return open_admin(settings)
    except CannotListen as error:
        if is_ours and error.errno == errno.EADDRINUSE:
            raise SettingError("admin_bind", reason) from error
        raise


def certificates_of(settings: Settings) -> "Certificates | None":
    """The certificates of the settings, if there are any. To be loaded before the owner of the
    process changes. SettingError."""
    if settings.tls.certfile is None:
        return None
    from quaich.server.tls.certificates import load_certificates  # loads OpenSSL

    return load_certificates(settings.tls)


def run(
    server: Server,
    stopping: Stopping,
    reopen: Callable[[], None] = lambda: None,
    admin: socket.socket | None = None,
) -> None:
    """Start a server, say where it listens, and end it after a signal. ``reopen`` opens the logs
    anew, ``admin`` is the listener of the pages for an operator."""
    notifier = Notifier.from_environment()
    server.start()
    announce(server.addresses, server.scheme, admin)
    notifier.ready()
    with _watchdog(notifier, server):
        terminal = Terminal()
        stopping.wait(_Others(stopping, terminal, reopen), terminal)
        notifier.stopping()
        _end(server, stopping)


def _end(server: Server, stopping: Stopping) -> None:
    """Stop as the signal says."""
    seconds = server.settings.timeouts.graceful_timeout
    if stopping.is_quick:
        seconds = min(seconds, QUICK)
    server.stop(idle=0.0 if stopping.is_quick else IDLE)
    if not server.wait_until_stopped(min(QUIET_TIME, seconds)) and seconds > QUIET_TIME:
        count = server.requests_under_way
        if count:
            say(
                f"Stopping; waiting up to {seconds:g} s for {_requests(count)}, "
                "Ctrl-C again to quit now"
            )
    cut_off = server.close(max(0.0, seconds - QUIET_TIME))
    if cut_off:
        say(f"{_requests(cut_off)} {'was' if cut_off == 1 else 'were'} cut off")


class _Others:
    """What a single process does at signals that are not to stop it."""

    def __init__(self, stopping: Stopping, terminal: Terminal, reopen: Callable[[], None]) -> None:
        self._stopping = stopping
        self._terminal = terminal
        self._reopen = reopen

    def __call__(self, number: int) -> bool:
        """See to it; whether it means to stop."""
        name = signal.Signals(number).name
        if name == "SIGUSR1":
            self._reopen()
        elif (
            name == "SIGHUP"
            and self._terminal.was_closed()
            and not self._stopping.was_ignored(number)
        ):
            return True  # its window was closed
        else:
            logger.warning(
                "%s: there are no workers to be replaced, so all goes on as it is; "
                "--workers 1 or more has them",
                name,
            )
        return False


@contextlib.contextmanager
def _watchdog(notifier: Notifier, server: Server) -> Iterator[None]:
    """Meanwhile, tell the service manager that all is well, if it waits for that, and as long as
    the server's loop comes round."""
    interval = notifier.watchdog_interval
    if interval is None:
        yield
        return
    ended = threading.Event()

    def tell() -> None:
        beat = -1.0
        # Twice as often as it should be told: so one look at a busy moment is no harm.
        while not ended.wait(interval / 2):
            former, beat = beat, server.beat
            if beat != former:
                notifier.watchdog()
            server.nudge()

    thread = threading.Thread(target=tell, name="quaich-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def announce(
    addresses: Iterable[Address | UnixAddress], scheme: str, admin: socket.socket | None = None
) -> None:
    """The lines ``Listening on …``; the last one is about the pages for an operator."""
    for address in addresses:
        say(f"Listening on {address.shown(scheme)}")
    if admin is not None:
        say(f"Admin pages on {address_of(admin).shown('http')}")


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def say(line: str) -> None:
    """On stderr, if there is one and somebody reads it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
