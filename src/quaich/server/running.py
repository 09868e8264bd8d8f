"""A server as a process: logs, signals, and the words that are said meanwhile.

serve               an application, until a signal
  Stopping            SIGTERM, SIGINT: noted, the second one ends the process
  run                 "Listening on …", and what follows a signal
"""

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from quaich.server.access_format import compile_format
from quaich.server.access_log import AccessLog
from quaich.server.server import Server
from quaich.settings import Logs, SettingError, Settings, from_keywords, merge
from quaich.types import WSGIApplication

QUICK: Final = 2.0
"""Seconds that requests under way have after SIGINT: whoever presses Ctrl-C is waiting.
gunicorn gives them none, uvicorn as many as after SIGTERM."""

QUIET_TIME: Final = 0.3
"""Seconds after a signal before it is said that requests are waited for: mostly there is
nothing to say."""

_FORMAT: Final = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"  # gunicorn's
_DATE_FORMAT: Final = "%Y-%m-%d %H:%M:%S %z"

_LOGGERS: Final = ("quaich.error", "quaich.application")  # docs/decisions/0009


def serve(application: WSGIApplication, **keywords: Any) -> None:
    """Serve an application until SIGTERM or SIGINT; every setting is a keyword argument.

    To be called in the main thread, where Python handles signals; elsewhere that is a
    RuntimeError. Raises :class:`~quaich.settings.SettingError` for a wrong setting, and
    :class:`~quaich.server.listening.CannotListen`.
    """
    settings = settings_of(from_keywords(keywords))
    with Stopping() as stopping:
        serve_until(stopping, application, settings)


def settings_of(*sources: Any) -> Settings:
    """The settings that sources say, the first counting most; also the texts are checked whose
    meaning only the server knows."""
    return merge(*sources, checks={"access_logformat": compile_format})


class Stopping:
    """A context in which the first SIGTERM or SIGINT is noted, and a second one ends the
    process at once.

    SIGTERM needs a handler because process 1 of a container ignores it without one.
    """

    def __init__(self) -> None:
        self.is_noted = False
        self.is_quick = False  # it was SIGINT
        self._interrupts = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "Python handles signals in the main thread, so serve() runs only there;"
                " quaich.Server does without"
            )
        # A thread that waits for a lock misses a signal that comes just before it does; and a
        # handler may not do much. So Python itself writes a byte here when one comes.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._former = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for each in (signal.SIGINT, signal.SIGTERM):
            self._handlers[each] = signal.getsignal(each)
            signal.signal(each, self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for each, handler in self._handlers.items():
            # None: it was not Python that set it.
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._former)
        self._reader.close()
        self._writer.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        for each in self._handlers:
            signal.signal(each, signal.SIG_DFL)
        self.is_noted = True
        self.is_quick = self.is_quick or number == signal.SIGINT
        if self._interrupts:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """A block in which the signal is a KeyboardInterrupt: nothing is under way in it."""
        self._interrupts = True
        try:
            if self.is_noted:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    def wait(self) -> None:
        """Wait for the first signal."""
        while not self.is_noted:
            self._reader.recv(64)


def serve_until(stopping: Stopping, application: WSGIApplication, settings: Settings) -> None:
    """Serve until a signal; then stop as it says."""
    with _error_log(settings.logs), _access_log(settings.logs) as access_log:
        server = Server(application, settings=settings, access_log=access_log)
        with contextlib.closing(server):
            run(server, stopping)


def run(server: Server, stopping: Stopping) -> None:
    """Start a server, say where it listens, and end it after a signal."""
    server.start()
    for address in server.addresses:
        _say(f"Listening on http://{address}")
    stopping.wait()
    seconds = server.settings.timeouts.graceful_timeout
    if stopping.is_quick:
        seconds = min(seconds, QUICK)
    server.stop()
    if not server.wait_until_stopped(min(QUIET_TIME, seconds)) and seconds > QUIET_TIME:
        _say(
            f"Stopping; waiting up to {seconds:g} s for {_requests(server.requests_under_way)}, "
            "Ctrl-C again to quit now"
        )
    cut_off = server.close(max(0.0, seconds - QUIET_TIME))
    if cut_off:
        _say(f"{_requests(cut_off)} {'was' if cut_off == 1 else 'were'} cut off")


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def _say(line: str) -> None:
    """On stderr, if there is one and somebody reads it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


# --- Logs -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _error_log(logs: Logs) -> Iterator[None]:
    """What the server's loggers say, to stderr or a file. If the application has configured
    logging, what it has configured counts, unless a file was asked for."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        # So logging.config leaves those that it does not know: nobody would see a traceback.
        logger.disabled = False
    if loggers[0].hasHandlers() and logs.error_logfile == "-":
        yield
        return
    handler = _open(logs, "error_logfile", _error_handler)
    handler.setFormatter(logging.Formatter(_FORMAT, _DATE_FORMAT))
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logs.log_level.upper())
        logger.propagate = False
    try:
        yield
    finally:
        for logger, level, propagate in before:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
        handler.close()


def _error_handler(path: str) -> logging.Handler:
    if path == "-":
        return logging.StreamHandler()
    return logging.FileHandler(path, encoding="utf-8")


@contextlib.contextmanager
def _access_log(logs: Logs) -> Iterator[AccessLog | None]:
    path = logs.access_logfile
    if path is None:
        yield None
        return
    log = _open(logs, "access_logfile", lambda path: AccessLog(path, logs.access_logformat))
    try:
        yield log
    finally:
        log.close()


def _open(logs: Logs, name: str, opener: Callable[[str], Any]) -> Any:
    path = getattr(logs, name)
    try:
        return opener(path)
    except OSError as error:
        raise SettingError(name, f"cannot write to {path!r}: {error.strerror}") from error
