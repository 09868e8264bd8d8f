"""``python -m tests.loss [NAME ...] [--full]``: what is lost while workers are replaced.

Prints a table in Markdown to standard output; what else was counted, to standard error. ``all``
runs all of them. Exits with 1 if anything was lost that may not be. From the top of the checkout,
where Quaich is installed or in PYTHONPATH.
"""

import argparse
import inspect
import os
import sys
from pathlib import Path

# The tests import each other from there.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loss.outcome import table
from loss.scenarios import SCENARIOS, may_become_another


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.loss")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--full", action="store_true", help="the full size; minutes")
    arguments = parser.parse_args()
    if not arguments.names:
        for name, scenario in SCENARIOS.items():
            print(f"{name:<20} {inspect.getdoc(scenario)}")
        return 0
    names = list(SCENARIOS) if arguments.names == ["all"] else arguments.names
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {unknown[0]}; they are {', '.join(SCENARIOS)}")
    say(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors")
    outcomes = []
    for name in names:
        if name == "certificate_of_root" and not may_become_another():
            say(f"{name}: not tried, since only root may become another user")
            continue
        outcome = SCENARIOS[name](arguments.full)
        say(str(outcome))
        outcomes.append(outcome)
    print(table(outcomes))
    return int(any(each.faults for each in outcomes))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
