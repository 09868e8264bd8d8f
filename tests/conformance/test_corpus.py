"""Every program of the corpus, seen by the checker: each that breaks a rule is found, at its
place and by its party, and nobody else is accused."""

import io
import re
import warnings
import wsgiref.handlers
from dataclasses import replace
from typing import Any

import pytest

from conformance.corpus import BREAKERS, LEGAL, Case, fault_of, findings_of, load, serve
from conformance.gateway import REQUEST, Gateway, correct, gateway_with
from quaich.conformance import ConformanceWarning, Report, Violation, catalogue, checker, find

load()

# Less to an application than to a server.
_WARNINGS = ("H121",)
ERRORS = [
    case
    for case in BREAKERS
    if (case.severity or find(case.rule).severity) == "error" and case.rule not in _WARNINGS
]


def marked(cases: list[Case]) -> list[Any]:
    return [
        pytest.param(case, id=str(case), marks=[pytest.mark.rule(case.rule)] if case.rule else [])
        for case in cases
    ]


# -- What is found --------------------------------------------------------------------------


@pytest.mark.parametrize("case", marked(BREAKERS))
def test_what_breaks_a_rule_is_found(case: Case) -> None:
    assert fault_of(case, findings_of(case, checker)) == ""


@pytest.mark.parametrize("case", marked(LEGAL))
def test_what_only_looks_odd_is_let_pass(case: Case) -> None:
    assert fault_of(case, findings_of(case, checker)) == ""
    assert not [rule for rule in case.also if find(rule).severity == "error"]


