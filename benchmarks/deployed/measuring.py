"""Measures: rounds in which the candidates of each row take turns, each time in a fresh process.

measure_all
    for each round, row and candidate
        measure
            started              benchmarks.servers.process; nginx too where it is in front
            check                benchmarks.servers.answers
            one of _MEASURES     by the kind of the row
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.deployed.candidates import Candidate
from benchmarks.deployed.certificate import Certificate, client_context
from benchmarks.deployed.handshakes import run_handshakes
from benchmarks.deployed.memory import measure_memory
from benchmarks.deployed.nginx import COMMAND as NGINX_COMMAND
from benchmarks.deployed.nginx import configure
from benchmarks.deployed.reloading import measure_reloads
from benchmarks.deployed.rows import FILES, Kind, Row
from benchmarks.servers.answers import ENDS_BY_CLOSING, WrongAnswer, check
from benchmarks.servers.environment import Environment, find_program
from benchmarks.servers.load import LoadError, run_wrk
from benchmarks.servers.measuring import (
    WARM_UP_SECONDS,
    MeasuringFailure,
    its_output_kept,
    show_progress,
)
from benchmarks.servers.process import (
    Address,
    Running,
    StartError,
    core_seconds,
    free_port,
    on_cores,
    started,
)
from benchmarks.servers.workloads import Workload

# For the forecast alone: about how long it takes beside the seconds of load.
_OTHER_SECONDS: Final[dict[Kind, float]] = {
    "load": 1.2,
    "handshakes": 2.5,
    "memory": 3.0,
    "reload": 9.0,
}


class Cores(NamedTuple):
    """What each process of a measurement is kept to. With two cores, a server of several workers
    shares them with wrk, and nginx as a proxy shares wrk's."""

    server: frozenset[int]
    load: frozenset[int]
    proxy: frozenset[int]


@dataclass(frozen=True)
class Conditions:
    """What is the same for all measurements."""

    environment: Environment
    seconds: int
    certificate: Certificate
    files: Path
    variables: dict[str, str]


@dataclass(frozen=True)
class Sample:
    """One measurement. What the figures mean is in report.py, by the kind of the row."""

    row: str
    candidate: str
    round: int
    figures: dict[str, float | None]
    counts: dict[str, int]  # of what went wrong, and of what did not: summed over the rounds
    note: str
    others_busy: float | None  # a share of all cores used that other processes had; None: unknown


@dataclass
class Outcome:
    rounds: int
    seconds: int
    samples: list[Sample] = field(default_factory=list)
    # (row, candidate) → why there are no samples, or fewer than rounds
    faults: dict[tuple[str, str], str] = field(default_factory=dict)
    interrupted: bool = False


class Measured(NamedTuple):
    figures: dict[str, float | None]
    counts: dict[str, int]
    note: str = ""
    others_busy: float | None = None


@dataclass(frozen=True)
class _Subject:
    """A server that runs and answers rightly, and where to ask it."""

    row: Row
    running: Running
    proxy: Running | None
    port: int
    workload: Workload
    note: str
    cores: Cores
    seconds: int


