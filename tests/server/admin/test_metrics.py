"""/metrics, read by Prometheus's own parser."""

from math import inf
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quaich.server.admin.looking import Facts, look
from quaich.server.admin.metrics import format_metrics, format_number
from quaich.server.figures.board import REASONS, Board
from quaich.server.figures.counters import BOUNDS, Counters

FACTS = Facts(version='1.0"\\\n', python="3.11", addresses=("127.0.0.1:8000",))


def counted() -> Counters:
    counters = Counters()
    counters.answered("GET", 200, 100, 0.003, 0.0)
    counters.answered("GET", 200, 100, 0.3, 0.02)
    counters.answered("POST", 500, 10, 99.0, 0.0)
    counters.answered("GET", None, 0, 0.1, 0.0, is_aborted=True)
    counters.refused("PUT", 413)
    return counters


@pytest.fixture
def board() -> Board:
    board = Board(slots=4)
    board.begin(0, pid=1)
    board.slot(0).write_counters(counted().values())
    board.slot(0).requests = 4
    board.retire(0, "memory")
    slot = board.begin(1, pid=2)
    slot.state = "ready"
    slot.write_counters(counted().values())
    slot.requests, slot.in_flight, slot.queued, slot.threads = 4, 2, 1, 8
    slot.thread_limit = 32
    slot.connections, slot.memory = 12, 2**30
    board.begin(2, pid=3).thread_limit = 32  # not ready
    return board


def families(board: Board) -> dict[str, Any]:
    text = format_metrics(look(board), FACTS)
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Any) -> dict[tuple[str, ...], float]:
    """By what is behind the name of the family, and the values of the labels."""
    return {
        (sample.name.removeprefix(family.name), *sample.labels.values()): sample.value
        for sample in family.samples
    }


def test_each_figure_has_a_help_and_a_type(board: Board) -> None:
    found = families(board)
    assert all(family.documentation for family in found.values())
    assert {family.type for family in found.values()} == {"counter", "gauge", "histogram"}
    assert all(family.name.startswith("quaich_") for family in found.values())


def test_counters_are_of_all_workers_and_of_the_past(board: Board) -> None:
    found = families(board)
    assert values(found["quaich_requests"]) == {
        ("_total", "GET", "2xx"): 4,
        ("_total", "POST", "5xx"): 2,
        ("_total", "GET", "none"): 2,
        ("_total", "PUT", "4xx"): 2,
    }
    assert values(found["quaich_responses"]) == {
        ("_total", "200"): 4,
        ("_total", "500"): 2,
        ("_total", "413"): 2,
    }
    for name, value in (
        ("requests_begun", 8),
        ("requests_refused", 2),
        ("client_aborts", 2),
        ("response_content_bytes", 420),
    ):
        assert values(found[f"quaich_{name}"]) == {("_total",): value}


def test_restarts_are_counted_for_each_reason_from_the_start(board: Board) -> None:
    """A counter that comes into being with its first event has no increase to alert on."""
    found = values(families(board)["quaich_worker_restarts"])
    assert found == {("_total", reason): float(reason == "memory") for reason in REASONS}


def test_gauges_are_of_the_workers_there_are(board: Board) -> None:
    found = families(board)
    for name, value in (
        ("requests_in_flight", 2),
        ("requests_queued", 1),
        ("threads", 8),
        ("calls_max", 32),
        ("connections", 12),
        ("ready", 0),  # one request waits, and the only worker that is ready has it
    ):
        assert values(found[f"quaich_{name}"]) == {("",): value}
    assert values(found["quaich_workers"]) == {
        ("", "starting"): 1,
        ("", "ready"): 1,
        ("", "draining"): 0,
    }
    assert values(found["quaich_worker_memory_bytes"]) == {("", "1"): 2**30}
    assert values(found["quaich_start_time_seconds"]) == {("",): board.made}


def test_a_histogram_has_all_buckets_a_sum_and_a_count(board: Board) -> None:
    family = families(board)["quaich_request_duration_seconds"]
    assert family.type == "histogram"
    buckets = {
        float(sample.labels["le"]): sample.value
        for sample in family.samples
        if sample.name.endswith("_bucket")
    }
    assert list(buckets) == [*BOUNDS, inf]
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets[0.0025], buckets[0.005], buckets[60.0], buckets[inf]) == (0, 2, 6, 8)
    others = {sample.name.rpartition("_")[2]: sample.value for sample in family.samples[-2:]}
    assert others == {"sum": pytest.approx(2 * 99.403), "count": 8}


def test_values_of_labels_are_escaped(board: Board) -> None:
    (sample,) = families(board)["quaich_info"].samples
    assert sample.labels == {"version": FACTS.version, "python": "3.11"}


def test_a_server_that_nobody_has_asked_has_figures_too() -> None:
    found = families(Board(slots=1))
    assert values(found["quaich_requests_begun"]) == {("_total",): 0}
    assert found["quaich_requests"].samples == []
    assert found["quaich_request_queue_seconds"].samples[-1].value == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (3.0, "3"), (2**53, "9007199254740992"), (0.0025, "0.0025"), (inf, "+Inf")],
)
def test_a_number_is_written_as_the_format_has_it(value: float, text: str) -> None:
    assert format_number(value) == text


def test_the_text_ends_with_its_last_line(board: Board) -> None:
    """The last line of the format must have an end, or it is not there."""
    text = format_metrics(look(board), FACTS)
    assert text.endswith("\n")
    assert "\n\n" not in text
