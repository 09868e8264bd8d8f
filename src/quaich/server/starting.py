"""The errors of a server that cannot begin to serve."""

import errno
from typing import Any

from quaich.settings import Address


class CannotStart(Exception):
    """The application cannot be served. ``str()`` is one line; ``report``, lines, is shown before
    it."""

    def __init__(self, line: str, report: str = "", exit_code: int = 3) -> None:
        super().__init__(line)
        self.report = report
        self.exit_code = exit_code


class CannotListen(OSError):
    """An address cannot be listened on; its text says why, in one line."""

    def __init__(self, address: object, host: str, reason: str, number: int = 0) -> None:
        """``address``: as :func:`~quaich.settings.parse_address` gives it, or words for what it is.
        ``host`` is the numeric address of a TCP one, ``number`` the errno."""
        super().__init__(number, f"cannot listen on {address}: {reason}")
        self.address: Any = address
        self.host = host

    def __str__(self) -> str:
        return str(self.args[1])

    @property
    def is_taken(self) -> bool:
        """Somebody else has the TCP port."""
        return self.errno == errno.EADDRINUSE and isinstance(self.address, Address)
