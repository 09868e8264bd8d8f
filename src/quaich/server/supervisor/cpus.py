"""How many processors this process may use: ``--workers auto``.

The least of what the scheduler allows (affinity, cpusets) and what a control group grants per
period; of a part of a processor, a whole one. Containers are limited in the second way, and
``os.cpu_count()`` knows nothing of it.
"""

import os
from collections.abc import Iterator
from math import ceil, inf
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc/self/cgroup")
_MOUNT: Final = Path("/sys/fs/cgroup")


def available(proc: Path = _PROC, mount: Path = _MOUNT) -> int:
    """Processors that this process may use, at least 1."""
    return max(1, min(affinity(), ceil(min(quota(proc, mount), 2.0**16))))


def affinity() -> int:
    """Processors that the scheduler may put this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota(proc: Path = _PROC, mount: Path = _MOUNT) -> float:
    """Processors' worth of time that the control groups of this process grant; infinite if there
    are none, or none with a limit. ``proc`` lists the groups, ``mount`` has them."""
    try:
        lines = proc.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return inf
    least = inf
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            places, read = [mount, mount / "unified"], _version_2
        elif "cpu" in controllers.split(","):
            places, read = [mount / controllers, mount / "cpu"], _version_1
        else:
            continue
        for place in places:
            for group in _groups(place, path):
                least = min(least, read(group))
    return least


def _groups(place: Path, path: str) -> Iterator[Path]:
    """A group and those around it, each of which may set a limit. In a container the path is
    often one of the host's: then the top is the container's own."""
    group = place / path.lstrip("/")
    yield group
    yield from (parent for parent in group.parents if parent.is_relative_to(place))


def _version_2(group: Path) -> float:
    """``cpu.max``: "QUOTA PERIOD" or "max PERIOD", microseconds."""
    words = _read(group / "cpu.max").split()
    return _share(words[0], words[1]) if len(words) == 2 else inf


def _version_1(group: Path) -> float:
    return _share(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float:
    """``max`` and -1 are no limit."""
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return inf
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
