"""Which requests are likely to keep a thread waiting.

Applications answer a route about as fast as they did before. So the routes that were slow are
kept, and nothing about the quick ones: where all are quick, a question costs a look at an
empty table.
"""

from typing import Final

SLOW: Final = 0.0002
"""Seconds. A call that takes longer than this costs others more than handing over would."""

_ENTRIES_MAX: Final = 512
_WEIGHT: Final = 1 / 64  # of the newest call in the running share of slow ones
_FORGET: Final = 0.004  # below this share a route counts as quick


class Predictor:
    """A running estimate, for each route, of how often a call is slow.

    A route is the method and the first segment of the path. Shared by all threads: an
    update that another overwrites at the same moment loses one observation, nothing else.
    """

    __slots__ = ("shares",)

    def __init__(self) -> None:
        self.shares: dict[tuple[str, str], float] = {}
        """Of each route that was slow of late, the share of slow calls, above 0 to 1."""

    def share(self, method: str, path: str) -> float:
        """How likely a call is slow, 0 to 1."""
        return self.shares.get(_route(method, path), 0.0)

    def record(self, method: str, path: str, seconds: float) -> None:
        """Learn from a call. Quick ones are of use only while :attr:`shares` is not empty."""
        route = _route(method, path)
        share = self.shares.get(route)
        slow = seconds > SLOW
        if share is None:
            if slow:
                if len(self.shares) >= _ENTRIES_MAX:
                    self.shares.clear()
                # Once is a hint, not a habit: a module was imported, a cache was cold.
                self.shares[route] = _WEIGHT
            return
        share += (slow - share) * _WEIGHT
        if share < _FORGET:
            self.shares.pop(route, None)
        else:
            self.shares[route] = share


def _route(method: str, path: str) -> tuple[str, str]:
    end = path.find("/", 1)
    return method, path[: 64 if end < 0 or end > 64 else end]
