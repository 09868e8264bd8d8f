"""The end of a check: what every report is made from."""

from dataclasses import dataclass
from datetime import datetime

from quaich.conformance.findings import Finding


@dataclass(frozen=True)
class Outcome:
    """The end of a check. ``trials`` are the names of what was tried, in its order, with the
    number of requests that each took."""

    app: str  # as it was named
    requests: int
    rules_checked: tuple[str, ...]
    findings: tuple[Finding, ...]
    trials: tuple[tuple[str, int], ...] = ()
    version: str = ""  # of Quaich
    time: datetime | None = None  # with a time zone

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
