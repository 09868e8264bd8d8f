"""What a server's processes take: PSS, the proportional set size of proc_pid_smaps(5).

A page that several processes share counts for each by its part, so the sum over all of them is what
they take.
"""

import statistics
import time
from typing import Final

from benchmarks.servers.load import LoadError
from benchmarks.servers.process import Running

_SETTLED: Final = 0.01  # so little of it changes from one look to the next
_PAUSE: Final = 0.25  # seconds between two looks
_PATIENCE: Final = 15


def wait_for_workers(running: Running, count: int) -> list[int]:
    """The workers, once there are so many of them. LoadError if there are not."""
    deadline = time.monotonic() + _PATIENCE
    while len(found := running.workers()) != count:
        if time.monotonic() > deadline:
            raise LoadError(f"it has {len(found)} workers in place of {count}")
        time.sleep(0.02)
    return found


def measure_memory(running: Running, count: int) -> dict[str, float]:
    """Bytes: of a worker, the mean; of all processes together. When both have settled."""
    workers = wait_for_workers(running, count)
    deadline = time.monotonic() + _PATIENCE
    before = 0
    while True:
        found = running.proportional_memory()
        total = sum(found.values())
        if abs(total - before) <= _SETTLED * total:
            break
        if time.monotonic() > deadline:
            raise LoadError("its memory does not settle")
        before = total
        time.sleep(_PAUSE)
    each = statistics.mean(found.get(pid, 0) for pid in workers)
    if not each:
        raise LoadError("its workers were replaced meanwhile")
    return {"worker": each, "total": float(total)}
