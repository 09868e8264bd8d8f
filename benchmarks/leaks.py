"""Whether requests leave anything behind in the server: memory, objects, descriptors, threads.

Mixed requests, some of which fail, and clients that go in every phase. What the server has after
a tenth of them is compared with what it has after all. Linux only; the clients are those of
``tests/stress``.

    python benchmarks/leaks.py [--requests N] [--poller NAME]

Exits with 1 if something has grown, or an answer was wrong.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

# Instead of this directory, which has a server.py. What follows is found there (E402).
sys.path[0] = str(Path(__file__).resolve().parent.parent / "tests")

from server.wire import Client, get, wait_until  # noqa: E402
from stress.aborts import Aborting  # noqa: E402
from stress.process import Process  # noqa: E402
from stress.traffic import MIXED, Kind, broken, failing, run  # noqa: E402

THREADS = 8
CLIENTS = 8

# One in fifty fails.
KINDS: list[Kind] = [*MIXED * 5, failing, broken]

GROWTH_MAX = 4096
"""KiB that the allocator may take more. 200 000 requests that leave 21 bytes each are found."""

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}
"""glibc gives what is large back at once. Else its fragments would hide what is looked for: they
come to 30 MiB where responses of 3 MB are many."""

OBJECTS_MAX = 1000
"""Objects that may be more: bounded memos fill up on the way. A leak is one for each request."""


class Facts(NamedTuple):
    """What the server has while nothing is going on."""

    memory: int  # KiB
    objects: int
    descriptors: int
    threads: int


def look(server: Process) -> Facts:
    wait_until(lambda: server.descriptors() <= server.own, "the connections are closed", 30)
    with Client(server.address) as client:
        objects = int(client.exchange(get("/facts", "Connection: close")).content)
    wait_until(lambda: server.descriptors() <= server.own, "the last one is closed", 30)
    return Facts(server.memory(), objects, server.descriptors(), server.threads())


def load(server: Process, requests: int, seed: int) -> int:
    """Make requests; how many were not answered rightly."""
    with Aborting(server.address, 2) as gone:
        tally = run(server.address, requests, CLIENTS, KINDS, seed=seed)
    for line in [*tally.lost, *gone.faults][:5]:
        print(f"  FAULT: {line}")
    return len(tally.lost) + len(gone.faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--poller", default="auto", choices=("auto", "epoll", "selectors"))
    arguments = parser.parse_args()
    parts = 10
    each = max(1, arguments.requests // parts)
    lost = 0
    options = ("--threads", str(THREADS), "--poller", arguments.poller)
    with Process(*options, variables=ALLOCATOR) as server:
        print(f"{'requests':>9} {'KiB':>8} {'objects':>8} {'descriptors':>11} {'threads':>8}")
        facts = []
        for part in range(parts):
            lost += load(server, each, part)
            facts.append(look(server))
            memory, objects, descriptors, threads = facts[-1]
            print(
                f"{each * (part + 1):>9} {memory:>8} {objects:>8} {descriptors:>11} {threads:>8}",
                flush=True,
            )
    first, last = facts[0], facts[-1]
    grown = {
        "memory": last.memory - first.memory > GROWTH_MAX,
        "objects": last.objects - first.objects > OBJECTS_MAX,
        "descriptors": last.descriptors > first.descriptors,
        "threads": last.threads > THREADS + 1,
    }
    for what in [name for name, too_much in grown.items() if too_much]:
        print(f"  FAULT: {what} have grown")
    print(f"lost or wrong: {lost}")
    return int(bool(lost) or any(grown.values()))


if __name__ == "__main__":
    sys.exit(main())
