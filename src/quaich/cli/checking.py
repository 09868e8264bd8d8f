"""``quaich check``: what is to be checked, and where the report goes."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quaich import __version__
from quaich.cli.errors import CommandError, ConfigurationError
from quaich.cli.load import load_app, load_factory
from quaich.conformance.check.openapi import DocumentError, load_openapi, openapi_targets
from quaich.conformance.check.run import check_application, check_middleware
from quaich.conformance.check.targets import Target, parse_path
from quaich.conformance.findings import Finding, Report
from quaich.conformance.reports import FORMATS, Outcome
from quaich.conformance.rules import catalogue
from quaich.settings.nearest import nearest

FORMS: Final = tuple(FORMATS)


class ChecksFailed(CommandError):
    """The check is over, and has found something. Its report has been written."""

    exit_code = 1


@dataclass(frozen=True)
class Wish:
    """What the command line says."""

    app: str
    is_middleware: bool
    directories: Sequence[str]
    paths: Sequence[str]
    openapi: str | None
    crawl: int
    host: str
    select: Sequence[str]
    ignore: Sequence[str]
    form: str
    output: str | None
    strict: bool
    exit_zero: bool


def check(wish: Wish, say: Callable[[str], object]) -> None:
    """Check, and write the report: to a file, or with ``say``. Raises :class:`ChecksFailed`."""
    report = Report("collect", select=chosen_rules(wish.select), ignore=chosen_rules(wish.ignore))
    if wish.is_middleware:
        outcome = check_middleware(load_factory(wish.app, wish.directories), wish.app, report)
    else:
        targets = _targets(wish)
        application = load_app(wish.app, wish.directories)
        outcome = check_application(application, wish.app, report, targets, wish.crawl, wish.host)
    outcome = dataclasses.replace(
        outcome, version=__version__, findings=tuple(map(_from_here, outcome.findings))
    )
    text = FORMATS[wish.form](outcome)
    write_report(text, wish.output, say)
    count = outcome.errors + (outcome.warnings if wish.strict else 0)
    if count and not wish.exit_zero:
        raise ChecksFailed(_summary(outcome, wish))


def _from_here(finding: Finding) -> Finding:
    """With the place as a person would write it: from the current directory, if it is below."""
    path = Path(finding.where.file)
    if not path.is_relative_to(Path.cwd()):
        return finding
    file = str(path.relative_to(Path.cwd()))
    return dataclasses.replace(finding, where=finding.where._replace(file=file))


def _summary(outcome: Outcome, wish: Wish) -> str:
    errors = f"{outcome.errors} error{'' if outcome.errors == 1 else 's'}"
    warnings = f"{outcome.warnings} warning{'' if outcome.warnings == 1 else 's'}"
    return f"{wish.app} has {errors} and {warnings}" if wish.strict else f"{wish.app} has {errors}"


def _targets(wish: Wish) -> list[Target]:
    targets: list[Target] = []
    for text in wish.paths:
        try:
            targets.append(parse_path(text))
        except ValueError as error:
            raise ConfigurationError(f"--path {text!r}: {error}") from error
    if wish.openapi is not None:
        try:
            targets += openapi_targets(load_openapi(Path(wish.openapi)))
        except DocumentError as error:
            raise ConfigurationError(f"--openapi: {error}") from error
    return list(dict.fromkeys(targets)) or [parse_path("/")]


def write_report(text: str, output: str | None, say: Callable[[str], object]) -> None:
    """Write a report to the file that ``--output`` names, or with ``say``."""
    if output is None:
        say(text)
        return
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"--output {output}: {error.strerror}") from error


def chosen_rules(values: Sequence[str]) -> tuple[str, ...]:
    """Ids and beginnings of ids; each has to stand for a rule."""
    chosen = [each.strip().upper() for value in values for each in value.split(",") if each.strip()]
    known = catalogue()
    for each in chosen:
        if not any(key.startswith(each) for key in known):
            near = nearest(each, known)
            hint = f"; is {near} meant?" if near else ""
            raise ConfigurationError(
                f"{each} is no rule, nor the beginning of one{hint} (quaich explain --all)"
            )
    return tuple(chosen)
