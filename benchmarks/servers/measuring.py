"""Measures: rounds in which all servers take turns, each time in a fresh process.

measure_all
    for each round, workload and candidate (a server in one of its variants)
        measure
            started          process.py
            check            answers.py
            run_wrk          load.py; once to warm up, once to measure
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.servers import applications
from benchmarks.servers.answers import ENDS_BY_CLOSING, WrongAnswer, check
from benchmarks.servers.environment import BUILD, CHECKOUT, Environment
from benchmarks.servers.load import LoadError, run_wrk
from benchmarks.servers.peers import Server, Variant
from benchmarks.servers.process import (
    Running,
    StartError,
    core_seconds,
    free_port,
    on_cores,
    started,
)
from benchmarks.servers.workloads import Workload

WARM_UP_SECONDS: Final = 1
START_AND_CHECK_SECONDS: Final = 1  # about; for the forecast alone


class MeasuringFailure(Exception):
    """Nothing can be measured on this machine."""


class Cores(NamedTuple):
    server: int
    load: int


class Candidate(NamedTuple):
    server: Server
    variant: Variant


@dataclass(frozen=True)
class Conditions:
    """What is the same for all measurements."""

    python: Path
    cores: Cores
    seconds: int
    variables: dict[str, str]  # of a server's process


@dataclass(frozen=True)
class Sample:
    """One measurement. Times are microseconds, shares are of one core."""

    workload: str
    server: str
    variant: str
    round: int
    requests: int
    cpu: float  # of the server, per request
    rate: float  # requests per second
    p50: float | None  # None: wrk has none
    p99: float | None
    p999: float | None
    memory: int  # bytes, at the peak
    server_busy: float
    load_busy: float
    others_busy: float  # other processes, of the two cores together; they have to be idle
    errors: dict[str, int]
    note: str


@dataclass
class Outcome:
    rounds: int
    seconds: int  # of a measurement
    cores: Cores
    iterations: int  # of applications.spin, in the workload of CPU
    samples: list[Sample] = field(default_factory=list)
    # (workload, server, variant) → why there are no samples, or fewer than rounds
    faults: dict[tuple[str, str, str], str] = field(default_factory=dict)
    interrupted: bool = False


def choose_cores() -> Cores:
    """The last and the first that this process may use: interrupts tend to go to the first."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise MeasuringFailure("two cores are needed: one for the server, one for wrk")
    return Cores(server=allowed[-1], load=allowed[0])


def measure_all(
    servers: Sequence[Server],
    workloads: Sequence[Workload],
    environment: Environment,
    rounds: int,
    seconds: int,
) -> Outcome:
    """Until all is measured or the user interrupts it."""
    cores = choose_cores()
    applications.FILE.parent.mkdir(parents=True, exist_ok=True)
    applications.FILE.write_bytes(applications.MEBIBYTE)
    outcome = Outcome(rounds, seconds, cores, _calibrate(environment, cores.server))
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "src")]),
        applications.ITERATIONS_VARIABLE: str(outcome.iterations),
    }
    conditions = Conditions(environment.python, cores, seconds, variables)
    try:
        with on_cores({cores.load}):
            for number, workload, candidate in turns(servers, workloads, rounds):
                key = (workload.name, candidate.server.name, candidate.variant.name)
                measured = any(key == (s.workload, s.server, s.variant) for s in outcome.samples)
                if measured or key not in outcome.faults:
                    show_progress(f"round {number + 1} of {rounds}: {', '.join(key)}")
                    try:
                        outcome.samples.append(measure(candidate, workload, number, conditions))
                    except (StartError, WrongAnswer, LoadError) as error:
                        outcome.faults[key] = str(error)
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        show_progress("")
    return outcome


def forecast_minutes(
    servers: Sequence[Server], workloads: Sequence[Workload], rounds: int, seconds: int
) -> int:
    count = sum(1 for _ in turns(servers, workloads, rounds))
    return 1 + count * (seconds + WARM_UP_SECONDS + START_AND_CHECK_SECONDS) // 60


def turns(
    servers: Sequence[Server], workloads: Sequence[Workload], rounds: int
) -> Iterator[tuple[int, Workload, Candidate]]:
    """Who is measured after whom. Every round begins with another candidate."""
    for number in range(rounds):
        for workload in workloads:
            candidates = [
                Candidate(server, variant)
                for server in servers
                for variant in server.variants
                if not variant.only or workload.name in variant.only
            ]
            first = number % len(candidates)
            for candidate in candidates[first:] + candidates[:first]:
                yield number, workload, candidate


def measure(
    candidate: Candidate, workload: Workload, number: int, conditions: Conditions
) -> Sample:
    """One measurement. StartError, WrongAnswer, LoadError if it is none."""
    try:
        return _measure(candidate, workload, number, conditions)
    except StartError:  # another process may have taken the port that was free
        return _measure(candidate, workload, number, conditions)


def _measure(
    candidate: Candidate, workload: Workload, number: int, conditions: Conditions
) -> Sample:
    server, variant = candidate
    port = free_port()
    command = variant.arguments(conditions.python, port, workload.application)
    # A place to run in and a home, so that no server finds or leaves files elsewhere.
    with tempfile.TemporaryDirectory(
        prefix="quaich-benchmark-", ignore_cleanup_errors=True
    ) as directory:
        variables = {**conditions.variables, "HOME": directory}
        core = conditions.cores.server
        kept_as = f"{workload.name}-{server.name}-{number + 1}"
        with (
            started(command, port, {core}, variables, Path(directory)) as running,
            its_output_kept(running, kept_as),
        ):
            note = check(port, workload)
            run_wrk(port, workload, WARM_UP_SECONDS)
            all_before, before = core_seconds(conditions.cores), running.cpu_seconds()
            load = run_wrk(port, workload, conditions.seconds)
            cpu = running.cpu_seconds() - before
            others = core_seconds(conditions.cores) - all_before - cpu - load.cpu
            memory = running.peak_memory()
            if running.has_ended():
                raise LoadError("it did not survive the load")
            if not load.requests:
                raise LoadError(f"nothing was answered in {conditions.seconds} s of load")
    errors = load.errors
    if note == ENDS_BY_CLOSING:
        errors = {kind: count for kind, count in errors.items() if kind != "read"}
    return Sample(
        workload=workload.name,
        server=server.name,
        variant=variant.name,
        round=number,
        requests=load.requests,
        cpu=cpu * 1e6 / load.requests,
        rate=load.requests / load.seconds,
        p50=load.p50,
        p99=load.p99,
        p999=load.p999,
        memory=memory,
        server_busy=cpu / load.seconds,
        load_busy=load.cpu / load.seconds,
        others_busy=max(0.0, others / load.seconds / len(conditions.cores)),
        errors=errors,
        note=note,
    )


@contextlib.contextmanager
def its_output_kept(running: Running, name: str) -> Iterator[None]:
    """What a server said is kept if its measurement fails."""
    try:
        yield
    except (WrongAnswer, LoadError) as error:
        place = BUILD / "faults" / f"{name}.log"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(running.log, place)
        ended = "; it has ended" if running.has_ended() else ""
        kept = place.relative_to(CHECKOUT)
        raise type(error)(f"{error}{ended} (what it said: {kept})") from error


def _calibrate(environment: Environment, core: int) -> int:
    command = [str(environment.python), "-m", applications.__name__]
    with on_cores({core}):
        run = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
        )
    if run.returncode:
        raise MeasuringFailure(f"{applications.__name__} does not run: {run.stderr.strip()}")
    return int(run.stdout)


def show_progress(text: str) -> None:
    """A line on a terminal; the next one takes its place."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
