"""Loggers that never raise: a handler that fails must not take a request, or a server, with it."""

import logging
import sys
from typing import Any


class SafeLogger:
    """The logger of a name, as far as it is used here; what a handler raises ends here."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def _log(self, level: int, message: str, *args: Any, exc_info: Any = None) -> None:
        try:
            # Tests for the level first: most debug lines are about every client that goes.
            if self._logger.isEnabledFor(level):
                self._logger.log(level, message, *args, exc_info=exc_info, stacklevel=3)
        except BaseException as error:
            try:
                sys.stderr.write(f"quaich: a log handler failed: {error!r}\n")
            except BaseException:
                pass

    def debug(self, message: str, *args: Any, exc_info: Any = None) -> None:
        self._log(logging.DEBUG, message, *args, exc_info=exc_info)

    def info(self, message: str, *args: Any) -> None:
        self._log(logging.INFO, message, *args)

    def warning(self, message: str, *args: Any) -> None:
        self._log(logging.WARNING, message, *args)

    def error(self, message: str, *args: Any, exc_info: Any = None) -> None:
        self._log(logging.ERROR, message, *args, exc_info=exc_info)
