"""Trials of WSGI: each finds a server that breaks its rule, and passes one that keeps it."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance.wsgi_broken import BROKEN, RaisesAnother
from conformance.wsgi_toy import Exchange, serving
from quaich.conformance.probe.judging import TRIALS, Probe, Verdict, judge
from quaich.conformance.probe.trials import (
    steps,
    wsgi_call,
    wsgi_environ,
    wsgi_files,
    wsgi_flags,
    wsgi_input,
    wsgi_response,
    wsgi_start,
)
from quaich.conformance.probe.wire import Client
from quaich.conformance.rules import catalogue

MODULES = (
    wsgi_call,
    wsgi_environ,
    wsgi_files,
    wsgi_flags,
    wsgi_input,
    wsgi_response,
    wsgi_start,
)
UNTESTABLE = {"S01", "S33"}

pytestmark = pytest.mark.live


def verdict_of(rule: str, port: int) -> Verdict:
    [verdict] = judge(Probe(Client("127.0.0.1", port)), [rule])
    return verdict


RULES = sorted(
    rule
    for rule, function in TRIALS.items()
    if function.__module__ in {m.__name__ for m in MODULES}
)


def test_every_rule_that_a_probe_can_see_has_a_trial() -> None:
    wanted = {
        rule.id for rule in catalogue().values() if "probe" in rule.checked and rule.id[0] == "S"
    }
    assert wanted - set(RULES) == set()


@pytest.fixture(scope="module")
def correct() -> Iterator[int]:
    with serving(Exchange) as port:
        yield port


@pytest.mark.parametrize("rule", sorted(set(RULES) - UNTESTABLE))
def test_a_correct_server_passes(rule: str, correct: int) -> None:
    verdict = verdict_of(rule, correct)
    assert (verdict.verdict, verdict.detail) == ("pass", verdict.detail)


def _wanted(rule: str, kind: type[Exchange]) -> str:
    """What the verdict has to be."""
    is_advice = (rule, kind) == ("S69", RaisesAnother)
    return "fail" if catalogue()[rule].severity == "error" and not is_advice else "warn"


# A broken server leaves files open, and its threads end by exceptions.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("kind", "rule", "words"),
    [pytest.param(*each, id=f"{each[1]}-{each[0].__name__}") for each in BROKEN],
)
def test_a_broken_server_does_not_pass(
    kind: type[Exchange], rule: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_X_QUAICH_TEST", "leaked")
    monkeypatch.setattr(steps, "WAIT", 0.5)
    with serving(kind) as port:
        verdict = verdict_of(rule, port)
    assert verdict.verdict == _wanted(rule, kind), verdict.detail
    for word in words:
        assert word in verdict.detail


class RaisesAlways(Exchange):
    """start_response raises whatever it is given."""

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        super().start_response(status, headers, exc_info)
        raise ValueError("on principle")


class FailsAlways(Exchange):
    """No result is served."""

    def send_result(self, result: Any) -> None:
        raise ValueError("on principle")


@pytest.mark.parametrize(
    ("kind", "rule"),
    [(RaisesAlways, "S63"), (RaisesAlways, "S64"), (RaisesAlways, "S70"), (FailsAlways, "S88")],
)
def test_an_error_says_nothing_of_a_server_that_fails_anyway(
    kind: type[Exchange], rule: str
) -> None:
    with serving(kind) as port:
        assert verdict_of(rule, port).verdict == "untestable"


def test_every_trial_finds_something() -> None:
    assert set(RULES) - UNTESTABLE - {rule for _, rule, _ in BROKEN} == set()
