"""Samples → medians, and ratios within a round → Markdown and JSON."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from benchmarks.deployed.measuring import Outcome, Sample
from benchmarks.deployed.rows import ROWS, SECTIONS, Kind, Row
from benchmarks.servers.comparison import Ratio
from benchmarks.servers.peers import QUAICH
from benchmarks.servers.report import QUIET

LIMITED: Final = 0.95  # of the load's core: from there on it may be the slower side


class Figure(NamedTuple):
    name: str
    title: str
    unit: float = 1.0  # what the figure is divided by to be shown
    digits: int = 0
    has_ratio: bool = True


class Count(NamedTuple):
    name: str
    title: str


class Table(NamedTuple):
    figures: tuple[Figure, ...]
    counts: tuple[Count, ...] = ()


TABLES: Final[dict[Kind, Table]] = {
    "load": Table(
        (
            Figure("cpu", "CPU µs/request", digits=1),
            Figure("rate", "requests/s"),
            Figure("p99", "p99 ms", 1e3, 2, has_ratio=False),
            Figure("proxy", "nginx CPU µs", digits=1, has_ratio=False),
        ),
        (Count("errors", "errors"),),
    ),
    "handshakes": Table(
        (Figure("cpu", "CPU µs/handshake"), Figure("rate", "handshakes/s")),
    ),
    "memory": Table(
        (
            Figure("worker", "PSS of a worker, MiB", 2**20, 1),
            Figure("total", "PSS of all, MiB", 2**20, 1),
        ),
        (Count("errors", "errors"),),
    ),
    "reload": Table(
        (
            Figure("reload", "until all workers are new, s", digits=2),
            Figure("first", "first answer of a new one, s", digits=2, has_ratio=False),
            Figure("longest", "longest wait, ms", 1e-3, 0, has_ratio=False),
        ),
        (Count("answered", "answered"), Count("lost", "lost")),
    ),
}

HEADINGS: Final = {
    "workers": "Two workers",
    "tls": "TLS",
    "handshakes": "TLS handshakes",
    "static": "Files",
    "nginx": "Behind nginx",
    "memory": "Memory",
    "reload": "Reload by HUP",
    "settings": "What settings cost",
}

REMARKS: Final = {
    "workers": "With two cores, the workers and wrk share them: requests per second are of both.",
    "nginx": "CPU is the server's behind nginx; nginx's own is beside it. With two cores nginx "
    "shares wrk's.",
    "reload": "Times are means of the reloads of a round, and then the median of the rounds; "
    "counts are of all.",
}


@dataclass(frozen=True)
class Line:
    """A candidate in a row. Ratios: the first candidate's figure by this one's."""

    candidate: str
    rounds: int
    figures: dict[str, float | None]
    counts: dict[str, int]
    ratios: dict[str, Ratio]
    is_limited: bool
    note: str


def summarise(row: Row, samples: Iterable[Sample]) -> list[Line]:
    """A line for each candidate that has been measured."""
    by_candidate: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.row == row.name:
            by_candidate.setdefault(sample.candidate, []).append(sample)
    first = by_candidate.get(row.candidates[0].name, [])
    lines = []
    for candidate in row.candidates:
        theirs = by_candidate.get(candidate.name)
        if theirs:
            is_first = candidate is row.candidates[0]
            lines.append(_line(row, theirs, [] if is_first else first))
    return lines


def _line(row: Row, samples: Sequence[Sample], first: Sequence[Sample]) -> Line:
    counts: Counter[str] = Counter()
    for sample in samples:
        counts.update(sample.counts)
    ratios = {}
    for figure in TABLES[row.kind].figures:
        found = _ratio(figure.name, samples, first) if figure.has_ratio else None
        if found is not None:
            ratios[figure.name] = found
    return Line(
        candidate=samples[0].candidate,
        rounds=len(samples),
        figures={name: _median(name, samples) for name in samples[0].figures},
        counts=dict(counts),
        ratios=ratios,
        is_limited=(_median("load", samples) or 0.0) >= LIMITED,
        note=next((sample.note for sample in samples if sample.note), ""),
    )


def _median(name: str, samples: Sequence[Sample]) -> float | None:
    known = [value for sample in samples if (value := sample.figures.get(name)) is not None]
    return statistics.median(known) if known else None


def _ratio(name: str, samples: Sequence[Sample], first: Sequence[Sample]) -> Ratio | None:
    by_round = {sample.round: sample.figures.get(name) for sample in first}
    values = []
    for sample in samples:
        own, theirs = by_round.get(sample.round), sample.figures.get(name)
        if own is not None and theirs:
            values.append(own / theirs)
    return Ratio(statistics.median(values), min(values), max(values)) if values else None


# --- Markdown ---------------------------------------------------------------------------


def format_report(rows: Sequence[Row], machine: dict[str, Any], outcome: Outcome) -> str:
    parts = [_format_machine(machine, outcome)]
    if outcome.interrupted:
        parts.append("Interrupted: what was measured until then.")
    others = [s.others_busy for s in outcome.samples if s.others_busy is not None]
    if others and statistics.median(others) > QUIET:
        parts.append(
            f"**Other processes had {statistics.median(others):.0%} of the cores: these figures "
            "are mostly noise.**"
        )
    begun = {sample.row for sample in outcome.samples} | {name for name, _ in outcome.faults}
    for section in SECTIONS:
        chosen = [row for row in rows if row.section == section and row.name in begun]
        if chosen:
            parts += [f"## {HEADINGS[section]}", _format_table(chosen, outcome)]
            if section in REMARKS:
                parts.append(REMARKS[section])
    return "\n\n".join([*parts, *_format_notes(rows, outcome)])


def _format_machine(machine: dict[str, Any], outcome: Outcome) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["servers"].items())
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['system']}, "
        f"{machine['python']}; {versions}; wrk {machine['wrk']}. {outcome.rounds} rounds of "
        f"{outcome.seconds} s. Medians of the rounds; in brackets the first server of a row by "
        "this one, in the same round: the median, and the lowest to the highest. ~: the load may "
        "have been the slower side."
    )


def _format_table(rows: Sequence[Row], outcome: Outcome) -> str:
    table = TABLES[rows[0].kind]
    summaries = [(row, summarise(row, outcome.samples)) for row in rows]
    all_lines = [line for _, summary in summaries for line in summary]
    # A figure that none of them has is no column.
    figures = [
        figure
        for figure in table.figures
        if any(line.figures.get(figure.name) is not None for line in all_lines)
    ]
    titles = [figure.title for figure in figures] + [count.title for count in table.counts]
    lines = [_cells(["", "", *titles]), _cells(["---", "---", *["---:"] * len(titles)])]
    for row, summary in summaries:
        name = row.title
        for line in summary:
            cells = [_format_figure(figure, line) for figure in figures]
            cells += [str(line.counts.get(count.name, 0)) for count in table.counts]
            lines.append(_cells([name, line.candidate, *cells]))
            name = ""
        measured = {line.candidate for line in summary}
        for candidate in row.candidates:
            reason = outcome.faults.get((row.name, candidate.name))
            if candidate.name not in measured and reason is not None:
                lines.append(_cells([name, candidate.name, "not measured"]))
                name = ""
    return "\n".join(lines)


def _cells(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def _format_figure(figure: Figure, line: Line) -> str:
    value = line.figures.get(figure.name)
    if value is None:
        return "-"
    mark = "~" if figure.name == "rate" and line.is_limited else ""
    text = f"{mark}{value / figure.unit:,.{figure.digits}f}"
    ratio = line.ratios.get(figure.name)
    if ratio is None:
        return text
    if line.rounds == 1:
        return f"{text} ({ratio.value:.2f})"
    return f"{text} ({ratio.value:.2f}; {ratio.low:.2f} to {ratio.high:.2f})"


def _format_notes(rows: Sequence[Row], outcome: Outcome) -> list[str]:
    notes = [
        f"- {candidate}, {_title(name)}: {reason}"
        for (name, candidate), reason in outcome.faults.items()
    ]
    for row in rows:
        notes += [
            f"- {line.candidate}, {row.title}: {line.note}"
            for line in summarise(row, outcome.samples)
            if line.note
        ]
    return ["## Notes", "\n".join(notes)] if notes else []


def _title(name: str) -> str:
    return next(row.title for row in ROWS if row.name == name)


# --- JSON -------------------------------------------------------------------------------


def as_data(rows: Sequence[Row], machine: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    return {
        "machine": machine,
        "settings": {"rounds": outcome.rounds, "seconds": outcome.seconds},
        "interrupted": outcome.interrupted,
        "rows": [
            {
                "row": row.name,
                "section": row.section,
                "title": row.title,
                "kind": row.kind,
                "commands": {each.name: " ".join(each.command) for each in row.candidates},
                "lines": [
                    {
                        **asdict(line),
                        "ratios": {name: each._asdict() for name, each in line.ratios.items()},
                    }
                    for line in summarise(row, outcome.samples)
                ],
            }
            for row in rows
        ],
        "samples": [asdict(sample) for sample in outcome.samples],
        "faults": [
            {"row": row, "candidate": candidate, "reason": reason}
            for (row, candidate), reason in outcome.faults.items()
        ],
    }


def own_faults(rows: Sequence[Row], outcome: Outcome) -> list[str]:
    """What Quaich did not do, or lost: it has to be nothing."""
    faults = []
    for row in rows:
        for candidate in row.candidates:
            reason = outcome.faults.get((row.name, candidate.name))
            if candidate.server is QUAICH and reason is not None:
                faults.append(f"{row.name}, {candidate.name}: {reason}")
        names = {each.name for each in row.candidates if each.server is QUAICH}
        faults += [
            f"{row.name}, {line.candidate}: {line.counts[kind]} {kind}"
            for line in summarise(row, outcome.samples)
            for kind in ("errors", "lost")
            if line.candidate in names and line.counts.get(kind)
        ]
    return faults
