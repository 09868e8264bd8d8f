"""The report for a terminal."""

import textwrap
from collections.abc import Iterator
from typing import Final

from quaich.conformance.findings import Finding
from quaich.conformance.reports.outcome import Outcome
from quaich.conformance.reports.wording import counted, times, visible

WIDTH: Final = 100

_INDENT: Final = " " * 8
_LISTED_MAX: Final = 10  # pages
_BOLD: Final = "1"
# By severity: the title of the group, and the parameters of its ANSI sequence.
_GROUPS: Final = {
    "error": ("Errors", "1;31"),
    "warning": ("Warnings", "1;33"),
    "info": ("Info", _BOLD),
}


def render(outcome: Outcome, *, colour: bool = False) -> str:
    """The report, with a newline at its end."""
    if outcome.findings:
        lines = [*_groups(outcome, colour), _summary(outcome, colour)]
    else:
        lines = [_nothing(outcome)]
    return "\n".join([*lines, *_unanswered(outcome)]) + "\n"


def _nothing(outcome: Outcome) -> str:
    rules = counted(len(outcome.rules_checked), "rule")
    requests = counted(outcome.requests, "request")
    return f"Nothing was found: {visible(outcome.app)} kept {rules} in {requests}."


def _unanswered(outcome: Outcome) -> Iterator[str]:
    """What "nothing was found" would hide: that no page was there to be checked."""
    pages = outcome.unanswered
    if not pages:
        return
    listed = ", ".join(f"{request} ({answer})" for request, answer in pages[:_LISTED_MAX])
    more = len(pages) - _LISTED_MAX
    text = f"Answered with an error: {listed}{f', and {more} more' if more > 0 else ''}."
    if len(pages) == len(outcome.answers):
        text += " Nothing else was asked for: name pages with --path."
    yield textwrap.fill(
        visible(text, _WHITE), WIDTH, break_long_words=False, break_on_hyphens=False
    )


def _groups(outcome: Outcome, colour: bool) -> Iterator[str]:
    for severity, (title, code) in _GROUPS.items():
        findings = [each for each in outcome.findings if each.severity == severity]
        if findings:
            yield f"{_painted(title, code, colour)}\n"
            is_one = len(outcome.answers) < 2  # where only one page was asked for, that is known
            yield from (f"{_finding(each, code, colour, is_one)}\n" for each in findings)


def _finding(finding: Finding, code: str, colour: bool, is_one: bool) -> str:
    place = visible(str(finding.where)) if finding.where.file else "no place known"
    party = "" if finding.party == "application" else f" [{visible(finding.party)}]"
    # What is painted is filled with blanks first: a terminal shows nothing of the sequences.
    rule = _painted(f"{visible(finding.rule):<4}", code, colour)
    return "\n".join(
        [
            f"  {rule}  {place}{party}",
            _filled(f"{visible(finding.message, _WHITE)}{times(finding.count)}"),
            *([] if is_one else _asked_for(finding)),
            _filled(f"Hint: {visible(finding.hint, _WHITE)}"),
        ]
    )


def _asked_for(finding: Finding) -> Iterator[str]:
    if finding.requests:
        yield _filled(f"Asked for: {visible(', '.join(finding.requests), _WHITE)}")


_WHITE: Final = "\n\t"  # that becomes a blank


def _filled(text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(outcome: Outcome, colour: bool) -> str:
    errors = counted(outcome.errors, "error") if outcome.errors else "No errors"
    counts = [errors]
    if outcome.warnings:
        counts.append(counted(outcome.warnings, "warning"))
    if outcome.infos:
        counts.append(counted(outcome.infos, "info"))
    requests = counted(outcome.requests, "request")
    rules = counted(len(outcome.rules_checked), "rule")
    first = next(
        each.rule for severity in _GROUPS for each in outcome.findings if each.severity == severity
    )
    return (
        f"{_painted(', '.join(counts), _BOLD, colour)} in {requests}; {rules} checked."
        f" quaich explain {visible(first)} says more."
    )


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
