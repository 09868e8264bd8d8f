"""Run the test-suites of wsgiref's users on the standard library and on Quaich.

    python tests/compat/run.py [--only NAME ...] [--work DIR] [--report docs/compatibility.md]

Call-flow:

    main
        build_wheel              Quaich, once
        for each project, two at a time
            prepare              release, environment      (environment.py)
            compare              both runs                 (execution.py)
        format_table, format_findings, format_page         (report.py)

It needs POSIX, Python with pip, a package index, and git for the tests of dulwich; a second run
needs no index.  The exit status is 1 if a test that passes on the standard library does not pass on
Quaich, or if a run proves nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compat.environment import CHECKOUT, PreparationError, build_wheel, prepare
from compat.execution import Comparison, Run, compare
from compat.projects import PROJECTS, Project
from compat.report import format_findings, format_page, format_table

# Two, since the tests have time limits of their own and the small machines of CI have two cores.
AT_A_TIME = 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run the test-suites of wsgiref's users on the standard library and on Quaich."
    )
    names = [project.name for project in PROJECTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--work", type=Path, default=CHECKOUT / "build" / "compat", metavar="DIR")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write this page as well")
    arguments = parser.parse_args()
    if arguments.report and arguments.only != names:
        parser.error("the page is about all projects: --report goes without --only")
    return arguments


def examine(project: Project, work: Path, wheel: Path) -> Comparison:
    started = time.monotonic()
    try:
        environment = prepare(project, work, wheel)
        comparison = compare(environment, work / project.name)
    except PreparationError as error:
        nothing = Run({}, False, "")
        comparison = Comparison(project, nothing, nothing, faults=(str(error),))
    verdict = "ok" if comparison.good else "NOT OK"
    print(f"{project}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    return comparison


def main() -> int:
    arguments = parse_arguments()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        wheel = build_wheel(work)
    except PreparationError as error:
        print(error)
        return 1
    chosen = [project for project in PROJECTS if project.name in arguments.only]
    with ThreadPoolExecutor(AT_A_TIME) as executor:
        comparisons = list(executor.map(lambda project: examine(project, work, wheel), chosen))
    print(format_table(comparisons))
    findings = format_findings(comparisons)
    if findings:
        print(findings)
    if arguments.report:
        arguments.report.write_text(format_page(comparisons), "utf-8")
    return 0 if all(comparison.good for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
