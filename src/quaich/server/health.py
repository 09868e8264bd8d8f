"""``--health-path``: whether this process can take requests, said by the loop itself.

No thread of the application is asked for it; so the answer comes at once, also where all of them
are busy. That is then what it says.
"""

from typing import Final

from quaich.protocol.http1 import Request
from quaich.server.clock import Clock
from quaich.server.threads.crew import Crew
from quaich.types import WSGIEnvironment

READY: Final = "ready"
DRAINING: Final = "draining: it finishes what it has, and takes nothing new"
NO_WORKER: Final = "no worker is ready"


def saturated(queued: int) -> str:
    """The reason that is given where requests wait for a thread."""
    wait = "1 request waits" if queued == 1 else f"{queued} requests wait"
    return f"saturated: all threads are busy, and {wait} for one"


class Health:
    """Answers for one path."""

    def __init__(self, path: str, crew: Crew, clock: Clock) -> None:
        self._path = path
        self._crew = crew
        self._clock = clock

    def is_asked(self, request: Request, environ: WSGIEnvironment) -> bool:
        """Whether this request is for the server: GET or HEAD of the path, without content. Any
        other is the application's."""
        return (
            environ["PATH_INFO"] == self._path
            and request.decoder is None
            and request.method in ("GET", "HEAD")
        )

    def answer(self, request: Request, *, is_draining: bool, persists: bool) -> bytes:
        """The response: 200, or 503 with the reason in a line. ``persists``: the connection goes
        on after it."""
        queued = self._crew.queued
        reason = DRAINING if is_draining else saturated(queued) if queued else READY
        status = "200 OK" if reason is READY else "503 Service Unavailable"
        connection = ""
        if not persists:
            connection = "Connection: close\r\n"
        elif request.version == "HTTP/1.0":
            connection = "Connection: keep-alive\r\n"
        content = f"{reason}\n"
        return (
            f"HTTP/1.1 {status}\r\n{self._clock.fields()}"
            "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
            f"Content-Length: {len(content)}\r\n{connection}\r\n"
            f"{'' if request.method == 'HEAD' else content}"
        ).encode("latin-1")
