"""What becomes of a finding: counted, raised, warned of, and carried to another process."""

import copy
import pickle
import warnings
from typing import Any

import pytest

from quaich.conformance import ConformanceWarning, Report, Violation, Where
from quaich.conformance.findings import NOWHERE, Breach, show

HERE = Where(__file__, 12, "application")


def added(report: Report, *messages: str, rule: str = "A11") -> None:
    for message in messages:
        report.add(Breach(rule, message), "application", HERE)


# -- Counted --------------------------------------------------------------------------------


def test_the_same_at_the_same_place_is_one_finding() -> None:
    report = Report()
    added(report, "the first", "the second")
    (finding,) = report.findings
    assert (finding.message, finding.count) == ("the first", 2)


def test_an_error_is_not_counted_as_the_warning_before_it() -> None:
    """Some rules are both, by what was done."""
    report = Report()
    report.add(Breach("A33", "a line end", "warning"), "application", HERE)
    report.add(Breach("A33", "bytes"), "application", HERE)
    assert [(each.severity, each.message) for each in report.findings] == [
        ("error", "bytes"),
        ("warning", "a line end"),
    ]


# -- Raised ---------------------------------------------------------------------------------


def test_what_is_raised_says_what_was_done_this_time() -> None:
    report = Report("raise")
    for message in ("the first", "the second"):
        with pytest.raises(Violation, match=message):
            added(report, message)


def test_an_error_behind_a_warning_is_raised() -> None:
    report = Report("raise")
    with pytest.warns(ConformanceWarning):
        report.add(Breach("A33", "a line end", "warning"), "application", HERE)
    with pytest.raises(Violation):
        report.add(Breach("A33", "bytes"), "application", HERE)


@pytest.mark.parametrize(
    "carry", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_a_violation_can_be_carried(carry: Any) -> None:
    """A pool of processes sends what is raised, and waits for ever if it cannot be made again."""
    with pytest.raises(Violation) as caught:
        added(Report("raise"), "it was done")
    other = carry(caught.value)
    assert type(other) is Violation
    assert str(other) == str(caught.value)
    assert other.finding == caught.value.finding


@pytest.mark.parametrize(
    "carry", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_report_can_be_carried(carry: Any) -> None:
    report = Report(ignore=("A22",))
    added(report, "before")
    other = carry(report)
    assert other.findings == report.findings
    added(other, "after")
    added(other, "ignored", rule="A22")
    assert [each.count for each in other.findings] == [2]
    assert [each.count for each in report.findings] == [1]


# -- Warned of ------------------------------------------------------------------------------


@pytest.mark.parametrize("add", [Report.add, Report.add_late])
def test_a_warning_points_at_the_guilty_line(add: Any) -> None:
    with pytest.warns(ConformanceWarning, match="A11 error: it was done") as caught:
        add(Report("warn"), Breach("A11", "it was done"), "application", HERE)
    assert (caught[0].filename, caught[0].lineno) == (__file__, 12)


def test_a_warning_without_a_place_is_given_all_the_same() -> None:
    with pytest.warns(ConformanceWarning, match="A11"):
        Report("warn").add(Breach("A11", "it was done"), "application", NOWHERE)


def test_the_same_warning_is_given_once_by_the_filters_of_python() -> None:
    report = Report("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        added(report, *["it was done"] * 3)
    assert len(caught) == 1
    assert [each.count for each in report.findings] == [3]


def test_warnings_that_are_others_each_time_are_not_all_remembered() -> None:
    report = Report("warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        added(report, *map(str, range(3000)))
    assert len(report._warned) < 2000


# -- Values ---------------------------------------------------------------------------------


class Long(str):
    """Is not asked for all of its repr()."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value", ["x" * 10**7, b"x" * 10**7, bytearray(b"x" * 10**7), Long("x" * 999)]
)
def test_a_long_value_is_cut(value: Any) -> None:
    text = show(value)
    assert len(text) < 120
    assert text.endswith(f"… ({type(value).__name__})")
    assert "xxx" in text


@pytest.mark.parametrize("value", ["", "x", b"x", bytearray(b"x"), "x" * 97])
def test_a_short_value_is_shown_as_it_is(value: Any) -> None:
    assert show(value) == f"{value!r} ({type(value).__name__})"


@pytest.mark.parametrize("error", [ValueError, RecursionError, SystemExit])
def test_whatever_repr_does_a_value_is_shown(error: type[BaseException]) -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise error

    assert show(Unspeakable()) == f"<repr() raised {error.__name__}> (Unspeakable)"
