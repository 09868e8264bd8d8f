"""/metrics: figures in Prometheus's text format, version 0.0.4.

Names, types and meanings are in docs/operations/monitoring.md. Counters are of all workers since
the server was started, those that have ended too; so they never go back when one is replaced.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from quaich.server.admin.looking import Facts, View, readiness
from quaich.server.figures.board import STATES
from quaich.server.figures.counters import Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = Mapping[str, str]
Sample: TypeAlias = tuple[str, Labels, float]  # what is behind the name, labels, value

_NO_LABELS: Final[Labels] = {}


def format_metrics(view: View, facts: Facts) -> str:
    """All of it."""
    tally = view.tally
    is_ready, _ = readiness(view)
    states: list[str] = [worker.state for worker in view.workers]
    families = (
        _family(
            "quaich_info",
            "gauge",
            "Always 1; its labels say what runs.",
            [("", {"version": facts.version, "python": facts.python}, 1)],
        ),
        _gauge("quaich_start_time_seconds", "When the server was started.", view.started),
        _gauge("quaich_ready", "1 if requests are answered soon, as /readyz says.", is_ready),
        _family(
            "quaich_workers",
            "gauge",
            "Workers by what they do.",
            [("", {"state": state}, states.count(state)) for state in STATES if state != "free"],
        ),
        _family(
            "quaich_worker_restarts_total",
            "counter",
            "Workers that were replaced, by the reason.",
            [("", {"reason": reason}, count) for reason, count in view.restarts.items()],
        ),
        _counter(
            "quaich_requests_begun_total",
            "Requests for which the application was called.",
            view.requests,
        ),
        _family(
            "quaich_requests_total",
            "counter",
            "Requests that have ended, by method and class of their status.",
            [
                ("", {"method": method, "status": status}, count)
                for (method, status), count in tally.by_method().items()
            ],
        ),
        _family(
            "quaich_responses_total",
            "counter",
            "Responses by their status code.",
            [("", {"code": str(code)}, count) for code, count in tally.by_code().items()],
        ),
        _counter(
            "quaich_requests_refused_total",
            "Requests that the server has refused before an application saw them.",
            tally.refused,
        ),
        _counter(
            "quaich_client_aborts_total",
            "Requests whose client went before it had its response.",
            tally.aborts,
        ),
        _counter(
            "quaich_response_content_bytes_total",
            "Bytes of content that the application has sent.",
            tally.content_bytes,
        ),
        _histogram(
            "quaich_request_duration_seconds",
            "Time that the application took for a request.",
            tally.durations,
        ),
        _histogram(
            "quaich_request_queue_seconds",
            "Time from the bytes of a request being there until the application was called.",
            tally.queue_times,
        ),
        _gauge(
            "quaich_requests_in_flight",
            "Requests that the application is busy with.",
            view.total("in_flight"),
        ),
        _gauge(
            "quaich_requests_queued",
            "Requests that wait for a thread.",
            view.total("queued"),
        ),
        _gauge("quaich_connections", "Connections that are open.", view.total("connections")),
        _gauge("quaich_threads", "Threads that have been started.", view.total("threads")),
        _gauge(
            "quaich_calls_max",
            "Requests that the application may be busy with at once, in workers that are ready.",
            sum(worker.thread_limit for worker in view.workers if worker.is_ready),
        ),
        _family(
            "quaich_worker_memory_bytes",
            "gauge",
            "Memory that a worker has in use (resident set).",
            [
                ("", {"worker": str(worker.index)}, worker.memory)
                for worker in view.workers
                if worker.memory
            ],
        ),
    )
    return "".join(families)


def _counter(name: str, text: str, value: float) -> str:
    return _family(name, "counter", text, [("", _NO_LABELS, value)])


def _gauge(name: str, text: str, value: float) -> str:
    return _family(name, "gauge", text, [("", _NO_LABELS, value)])


def _histogram(name: str, text: str, histogram: Histogram) -> str:
    samples: list[Sample] = []
    count = 0
    for bound, count in histogram.cumulative():
        samples.append(("_bucket", {"le": format_number(bound)}, count))
    samples.append(("_sum", _NO_LABELS, histogram.total_seconds))
    samples.append(("_count", _NO_LABELS, count))
    return _family(name, "histogram", text, samples)


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for suffix, labels, value in samples:
        shown = ",".join(f'{label}="{_escape(each)}"' for label, each in labels.items())
        lines.append(f"{name}{suffix}{f'{{{shown}}}' if shown else ''} {format_number(value)}")
    return "\n".join(lines) + "\n"


def format_number(value: float) -> str:
    """As the format has it: whole numbers without a point, and +Inf."""
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
