"""What a scenario has counted, as lines and as a row of a table."""

from collections.abc import Iterable
from dataclasses import dataclass

from stress.report import Report


@dataclass
class Outcome(Report):
    """``meanwhile``: what was done while the clients asked. ``excuse``: of the requests that failed
    and may have, where they were."""

    meanwhile: str = ""
    requests: int = 0
    failed: int = 0  # not answered, or not as they should be
    excuse: str = ""

    def __str__(self) -> str:
        first, *others = super().__str__().splitlines()
        if self.failed and not self.faults:
            first = f"{self.name}: {self.shown_failed}"
        return "\n".join((first, *others))

    @property
    def shown_failed(self) -> str:
        return (
            f"{self.failed}, {self.excuse}" if self.failed and not self.faults else str(self.failed)
        )


def table(outcomes: Iterable[Outcome]) -> str:
    """In Markdown."""
    lines = ["| scenario | meanwhile | requests | failed |", "|---|---|---:|---:|"]
    for each in outcomes:
        requests = f"{each.requests:,}".replace(",", "\N{NO-BREAK SPACE}")
        lines.append(f"| `{each.name}` | {each.meanwhile} | {requests} | {each.shown_failed} |")
    return "\n".join(lines)
