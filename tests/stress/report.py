"""What a scenario counted."""

from dataclasses import dataclass, field

from stress.traffic import Tally


@dataclass
class Report:
    """Rows of a table, and what must not be: ``faults``."""

    name: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def say(self, what: str, value: object) -> None:
        self.rows.append((what, f"{value:.2f}" if isinstance(value, float) else str(value)))

    def need(self, is_so: bool, fault: str) -> None:
        """Something that must be so."""
        if not is_so:
            self.faults.append(fault)

    def traffic(self, what: str, tally: Tally, requests: int) -> None:
        """Normal traffic, of which nothing may be lost."""
        self.say(f"{what}: right answers", f"{tally.right} of {requests}")
        self.say(f"{what}: lost or truncated", len(tally.lost))
        if tally.retried:
            self.say(f"{what}: sent anew, the idle connection had ended", tally.retried)
        if tally.seconds:
            shares = ((0.5, "p50"), (0.99, "p99"), (1.0, "max"))
            self.say(
                f"{what}: " + "/".join(name for _, name in shares) + ", ms",
                " / ".join(f"{tally.percentile(share):.2f}" for share, _ in shares),
            )
        self.need(tally.right == requests, f"{what}: {tally.right} of {requests}; {tally.lost[:5]}")

    def __str__(self) -> str:
        width = max((len(what) for what, _ in self.rows), default=0)
        lines = [f"{self.name}: {'FAILED' if self.faults else 'nothing lost'}"]
        lines += [f"  {what:<{width}}  {value}" for what, value in self.rows]
        lines += [f"  FAULT: {fault}" for fault in self.faults]
        return "\n".join(lines)
