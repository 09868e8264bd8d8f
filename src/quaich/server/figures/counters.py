"""What a worker counts of its requests: where each number is, how it is added, how it is read.

    Counters              adds; any thread may
    Tally                 reads such numbers: of one worker, or the sums over many
      Histogram             how many took how long

All of them are whole numbers that only grow, in one list; so the sum of two lists is the count of
both (quaich.server.figures.board keeps such lists). Times are nanoseconds there, and seconds
elsewhere.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other")
CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", "none")
"""Of status codes; ``none`` is a request whose client went before there was a response."""

BOUNDS: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
"""Upper bounds of the buckets of a histogram, in seconds, each included; one more has the rest.
From 5 ms to 10 s they are those of Prometheus's clients; most requests are quicker here."""

_BUCKETS: Final = len(BOUNDS) + 1
_FIRST: Final = BOUNDS[0]
_NANO: Final = 1_000_000_000

_CODE_MIN: Final = 100
_CODES: Final = 500  # 100 to 599

# Where each begins.
_BY_CODE: Final = 0
_BY_METHOD: Final = _BY_CODE + _CODES
_BYTES: Final = _BY_METHOD + len(METHODS) * len(CLASSES)
_ABORTS: Final = _BYTES + 1
_REFUSED: Final = _ABORTS + 1
_DURATION: Final = _REFUSED + 1  # how many in each bucket, and their nanoseconds
_QUEUE: Final = _DURATION + 2 * _BUCKETS
_NO_CODE: Final = _QUEUE + 2 * _BUCKETS
SIZE: Final = _NO_CODE + 1

_ROWS: Final = {method: _BY_METHOD + number * len(CLASSES) for number, method in enumerate(METHODS)}
_OTHER_ROW: Final = _ROWS["other"]
_NONE: Final = len(CLASSES) - 1


class Counters:
    """Numbers of one worker. A lock is held for the additions of one request, so that a request
    is in all of them or in none, with and without a GIL."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values = [0] * SIZE

    def answered(
        self,
        method: str,
        code: int | None,
        size: int,
        duration: float,
        queued: float,
        *,
        is_aborted: bool = False,
    ) -> None:
        """A call of the application has ended. ``code``: its status, None if there was none;
        ``size``: bytes of content; ``duration`` and ``queued``: seconds in the application, and
        before; ``is_aborted``: the client had gone."""
        by_method, by_code = _places(method, code)
        # Most requests are in the first bucket of both.
        took = _DURATION if duration <= _FIRST else _DURATION + bisect_left(BOUNDS, duration)
        waited = _QUEUE if queued <= _FIRST else _QUEUE + bisect_left(BOUNDS, queued)
        duration_ns, queued_ns = int(duration * _NANO), int(queued * _NANO)
        values = self._values
        with self._lock:
            values[by_method] += 1
            values[by_code] += 1
            values[_BYTES] += size
            values[took] += 1
            values[took + _BUCKETS] += duration_ns
            values[waited] += 1
            if queued_ns > 0:
                values[waited + _BUCKETS] += queued_ns
            if is_aborted:
                values[_ABORTS] += 1

    def refused(self, method: str | None, code: int) -> None:
        """The server has refused a request: no application was called, and nothing measured."""
        by_method, by_code = _places(method or "other", code)
        values = self._values
        with self._lock:
            values[by_method] += 1
            values[by_code] += 1
            values[_REFUSED] += 1

    def values(self) -> list[int]:
        """All of them at one moment."""
        with self._lock:
            return self._values.copy()


def _places(method: str, code: int | None) -> tuple[int, int]:
    """Where a request is counted by its method, and where by its status code."""
    row = _ROWS.get(method, _OTHER_ROW)
    if code is None or not _CODE_MIN <= code < _CODE_MIN + _CODES:
        return row + _NONE, _NO_CODE
    return row + code // 100 - 1, _BY_CODE + code - _CODE_MIN


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many took how long: ``counts`` in each bucket, and the ``seconds`` of each bucket
    together. The last bucket has no upper bound."""

    counts: Sequence[int]
    seconds: Sequence[float]

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each upper bound and how many took no longer, as Prometheus has it; the last bound is
        infinite."""
        total = 0
        for bound, count in zip((*BOUNDS, float("inf")), self.counts, strict=True):
            total += count
            yield bound, total


class Tally:
    """What a list of such numbers says."""

    def __init__(self, values: Sequence[int]) -> None:
        self._values = values

    def by_method(self) -> dict[tuple[str, str], int]:
        """Requests that have ended, by method and class of their status; those that there were."""
        values = iter(self._values[_BY_METHOD:_BYTES])
        counts = {(method, status): next(values) for method in METHODS for status in CLASSES}
        return {key: count for key, count in counts.items() if count}

    def by_code(self) -> dict[int, int]:
        """Responses by their status code; those that there were."""
        codes = self._values[_BY_CODE : _BY_CODE + _CODES]
        return {code: count for code, count in enumerate(codes, _CODE_MIN) if count}

    @property
    def ended(self) -> int:
        """Requests that have ended, those that were refused too."""
        return sum(self._values[_BY_METHOD:_BYTES])

    @property
    def content_bytes(self) -> int:
        """Bytes of content that applications have sent."""
        return self._values[_BYTES]

    @property
    def aborts(self) -> int:
        """Requests whose client went before it had its response."""
        return self._values[_ABORTS]

    @property
    def refused(self) -> int:
        """Requests that the server has refused itself."""
        return self._values[_REFUSED]

    @property
    def durations(self) -> Histogram:
        """Of the application's part of each request."""
        return self._histogram(_DURATION)

    @property
    def queue_times(self) -> Histogram:
        """Between the bytes of a request and the call of the application."""
        return self._histogram(_QUEUE)

    def _histogram(self, start: int) -> Histogram:
        middle, end = start + _BUCKETS, start + 2 * _BUCKETS
        seconds = [each / _NANO for each in self._values[middle:end]]
        return Histogram(self._values[start:middle], seconds)


def quantile(cumulative: Sequence[tuple[float, float]], share: float) -> float | None:
    """The time that ``share`` of all took at most, from 0 to 1; None if there were none.

    ``cumulative``: upper bounds, the last of them infinite, and how many took no longer. Between
    two bounds it is taken that they are spread evenly, as Prometheus's ``histogram_quantile()``
    does; above the last finite bound nothing is known, and that bound is given.
    """
    if not cumulative or not cumulative[-1][1]:
        return None
    wanted = share * cumulative[-1][1]
    below, lower = 0.0, 0.0
    for bound, count in cumulative:
        if count >= wanted and count > below:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * max(0.0, wanted - below) / (count - below)
        below, lower = count, bound
    return lower
