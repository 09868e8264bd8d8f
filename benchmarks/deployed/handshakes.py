"""A load of connections with a full handshake and one request each: several runs of
``openssl s_time``, on the cores that this process is on."""

import re
import resource
import subprocess
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.servers.environment import find_program
from benchmarks.servers.load import LoadError

CLIENTS: Final = 8  # each has one connection at a time

# Of its two results the first: "123 connections in 0.05s; 2460.00 connections/user sec, bytes ...".
_RESULT: Final = re.compile(
    r"^(\d+) connections in (\d+) real seconds, (\d+) bytes read per connection", re.MULTILINE
)
# A star for each connection, or an "r" if its session is one of before.
_RESUMED: Final = re.compile(r"^\**r[*r]*$", re.MULTILINE)
_PATIENCE: Final = 30


@dataclass(frozen=True)
class Handshakes:
    connections: int
    seconds: float
    cpu: float  # seconds that the clients had


def run_handshakes(port: int, seconds: int) -> Handshakes:
    """LoadError if a connection failed: s_time then ends without a figure."""
    command = [
        *(find_program("openssl") or "openssl", "s_time", "-new", "-www", "/"),
        *("-connect", f"127.0.0.1:{port}", "-time", str(seconds)),
    ]
    cpu, start = _children_seconds(), time.perf_counter()
    clients = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(CLIENTS)
    ]
    connections = 0
    try:
        for client in clients:
            output, _ = client.communicate(timeout=seconds + _PATIENCE)
            found = _RESULT.search(output)
            if client.returncode or found is None:
                last = (output.strip().splitlines() or ["no output"])[-1]
                raise LoadError(f"s_time: {last} (exit status {client.returncode})")
            if _RESUMED.search(output):
                raise LoadError("s_time: handshakes were not full ones")
            if not int(found[3]):
                raise LoadError("s_time: connections without an answer")
            connections += int(found[1])
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"s_time did not end within {seconds + _PATIENCE} s") from error
    finally:
        for client in clients:
            client.kill()
            client.wait()
    # Its own seconds are whole ones, and it ends at the turn of one.
    elapsed = time.perf_counter() - start
    return Handshakes(connections, elapsed, _children_seconds() - cpu)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
