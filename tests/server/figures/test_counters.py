"""What is counted of requests, and what the numbers say."""

import threading
from math import inf

import pytest

from quaich.server.figures.counters import (
    BOUNDS,
    CLASSES,
    METHODS,
    SIZE,
    Counters,
    Histogram,
    Tally,
    quantile,
)


def test_a_request_is_counted_by_method_status_size_and_times() -> None:
    counters = Counters()
    counters.answered("GET", 200, 100, duration=0.003, queued=0.0)
    counters.answered("GET", 204, 0, duration=0.02, queued=0.3)
    counters.answered("POST", 503, 7, duration=90.0, queued=0.0)
    tally = Tally(counters.values())
    assert tally.by_method() == {("GET", "2xx"): 2, ("POST", "5xx"): 1}
    assert tally.by_code() == {200: 1, 204: 1, 503: 1}
    assert (tally.ended, tally.content_bytes, tally.aborts, tally.refused) == (3, 107, 0, 0)
    assert sum(tally.durations.counts) == sum(tally.queue_times.counts) == 3
    assert tally.durations.total_seconds == pytest.approx(90.023)
    assert tally.queue_times.total_seconds == pytest.approx(0.3)


@pytest.mark.parametrize("method", METHODS[:-1])
@pytest.mark.parametrize("code", [101, 200, 302, 404, 500, 599])
def test_each_method_and_each_class_has_a_place_of_its_own(method: str, code: int) -> None:
    counters = Counters()
    counters.answered(method, code, 0, 0.0, 0.0)
    tally = Tally(counters.values())
    assert tally.by_method() == {(method, f"{code // 100}xx"): 1}
    assert tally.by_code() == {code: 1}
    assert tally.ended == 1


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "BREW", "get"])
def test_other_methods_are_counted_together(method: str) -> None:
    """A client may invent as many as it likes."""
    counters = Counters()
    counters.answered(method, 200, 0, 0.0, 0.0)
    assert Tally(counters.values()).by_method() == {("other", "2xx"): 1}


@pytest.mark.parametrize("code", [None, 99, 600, 999])
def test_what_has_no_class_is_counted_as_none(code: int | None) -> None:
    counters = Counters()
    counters.answered("GET", code, 0, 0.0, 0.0, is_aborted=True)
    tally = Tally(counters.values())
    assert tally.by_method() == {("GET", "none"): 1}
    assert tally.by_code() == {}
    assert tally.aborts == 1


def test_a_refusal_is_a_request_that_was_not_measured() -> None:
    counters = Counters()
    counters.refused("PUT", 413)
    counters.refused(None, 400)
    tally = Tally(counters.values())
    assert tally.by_method() == {("PUT", "4xx"): 1, ("other", "4xx"): 1}
    assert tally.refused == 2
    assert sum(tally.durations.counts) == 0


def test_a_bound_belongs_to_its_bucket() -> None:
    """As Prometheus has it: le is less or equal."""
    counters = Counters()
    for bound in BOUNDS:
        counters.answered("GET", 200, 0, bound, 0.0)
    counters.answered("GET", 200, 0, BOUNDS[-1] + 1e-9, 0.0)
    assert Tally(counters.values()).durations.counts == [1] * (len(BOUNDS) + 1)


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    counters = Counters()
    counters.answered("GET", 200, 0, 0.0, -0.5)
    assert Tally(counters.values()).queue_times.total_seconds == 0.0


def test_the_sum_of_two_lists_is_the_count_of_both() -> None:
    one, other = Counters(), Counters()
    one.answered("GET", 200, 5, 0.001, 0.0)
    other.answered("GET", 404, 6, 0.2, 0.1)
    sums = [a + b for a, b in zip(one.values(), other.values(), strict=True)]
    tally = Tally(sums)
    assert tally.by_method() == {("GET", "2xx"): 1, ("GET", "4xx"): 1}
    assert tally.content_bytes == 11


def test_no_two_figures_share_a_number() -> None:
    counters = Counters()
    for method in METHODS:
        for number in range(len(CLASSES)):
            counters.answered(method, 100 * (number + 1), 1, 0.0, 0.0, is_aborted=True)
    counters.refused("GET", 400)
    tally = Tally(counters.values())
    requests = len(METHODS) * len(CLASSES)
    assert tally.ended == requests + 1
    assert (tally.content_bytes, tally.aborts, tally.refused) == (requests, requests, 1)
    assert sum(tally.durations.counts) == requests
    assert len(counters.values()) == SIZE


def test_nothing_is_lost_where_many_threads_count() -> None:
    counters = Counters()
    start = threading.Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(500):
            counters.answered("GET", 200, 3, 0.001, 0.002)
            counters.refused("GET", 400)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally = Tally(counters.values())
    assert tally.by_code() == {200: 4000, 400: 4000}
    assert tally.content_bytes == 12000
    assert sum(tally.durations.counts) == 4000


def test_what_is_read_while_it_grows_is_of_one_moment() -> None:
    """Each request is in all of the numbers, or in none."""
    counters = Counters()
    over = threading.Event()

    def count() -> None:
        for _ in range(3000):
            counters.answered("GET", 200, 1, 0.001, 0.0)
        over.set()

    thread = threading.Thread(target=count)
    thread.start()
    while not over.is_set():
        tally = Tally(counters.values())
        assert tally.ended == tally.content_bytes == sum(tally.queue_times.counts)
    thread.join()


# --- Histograms ---------------------------------------------------------------------------


def test_a_histogram_is_cumulative_for_prometheus() -> None:
    counts = [0] * (len(BOUNDS) + 1)
    counts[0], counts[3], counts[-1] = 5, 2, 1
    found = list(Histogram(counts, [0.0] * len(counts)).cumulative())
    assert [count for _, count in found] == [5, 5, 5, 7, *[7] * (len(BOUNDS) - 4), 8]
    assert [bound for bound, _ in found] == [*BOUNDS, inf]


CUMULATIVE = [(0.1, 0), (0.2, 50), (0.4, 100), (inf, 100)]


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.0, 0.1), (0.25, 0.15), (0.5, 0.2), (0.75, 0.3), (1.0, 0.4)]
)
def test_a_quantile_is_between_the_bounds_of_its_bucket(share: float, seconds: float) -> None:
    assert quantile(CUMULATIVE, share) == pytest.approx(seconds)


def test_the_first_bucket_begins_at_zero() -> None:
    assert quantile([(0.1, 10), (inf, 10)], 0.5) == pytest.approx(0.05)


def test_above_the_last_bound_nothing_is_known() -> None:
    assert quantile([(0.1, 1), (0.2, 1), (inf, 10)], 0.99) == 0.2


@pytest.mark.parametrize("cumulative", [[], [(0.1, 0), (inf, 0)]])
def test_of_nothing_there_is_no_quantile(cumulative: list[tuple[float, float]]) -> None:
    assert quantile(cumulative, 0.5) is None
