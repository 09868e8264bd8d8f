"""The file that has the number of the process."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quaich.server.system.pidfile import PidFile
from quaich.settings import SettingError


@pytest.fixture(autouse=True)
def started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A process that was started in a directory."""
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o022)
    yield tmp_path
    os.umask(umask)


def refusal(call: Any) -> str:
    """Why the setting is refused."""
    with pytest.raises(SettingError) as caught:
        call()
    assert caught.value.given == "pidfile"
    return caught.value.reason


def test_a_pidfile_is_there_meanwhile(started_here: Path) -> None:
    path = started_here / "pid"
    os.umask(0o077)
    with PidFile("pid"):
        assert path.read_text() == f"{os.getpid()}\n"
        assert path.stat().st_mode & 0o777 == 0o644
        os.chdir("/")
    assert [*started_here.iterdir()] == []


def test_it_is_removed_before_the_end(started_here: Path) -> None:
    """Where the process ends without leaving the context."""
    with PidFile("pid") as file:
        file.remove()
        assert [*started_here.iterdir()] == []
        (started_here / "pid").write_text("4711\n")
    assert (started_here / "pid").read_text() == "4711\n"


def test_no_pidfile(started_here: Path) -> None:
    with PidFile(None) as file:
        file.rename("other")
    assert [*started_here.iterdir()] == []


def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        return process.pid


@pytest.mark.parametrize("content", [b"", b"x\n", b"\xff", b"0\n", b"-1\n", b"9" * 30, None])
def test_a_stale_pidfile_is_replaced(started_here: Path, content: bytes | None) -> None:
    path = started_here / "pid"
    path.write_bytes(b"%d\n" % dead() if content is None else content)
    with PidFile("pid"):
        assert path.read_text() == f"{os.getpid()}\n"


def test_ours_may_be_left_from_a_container_before(started_here: Path) -> None:
    (started_here / "pid").write_text(f"{os.getpid()}\n")
    with PidFile("pid"):
        pass


def test_one_of_before_the_process_that_has_its_number(started_here: Path) -> None:
    """As after a restart of the machine: the number is another program's by now."""
    if not Path("/proc/stat").exists():
        return  # another system does not tell
    path = started_here / "pid"
    path.write_text(f"{os.getppid()}\n")
    assert "which is alive" in refusal(PidFile("pid").__enter__)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    with PidFile("pid"):
        assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("answer", [None, PermissionError(1, "not permitted")])
def test_a_live_one_is_refused(
    started_here: Path, monkeypatch: pytest.MonkeyPatch, answer: OSError | None
) -> None:
    """Somebody else's too, to whom no signal may be sent."""
    (started_here / "pid").write_text("4711\n")

    def kill(pid: int, signum: int) -> None:
        assert (pid, signum) == (4711, 0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(os, "kill", kill)
    reason = refusal(PidFile("pid").__enter__)
    assert f"{str(started_here / 'pid')!r} has the number of process 4711, which is alive" in reason
    assert (started_here / "pid").read_text() == "4711\n"


def test_one_that_is_no_longer_ours_stays(started_here: Path) -> None:
    path = started_here / "pid"
    with PidFile("pid"):
        path.write_text("4711\n")
    assert path.read_text() == "4711\n"
    with PidFile("other"):
        (started_here / "other").unlink()


def test_one_that_may_not_be_removed_is_emptied(
    started_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has become another user, who may not write in the directory."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as other, PidFile("pid"):
        other.setattr(Path, "unlink", refuse)
    assert (started_here / "pid").read_bytes() == b""
    with PidFile("pid"):
        pass


def test_what_somebody_has_put_there_is_not_written_to(started_here: Path) -> None:
    """In a directory like /tmp; the name of the file that becomes the pidfile can be guessed."""
    other = started_here / "other"
    other.write_text("precious")
    other.chmod(0o600)
    (started_here / f"pid.{os.getpid()}").symlink_to(other)
    (started_here / "pid").symlink_to(other)
    with PidFile("pid"):
        assert not (started_here / "pid").is_symlink()
        assert (started_here / "pid").read_text() == f"{os.getpid()}\n"
    assert other.read_text() == "precious"
    assert other.stat().st_mode & 0o777 == 0o600


def test_of_two_that_start_at_once_one_finds_the_other(
    started_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")  # not on Windows
    tried = threading.Event()
    flock = fcntl.flock

    def observed(fd: int, operation: int) -> None:
        try:
            flock(fd, operation)
        except BlockingIOError:
            tried.set()
            raise

    monkeypatch.setattr(fcntl, "flock", observed)
    directory = os.open(started_here, os.O_RDONLY)
    flock(directory, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(refusal, PidFile("pid").__enter__)
        tried.wait(10)
        (started_here / "pid").write_text(f"{os.getppid()}\n")  # the first one's
        os.close(directory)
        assert "which is alive" in second.result()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows")
def test_a_child_cannot_write_to_it(started_here: Path) -> None:
    """It may be another user's by then, and others send signals to the number in it."""
    with PidFile("pid") as file:
        assert file._file is not None
        fd = file._file.fileno()
        child = os.fork()
        if child == 0:
            try:
                os.write(fd, b"1\n")
            except OSError:
                os._exit(0)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_leaves_it(started_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends by way of the same context."""
    file = PidFile("pid")
    file.__enter__()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: 4711)
        file.__exit__(None, None, None)
    assert (started_here / "pid").exists()


def test_one_that_was_renamed(started_here: Path) -> None:
    """For a new program that takes the name over, while the old one ends."""
    with PidFile("pid") as file:
        file.rename("pid.old")
        assert (started_here / "pid.old").read_text() == f"{os.getpid()}\n"
        (started_here / "pid").write_text("4711\n")
    assert [path.name for path in started_here.iterdir()] == ["pid"]


def test_one_that_cannot_be_written() -> None:
    reason = refusal(PidFile("nowhere/pid").__enter__)
    assert reason.endswith("nowhere/pid': No such file or directory")


def test_nothing_is_left_of_one_that_cannot_be_written(started_here: Path) -> None:
    (started_here / "pid").mkdir()
    assert refusal(PidFile("pid").__enter__).endswith("pid': Is a directory")
    assert [path.name for path in started_here.iterdir()] == ["pid"]
