"""The report as workflow commands of GitHub Actions, which shows them beside the code.

A command is a line: ``::error file=shop.py,line=4,title=A07::message``. GitHub finds a file by its
path below the checkout, hence the relative paths.
"""

from pathlib import Path
from typing import Final

from quaich.conformance.findings import Finding
from quaich.conformance.reports.outcome import Outcome
from quaich.conformance.reports.wording import asked, times, visible

_COMMANDS: Final = {"error": "error", "warning": "warning", "info": "notice"}


def render(outcome: Outcome, *, root: Path | None = None) -> str:
    """A line for each finding; nothing where nothing was found. Files are named from ``root``, by
    default the current directory, if they are below it."""
    top = Path.cwd() if root is None else root
    return "".join(f"{_command(each, top)}\n" for each in outcome.findings)


def _command(finding: Finding, top: Path) -> str:
    properties = {}
    if finding.where.file:
        properties["file"] = _relative(finding.where.file, top)
        if finding.where.line:
            properties["line"] = str(finding.where.line)
    properties["title"] = finding.rule
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {listed}::{_data(_message(finding))}"


def _message(finding: Finding) -> str:
    party = "" if finding.party == "application" else f"{finding.party}: "
    requests = asked(finding.requests)
    return f"{party}{finding.message}{requests}{times(finding.count)}\n{finding.hint}"


def _relative(file: str, top: Path) -> str:
    path = Path(file)
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else file


def _data(text: str) -> str:
    text = visible(text, keep="\r\n").replace("%", "%25")
    return text.replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
