"""The logs as files: opened, opened anew after they have been moved away, and given to those who
write them.

    ErrorLog            what the server's loggers say
    open_access_log     a line for each request (quaich.server.logs.access_log)
    hand_over           the files belong to whom the workers belong to
"""

import contextlib
import errno
import logging
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final

from quaich.exchange.log import SafeLogger
from quaich.server.logs.access_log import AccessLog
from quaich.settings import Logs, SettingError

logger = SafeLogger("quaich.error")

_FORMAT: Final = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"  # gunicorn's
_DATE_FORMAT: Final = "%Y-%m-%d %H:%M:%S %z"

_LOGGERS: Final = ("quaich.error", "quaich.application")  # docs/decisions/0009


class ErrorLog:
    """A context in which the server's loggers write. If the application has configured logging,
    what it has configured counts, unless a file was asked for.

    The constructor raises SettingError for a file that cannot be written.
    """

    def __init__(self, logs: Logs) -> None:
        self._path = None if logs.error_logfile == "-" else logs.error_logfile
        self._handler: logging.Handler | None = None
        self._before: list[tuple[logging.Logger, int, bool]] = []
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        for each in loggers:
            # So logging.config leaves those that it does not know: nobody would see a traceback.
            each.disabled = False
        if loggers[0].hasHandlers() and self._path is None:
            return
        self._handler = self._open()
        self._handler.setFormatter(logging.Formatter(_FORMAT, _DATE_FORMAT))
        self._before = [(each, each.level, each.propagate) for each in loggers]
        for each in loggers:
            each.addHandler(self._handler)
            each.setLevel(logs.log_level.upper())
            each.propagate = False

    def _open(self) -> logging.Handler:
        if self._path is None:
            return logging.StreamHandler()
        try:
            return logging.FileHandler(self._path, encoding="utf-8")
        except OSError as error:
            raise SettingError(
                "error_logfile", f"cannot write to {self._path!r}: {error.strerror}"
            ) from error

    def yield_to_application(self) -> None:
        """The application has been loaded; if it has configured logging, that counts from here
        on, unless a file was asked for."""
        logger = logging.getLogger(_LOGGERS[0])
        for name in _LOGGERS:
            logging.getLogger(name).disabled = False
        others = [each for each in logger.handlers if each is not self._handler]
        if self._path is None and (others or logging.getLogger().handlers):
            self.close()

    def reopen(self) -> None:
        """Open the file anew, after it has been moved away. If that fails, lines still go to the
        old one."""
        former = self._handler
        if self._path is None or former is None:
            return
        try:
            handler = self._open()
        except SettingError as error:
            logger.error("the error log cannot be opened anew: %s", error.reason)
            return
        handler.setFormatter(former.formatter)
        self._handler = handler
        for each, _, _ in self._before:
            each.addHandler(handler)
            each.removeHandler(former)
        _close(former)

    def close(self) -> None:
        """Leave the loggers as they were."""
        if self._handler is None:
            return
        for each, level, propagate in self._before:
            each.removeHandler(self._handler)
            each.setLevel(level)
            each.propagate = propagate
        _close(self._handler)
        self._handler = None

    def __enter__(self) -> "ErrorLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _close(handler: logging.Handler) -> None:
    with contextlib.suppress(OSError):  # what could not be written cannot be written now either
        handler.close()


def open_access_log(logs: Logs) -> AccessLog | None:
    """The access log, if there is to be one. SettingError for a file that cannot be written."""
    path = logs.access_logfile
    if path is None:
        return None
    try:
        return AccessLog(path, logs.access_logformat)
    except OSError as error:
        raise SettingError(
            "access_logfile", f"cannot write to {path!r}: {error.strerror}"
        ) from error


def check_files_of(logs: Logs) -> None:
    """SettingError, if a log file cannot be written. None is made."""
    for name in ("error_logfile", "access_logfile"):
        path = getattr(logs, name)
        if path is None or path == "-":
            continue
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC))
        except FileNotFoundError as error:
            parent = Path(path).parent
            if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
                continue
            raise SettingError(name, f"cannot write to {path!r}: {error.strerror}") from error
        except OSError as error:
            if error.errno != errno.ENXIO:  # a pipe that nobody reads as yet
                reason = f"cannot write to {path!r}: {error.strerror}"
                raise SettingError(name, reason) from error


def hand_over(logs: Logs, uid: int | None, gid: int | None) -> None:
    """Make the log files, if they are not there, and give them to a user and a group: so who has
    dropped privileges can open them anew. What cannot be done shows when they are opened."""
    if uid is None and gid is None:
        return
    for path in (logs.error_logfile, logs.access_logfile):
        if path is None or path == "-":
            continue
        with contextlib.suppress(OSError):
            # The directory may be that user's, who may have put a link there, and this is root.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
            try:
                status = os.fstat(fd)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    os.fchown(fd, -1 if uid is None else uid, -1 if gid is None else gid)
            finally:
                os.close(fd)
