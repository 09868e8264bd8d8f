"""The environment, the directory, the owner and the title of a process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quaich
from quaich.server.system import process as module
from quaich.server.system.process import Owner, drop_privileges, owner, prepare, set_title
from quaich.settings import Process, SettingError

NOBODY = 65534  # of Debian and others; the number need not be anybody's


@pytest.fixture(autouse=True)
def started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A process that was started in a directory; what it does to this one is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(module, "_before", module._Before())
    monkeypatch.delenv("PWD", raising=False)
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


def test_what_is_no_longer_asked_for_is_as_before(started_here: Path) -> None:
    """Of a reload, and of one that failed: what is loaded then is what would be loaded else."""
    for name in ("one", "two"):
        (started_here / name).mkdir()
    before = [*sys.path]
    prepare(Process(umask=0o077, chdir="one", pythonpath=("../one",)))
    prepare(Process(pythonpath=("two",)))
    assert os.umask(0o022) == 0o022
    assert Path.cwd() == started_here
    assert sys.path == [str(started_here / "two"), *before]
    refusal(prepare, Process(umask=0o077, chdir="one", pythonpath=("../two",), user="no such"))
    prepare(Process())
    assert os.umask(0o022) == 0o022
    assert Path.cwd() == started_here
    assert sys.path == before


def test_what_an_application_has_changed_stays(started_here: Path) -> None:
    """One that was loaded before the workers are made: it is not loaded again."""
    for name in ("one", "two"):
        (started_here / name).mkdir()
    before = [*sys.path]
    prepare(Process(pythonpath=("one",)))
    os.chdir("two")
    os.umask(0o027)
    sys.path.append("its own")
    prepare(Process())
    assert sys.path == [*before, "its own"]
    assert Path.cwd() == started_here / "two"
    assert os.umask(0o022) == 0o027


def test_a_link_that_leads_elsewhere_is_followed(
    started_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `current` does after a new release: where the shell is, is what it calls it."""
    link = started_here / "current"
    for name in ("one", "two"):
        (started_here / name).mkdir()
    link.symlink_to("one")
    os.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    prepare(Process())
    assert Path.cwd() == started_here / "one"
    link.unlink()
    assert refusal(prepare, Process()) == ("chdir", f"'{link}': No such file or directory")
    link.symlink_to("two")
    prepare(Process())
    assert Path.cwd() == started_here / "two"
    prepare(Process(chdir="../one"))
    prepare(Process())
    assert Path.cwd() == started_here / "two"


def test_a_directory_that_is_no_more_is_no_reason(started_here: Path) -> None:
    (started_here / "one").mkdir()
    os.chdir("one")
    prepare(Process())
    (started_here / "one").rmdir()
    prepare(Process())
    (started_here / "one").mkdir()
    os.chdir("/")


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
