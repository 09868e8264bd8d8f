"""The access log: lines through :mod:`logging`, on stderr where nobody has configured it (D126).

Loggers: ``quaich.access`` for a line per request, at INFO. As long as neither it nor a logger
above it has a handler, the bare lines go to ``sys.stderr``, as ``wsgiref`` writes them; from
then on they go to those handlers only.
"""

import logging
import sys
from functools import cache
from typing import Final

# C0, DEL and C1 controls and the backslash: what a client sends must not move the cursor of
# a terminal or look like another line (D054).
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\\"): "\\\\"
}


class _FallbackHandler(logging.Handler):
    """Writes to the ``sys.stderr`` of the moment, and only if no other handler gets the line."""

    def emit(self, record: logging.LogRecord) -> None:
        above: logging.Logger | None = logger()
        while above is not None:
            if any(handler is not self for handler in above.handlers):
                return
            above = above.parent if above.propagate else None
        stream = sys.stderr
        if stream is None:  # as under pythonw
            return
        try:
            stream.write(record.getMessage() + "\n")
        except (OSError, ValueError):
            pass  # closed, or nobody reads it: a request is not to fail for that


@cache
def logger() -> logging.Logger:
    """``quaich.access``, made when it is first asked for: ``logging.config`` disables the
    loggers that are there before it, and programs call it when they start."""
    made = logging.getLogger("quaich.access")
    if made.level == logging.NOTSET:
        made.setLevel(logging.INFO)
    made.addHandler(_FallbackHandler())
    return made


def escape(text: str) -> str:
    """The text with its control characters and backslashes written as escapes."""
    return text.translate(_ESCAPES)


def write_line(address: str, time: str, message: str) -> None:
    """Log one line, ``ADDRESS - - [TIME] MESSAGE``; the message is escaped here."""
    logger().info("%s - - [%s] %s", address, time, escape(message))
