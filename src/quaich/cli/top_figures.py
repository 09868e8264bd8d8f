"""What ``quaich top`` shows, from two looks at an admin address: pure.

parse_metrics       Prometheus's text, as far as quaich.server.admin.metrics writes it
Look                /status and /metrics at one moment
rates               what has happened between two looks
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from quaich.server.figures.counters import quantile

Metrics: TypeAlias = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]
"""By the name of a sample: its labels and its value."""

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([-+.0-9a-zA-Z]+)", re.ASCII)
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', re.ASCII)
_ESCAPES: Final = {r"\\": "\\", r"\n": "\n", r"\"": '"'}

DURATION: Final = "quaich_request_duration_seconds"
QUEUE: Final = "quaich_request_queue_seconds"


class Look(NamedTuple):
    """What was answered at one moment; ``time`` is monotonic."""

    time: float
    status: Mapping[str, Any]
    metrics: Metrics


class Times(NamedTuple):
    """Quantiles of times in seconds; None if there were none."""

    median: float | None
    p90: float | None
    p99: float | None


class Rates(NamedTuple):
    """What has happened, per second, and how long it took."""

    seconds: float  # the time that this is about
    requests: float
    by_class: Mapping[str, float]
    content_bytes: float
    aborts: float
    duration: Times
    queue: Times


def parse_metrics(text: str) -> Metrics:
    """The samples of a text. ValueError if a line is none."""
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise ValueError(f"not a sample of Prometheus's format: {line[:100]!r}")
        name, labels, value = sample.groups()
        pairs = {
            label: re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), text)
            for label, text in _LABEL.findall(labels or "")
        }
        found.setdefault(name, []).append((pairs, float(value)))
    return found


def rates(now: Look, before: Look | None) -> Rates:
    """What has happened since ``before``; without it, since the server was started."""
    if before is None:
        seconds = float(now.status["uptime"])
        former: Metrics = {}
    else:
        seconds = now.time - before.time
        former = before.metrics
        if _total(now.metrics, "quaich_requests_begun_total") < _total(
            former, "quaich_requests_begun_total"
        ):
            former = {}  # another server has come in its place
    seconds = max(seconds, 1e-3)

    def rate(name: str, **labels: str) -> float:
        return (_total(now.metrics, name, labels) - _total(former, name, labels)) / seconds

    classes = sorted(
        {labels["status"] for labels, _ in now.metrics.get("quaich_requests_total", ())}
    )
    return Rates(
        seconds=seconds,
        requests=rate("quaich_requests_total"),
        by_class={each: rate("quaich_requests_total", status=each) for each in classes},
        content_bytes=rate("quaich_response_content_bytes_total"),
        aborts=rate("quaich_client_aborts_total"),
        duration=_times(now.metrics, former, DURATION),
        queue=_times(now.metrics, former, QUEUE),
    )


def _total(metrics: Metrics, name: str, labels: Mapping[str, str] | None = None) -> float:
    wanted = (labels or {}).items()
    return sum(value for each, value in metrics.get(name, ()) if wanted <= each.items())


def _buckets(metrics: Metrics, name: str) -> dict[float, float]:
    return {float(labels["le"]): value for labels, value in metrics.get(f"{name}_bucket", ())}


def _times(now: Metrics, former: Metrics, name: str) -> Times:
    before = _buckets(former, name)
    grown = sorted(
        (bound, value - before.get(bound, 0.0)) for bound, value in _buckets(now, name).items()
    )
    return Times(*(quantile(grown, share) for share in (0.5, 0.9, 0.99)))
