"""The end of a check: what every report is made from."""

from dataclasses import dataclass
from datetime import datetime

from quaich.conformance.findings import Finding


@dataclass(frozen=True)
class Outcome:
    """The end of a check. ``trials`` are the names of what was tried, in its order, with the
    number of requests that each took; ``answers`` the pages that were asked for, such as ``GET /``,
    with the status of each, or the name of an exception."""

    app: str  # as it was named
    requests: int
    rules_checked: tuple[str, ...]
    findings: tuple[Finding, ...]
    trials: tuple[tuple[str, int], ...] = ()
    version: str = ""  # of Quaich
    time: datetime | None = None  # with a time zone
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def unanswered(self) -> tuple[tuple[str, str], ...]:
        """Those of the answers that are no success and no redirect: of them a check sees little
        but the error page."""
        return tuple(each for each in self.answers if each[1][:1] not in ("2", "3"))

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(each.severity == "error" for each in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return sum(each.severity == "warning" for each in self.findings)

    @property
    def infos(self) -> int:
        """How many findings are only worth knowing."""
        return sum(each.severity == "info" for each in self.findings)
