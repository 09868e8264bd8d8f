"""``python -m tests.loss [NAME ...] [--full]``: what is lost while workers are replaced.

Exits with 1 if anything was lost that may not be. ``all`` runs all of them. From the top of the
checkout, where Quaich is installed or in PYTHONPATH.
"""

import argparse
import inspect
import os
import sys
from pathlib import Path

# The tests import each other from there.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loss.scenarios import SCENARIOS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.loss")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--full", action="store_true", help="the full size; minutes")
    arguments = parser.parse_args()
    if not arguments.names:
        for name, scenario in SCENARIOS.items():
            print(f"{name:<18} {inspect.getdoc(scenario)}")
        return 0
    names = list(SCENARIOS) if arguments.names == ["all"] else arguments.names
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {unknown[0]}; they are {', '.join(SCENARIOS)}")
    failed = False
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors", flush=True)
    for name in names:
        report = SCENARIOS[name](arguments.full)
        print(report, flush=True)
        failed = failed or bool(report.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
