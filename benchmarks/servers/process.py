"""A server's process: started on cores of its own, looked at through /proc, and ended.

A server may have several processes. The first is started as the leader of a process group, and
what belongs to that group belongs to the server.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_START_SECONDS: Final = 30  # within which a server has to listen
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# Below those that sockets get when they connect: else such a socket could have the port before the
# server has, even that which looks whether the server listens, and it would be connected to itself.
_PORTS: Final = range(15000, 32000)
_PROC: Final = Path("/proc")


# A port of 127.0.0.1, or the path of a Unix socket.
Address = int | Path


class StartError(Exception):
    """A server did not come to listen; its last words."""


class Running:
    """A server that listens at ``address``."""

    def __init__(self, process: subprocess.Popen[bytes], address: Address, log: Path) -> None:
        self._process = process
        self.log = log
        self.address = address

    @property
    def leader(self) -> int:
        """The process that was started: of several, the one that looks after the others."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Of all its processes, and of those that they have waited for."""
        ticks = 0
        for pid in self._pids():
            # utime, stime, cutime and cstime in proc_pid_stat(5)
            ticks += sum(int(number) for number in _stat(pid)[11:15])
        return ticks / _TICKS

    def peak_memory(self) -> int:
        """Bytes: the peaks of all its processes, added up."""
        return sum(_peak(pid) for pid in self._pids())

    def workers(self) -> list[int]:
        """The processes alive that the leader has made, but for those of ``multiprocessing``."""
        leader = str(self.leader)
        found = []
        for pid in self._pids():
            state, parent = (*_stat(pid), "", "")[:2]
            if parent == leader and state not in "ZX" and b"_tracker" not in _command_line(pid):
                found.append(pid)
        return found

    def proportional_memory(self) -> dict[int, int]:
        """For each of its processes the bytes that are its own, and its share of those that
        several have."""
        return {pid: _proportional_set(pid) for pid in self._pids()}

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    def _pids(self) -> list[int]:
        numbers = (entry.name for entry in _PROC.iterdir() if entry.name.isdigit())
        group = str(self._process.pid)
        return [int(number) for number in numbers if _stat(int(number))[2:3] == [group]]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; empty if there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 1 :].split()


def _peak(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "status").read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # VmHWM:      1234 kB; a process that has ended and is not waited for has none
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _command_line(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _proportional_set(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # Pss:        1234 kB
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@contextlib.contextmanager
def started(
    command: Sequence[str],
    address: Address,
    cores: Collection[int],
    variables: Mapping[str, str],
    directory: Path,
) -> Iterator[Running]:
    """Run ``command`` on ``cores`` in ``directory`` until the block is left."""
    log = directory / "output.log"
    with log.open("wb") as output, on_cores(cores):
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            raise StartError(str(error)) from error
    running = Running(process, address, log)
    try:
        _wait_until_it_listens(process, running)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], running: Running) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connect(running.address, timeout=5).close()
        except OSError:
            pass
        else:
            return
        if time.monotonic() > deadline:
            raise StartError(f"it does not listen after {_START_SECONDS} s")
        try:
            status = process.wait(0.01)  # ends early only if the server does
        except subprocess.TimeoutExpired:
            continue
        raise StartError(f"it ended with status {status}: {running.last_words()}")


def connect(address: Address, timeout: float) -> socket.socket:
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), timeout=timeout)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(str(address))
    except OSError:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """This process, and what it starts, on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def core_seconds(cores: Iterable[int]) -> float:
    """What all processes have had of these cores, and what a hypervisor gave to others."""
    wanted = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in (_PROC / "stat").read_text("ascii").splitlines():
        name, *numbers = line.split()
        if name in wanted:
            # proc_stat(5): interrupts are left out, they come from wrk and the server too
            user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(int, numbers[:8])
            ticks += user + nice + system + steal
    return ticks / _TICKS


def free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
