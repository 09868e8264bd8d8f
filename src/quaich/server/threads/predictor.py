"""Which requests are likely to keep a thread waiting.

Applications answer a route about as fast as they did before. So the routes that were slow are
kept, and nothing about the quick ones: where all are quick, a question costs a look at an
empty table.
"""

from time import monotonic
from typing import Any, Final

from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment

SLOW: Final = 0.0002
"""Seconds. A call that takes longer than this costs others more than handing over would."""

_ENTRIES_MAX: Final = 512
_ROUTE_MAX: Final = 64  # characters
_WEIGHT: Final = 1 / 64  # of the newest call in the running share of slow ones
_FORGET: Final = 0.008  # below this share a route counts as quick

Route = tuple[str, str]


def route_of(method: str, target: str) -> Route:
    """What requests have in common that are likely to take as long: the method and the first
    segment of the path."""
    end = target.find("/", 1)
    if end < 0:
        end = target.find("?")
    return method, target[: end if 0 < end < _ROUTE_MAX else _ROUTE_MAX]


class Predictor:
    """A running estimate, for each route, of how often a call is slow.

    Shared by all threads: an update that another overwrites at the same moment loses one
    observation, nothing else.
    """

    __slots__ = ("shares",)

    def __init__(self) -> None:
        self.shares: dict[Route, float] = {}
        """Of each route that was slow of late, the share of slow calls, above 0 to 1."""

    def record(self, route: Route, seconds: float) -> None:
        """Learn from a call. Quick ones are of use only while :attr:`shares` is not empty."""
        share = self.shares.get(route)
        if share is None:
            if seconds > SLOW:
                if len(self.shares) >= _ENTRIES_MAX:
                    self.shares.clear()
                # Once is not a habit: a module was imported, memory was cleaned up, the
                # processor was somebody else's.
                self.shares[route] = _WEIGHT
            return
        share += ((seconds > SLOW) - share) * _WEIGHT
        if share < _FORGET:
            self.shares.pop(route, None)
        else:
            self.shares[route] = share


class Timed:
    """An application, and how long one call of it took.

    ``seconds`` is None where the call was not all of its work: the result is still to be
    iterated. What is not measured is the time for which a thread, once it sends, waits for the
    interpreter's lock: that would make every route seem slow on a busy server.
    """

    __slots__ = ("_application", "seconds")

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self.seconds: float | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        started = monotonic()
        result = self._application(environ, start_response)
        if type(result) is list:
            self.seconds = monotonic() - started
        return result
