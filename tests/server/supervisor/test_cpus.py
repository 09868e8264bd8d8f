"""How many processors ``auto`` is: what control groups grant."""

from math import inf
from pathlib import Path

import pytest

from quaich.server.supervisor.cpus import affinity, available, quota


@pytest.fixture
def groups(tmp_path: Path) -> tuple[Path, Path]:
    """The list of a process's control groups, and where they are mounted."""
    return tmp_path / "cgroup", tmp_path / "mount"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("text", "processors"),
    [
        ("150000 100000\n", 1.5),
        ("50000 100000\n", 0.5),
        ("max 100000\n", inf),
        ("", inf),
        ("0 0\n", inf),
        ("no number\n", inf),
    ],
)
def test_version_2(groups: tuple[Path, Path], text: str, processors: float) -> None:
    proc, mount = groups
    write(proc, "0::/app\n")
    write(mount / "app" / "cpu.max", text)
    assert quota(proc, mount) == processors


def test_the_groups_around_it_limit_it_too(groups: tuple[Path, Path]) -> None:
    proc, mount = groups
    write(proc, "0::/slice/app\n")
    write(mount / "slice" / "app" / "cpu.max", "400000 100000")
    write(mount / "slice" / "cpu.max", "200000 100000")
    assert quota(proc, mount) == 2


def test_in_a_container_the_path_is_the_hosts(groups: tuple[Path, Path]) -> None:
    proc, mount = groups
    write(proc, "0::/docker/0123\n")
    write(mount / "cpu.max", "300000 100000")
    assert quota(proc, mount) == 3


def test_what_is_outside_of_the_mount_is_not_looked_at(groups: tuple[Path, Path]) -> None:
    proc, mount = groups
    write(proc, "0::/../../app\n")
    write(mount.parent / "cpu.max", "100000 100000")
    assert quota(proc, mount) == inf


@pytest.mark.parametrize(
    ("limit", "processors"), [("250000", 2.5), ("-1", inf), ("", inf), ("0", inf)]
)
@pytest.mark.parametrize("name", ["cpu,cpuacct", "cpu"])
def test_version_1(groups: tuple[Path, Path], limit: str, processors: float, name: str) -> None:
    proc, mount = groups
    write(proc, "5:memory:/app\n4:cpu,cpuacct:/app\n1:name=systemd:/app\n")
    write(mount / name / "app" / "cpu.cfs_quota_us", limit)
    write(mount / name / "app" / "cpu.cfs_period_us", "100000\n")
    assert quota(proc, mount) == processors


def test_another_controller_is_none(groups: tuple[Path, Path]) -> None:
    proc, mount = groups
    write(proc, "5:cpuset:/app\n")
    write(mount / "cpuset" / "app" / "cpu.cfs_quota_us", "100000")
    write(mount / "cpuset" / "app" / "cpu.cfs_period_us", "100000")
    assert quota(proc, mount) == inf


def test_no_groups_at_all(groups: tuple[Path, Path]) -> None:
    assert quota(*groups) == inf
    assert available(*groups) == affinity() >= 1


def test_a_part_of_a_processor_is_one(groups: tuple[Path, Path]) -> None:
    proc, mount = groups
    write(proc, "0::/\n")
    write(mount / "cpu.max", "1000 100000")
    assert available(proc, mount) == 1
