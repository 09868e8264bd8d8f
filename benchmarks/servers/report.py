"""The outcome as text, ratios first, and as JSON, with every sample and the machine."""

import datetime
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.servers.comparison import Goal, Medians, Ratio, Row, Verdict, own_faults
from benchmarks.servers.environment import Environment
from benchmarks.servers.measuring import Outcome
from benchmarks.servers.peers import PEERS, QUAICH, Server
from benchmarks.servers.workloads import BY_NAME

TITLE_WIDTH = max(len(workload.title) for workload in BY_NAME.values()) + 2

QUIET = 0.03  # what other processes may have of the two cores


# --- Text -------------------------------------------------------------------------------


def format_report(
    rows: Sequence[Row],
    verdicts: Sequence[Verdict],
    machine: dict[str, Any],
    environment: Environment,
    outcome: Outcome,
) -> str:
    parts = [_format_machine(machine)]
    if outcome.interrupted:
        parts.append("Interrupted: what was measured until then.")
    others = statistics.median([sample.others_busy for sample in outcome.samples] or [0.0])
    if others > QUIET:
        parts.append(
            f"Other processes had {others:.0%} of the two cores: these figures are mostly noise."
        )
    faults = own_faults(outcome)
    if faults:
        parts.append("\n  ".join(["Faults of Quaich", *faults]))
    if any(row.cpu for row in rows):
        parts += [format_ratios(rows), format_goals(verdicts)]
    else:
        parts.append("No ratios: there are no figures of Quaich together with a peer's.")
    parts.append(
        "Figures, medians of the rounds. CPU us: of the server, per request. MiB: at the peak, of "
        "all its\nprocesses. core, wrk: how busy the server's core and wrk's were with them."
    )
    parts += [format_figures(row) for row in rows]
    remarks = format_remarks(rows, environment, outcome)
    if remarks:
        parts.append(remarks)
    return "\n\n".join(parts)


def format_ratios(rows: Sequence[Row]) -> str:
    names = [peer.name for peer in PEERS if any(peer.name in row.cpu for row in rows)]
    header = "".join(f"{name:>10}" for name in names)
    lines = [f"{'CPU per request, quaich / peer':{TITLE_WIDTH}}{header}"]
    for row in rows:
        cells = [_format_ratio(row.cpu.get(name)) for name in names]
        lines.append(f"{BY_NAME[row.workload].title:{TITLE_WIDTH}}{''.join(cells)}")
    lines += ["", f"{'requests per second, quaich / peer':{TITLE_WIDTH}}{header}"]
    for row in rows:
        limited = {name for name, found in row.medians.items() if found.is_limited}
        cells = [
            _format_ratio(row.rate.get(name), limited=bool(limited & {name, QUAICH.name}))
            for name in names
        ]
        lines.append(f"{BY_NAME[row.workload].title:{TITLE_WIDTH}}{''.join(cells)}")
    lines.append("~: wrk was at its limit with one of the two, and the ratio may be wrk's.")
    return "\n".join(lines)


def _format_ratio(ratio: Ratio | None, limited: bool = False) -> str:
    if ratio is None:
        return f"{'-':>10}"
    mark = "~" if limited else ""
    return f"{mark + format(ratio.value, '.2f'):>10}"


def format_goals(verdicts: Iterable[Verdict]) -> str:
    lines = ["Goals"]
    met = 0
    total = 0
    for goal, value, missed_by in verdicts:
        total += 1
        if value is None:
            state = "not measured"
        elif missed_by:
            state = f"{value:.2f}, missed by {missed_by:.0%}"
        else:
            state = f"{value:.2f}, met"
            met += 1
        lines.append(f"  {BY_NAME[goal.workload].title:{TITLE_WIDTH}}{_name_goal(goal):36}{state}")
    return "\n".join([*lines, f"  {met} of {total} met"])


def _name_goal(goal: Goal) -> str:
    if goal.quantity == "cpu":
        return f"CPU <= {goal.bound:.2f} of {goal.peer}"
    return f"requests/s >= {goal.bound:.2f} of {goal.peer}"


