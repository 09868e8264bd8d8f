"""Showing comparisons: the table of the terminal, and the page docs/compatibility.md.

Both are functions of the comparisons; the page has no date, path or duration in it, so it changes
only when a result does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from compat.execution import Comparison, Side

COLUMNS = (
    "project",
    "version",
    "tests",
    "passed on stdlib",
    "passed on Quaich",
    "regressions",
)


def rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    return [
        (
            comparison.project.name,
            comparison.project.version,
            str(comparison.tests),
            str(comparison.passed(Side.STDLIB)),
            str(comparison.passed(Side.QUAICH)),
            "no result" if comparison.faults else str(len(comparison.regressions)),
        )
        for comparison in comparisons
    ]


def format_table(comparisons: Sequence[Comparison]) -> str:
    """The table of the terminal."""
    lines = [COLUMNS, *rows(comparisons)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def format_findings(comparisons: Sequence[Comparison]) -> str:
    """Everything that is not a plain pass, with the tracebacks of regressions."""
    lines = []
    for comparison in comparisons:
        name = comparison.project.name
        lines += [f"FAULT {name}: {fault}" for fault in comparison.faults]
        for difference in comparison.regressions:
            lines.append(f"REGRESSION {name}: {difference}")
            lines += [f"    {line}" for line in difference.failure.detail.splitlines()]
        lines += [f"flaky, {name}: {difference}" for difference in comparison.flaky]
        lines += [f"gained, {name}: {difference}" for difference in comparison.gained]
    return "\n".join(lines)


INTRODUCTION = """\
# Compatibility with the users of wsgiref

This page is written by `python tests/compat/run.py --report docs/compatibility.md`; it is not
edited by hand. The tests of projects that use `wsgiref` are run twice, first on the standard
library and then with Quaich under the name `wsgiref`, and every test which passes on the standard
library has to pass on Quaich.
"""

NOTES = """\
No test is left out of the runs. What passes on neither side was skipped by the project itself, for
want of an optional package or on this platform. A test which passes on one side only is run alone
three more times on both; it is a regression if the standard library passes it each time and Quaich
fails it again, and flaky otherwise.
"""


def format_page(comparisons: Sequence[Comparison]) -> str:
    """The whole of docs/compatibility.md."""
    version = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
    lines = [INTRODUCTION, f"Results on {version.replace('cpython', 'CPython')}:", ""]
    lines.append("| " + " | ".join(COLUMNS) + " |")
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    lines += ["| " + " | ".join(row) + " |" for row in rows(comparisons)]
    lines += ["", NOTES]
    for comparison in comparisons:
        lines += format_section(comparison)
    return "\n".join(lines).rstrip() + "\n"


def format_section(comparison: Comparison) -> list[str]:
    project = comparison.project
    lines = [f"## {project}", "", f"Exercises: {project.exercises}", ""]
    if project.note:
        lines += [project.note, ""]
    if project.programs:
        lines += [f"Needs on the PATH: {', '.join(project.programs)}.", ""]
    lines += ["```sh", f"python tests/compat/run.py --only {project.name}", "```", ""]
    lines += [f"- Fault: {fault.splitlines()[0]}" for fault in comparison.faults]
    lines += [f"- Regression: {difference}" for difference in comparison.regressions]
    lines += [f"- Passes on Quaich only: {difference}" for difference in comparison.gained]
    lines += [f"- Not counted: `{test}`; {reason}." for test, reason in project.unsteady.items()]
    lines += [
        f"- Flaky: {difference}"
        for difference in comparison.flaky
        if difference.test not in project.unsteady
    ]
    if lines[-1]:
        lines.append("")
    return lines
