"""The environment, the owner, the pidfile and the title of a process."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import quaich
from quaich.server.system import process as module
from quaich.server.system.process import Owner, PidFile, drop_privileges, owner, prepare, set_title
from quaich.settings import Process, SettingError

NOBODY = 65534  # of Debian and others; the number need not be anybody's


@pytest.fixture(autouse=True)
def started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A process that was started in a directory; what it does to this one is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(module, "_before", {})
    module._start.cache_clear()
    umask = os.umask(0o022)
    before = dict(os.environ)
    yield tmp_path
    os.umask(umask)
    for name in {*os.environ} - {*before}:
        del os.environ[name]
    os.environ.update(before)
    module._start.cache_clear()


def refusal(call: Any, *args: Any) -> tuple[str, str]:
    """The setting that is refused, and why."""
    with pytest.raises(SettingError) as caught:
        call(*args)
    return caught.value.given, caught.value.reason


# --- prepare -----------------------------------------------------------------------------


def test_nothing_is_changed_unless_it_is_asked_for() -> None:
    before = dict(os.environ), Path.cwd(), [*sys.path]
    prepare(Process())
    assert (dict(os.environ), Path.cwd(), [*sys.path]) == before
    assert os.umask(0o022) == 0o022


def test_variables(started_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those given come before those there are, and these before those of files, of which a later
    one counts."""
    monkeypatch.setenv("THERE_A", "there")
    monkeypatch.setenv("THERE_B", "there")
    (started_here / "first").write_text("THERE_A=file\nNEW_A=first\nNEW_B=first\nNEW_C=first\n")
    (started_here / "second").write_text("export NEW_B='second'\n")
    prepare(Process(env=("THERE_B=given", "NEW_C=given=1,2"), env_file=("first", "second")))
    names = ("THERE_A", "THERE_B", "NEW_A", "NEW_B", "NEW_C")
    assert [os.environ[name] for name in names] == [
        "there", "given", "first", "second", "given=1,2",
    ]  # fmt: skip


def test_variables_are_put_back(started_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reload: a variable that is no longer given is as before, and a changed file counts."""
    monkeypatch.setenv("THERE_A", "there")
    (started_here / "file").write_text("NEW_A=1\n")
    prepare(Process(env=("THERE_A=given", "NEW_B=given"), env_file=("file",)))
    (started_here / "file").write_text("NEW_A=2\n")
    prepare(Process(env_file=("file",)))
    assert os.environ["THERE_A"] == "there"
    assert "NEW_B" not in os.environ
    assert os.environ["NEW_A"] == "2"
    monkeypatch.setenv("NEW_B", "the application's")
    prepare(Process())
    assert os.environ["NEW_B"] == "the application's"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read 'file': No such file or directory"),
        (b"A", "'file': line 1: it is not NAME=VALUE"),
        (b"A=\xff", "'file': 'utf-8' codec can't decode byte 0xff in position 2: invalid start"),
    ],
)
def test_a_file_of_variables_that_cannot_be_read(
    started_here: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (started_here / "file").write_bytes(content)
    given, why = refusal(prepare, Process(env_file=("file",)))
    assert given == "env_file"
    assert why.startswith(reason)


def test_umask() -> None:
    prepare(Process(umask=0o027))
    assert os.umask(0o022) == 0o027


def test_directory_and_imports(started_here: Path) -> None:
    """Imports go from the new directory, files of variables from the first one, and a second time
    is as the first."""
    (started_here / "src" / "lib").mkdir(parents=True)
    (started_here / "src" / "more").mkdir()
    (started_here / "file").write_text("NEW_A=1\n")
    settings = Process(chdir="src", pythonpath=("lib", "more"), env_file=("file",))
    for _ in range(2):
        prepare(settings)
        assert Path.cwd() == started_here / "src"
        assert sys.path[:2] == [str(started_here / "src" / name) for name in ("lib", "more")]
        assert sys.path.count(sys.path[0]) == 1
    assert os.environ["NEW_A"] == "1"


@pytest.mark.parametrize(
    ("settings", "given", "reason"),
    [
        (Process(chdir="nowhere"), "chdir", "'nowhere': No such file or directory"),
        (Process(pythonpath=("nowhere",)), "pythonpath", "there is no directory 'nowhere'"),
        (Process(user="no such"), "user", "there is no user 'no such'"),
        (Process(group="no such"), "group", "there is no group 'no such'"),
    ],
)
def test_what_cannot_be_prepared(settings: Process, given: str, reason: str) -> None:
    assert refusal(prepare, settings) == (given, reason)


# --- The owner ---------------------------------------------------------------------------


class System:
    """An operating system that notes what a process asks of it. ``fault``: it does not do what it
    says for "uid" or "gid", it lets a process go "back", or it says "no"."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, uid: int, fault: str = "") -> None:
        self.uid = self.gid = uid
        self.asked: list[tuple[Any, ...]] = []
        self.fault = fault
        for name in ("getuid", "geteuid"):
            monkeypatch.setattr(os, name, lambda: self.uid)
        for name in ("getgid", "getegid"):
            monkeypatch.setattr(os, name, lambda: self.gid)
        monkeypatch.setattr(os, "initgroups", lambda *args: self.asked.append(("groups", *args)))
        monkeypatch.setattr(os, "setgroups", lambda ids: self.asked.append(("groups", ids)))
        monkeypatch.setattr(os, "setgid", self.setgid)
        monkeypatch.setattr(os, "setuid", self.setuid)

    def setgid(self, gid: int) -> None:
        self.asked.append(("gid", gid))
        if self.uid != 0 or self.fault == "no":
            raise PermissionError(1, "Operation not permitted")
        if self.fault != "gid":
            self.gid = gid

    def setuid(self, uid: int) -> None:
        self.asked.append(("uid", uid))
        if (self.uid != 0 or uid == 0) and self.fault != "back":
            raise PermissionError(1, "Operation not permitted")
        if self.fault != "uid":
            self.uid = uid


def test_the_user_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """After setuid() a process may not change its groups."""
    system = System(monkeypatch, 0)
    drop_privileges(Process(user="4711", group="4712"))
    assert system.asked[:3] == [("groups", [4712]), ("gid", 4712), ("uid", 4711)]
    assert (system.uid, system.gid) == (4711, 4712)


def test_a_user_who_is_known_has_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, 0, "back")
    root = owner(Process(user="root"))
    assert root == Owner(0, 0, "root") == owner(Process(user="0"))
    drop_privileges(Process(user="root", group="4712"))
    assert system.asked == [("groups", "root", 4712), ("gid", 4712), ("uid", 0)]


