"""Servers as they are deployed: several workers, TLS, files, a proxy, memory, reloads, settings.

Quaich against granian, gunicorn, nginx, uWSGI and waitress, and against itself with a setting less.
The report is Markdown. What is compared with what: benchmarks/deployed/rows.py; servers with one
process and nothing else: benchmarks/server.py.

    python benchmarks/operations.py [--only ROW ...] [--rounds N] [--seconds N]
        [--python PATH] [--json FILE] [--markdown FILE] [--install]

It needs Linux, two cores, wrk, nginx, openssl, and a package index when it is first run. The exit
status is 1 if Quaich did not answer everything rightly, 2 if nothing can be measured.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.deployed.candidates import OPENSSL
from benchmarks.deployed.certificate import Certificate, make_certificate
from benchmarks.deployed.measuring import (
    Conditions,
    choose_cores,
    forecast_minutes,
    make_files,
    measure_all,
)
from benchmarks.deployed.report import as_data, format_report, own_faults
from benchmarks.deployed.rows import ROWS, SECTIONS, Row, choose
from benchmarks.server import allow_open_files, at_least_one, end
from benchmarks.servers.environment import (
    CHECKOUT,
    Environment,
    EnvironmentFailure,
    prepare,
)
from benchmarks.servers.measuring import MeasuringFailure
from benchmarks.servers.report import describe_system


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(dict.fromkeys([*SECTIONS, *(row.name for row in ROWS)]))
    parser.add_argument(
        *("--only",),
        nargs="+",
        choices=names,
        default=[],
        metavar="ROW",
        help=f"of {', '.join(names)}",
    )
    parser.add_argument("--rounds", type=at_least_one, default=3, metavar="N", help="default 3")
    parser.add_argument(
        "--seconds",
        type=at_least_one,
        default=2,
        metavar="N",
        help="of one measurement under load, default 2",
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
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the report to this file too"
    )
    return parser.parse_args()


def prepare_for(rows: list[Row], arguments: argparse.Namespace) -> Environment:
    needed = [
        server for row in rows for candidate in row.candidates for server in row.needs(candidate)
    ]
    servers = list({server.name: server for server in needed}.values())
    return prepare(arguments.python, servers, arguments.install)


def make_conditions(
    rows: list[Row], environment: Environment, seconds: int, place: Path
) -> Conditions:
    """``place``: a directory for what the servers send and show."""
    (place / "files").mkdir()
    make_files(place / "files")
    wants_certificate = any(row.is_tls for row in rows) and OPENSSL.name not in environment.absent
    certificate = Certificate(place / "certificate.pem", place / "key.pem")
    if wants_certificate:
        make_certificate(certificate)
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "src")]),
    }
    return Conditions(environment, seconds, certificate, place / "files", variables)


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, end)
    allow_open_files()
    rows = choose(arguments.only)
    try:
        choose_cores(1)
        environment = prepare_for(rows, arguments)
        minutes = forecast_minutes(rows, arguments.rounds, arguments.seconds)
        print(f"This takes about {minutes:.0f} min.", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="quaich-benchmark-") as place:
            conditions = make_conditions(rows, environment, arguments.seconds, Path(place))
            outcome = measure_all(rows, arguments.rounds, conditions)
    except (EnvironmentFailure, MeasuringFailure) as failure:
        print(f"operations.py: {failure}", file=sys.stderr)
        return 2
    machine = describe_system(environment)
    report = format_report(rows, machine, outcome)
    print(report)
    if arguments.markdown is not None:
        arguments.markdown.write_text(report + "\n", "utf-8")
    if arguments.json is not None:
        data = as_data(rows, machine, outcome)
        arguments.json.write_text(json.dumps(data, indent=2) + "\n", "utf-8")
    faults = own_faults(rows, outcome)
    for fault in faults:
        print(f"fault of Quaich: {fault}", file=sys.stderr)
    if outcome.interrupted:
        return 128 + signal.SIGINT
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