def choose_cores(workers: int) -> Cores:
    """A server of one process on the last core and wrk on the first, as benchmarks.servers has it;
    a server of several workers on the last two, and wrk on the others if there are any."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise MeasuringFailure("two cores are needed: one for the server, one for wrk")
    first = frozenset(allowed[:1])
    if workers == 1:
        return Cores(frozenset(allowed[-1:]), first, frozenset(allowed[1:-1]) or first)
    last = frozenset(allowed[-2:])
    others = frozenset(allowed) - last or last
    return Cores(last, others, others)


def make_files(place: Path) -> None:
    for name, content in FILES.items():
        (place / name).write_bytes(content)


def turns(rows: Sequence[Row], rounds: int) -> Iterator[tuple[int, Row, Candidate]]:
    """Who is measured after whom. Every round begins with another candidate."""
    for number in range(rounds):
        for row in rows:
            first = number % len(row.candidates)
            for candidate in row.candidates[first:] + row.candidates[:first]:
                yield number, row, candidate


def forecast_minutes(rows: Sequence[Row], rounds: int, seconds: int) -> float:
    total = 0.0
    for _, row, _ in turns(rows, rounds):
        loaded = seconds if row.kind in ("load", "handshakes") else 0
        total += loaded + WARM_UP_SECONDS + _OTHER_SECONDS[row.kind]
    return total / 60


def measure_all(rows: Sequence[Row], rounds: int, conditions: Conditions) -> Outcome:
    """Until all is measured or the user interrupts it. A candidate that failed is not tried in the
    rounds after that, unless it had succeeded before."""
    outcome = Outcome(rounds, conditions.seconds)
    absent = conditions.environment.absent
    measured: set[tuple[str, str]] = set()
    try:
        for number, row, candidate in turns(rows, rounds):
            key = (row.name, candidate.name)
            for needed in row.needs(candidate):
                if needed.name in absent:
                    outcome.faults[key] = f"{needed.name} is absent: {absent[needed.name]}"
            if key in outcome.faults and key not in measured:
                continue
            show_progress(f"round {number + 1} of {rounds}: {', '.join(key)}")
            try:
                outcome.samples.append(measure(row, candidate, number, conditions))
                measured.add(key)
            except (StartError, WrongAnswer, LoadError) as error:
                outcome.faults[key] = str(error)
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        show_progress("")
    return outcome


def measure(row: Row, candidate: Candidate, number: int, conditions: Conditions) -> Sample:
    """One measurement. StartError, WrongAnswer, LoadError if it is none."""
    try:
        return _measure(row, candidate, number, conditions)
    except StartError:  # another process may have taken the port that was free
        return _measure(row, candidate, number, conditions)


def _measure(row: Row, candidate: Candidate, number: int, conditions: Conditions) -> Sample:
    cores = choose_cores(row.workers)
    with (
        tempfile.TemporaryDirectory(
            prefix="quaich-benchmark-", ignore_cleanup_errors=True
        ) as directory,
        _subject(row, candidate, cores, conditions, Path(directory)) as subject,
        its_output_kept(subject.running, f"{row.name}-{candidate.server.name}-{number + 1}"),
    ):
        with on_cores(cores.load):
            workload = subject.workload
            context = client_context(conditions.certificate) if row.is_tls else None
            note = check(subject.port, workload, context)
            measured = _MEASURES[row.kind](replace(subject, note=note))
        if subject.running.has_ended():
            raise LoadError("it did not survive the load")
    return Sample(row.name, candidate.name, number, *measured)


@contextlib.contextmanager
def _subject(
    row: Row, candidate: Candidate, cores: Cores, conditions: Conditions, directory: Path
) -> Iterator[_Subject]:
    port = free_port()
    socket = directory / "server.sock"
    python = conditions.environment.python
    places = {
        "python": str(python),
        "bin": str(python.parent),
        "environment": str(python.parent.parent),
        "nginx": find_program("nginx") or "nginx",
        "bind": f"unix:{socket}" if row.is_proxied else f"127.0.0.1:{port}",
        "port": str(port),
        "socket": str(socket),
        "application": row.application,
        "certificate": str(conditions.certificate.certificate),
        "key": str(conditions.certificate.key),
        "files": str(conditions.files),
        "directory": str(directory),
    }
    address: Address = socket if row.is_proxied else port
    variables = {**conditions.variables, "HOME": str(directory)}
    workload = row.workload
    if candidate.requests:
        workload = replace(workload, requests=candidate.requests)
    if candidate.nginx and not row.is_proxied:
        _write_nginx(candidate.nginx, places)
    with contextlib.ExitStack() as stack:
        command = [word.format_map(places) for word in candidate.command]
        running = stack.enter_context(started(command, address, cores.server, variables, directory))
        proxy = None
        if row.is_proxied:
            before = directory / "proxy"
            before.mkdir()
            places["directory"] = str(before)
            _write_nginx(candidate.nginx, places)
            command = [word.format_map(places) for word in NGINX_COMMAND]
            proxy = stack.enter_context(started(command, port, cores.proxy, variables, before))
        yield _Subject(row, running, proxy, port, workload, "", cores, conditions.seconds)


def _write_nginx(template: str, places: dict[str, str]) -> None:
    path = Path(places["directory"], "nginx.conf")
    path.write_text(configure(template, places), "utf-8")


# --- What is measured, by the kind of the row -------------------------------------------


def _measure_load(subject: _Subject) -> Measured:
    scheme = "https" if subject.row.is_tls else "http"
    port, workload = subject.port, subject.workload
    run_wrk(port, workload, WARM_UP_SECONDS, scheme)
    used = _Used(subject)
    load = run_wrk(port, workload, subject.seconds, scheme)
    server, proxy, others = used.since(load.cpu, load.seconds)
    if not load.requests:
        raise LoadError(f"nothing was answered in {subject.seconds} s of load")
    errors = load.errors
    if subject.note == ENDS_BY_CLOSING:  # which wrk takes for errors of reading
        errors = {kind: count for kind, count in errors.items() if kind != "read"}
    figures = {
        "cpu": server * 1e6 / load.requests,
        "rate": load.requests / load.seconds,
        "p99": load.p99,
        "proxy": proxy * 1e6 / load.requests if subject.proxy is not None else None,
        "busy": server / load.seconds,
        "load": load.cpu / load.seconds,
    }
    return Measured(figures, {"errors": sum(errors.values())}, subject.note, others)


def _measure_handshakes(subject: _Subject) -> Measured:
    run_handshakes(subject.port, WARM_UP_SECONDS)
    used = _Used(subject)
    load = run_handshakes(subject.port, subject.seconds)
    server, _, others = used.since(load.cpu, load.seconds)
    figures: dict[str, float | None] = {
        "cpu": server * 1e6 / load.connections,
        "rate": load.connections / load.seconds,
        "busy": server / load.seconds,
        "load": load.cpu / load.seconds,
    }
    return Measured(figures, {}, "", others)


def _measure_memory(subject: _Subject) -> Measured:
    load = run_wrk(subject.port, subject.workload, WARM_UP_SECONDS)
    figures: dict[str, float | None] = {**measure_memory(subject.running, subject.row.workers)}
    return Measured(figures, {"errors": sum(load.errors.values())}, subject.note)


def _measure_reload(subject: _Subject) -> Measured:
    found, counts, note = measure_reloads(subject.running, subject.row.workers)
    figures: dict[str, float | None] = {**found}
    return Measured(figures, counts, note)


_MEASURES: Final[dict[Kind, Callable[[_Subject], Measured]]] = {
    "load": _measure_load,
    "handshakes": _measure_handshakes,
    "memory": _measure_memory,
    "reload": _measure_reload,
}


class _Used:
    """CPU from now on."""

    def __init__(self, subject: _Subject) -> None:
        self._subject = subject
        self._cores = frozenset().union(*subject.cores)
        self._before = self._look()

    def _look(self) -> tuple[float, float, float]:
        proxy = self._subject.proxy
        return (
            core_seconds(self._cores),
            self._subject.running.cpu_seconds(),
            proxy.cpu_seconds() if proxy is not None else 0.0,
        )

    def since(self, load: float, seconds: float) -> tuple[float, float, float]:
        """Seconds of the server and of nginx before it, and the share of the cores that processes
        have had that are none of these, nor the load's."""
        now = self._look()
        everything, server, proxy = (b - a for a, b in zip(self._before, now, strict=True))
        others = (everything - server - proxy - load) / seconds / len(self._cores)
        return server, proxy, max(0.0, others)