def test_a_group_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, 0)
    drop_privileges(Process(group="4712"))
    assert system.asked == [("groups", [4712]), ("gid", 4712)]


def test_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, 0)
    drop_privileges(Process())
    assert system.asked == []


def test_a_number_that_is_nobodys_needs_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    System(monkeypatch, 0)
    assert refusal(owner, Process(user="4294967294")) == (
        "user",
        "'4294967294' is in no list of users, so group has to be given too",
    )


def test_only_root_becomes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it shows before anything is opened; who stays as he is needs no root."""
    System(monkeypatch, 4711)
    settings = Process(user="root", group="4711")
    reason = "only root may start what is to run as 'root'; this is user 4711"
    assert refusal(prepare, settings) == ("user", reason)
    assert refusal(drop_privileges, settings) == ("user", reason)
    reason = "only root may start what is to run as '1'; this is user 4711"
    assert refusal(prepare, Process(group="1")) == ("group", reason)
    assert refusal(prepare, Process(user="4711", group="1")) == ("group", reason)
    drop_privileges(Process(user="4711", group="4711"))


@pytest.mark.parametrize("fault", ["uid", "gid", "back"])
def test_it_is_verified(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    System(monkeypatch, 0, fault)
    reason = "the system did not do it"
    assert refusal(drop_privileges, Process(user="4711", group="4712")) == ("user", reason)


def test_the_system_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without the capability has such a root."""
    System(monkeypatch, 0, "no")
    reason = "the system refused: Operation not permitted"
    assert refusal(drop_privileges, Process(user="4711", group="4712")) == ("user", reason)
    assert refusal(drop_privileges, Process(group="4712")) == ("group", reason)


def test_a_system_without_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pwd", None)
    assert owner(Process()) == Owner(None, None, None)
    reason = "this system has no such owners"
    assert refusal(owner, Process(user="x")) == ("user", reason)
    assert refusal(owner, Process(group="x")) == ("group", reason)


DROP = """
import os
from quaich.server.system.process import drop_privileges
from quaich.settings import Process
drop_privileges(Process(user="{0}", group="{0}"))
print(os.getresuid(), os.getresgid(), os.getgroups())
"""


def test_with_a_real_process() -> None:
    """As root it becomes another, for good; anybody else is refused."""
    source = str(Path(quaich.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", DROP.format(NOBODY)],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=30,
    )
    if os.geteuid() == 0:
        three = (NOBODY,) * 3
        assert done.stdout == f"{three} {three} [{NOBODY}]\n", done.stderr
    elif os.geteuid() != NOBODY:
        assert "only root may start what is to run as" in done.stderr


# --- The pidfile -------------------------------------------------------------------------


def test_a_pidfile_is_there_meanwhile(started_here: Path) -> None:
    path = started_here / "pid"
    os.umask(0o077)
    with PidFile("pid"):
        assert path.read_text() == f"{os.getpid()}\n"
        assert path.stat().st_mode & 0o777 == 0o644
        os.chdir("/")
    assert [*started_here.iterdir()] == []


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
    assert refusal(PidFile("pid").__enter__)[0] == "pidfile"
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
    given, reason = refusal(PidFile("pid").__enter__)
    assert given == "pidfile"
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
        assert "which is alive" in second.result()[1]


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
    given, reason = refusal(PidFile("nowhere/pid").__enter__)
    assert given == "pidfile"
    assert reason.endswith("nowhere/pid': No such file or directory")


def test_nothing_is_left_of_one_that_cannot_be_written(started_here: Path) -> None:
    (started_here / "pid").mkdir()
    assert refusal(PidFile("pid").__enter__)[1].endswith("pid': Is a directory")
    assert [path.name for path in started_here.iterdir()] == ["pid"]


# --- The title ---------------------------------------------------------------------------


class Library:
    """The package setproctitle."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def setproctitle(self, title: str) -> None:
        self.titles.append(title)


def test_a_title(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(module, "setproctitle", library)
    prepare(Process(name="shop"))
    set_title("quaich: shop")
    assert library.titles == ["quaich: shop"]


def test_a_title_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missed only if a name was asked for."""
    monkeypatch.setattr(module, "setproctitle", None)
    set_title("quaich: shop")
    given, reason = refusal(prepare, Process(name="shop"))
    assert given == "name"
    assert reason.endswith("pip install 'quaich[title]'")