@pytest.mark.parametrize("case", marked([case for case in ERRORS if not case.late]))
def test_a_checker_that_raises_does_so_at_the_first_error(case: Case) -> None:
    """Whoever it is that breaks the rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConformanceWarning)  # what is no error
        with pytest.raises(Violation) as caught:
            case.gateway().serve(checker(case.application, "raise"))
    finding = caught.value.finding
    assert str(caught.value).startswith(f"{finding.rule}: {finding.message}")
    if finding.rule not in case.also:
        assert fault_of(replace(case, count=1), [finding]) == ""


@pytest.mark.parametrize("case", marked(BREAKERS))
def test_a_checker_that_warns_warns(case: Case) -> None:
    with pytest.warns(ConformanceWarning) as caught:
        serve(case, checker(case.application, "warn"))
    said = [str(each.message) for each in caught]
    assert any(re.search(rf"\b{case.rule} (error|warning|info): ", each) for each in said)


@pytest.mark.parametrize("case", marked([case for case in ERRORS if case.late]))
def test_what_is_found_late_is_warned_of_by_a_checker_that_raises(case: Case) -> None:
    """There is nobody who could be told by an exception."""
    with pytest.warns(ConformanceWarning, match=case.rule):
        serve(case, checker(case.application, "raise"))


@pytest.mark.parametrize("case", marked(BREAKERS[::7]))
def test_the_same_again_is_counted(case: Case) -> None:
    report = Report()
    for _ in range(2):
        serve(case, checker(case.application, report))
    own = [each for each in report.findings if each.rule == case.rule]
    assert sum(each.count for each in own) >= 2 * case.count


@pytest.mark.parametrize("case", marked(BREAKERS[::7]))
def test_a_rule_that_is_ignored_is_not_reported(case: Case) -> None:
    report = Report(ignore=(case.rule,))
    serve(case, checker(case.application, report))
    assert case.rule not in {each.rule for each in report.findings}


# -- What the checker has seen before ---------------------------------------------------------

SOUND = {
    "REMOTE_USER": "joe",
    "REMOTE_HOST": "localhost",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_IDENT": "joe",
    "AUTH_TYPE": "Basic",
    "SCRIPT_NAME": "/app",
    "CONTENT_LENGTH": "5",
    "HTTP_X": "1",
    "PATH": "/bin",
}
"""A sound value for each variable that a breaker gives a wrong one."""


@pytest.mark.parametrize("case", marked([case for case in BREAKERS if case.party == "server"]))
def test_what_was_sound_hides_nothing(case: Case) -> None:
    """The checker remembers what an environ looks like that is sound: here one with the same
    variables, and those of the sound ones that are the same."""
    broken = getattr(case.gateway, "changes", {})
    before = {key: SOUND.get(str(key), REQUEST.get(str(key), Gateway())) for key in broken}
    for key in ("wsgi.input", "wsgi.errors"):
        before.pop(key, None)
    for _ in range(2):
        gateway_with(before, getattr(case.gateway, "absent", ()))().serve(checker(correct))
    assert fault_of(case, findings_of(case, checker)) == ""


# -- What to do -------------------------------------------------------------------------------


async def asynchronous(environ: Any, start_response: Any) -> list[bytes]:
    return []


def test_what_to_do_about_an_asynchronous_application_is_told() -> None:
    application: Any = asynchronous
    checked = checker(application)
    coroutine = Gateway().call(checked)
    coroutine.close()
    (finding,) = checked.findings
    assert finding.rule == "A17"
    assert "ASGI" in finding.hint


def test_what_closes_a_result_unseen_is_told() -> None:
    """A generator does, that is broken off in the midst of "yield from"."""

    def passing(result: Any) -> Any:
        try:
            yield from result
        finally:
            result.close()

    def generator(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"content"

    checked = checker(generator)
    passed = passing(Gateway().call(checked))
    next(passed)
    passed.close()
    (finding,) = checked.findings
    assert finding.rule == "S18"
    assert "`yield from result`" in finding.hint


# -- Places -----------------------------------------------------------------------------------


def test_a_server_of_the_standard_library_can_be_guilty() -> None:
    """What else is in it only calls what it is given: there the finding names the caller."""
    checked = checker(correct)
    environ = {**Gateway().environ, "REMOTE_HOST": ""}
    streams = io.BytesIO(), io.BytesIO(), io.StringIO()
    wsgiref.handlers.SimpleHandler(*streams, environ).run(checked)
    (finding,) = [each for each in checked.findings if each.rule == "S35"]
    assert finding.where.file == wsgiref.handlers.__file__


# -- What the corpus has ----------------------------------------------------------------------

SEEN_AS = {"A26": "A25"}
"""Text that has not been encoded is text that cannot be: one finding tells of both."""


@pytest.mark.parametrize(
    "rule",
    [rule.id for rule in catalogue().values() if rule.id[0] == "A" and "run time" in rule.checked],
)
def test_every_rule_for_applications_that_is_seen_at_run_time_is_broken(rule: str) -> None:
    assert SEEN_AS.get(rule, rule) in {case.rule for case in BREAKERS}


SERVERS_SEEN_AS = {"S03": "S36", "S04": "S86", "S10": "S29", "S55": "S51", "S88": "S58"}
"""A rule that says the same of less."""


@pytest.mark.parametrize(
    "rule",
    [rule.id for rule in catalogue().values() if rule.id[0] == "S" and "run time" in rule.checked],
)
def test_every_rule_for_servers_that_is_seen_at_run_time_is_broken(rule: str) -> None:
    assert SERVERS_SEEN_AS.get(rule, rule) in {case.rule for case in BREAKERS}


@pytest.mark.parametrize("rule", ["H116", "H120", "H121", "H124", "H134", "H136", "H139"])
def test_every_rule_of_http_that_an_application_has_to_keep_is_broken(rule: str) -> None:
    assert rule in {case.rule for case in BREAKERS}


@pytest.mark.parametrize("rule", sorted({case.rule for case in BREAKERS}))
def test_the_catalogue_says_of_each_rule_that_it_is_seen_at_run_time(rule: str) -> None:
    assert "run time" in find(rule).checked


UNSEEN = {
    40: "middleware: quaich check's",
    41: "headers that are sent too early: on the wire only",
    42: "of the validator's messages",
    43: "of the validator's tests",
}


@pytest.mark.parametrize("number", [number for number in range(20, 45) if number not in UNSEEN])
def test_each_breach_that_the_standard_library_misses_is_found(number: int) -> None:
    """V20-V44: what ``wsgiref.validate`` lets pass."""
    assert [case for case in BREAKERS if f"V{number}" in case.misses]


def test_every_case_has_a_name_of_its_own() -> None:
    names = [str(case) for case in BREAKERS + LEGAL]
    assert len(names) == len(set(names))


def test_no_case_may_yield_another_error() -> None:
    """What else may be reported is no error, or of what the same object does."""
    also = {rule for case in BREAKERS + LEGAL for rule in case.also}
    assert {rule for rule in also if find(rule).severity == "error"} <= {"A31"}
