"""One run of wrk, on the core that this process is on."""

import json
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.servers.workloads import Workload

SCRIPT: Final = Path(__file__).with_name("load.lua")

# wrk takes its time to make the requests and to close a thousand connections.
_PATIENCE: Final = 60


class LoadError(Exception):
    """wrk did not run to its end."""


@dataclass(frozen=True)
class Load:
    requests: int  # that were answered, with whatever status
    seconds: float
    bytes: int
    p50: float | None  # microseconds; None: wrk has no right figure for these requests
    p99: float | None
    p999: float | None
    errors: dict[str, int]  # of sockets, statuses from 400, timeouts; no zeros
    cpu: float  # seconds that wrk had of its core; near all of them, it was the slower side


def run_wrk(port: int, workload: Workload, seconds: int, scheme: str = "http") -> Load:
    command = [
        *("wrk", "--threads", "1", "--connections", str(workload.connections)),
        *("--duration", f"{seconds}s", "--script", str(SCRIPT)),
        *(f"{scheme}://127.0.0.1:{port}{workload.path}", "--", workload.requests),
    ]
    before = _children_seconds()
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + _PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"wrk did not end within {seconds + _PATIENCE} s") from error
    used = _children_seconds() - before
    figures = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode or len(figures) != 1:
        lines = (run.stderr or run.stdout).strip().splitlines() or ["no output"]
        raise LoadError(f"wrk: {lines[-1]} (exit status {run.returncode})")
    found = json.loads(figures[0])
    if workload.pipelined > 1:
        # wrk takes the time of all of them together, and corrects it by the interval of one.
        found.update(p50=None, p99=None, p999=None)
    return Load(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        bytes=found["bytes"],
        p50=found["p50"],
        p99=found["p99"],
        p999=found["p999"],
        errors={kind: count for kind, count in found["errors"].items() if count},
        cpu=used,
    )


def _children_seconds() -> float:
    """CPU of the children that have ended: between two calls, of wrk alone."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
