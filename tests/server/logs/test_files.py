"""The logs as files: whose they are, and what cannot be written."""

import os
from pathlib import Path

import pytest

from quaich.server.logs.files import ErrorLog, hand_over
from quaich.settings import Logs


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Which files were given to whom: number of the file, user, group."""
    found: list[tuple[int, int, int]] = []

    def note(fd: int, uid: int, gid: int) -> None:
        found.append((os.fstat(fd).st_ino, uid, gid))

    monkeypatch.setattr(os, "fchown", note)
    return found


def test_files_are_made_and_given(tmp_path: Path, owners: list[tuple[int, int, int]]) -> None:
    errors, access = tmp_path / "error.log", tmp_path / "access.log"
    access.write_text("before\n")
    logs = Logs(error_logfile=str(errors), access_logfile=str(access))
    hand_over(logs, 1000, None)
    assert owners == [(errors.stat().st_ino, 1000, -1), (access.stat().st_ino, 1000, -1)]
    assert access.read_text() == "before\n"


def test_without_another_owner_nothing_is_made(tmp_path: Path) -> None:
    hand_over(Logs(error_logfile=str(tmp_path / "error.log")), None, None)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("kind", ["symbolic", "dangling", "hard", "fifo", "directory"])
def test_what_is_no_file_of_its_own_is_given_to_nobody(
    tmp_path: Path, owners: list[tuple[int, int, int]], kind: str
) -> None:
    """Whoever may write to the directory may have put it there, and what it leads to is root's."""
    other, path = tmp_path / "other", tmp_path / "log"
    if kind == "symbolic":
        other.touch()
        path.symlink_to(other)
    elif kind == "dangling":
        path.symlink_to(other)
    elif kind == "hard":
        other.touch()
        path.hardlink_to(other)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    hand_over(Logs(error_logfile=str(path), access_logfile=str(path)), 1000, 1000)
    assert owners == []
    assert other.exists() == (kind in ("symbolic", "hard"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_no_error_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with ErrorLog(Logs(error_logfile="/dev/full")) as log:
        log.reopen()
