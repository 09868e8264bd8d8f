"""Telling the service manager how it goes: the protocol of sd_notify(3), spoken directly.

A datagram of lines ``NAME=VALUE`` goes to the socket that ``NOTIFY_SOCKET`` names. Where there is
none, nothing happens; where it cannot be sent, nothing but a line in the log: a server is not to
fail for that.
"""

import os
import re
import socket
from collections.abc import Callable, Mapping
from time import monotonic_ns
from typing import Final

from quaich.exchange.log import SafeLogger

logger = SafeLogger("quaich.error")

_PATIENCE: Final = 1.0  # seconds that a manager may take to read what is in its queue


class Notifier:
    """Whom to tell, and how often it wants to hear. Each message has a socket of its own, so
    threads and forked processes can use one notifier."""

    def __init__(
        self,
        address: str | None = None,
        watchdog_interval: float | None = None,
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        """``address``: a path, or an abstract name behind ``@``. ``clock``: CLOCK_MONOTONIC, in
        nanoseconds."""
        self.address = address
        self.watchdog_interval = watchdog_interval
        self._clock = clock

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, pid: int | None = None
    ) -> "Notifier":
        """What ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` say. ``pid`` is this
        process's. They stay in the environment: a new program over the same sockets needs them."""
        address = environ.get("NOTIFY_SOCKET") or None
        if address is not None and not address.startswith(("/", "@")):
            logger.warning("NOTIFY_SOCKET=%s is neither a path nor @NAME; not used", address)
            address = None
        interval = watchdog_interval(environ, os.getpid() if pid is None else pid)
        return cls(address, None if address is None else interval)

    def ready(self, status: str = "") -> None:
        """The service is up, or has been reloaded."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """A reload has begun; :meth:`ready` ends it. With the time at which it began, as
        ``Type=notify-reload`` wants it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._clock() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """A line for who looks, in ``systemctl status``."""
        self._send(*_status(text))

    def watchdog(self) -> None:
        """All is well; due every ``watchdog_interval`` seconds, if that is not None."""
        self._send("WATCHDOG=1")

    def main_pid(self, pid: int) -> None:
        """The main process is another one from now on."""
        self._send(f"MAINPID={pid}")

    def _send(self, *lines: str) -> None:
        address = self.address
        if address is None or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE)
                sender.sendto(
                    "\n".join(lines).encode("utf-8", "backslashreplace"),
                    f"\0{address[1:]}" if address.startswith("@") else address,
                )
        except OSError as error:
            logger.warning("%s cannot be sent to NOTIFY_SOCKET=%s: %s", lines[0], address, error)


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two signs of life: half of ``WATCHDOG_USEC``, as sd_watchdog_enabled(3)
    advises. None if nobody waits for them, or not for those of this process."""
    microseconds, watched = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if watched and watched != str(pid):
        return None
    if not re.fullmatch("[0-9]{1,20}", microseconds) or int(microseconds) == 0:
        return None
    return int(microseconds) / 2e6


def _status(text: str) -> list[str]:
    """A line break would begin another variable."""
    text = " ".join(text.split())
    return [f"STATUS={text}"] if text else []
