"""From samples to what they say: medians, ratios between Quaich and its peers, goals.

A ratio is taken within a round, where both had the same machine, and then the median over the
rounds.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from benchmarks.servers.measuring import Outcome, Sample
from benchmarks.servers.peers import QUAICH
from benchmarks.servers.workloads import WORKLOADS

Quantity = Literal["cpu", "rate"]

_LIMITED: Final = 0.95  # of its core: from there on wrk may be the slower side
_AS_QUICK: Final = 0.95  # of the best rate: less is another class of variant


class Medians(NamedTuple):
    """A server in a workload, in its best variant. Units as in Sample."""

    server: str
    variant: str
    rounds: int
    cpu: float
    rate: float
    p50: float | None
    p99: float | None
    p999: float | None
    memory: float
    server_busy: float
    load_busy: float
    errors: dict[str, int]  # of all rounds
    note: str

    @property
    def is_limited(self) -> bool:
        """Whether the rate may be wrk's and not the server's."""
        return self.load_busy >= _LIMITED


class Ratio(NamedTuple):
    """Quaich's figure by the peer's: the median of the rounds, the lowest and the highest."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    workload: str
    medians: dict[str, Medians]
    faults: dict[str, str]  # server → why it has no figures
    cpu: dict[str, Ratio]  # peer → ratio
    rate: dict[str, Ratio]


def compare(outcome: Outcome) -> list[Row]:
    """A row for each workload that was begun, in their order."""
    rows = []
    for workload in WORKLOADS:
        samples = [sample for sample in outcome.samples if sample.workload == workload.name]
        chosen = {
            server: best_variant(sample for sample in samples if sample.server == server)
            for server in dict.fromkeys(sample.server for sample in samples)
        }
        faults: dict[str, str] = {}
        for (name, server, variant), reason in outcome.faults.items():
            if name == workload.name and server not in chosen:
                faults[server] = f"{faults[server]}; " if server in faults else ""
                faults[server] += f"{variant}: {reason}"
        if not chosen and not faults:
            continue
        own = chosen.get(QUAICH.name, [])
        peers = {name: theirs for name, theirs in chosen.items() if name != QUAICH.name}
        rows.append(
            Row(
                workload.name,
                {name: medians(theirs) for name, theirs in chosen.items()},
                faults,
                _ratios(own, peers, lambda sample: sample.cpu),
                _ratios(own, peers, lambda sample: sample.rate),
            )
        )
    return rows


def best_variant(samples: Iterable[Sample]) -> list[Sample]:
    """The samples of one variant: of those about as quick as the quickest the one that needs
    least CPU. One that lost requests does not come before one that lost none."""
    variants: dict[str, list[Sample]] = {}
    for sample in samples:
        variants.setdefault(sample.variant, []).append(sample)
    sound = [found for found in variants.values() if not any(s.errors for s in found)]
    candidates = sound or list(variants.values())
    rates = [statistics.median(sample.rate for sample in found) for found in candidates]
    quick = [
        found
        for found, rate in zip(candidates, rates, strict=True)
        if rate >= _AS_QUICK * max(rates)
    ]
    return min(quick, key=lambda found: statistics.median(sample.cpu for sample in found))


def medians(samples: Sequence[Sample]) -> Medians:
    def middle(figure: Callable[[Sample], float]) -> float:
        return statistics.median(figure(sample) for sample in samples)

    def percentile(figure: Callable[[Sample], float | None]) -> float | None:
        known = [value for value in map(figure, samples) if value is not None]
        return statistics.median(known) if known else None

    errors: Counter[str] = Counter()
    for sample in samples:
        errors.update(sample.errors)
    return Medians(
        server=samples[0].server,
        variant=samples[0].variant,
        rounds=len(samples),
        cpu=middle(lambda sample: sample.cpu),
        rate=middle(lambda sample: sample.rate),
        p50=percentile(lambda sample: sample.p50),
        p99=percentile(lambda sample: sample.p99),
        p999=percentile(lambda sample: sample.p999),
        memory=middle(lambda sample: sample.memory),
        server_busy=middle(lambda sample: sample.server_busy),
        load_busy=middle(lambda sample: sample.load_busy),
        errors=dict(errors),
        note=next((sample.note for sample in samples if sample.note), ""),
    )


def _ratios(
    own: Sequence[Sample], peers: dict[str, list[Sample]], figure: Callable[[Sample], float]
) -> dict[str, Ratio]:
    by_round = {sample.round: figure(sample) for sample in own}
    ratios = {}
    for name, theirs in peers.items():
        values = [
            by_round[sample.round] / figure(sample)
            for sample in theirs
            if sample.round in by_round and figure(sample)
        ]
        if values:
            ratios[name] = Ratio(statistics.median(values), min(values), max(values))
    return ratios


def own_faults(outcome: Outcome) -> list[str]:
    """What Quaich did not do, or lost under load: it has to be nothing."""
    faults = [
        f"{workload}: {reason}"
        for (workload, server, _), reason in outcome.faults.items()
        if server == QUAICH.name
    ]
    for sample in outcome.samples:
        if sample.server == QUAICH.name and sample.errors:
            counts = ", ".join(f"{count} {kind} errors" for kind, count in sample.errors.items())
            faults.append(f"{sample.workload}, round {sample.round + 1}: {counts}")
    return faults


# --- Goals ------------------------------------------------------------------------------


class Goal(NamedTuple):
    workload: str
    peer: str
    quantity: Quantity
    bound: float  # for "cpu" the ratio's highest value, for "rate" its lowest


def _goals() -> list[Goal]:
    goals = [
        Goal("minimal", "granian", "cpu", 0.90),
        Goal("browser", "granian", "cpu", 0.80),
        Goal("browser", "bjoern", "cpu", 1.15),
        *(Goal(name, "granian", "cpu", 0.90) for name in ("post", "stream", "block", "file")),
    ]
    for name in ("mixed", "mixed-paths"):
        goals += [Goal(name, "granian", "cpu", 0.80), Goal(name, "granian", "rate", 0.95)]
    goals.append(Goal("sleeping", "granian", "rate", 0.95))
    # Where nearly all CPU is the application's own, no server can need a third of another's.
    goals += [
        Goal(workload.name, "gunicorn", "cpu", 0.30)
        for workload in WORKLOADS
        if workload.name != "cpu"
    ]
    return goals


GOALS: Final = tuple(_goals())


class Verdict(NamedTuple):
    goal: Goal
    value: float | None  # None: not measured
    missed_by: float  # a share of the bound; 0 if the goal is met


def judge(rows: Iterable[Row]) -> list[Verdict]:
    """What the rows say of the goals that are about them."""
    by_name = {row.workload: row for row in rows}
    verdicts = []
    for goal in GOALS:
        row = by_name.get(goal.workload)
        if row is None:
            continue
        ratio = (row.cpu if goal.quantity == "cpu" else row.rate).get(goal.peer)
        value = ratio.value if ratio is not None else None
        verdicts.append(Verdict(goal, value, _missed_by(goal, value)))
    return verdicts


def _missed_by(goal: Goal, value: float | None) -> float:
    if value is None:
        return 0.0
    excess = value / goal.bound - 1 if goal.quantity == "cpu" else 1 - value / goal.bound
    return max(0.0, excess)
