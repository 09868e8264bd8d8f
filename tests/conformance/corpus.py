"""The corpus: small programs that break one rule each, or look odd and break none; how they are
entered, run, and how the checker's findings about them are judged.

A program is an application, or a subclass of Gateway. The line that a finding has to name carries
the comment ``# guilty``; where a finding can name no single step, that is the first line of the
application or of the method (a decorator's, if it has one).
"""

import importlib
import linecache
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from conformance.gateway import Gateway, correct
from quaich.conformance import Finding, Report, find

T = TypeVar("T")

HERE: Final = Path(__file__).parent

_LESS: Final = ("H121",)  # less to an application than to a server


@dataclass(frozen=True)
class Case:
    """A program, and what a checker has to find."""

    name: str
    rule: str  # "" for a legal one
    application: Any
    gateway: Callable[[], Gateway]
    party: str
    guilty: str  # beginning of the qualified name of the function that a finding names
    count: int = 1
    also: tuple[str, ...] = ()  # other rules that may be reported; of errors only the rule's own
    misses: tuple[str, ...] = ()  # what wsgiref.validate misses (V20-V44)
    severity: str = ""  # if it is not that of the rule
    late: bool = False  # found out when nobody is there to be told by an exception

    def __str__(self) -> str:
        return f"{self.rule} {self.name}".strip()


BREAKERS: Final[list[Case]] = []
LEGAL: Final[list[Case]] = []


def _is_gateway(program: object) -> bool:
    return type(program) is type and issubclass(program, Gateway)


def _enter(
    into: list[Case], program: Any, rule: str, name: str, guilty: str, parts: dict[str, Any]
) -> None:
    is_gateway = _is_gateway(program)
    if is_gateway:
        parts["gateway"] = program
    try:
        qualname = program.__qualname__
    except Exception:  # an object; and a proxy is one whose attributes fail
        qualname = type(program).__qualname__
    label = qualname.replace(".<locals>", "")
    parts.setdefault("application", program)
    parts.setdefault("gateway", Gateway)
    into.append(
        Case(
            name=f"{label}, {name}" if name else label,
            rule=rule,
            party="server" if is_gateway else "application",
            guilty=guilty or qualname,
            **parts,
        )
    )


def breaks(
    rule: str, name: str = "", *, guilty: str = "", application: Any = correct, **parts: Any
) -> Callable[[T], T]:
    """Enter an application, or a gateway (with the application that it serves), which breaks a
    rule. ``parts`` are fields of Case."""

    def enter(program: T) -> T:
        if _is_gateway(program):
            parts["application"] = application
        _enter(BREAKERS, program, rule, name, guilty, dict(parts))
        return program

    return enter


def legal(
    name: str = "", *, warnings: tuple[str, ...] = (), application: Any = correct, **parts: Any
) -> Callable[[T], T]:
    """Enter an application or a gateway that breaks no rule. ``warnings`` are reported all the
    same."""

    def enter(program: T) -> T:
        if _is_gateway(program):
            parts["application"] = application
        _enter(LEGAL, program, "", name, "", {"also": warnings, **parts})
        return program

    return enter


def load() -> None:
    """Import the corpus' modules: each enters its programs."""
    for kind in ("breakers", "legal"):
        for module in sorted(each.name for each in pkgutil.iter_modules([str(HERE / kind)])):
            importlib.import_module(f"conformance.{kind}.{module}")


def serve(case: Case, application: Any) -> Gateway:
    """Have the case's gateway serve a request by an application; what is raised is no matter."""
    gateway = case.gateway()
    try:
        gateway.serve(application)
    except Exception:
        pass
    return gateway


def findings_of(case: Case, checker: Any) -> list[Finding]:
    """What a checker (``quaich.conformance.checker`` or a copy) finds. A rule that is called OFF
    is never reported."""
    report = Report(ignore=("OFF",))
    serve(case, checker(case.application, report))
    return report.findings


def fault_of(case: Case, findings: Iterable[Finding]) -> str:
    """What is wrong with the findings, or nothing."""
    found = list(findings)
    own = [each for each in found if each.rule == case.rule]
    other = [each for each in found if each.rule != case.rule and each.rule not in case.also]
    if other:
        return f"found as well: {'; '.join(map(str, other))}"
    if not case.rule:
        return ""
    if len(own) != 1:
        return f"not one finding of {case.rule}, but {[str(each) for each in own]}"
    (finding,) = own
    if finding.party != case.party:
        return f"blames the {finding.party}: {finding}"
    severity = case.severity or find(case.rule).severity
    if finding.severity != severity and case.rule not in _LESS:
        return f"is no {severity}: {finding}"
    if finding.count != case.count:
        return f"counts {finding.count}: {finding}"
    file, line, function = finding.where
    if not Path(file).is_relative_to(HERE) or not f"{function}.".startswith(f"{case.guilty}."):
        return f"names the wrong place: {finding}"
    if not linecache.getline(file, line).rstrip().endswith("# guilty"):
        return f"names the wrong line: {finding}"
    return ""
