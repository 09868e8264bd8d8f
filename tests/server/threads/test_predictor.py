"""Which routes are known to be slow, as numbers."""

from typing import Any

import pytest

from quaich.server.threads.predictor import SLOW, Predictor, Timed, route_of
from server.applications import hello

ROUTE = ("GET", "/a")


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/b/c", "/a"),
        ("/a/", "/a"),
        ("/a/b?c=/d", "/a"),
        ("/a?b=c", "/a"),
        ("/?a", "/"),
        ("*", "*"),
        ("//a/b", "/"),
    ],
)
def test_a_route_is_the_first_segment(target: str, route: str) -> None:
    assert route_of("GET", target) == ("GET", route)


def test_the_method_is_part_of_it() -> None:
    assert route_of("GET", "/a") != route_of("POST", "/a")


def test_a_route_is_never_long() -> None:
    """A client chooses it."""
    for target in ("/" + "x" * 9000, "/" + "x" * 9000 + "/y", "/a?" + "x" * 9000):
        assert len(route_of("GET", target)[1]) <= 64


def test_quick_calls_leave_nothing() -> None:
    predictor = Predictor()
    for _ in range(100):
        predictor.record(ROUTE, SLOW)
    assert predictor.shares == {}


def test_one_slow_call_is_a_hint_that_is_forgotten() -> None:
    predictor = Predictor()
    predictor.record(ROUTE, 1.0)
    first = predictor.shares[ROUTE]
    assert 0 < first < 0.1
    for _ in range(1000):
        predictor.record(ROUTE, 0.0)
    assert predictor.shares == {}


def test_a_route_that_is_always_slow_is_known_for_it() -> None:
    predictor = Predictor()
    shares = []
    for _ in range(300):
        predictor.record(ROUTE, 1.0)
        shares.append(predictor.shares[ROUTE])
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1


def test_a_route_that_is_slow_at_times_has_its_share() -> None:
    predictor = Predictor()
    for number in range(2000):
        predictor.record(ROUTE, 1.0 if number % 2 else 0.0)
    assert predictor.shares[ROUTE] == pytest.approx(0.5, abs=0.1)


def test_routes_do_not_learn_from_each_other() -> None:
    predictor = Predictor()
    predictor.record(ROUTE, 1.0)
    predictor.record(("POST", "/a"), 0.0)
    assert set(predictor.shares) == {ROUTE}


def test_the_table_is_bounded() -> None:
    predictor = Predictor()
    for number in range(5000):
        predictor.record(("GET", f"/{number}"), 1.0)
        assert len(predictor.shares) <= 512


def test_timed_measures_a_call_that_was_all_of_the_work() -> None:
    timed = Timed(hello)
    assert timed.seconds is None
    assert timed({}, lambda status, headers: None) == [b"hello"]  # type: ignore[arg-type]  # enough
    assert timed.seconds is not None
    assert 0 <= timed.seconds < 1


def test_timed_does_not_measure_what_is_still_to_be_iterated() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        yield b"later"

    timed = Timed(app)
    assert list(timed({}, lambda status, headers: None)) == [b"later"]  # type: ignore[arg-type]
    assert timed.seconds is None