def format_figures(row: Row) -> str:
    """The absolute figures of one workload, least CPU first."""
    lines = [
        f"{BY_NAME[row.workload].title:{TITLE_WIDTH}}{'CPU us':>9}{'req/s':>9}{'p50 ms':>9}"
        f"{'p99 ms':>9}{'p99.9 ms':>10}{'MiB':>7}{'core':>6}{'wrk':>6}"
    ]
    for found in sorted(row.medians.values(), key=lambda found: found.cpu):
        lines += [
            f"  {f'{found.server} ({found.variant})':{TITLE_WIDTH - 2}}"
            f"{found.cpu:9.1f}{found.rate:9.0f}{_milliseconds(found.p50):>9}"
            f"{_milliseconds(found.p99):>9}{_milliseconds(found.p999):>10}"
            f"{found.memory / 2**20:7.0f}"
            f"{found.server_busy:6.0%}{found.load_busy:6.0%}{_format_troubles(found)}"
        ]
    lines += [f"  {server}: {reason}" for server, reason in row.faults.items()]
    return "\n".join(lines)


def _milliseconds(microseconds: float | None) -> str:
    return "-" if microseconds is None else format(microseconds / 1e3, ".2f")


def _format_troubles(found: Medians) -> str:
    words = [f"{count} {kind} errors" for kind, count in found.errors.items()]
    if found.note:
        words.append(found.note)
    return f"  {', '.join(words)}" if words else ""


def format_remarks(rows: Sequence[Row], environment: Environment, outcome: Outcome) -> str:
    lines = [f"{name} is absent: {reason}" for name, reason in environment.absent.items()]
    measured = {name for row in rows for name in row.medians}
    lines += [f"{peer.name}: {peer.note}" for peer in PEERS if peer.note and peer.name in measured]
    for (workload, server, variant), reason in outcome.faults.items():
        row = next((row for row in rows if row.workload == workload), None)
        if row is None or server in row.medians:  # else it is in the table
            lines.append(f"{server} ({variant}), {BY_NAME[workload].title}: {reason}")
    return "\n".join(lines)


# --- The machine ------------------------------------------------------------------------


def describe_machine(environment: Environment, outcome: Outcome) -> dict[str, Any]:
    return {
        **describe_system(environment),
        "server_core": outcome.cores.server,
        "load_core": outcome.cores.load,
    }


def describe_system(environment: Environment) -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": os.getloadavg(),
        "python": environment.python_version,
        "wrk": _wrk_version(),
        "servers": environment.versions,
    }


def _format_machine(machine: dict[str, Any]) -> str:
    servers = ", ".join(f"{name} {version}" for name, version in machine["servers"].items())
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores "
        f"(server on {machine['server_core']}, wrk on {machine['load_core']}), "
        f"{machine['system']}\n{machine['python']}, {servers}, wrk {machine['wrk']}"
    )


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown CPU"


def _wrk_version() -> str:
    # It has no option that only shows its version: --version does, with the usage after it.
    run = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"wrk (\S+)", run.stdout + run.stderr)
    return found[1] if found else "unknown"


# --- JSON -------------------------------------------------------------------------------


def as_data(
    rows: Sequence[Row],
    verdicts: Sequence[Verdict],
    machine: dict[str, Any],
    environment: Environment,
    outcome: Outcome,
    servers: Sequence[Server],
) -> dict[str, Any]:
    return {
        "machine": machine,
        "settings": {"rounds": outcome.rounds, "seconds": outcome.seconds},
        "iterations": outcome.iterations,
        "interrupted": outcome.interrupted,
        "commands": {
            server.name: {
                variant.name: " ".join(variant.command).replace("{bin}/", "")
                for variant in server.variants
            }
            for server in servers
        },
        "absent": environment.absent,
        "rows": [
            {
                "workload": row.workload,
                "title": BY_NAME[row.workload].title,
                "medians": {name: found._asdict() for name, found in row.medians.items()},
                "faults": row.faults,
                "cpu": {name: ratio._asdict() for name, ratio in row.cpu.items()},
                "rate": {name: ratio._asdict() for name, ratio in row.rate.items()},
            }
            for row in rows
        ],
        "goals": [
            {**goal._asdict(), "value": value, "missed_by": missed_by}
            for goal, value, missed_by in verdicts
        ],
        "samples": [asdict(sample) for sample in outcome.samples],
        "faults": [
            {"workload": workload, "server": server, "variant": variant, "reason": reason}
            for (workload, server, variant), reason in outcome.faults.items()
        ],
    }
