"""``quaich check``: what is to be checked, and where the report goes."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quaich import __version__
from quaich.cli import configuring, serving
from quaich.cli.errors import CommandError, ConfigurationError, LoadError
from quaich.cli.load import load_app, load_factory
from quaich.conformance.check.openapi import DocumentError, load_openapi, openapi_targets
from quaich.conformance.check.run import check_application, check_middleware, rules_checked
from quaich.conformance.check.targets import Target, parse_path
from quaich.conformance.findings import Finding, Report
from quaich.conformance.reports import FORMATS, Outcome
from quaich.conformance.reports import text as text_report
from quaich.conformance.reports.wording import counted
from quaich.conformance.rules import alike, catalogue
from quaich.protocol.grammar import match_authority
from quaich.settings import SettingError

FORMS: Final = tuple(FORMATS)


class ChecksFailed(CommandError):
    """The check is over, and has found something. Its report has been written."""

    exit_code = 1


@dataclass(frozen=True)
class Wish:
    """What the command line says."""

    app: str  # empty: the one of the settings
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
    """Check, and write the report: to a file, or with ``say``. Raises :class:`ChecksFailed`.

    ``say`` gets colours in a text, and takes them out again where no terminal shows them.
    """
    report = Report("collect", select=chosen_rules(wish.select), ignore=chosen_rules(wish.ignore))
    _refuse_idle(wish, report)
    wish = wish if wish.app else _as_served(wish)
    # What the application prints would stand in the middle of the report, or break its JSON.
    with contextlib.redirect_stdout(sys.stderr):
        outcome = _checked(wish, report)
    outcome = dataclasses.replace(
        outcome, version=__version__, findings=tuple(map(_from_here, outcome.findings))
    )
    if wish.form == "text" and wish.output is None and not os.environ.get("NO_COLOR"):
        text = text_report.render(outcome, colour=True)
    else:
        text = FORMATS[wish.form](outcome)
    write_report(text, wish.output, say)
    count = outcome.errors + (outcome.warnings if wish.strict else 0)
    if count and not wish.exit_zero:
        raise ChecksFailed(_summary(outcome, wish))


def _as_served(wish: Wish) -> Wish:
    """With the application that variables or a file of settings name, which from now on can be
    loaded as it is when it is served: directory, variables and the like are set."""
    if wish.is_middleware:
        raise ConfigurationError("no middleware is given: write MODULE:NAME")
    found = configuring.Sources({}, dict(os.environ), configuring.directory()).read()
    settings = serving.settings_of(*found)
    app = configuring.app_of(settings)
    # What the command line names goes from where it was written.
    here = Path() if settings.process.chdir is None else configuring.directory()
    try:
        configuring.prepare(settings)
    except SettingError as error:
        raise configuring.explained(error, found) from error
    directories = [str(here / each) for each in wish.directories]
    return dataclasses.replace(
        wish,
        app=app,
        directories=directories or settings.process.pythonpath,
        openapi=None if wish.openapi is None else str(here / wish.openapi),
        output=None if wish.output is None else str(here / wish.output),
    )


def _checked(wish: Wish, report: Report) -> Outcome:
    if wish.is_middleware:
        factory = _loaded(load_factory, wish, load_app, "an application: leave out --middleware")
        return check_middleware(factory, wish.app, report)
    targets = _targets(wish)
    application = _loaded(load_app, wish, load_factory, "a middleware: add --middleware")
    return check_application(application, wish.app, report, targets, wish.crawl, wish.host)


def _loaded(
    load: Callable[[str, Sequence[str]], Any],
    wish: Wish,
    other: Callable[[str, Sequence[str]], object],
    hint: str,
) -> Any:
    """What APP names. If ``other`` can load it, the error says so with ``hint``."""
    try:
        return load(wish.app, wish.directories)
    except LoadError as error:
        if error.report or "(" in wish.app:  # what fails is not called again
            raise
        try:
            other(wish.app, wish.directories)
        except LoadError:
            raise error from None
        raise LoadError(f"{error}; it may be {hint}") from error


def _refuse_idle(wish: Wish, report: Report) -> None:
    """Raises ConfigurationError for options that would do nothing, before anything is called."""
    if not rules_checked(report, "SAMH" if wish.is_middleware else "AH"):
        side = "a middleware" if wish.is_middleware else "an application"
        raise ConfigurationError(
            f"--select and --ignore leave no rule that {side} is checked by"
            " (quaich explain RULE says how a rule is checked)"
        )
    for option, value in (
        ("--path", wish.paths),
        ("--openapi", wish.openapi),
        ("--crawl", wish.crawl),
    ):
        if wish.is_middleware and value:
            raise ConfigurationError(
                f"{option} says what an application is asked for; a middleware is checked over"
                " applications of the checker's own: leave it out"
            )
    host = match_authority(wish.host)
    if host is None or not host["host"]:
        raise ConfigurationError(f"--host {wish.host!r}: takes HOST or HOST:PORT, as in a URL")


def _from_here(finding: Finding) -> Finding:
    """With the place as a person would write it: from the current directory, if it is below."""
    path = Path(finding.where.file)
    if not path.is_relative_to(Path.cwd()):
        return finding
    file = str(path.relative_to(Path.cwd()))
    return dataclasses.replace(finding, where=finding.where._replace(file=file))


def _summary(outcome: Outcome, wish: Wish) -> str:
    counts = counted(outcome.errors, "error")
    if wish.strict:
        counts += f" and {counted(outcome.warnings, 'warning')}"
    report = "" if wish.output is None else f" (see {wish.output})"
    return f"{wish.app} has {counts}{report}"


def _targets(wish: Wish) -> list[Target]:
    targets: list[Target] = []
    for text in wish.paths:
        try:
            targets.append(parse_path(text))
        except ValueError as error:
            raise ConfigurationError(f"--path {text!r}: {error}") from error
    if wish.openapi is not None:
        targets += _described(wish.openapi)
    return list(dict.fromkeys(targets)) or [parse_path("/")]


def _described(file: str) -> list[Target]:
    """What an OpenAPI document says there is."""
    try:
        targets = openapi_targets(load_openapi(Path(file)))
    except DocumentError as error:
        # A place within the document is a pointer that begins with "#".
        within = file if error.place.startswith("#") else ""
        raise ConfigurationError(f"--openapi: {within}{error}") from error
    if not targets:
        raise ConfigurationError(f"--openapi: {file}: it describes no operation to ask for")
    return targets


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
            near = alike(each)
            hint = f"; is {near[0]} meant?" if near else ""
            raise ConfigurationError(
                f"{each} is no rule, nor the beginning of one{hint} (quaich explain --all)"
            )
    return tuple(chosen)
