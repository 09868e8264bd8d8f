"""Quaich's server against others, in one run on two cores.

Every server gets the same applications and the same requests from wrk, in turn, in every round.
The report leads with ratios: CPU per request and requests per second, Quaich's by the peer's.
What is measured and how: the package ``benchmarks.servers``.

    python benchmarks/server.py [--rounds N] [--seconds N] [--only WORKLOAD ...]
        [--peers NAME ...] [--python PATH] [--json FILE] [--svg FILE] [--install]

It needs Linux, two cores, wrk, and a package index when it is first run; the peers go into a
virtualenv under build/. To give it other cores than the first and the last: taskset -c 2,3.
The exit status is 1 if Quaich did not answer everything rightly, 2 if nothing can be measured.
"""

import argparse
import json
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.servers.chart import draw
from benchmarks.servers.comparison import compare, judge, own_faults
from benchmarks.servers.environment import EnvironmentFailure, prepare
from benchmarks.servers.measuring import (
    MeasuringFailure,
    choose_cores,
    forecast_minutes,
    measure_all,
)
from benchmarks.servers.peers import PEERS, QUAICH
from benchmarks.servers.report import as_data, describe_machine, format_report
from benchmarks.servers.workloads import WORKLOADS

# For a thousand connections at both ends.
OPEN_FILES = 8192


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    workloads = [workload.name for workload in WORKLOADS]
    peers = [peer.name for peer in PEERS]
    parser.add_argument("--rounds", type=at_least_one, default=5, metavar="N", help="default 5")
    parser.add_argument(
        "--seconds",
        type=at_least_one,
        default=3,
        metavar="N",
        help="of one measurement, default 3",
    )
    parser.add_argument(
        *("--only",),
        nargs="+",
        choices=workloads,
        default=workloads,
        metavar="WORKLOAD",
        help=f"of {', '.join(workloads)}",
    )
    parser.add_argument(
        *("--peers",),
        nargs="+",
        choices=peers,
        default=peers,
        metavar="NAME",
        help=f"of {', '.join(peers)}",
    )
    parser.add_argument(
        "--python",
        type=Path,
        default=Path(sys.executable),
        metavar="PATH",
        help="the Python that all servers run on (default: this one)",
    )
    parser.add_argument(
        "--install",
        action="store_true",
        help="install with apt-get what is missing of the system, as root",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it to this file")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw it to this file")
    return parser.parse_args()


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        limit = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def end(*_: object) -> NoReturn:
    """SIGTERM leaves no server behind."""
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, end)
    allow_open_files()
    servers = [QUAICH, *(peer for peer in PEERS if peer.name in arguments.peers)]
    workloads = [workload for workload in WORKLOADS if workload.name in arguments.only]
    try:
        choose_cores()
        environment = prepare(arguments.python, servers, arguments.install)
        present = [server for server in servers if server.name not in environment.absent]
        minutes = forecast_minutes(present, workloads, arguments.rounds, arguments.seconds)
        print(f"This takes about {minutes} min.", file=sys.stderr)
        outcome = measure_all(present, workloads, environment, arguments.rounds, arguments.seconds)
    except (EnvironmentFailure, MeasuringFailure) as failure:
        print(f"server.py: {failure}", file=sys.stderr)
        return 2
    rows = compare(outcome)
    verdicts = judge(rows)
    machine = describe_machine(environment, outcome)
    print(format_report(rows, verdicts, machine, environment, outcome))
    if arguments.json is not None:
        data = as_data(rows, verdicts, machine, environment, outcome, servers)
        arguments.json.write_text(json.dumps(data, indent=2) + "\n", "utf-8")
    if arguments.svg is not None:
        caption = f"{machine['cpu']}, {machine['python']}, {machine['date'][:10]}"
        arguments.svg.write_text(draw(rows, caption), "utf-8")
    if outcome.interrupted:
        return 128 + signal.SIGINT
    return 1 if own_faults(outcome) else 0


if __name__ == "__main__":
    sys.exit(main())
