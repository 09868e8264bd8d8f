"""A whole check: the trials of an application or of a middleware, and what they come to.

check_application      every trial on every target; of pages that links lead to, one request
check_middleware       every probe
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from quaich.conformance.check.battery import Battery
from quaich.conformance.check.gateway import HOST, Answer
from quaich.conformance.check.middleware import Middlewares
from quaich.conformance.check.targets import Crawl, Target
from quaich.conformance.findings import Report
from quaich.conformance.reports import Outcome
from quaich.conformance.rules import catalogue
from quaich.types import WSGIApplication

_APPLICATION: Final = "AH"
_MIDDLEWARE: Final = "SAMH"


def check_application(
    application: WSGIApplication,
    name: str,
    report: Report,
    targets: Iterable[Target],
    crawl: int = 0,
    host: str = HOST,
) -> Outcome:
    """Check an application. ``crawl``: pages behind the targets that are asked for once each;
    ``host``: what the Host field says."""
    battery = Battery(application, report, host)
    targets = list(targets)
    pages = Crawl(targets, most=len(targets) + crawl, origin=f"http://{host}")
    given = set(targets)
    answers: list[tuple[str, str]] = []
    for target in pages:
        if battery.is_stuck:
            break
        answer = battery.run(target, whole=target in given)
        answers.append((str(target), _in_words(answer)))
        if crawl:
            pages.add(target, answer.content, answer.content_type, answer.location)
    return _outcome(name, report, battery.by_trial, _APPLICATION, answers)


def check_middleware(
    factory: Callable[[WSGIApplication], WSGIApplication], name: str, report: Report
) -> Outcome:
    """Check a middleware. ``factory`` takes an application and returns one."""
    middleware = Middlewares(factory, report)
    middleware.run()
    return _outcome(name, report, middleware.by_trial, _MIDDLEWARE)


def rules_checked(report: Report, letters: str) -> tuple[str, ...]:
    """The rules of these letters that a check looks at, and the report wants."""
    return tuple(
        rule.id
        for rule in catalogue().values()
        if rule.id[0] in letters
        and not {"run time", "check"}.isdisjoint(rule.checked)
        and report.is_wanted(rule.id)
    )


def _in_words(answer: Answer) -> str:
    """The status, whatever the application has made it; or what was raised."""
    if answer.error is not None:
        return type(answer.error).__name__
    return str(answer.status) or "no status"


def _outcome(
    name: str,
    report: Report,
    by_trial: dict[str, int],
    letters: str,
    answers: Iterable[tuple[str, str]] = (),
) -> Outcome:
    return Outcome(
        app=name,
        requests=sum(by_trial.values()),
        rules_checked=rules_checked(report, letters),
        findings=tuple(report.findings),
        trials=tuple(by_trial.items()),
        answers=tuple(answers),
        time=datetime.now(UTC),
    )
