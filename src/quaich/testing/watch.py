"""What is found while one test runs: what is looked for in it, who takes it, and how it is told."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

import pytest

from quaich.conformance import Checker, Finding, Report, Where, catalogue
from quaich.conformance.findings import NOWHERE, Breach
from quaich.types import WSGIApplication

MARK: Final = "quaich_check"

_Key = tuple[str, str, Where]
_Kind = tuple[str, str, Where, str]  # an error and a warning of one rule may be at one place


@dataclass(frozen=True, slots=True)
class Choice:
    """What is looked for, and what fails a test: of a session, or of one test."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    is_strict: bool = False
    is_on: bool = True

    def fails(self, finding: Finding) -> bool:
        """Whether a test fails by it. What the server's side does wrong is the test client's, and
        who writes an application cannot mend that."""
        if finding.party == "server":
            return False
        return finding.severity == "error" or (self.is_strict and finding.severity == "warning")


def choice_of(config: pytest.Config) -> Choice:
    """What the options say, and what the configuration says where they say nothing."""
    return Choice(
        _configured(config, "quaich_check_select"),
        _configured(config, "quaich_check_ignore"),
        config.getoption("quaich_check_strict") or config.getini("quaich_check_strict"),
    )


def _configured(config: pytest.Config, name: str) -> tuple[str, ...]:
    given = config.getoption(name)
    return _prefixes(config.getini(name) if given is None else given, name)


def marked(choice: Choice, marks: Iterable[pytest.Mark]) -> Choice:
    """The choice of a test with marks ``quaich_check``; the first is the closest to the test."""
    for mark in reversed([*marks]):
        words = dict(mark.kwargs)
        is_on = mark.args[0] if mark.args else choice.is_on
        select = _prefixes(words.pop("select", choice.select), "select")
        ignore = _prefixes(words.pop("ignore", ()), "ignore")
        is_strict = words.pop("strict", choice.is_strict)
        if words or len(mark.args) > 1 or not isinstance(is_on, bool):
            given = [repr(each) for each in mark.args]
            given += [f"{name}={value!r}" for name, value in mark.kwargs.items()]
            raise pytest.UsageError(
                f"the mark {MARK} takes False or True, and the keywords select, ignore and strict: "
                f"not {', '.join(given)}"
            )
        choice = Choice(select, choice.ignore + ignore, bool(is_strict), is_on)
    return choice


def _prefixes(values: str | Sequence[str], option: str) -> tuple[str, ...]:
    """Ids of rules or beginnings of ids, from ``"A22, S"`` or ``["A22", "S"]``."""
    if isinstance(values, str):
        values = [values]
    found = tuple(
        part.upper() for value in values for part in value.replace(",", " ").split() if part
    )
    for each in found:
        if not any(rule.startswith(each) for rule in catalogue()):
            raise pytest.UsageError(
                f"{option}: no rule is called {each}, and none begins like that"
            )
    return found


class Watch(Report):
    """Takes what checkers find while one test runs."""

    def __init__(self, choice: Choice, path: Path, beyond: Report) -> None:
        super().__init__("collect", choice.select, choice.ignore)
        self.choice = choice
        self.is_over = False
        self.ended: list[Finding] | None = None
        """What was found up to the end of a phase of the test, until the phase is reported."""
        self.failure: BaseException | None = None
        """The exception that has failed the test for it."""
        self._path = str(path)
        self._beyond = beyond
        self._calls: dict[_Key, Where] = {}
        self._taken: Counter[_Kind] = Counter()

    def add(self, breach: Breach, party: str, where: Where) -> None:
        """Take a breach. What a request of this test does after the test cannot fail it."""
        if not self.choice.is_on or not self.is_wanted(breach.rule):
            return
        if self.is_over:
            self._beyond.add(breach, party, where)
        else:
            self._calls.setdefault((breach.rule, party, where), _call(self._path))
            super().add(breach, party, where)

    def take(self) -> list[Finding]:
        """What was found since the last time."""
        found = []
        for finding in self.findings:
            key = (*_key(finding), finding.severity)
            count = finding.count - self._taken[key]
            self._taken[key] = finding.count
            if count:
                found.append(replace(finding, count=count))
        return found

    def tell(self, findings: Sequence[Finding]) -> str:
        """Findings in words, for the report of the test. pytest's summary has the first line."""
        broken = ", ".join(sorted({each.rule for each in findings}))
        lines = [f"{broken}: rules of WSGI or HTTP are broken"]
        for finding in findings:
            rule = f"{finding.rule} {finding.severity}"
            times = f" ({finding.count} times)" if finding.count > 1 else ""
            lines += ["", f"{_place(finding.where)}: {rule}: {finding.message}{times}"]
            call = self._calls.get(_key(finding), NOWHERE)
            if call.file and call[:2] != finding.where[:2]:
                lines.append(f"    in a request by {_place(call)}")
            lines.append(f"    {finding.hint}")
        return "\n".join(lines)


def _key(finding: Finding) -> _Key:
    return finding.rule, finding.party, finding.where


def _call(path: str) -> Where:
    """Where a test's own function is; nowhere if another thread serves the request."""
    found: FrameType | None = None
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == path:
            found = frame
        frame = frame.f_back
    if found is None:
        return NOWHERE
    return Where(path, found.f_lineno, found.f_code.co_qualname)


def _place(where: Where) -> str:
    """A place as it is written; a file under the current directory, from there."""
    here = str(Path.cwd()) + os.sep
    return str(where._replace(file=where.file.removeprefix(here)))


class Row(NamedTuple):
    """A line of the summary."""

    rule: str
    kind: str
    place: str
    message: str
    times: int


def rows(findings: Iterable[Finding]) -> list[tuple[str, str, str, str, int]]:
    """Findings for the summary, of which each makes a :class:`Row`. A worker of xdist sends them,
    so their types are builtin ones."""
    return [
        (
            each.rule,
            "test client" if each.party == "server" else each.severity,
            _place(each.where),
            each.message,
            each.count,
        )
        for each in findings
    ]


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of the summary: each rule at each place once."""
    joined: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        known = joined.setdefault(row[:3], row._replace(times=0))
        joined[row[:3]] = known._replace(times=known.times + row.times)
    # The test client's last: there is nothing to be done about it.
    for row in sorted(joined.values(), key=lambda row: (row.kind == "test client", row)):
        yield f"{row.rule:<4} {row.kind:<11} {row.times:>5}  {row.place}: {row.message}"


class WsgiCheck:
    """The fixture ``wsgi_check`` of one test; see :class:`quaich.testing.Check`."""

    def __init__(self, watch: Watch) -> None:
        self._report = _Both(watch)

    def __call__(
        self, application: WSGIApplication, *, inner: str = "application", outer: str = "server"
    ) -> Checker:
        """The application, checked."""
        return Checker(application, self._report, inner, outer)

    @property
    def findings(self) -> list[Finding]:
        """What was found so far."""
        return self._report.findings


class _Both(Report):
    """What a test can look at; the test's watch has it as well."""

    def __init__(self, watch: Watch) -> None:
        super().__init__("collect", watch.choice.select, watch.choice.ignore)
        self._watch = watch

    def add(self, breach: Breach, party: str, where: Where) -> None:
        """Take a breach, and pass it on."""
        super().add(breach, party, where)
        self._watch.add(breach, party, where)
