"""What the process is to the system: its environment, its owner, its pidfile, its title.

    prepare             before anything is opened: variables, umask, directory, imports
    PidFile             around all that serves
    drop_privileges     in a worker, when the sockets are open
    set_title           for lists of processes

All of it is done by the main thread. What cannot be done is a
:class:`~quaich.settings.SettingError` that has the name of the setting.
"""

import contextlib
import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, NoReturn

from quaich.server.system.directory_lock import directory_locked
from quaich.server.system.env_file import parse_env_file
from quaich.settings import Process, SettingError

try:
    import grp
    import pwd
except ModuleNotFoundError:  # a system without them
    pwd = grp = None  # type: ignore[assignment]  # asked for before use

try:
    import setproctitle
except ModuleNotFoundError:  # the extra `title` is not installed
    setproctitle = None  # type: ignore[assignment]  # asked for before use

# The numbers of users and groups; the last one means "leave it" to the system.
_ID_MAX: Final = 2**32 - 2

# Seconds by which the clock may have been set since the machine was started.
_CLOCK_SLACK: Final = 60.0

# What variables were before prepare() has set them; None: there was none.
_before: dict[str, str | None] = {}


def prepare(process: Process) -> None:
    """Set what an application finds when it is loaded: variables, umask, current directory,
    ``sys.path``. What can be wrong with the owner and the title shows here too.

    It may be done again, with other settings: variables that the first ones have set are put back,
    and relative names go from the directory in which it was done first.
    """
    start = _start()
    _put_back()
    _set(_variables(process, start, os.environ))
    if process.umask is not None:
        os.umask(process.umask)
    if process.chdir is not None:
        try:
            os.chdir(start / process.chdir)
        except OSError as error:
            _refuse("chdir", f"{process.chdir!r}: {error.strerror}")
    _put_on_path(process.pythonpath)
    owner(process)
    if process.name is not None and setproctitle is None:
        _refuse("name", "it needs the package setproctitle: pip install 'quaich[title]'")


def _refuse(name: str, reason: str) -> NoReturn:
    raise SettingError(name, reason)


@functools.cache
def _start() -> Path:
    """The directory that the process was started in."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")  # it has been deleted


def _put_on_path(places: tuple[str, ...]) -> None:
    absolute = []
    for place in places:
        path = Path(place).absolute()
        if not path.is_dir():
            _refuse("pythonpath", f"there is no directory {place!r}")
        absolute.append(str(path))
    sys.path[:] = [*absolute, *(each for each in sys.path if each not in absolute)]


# --- Variables ---------------------------------------------------------------------------


def _variables(process: Process, start: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are to be set: of ``env``, and those of files that ``environ`` has not
    got. Of several files a later one counts."""
    found: dict[str, str] = {}
    for name in process.env_file:
        try:
            text = (start / name).read_text("utf-8")
            found |= parse_env_file(text)
        except OSError as error:
            _refuse("env_file", f"cannot read {name!r}: {error.strerror}")
        except ValueError as error:  # UnicodeDecodeError is one
            _refuse("env_file", f"{name!r}: {error}")
    found = {name: value for name, value in found.items() if name not in environ}
    for pair in process.env:
        name, _, value = pair.partition("=")
        found[name] = value
    return found


def _set(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        _before[name] = os.environ.get(name)
        os.environ[name] = value


def _put_back() -> None:
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _before.clear()


# --- The owner ---------------------------------------------------------------------------


class Owner(NamedTuple):
    """Whom a process belongs to."""

    uid: int | None  # None: it stays as it is
    gid: int | None
    user: str | None  # its name, if the system has one


def owner(process: Process) -> Owner:
    """Whom workers are to belong to; SettingError if that is nobody, or cannot be done."""
    if process.user is None and process.group is None:
        return Owner(None, None, None)
    if pwd is None:
        _refuse("user" if process.user else "group", "this system has no such owners")
    uid = gid = user = None
    if process.user is not None:
        uid, gid, user = _find_user(process.user)
    if process.group is not None:
        gid = _find_group(process.group)
    if gid is None:
        _refuse("user", f"{process.user!r} is in no list of users, so group has to be given too")
    _check_may_become("user", process.user, uid, os.getuid())
    _check_may_become("group", process.group or process.user, gid, os.getgid())
    return Owner(uid, gid, user)


def _check_may_become(name: str, text: str | None, wanted: int | None, current: int) -> None:
    if os.geteuid() != 0 and wanted not in (None, current):
        _refuse(name, f"only root may start what is to run as {text!r}; this is {_who()}")


def _who() -> str:
    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name!r}"
    except KeyError:
        return f"user {os.geteuid()}"


def _find_user(text: str) -> tuple[int, int | None, str | None]:
    """The number, the group and the name of a user."""
    try:
        found = pwd.getpwuid(int(text)) if _is_id(text) else pwd.getpwnam(text)
    except KeyError:
        if not _is_id(text):
            _refuse("user", f"there is no user {text!r}")
        return int(text), None, None
    return found.pw_uid, found.pw_gid, found.pw_name


def _find_group(text: str) -> int:
    if _is_id(text):
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        _refuse("group", f"there is no group {text!r}")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= _ID_MAX


def drop_privileges(process: Process) -> None:
    """Become the user and the group of the settings, for good; nothing if there are none.

    SettingError if it cannot be done, or was not.
    """
    uid, gid, user = owner(process)
    if gid is None:
        return
    try:
        if os.geteuid() == 0:
            # The groups first, then the group, then the user: after that it is too late.
            if user is not None:
                os.initgroups(user, gid)
            else:
                os.setgroups([gid])
            os.setgid(gid)
            if uid is not None:
                os.setuid(uid)
    except OSError as error:
        _refuse("user" if process.user else "group", f"the system refused: {error.strerror}")
    if not _is_owned(uid, gid):
        _refuse("user" if process.user else "group", "the system did not do it")


def _is_owned(uid: int | None, gid: int) -> bool:
    """Whether the process belongs to them, and cannot go back."""
    if (os.getgid(), os.getegid()) != (gid, gid):
        return False
    if uid is None:
        return True
    if (os.getuid(), os.geteuid()) != (uid, uid):
        return False
    if uid != 0:
        try:
            os.setuid(0)
        except OSError:
            return True
        return False
    return True


# --- The pidfile -------------------------------------------------------------------------


class PidFile:
    """A context in which a file has the number of this process; nothing for None.

    A file with the number of another process that is alive is a SettingError; any other is
    replaced. It is removed at the end by the process that made it, if it is still as it was made;
    where the process has become another user who may not do so, it is emptied.
    """

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else Path(path).absolute()
        self._pid = 0  # of the process that made the file
        self._file: BinaryIO | None = None  # open meanwhile: for a user who may not open it

    def __enter__(self) -> "PidFile":
        if self.path is not None:
            # Of several that start at once, one writes its number, and the others find it.
            with directory_locked(str(self.path.parent)):
                _refuse_live(self.path)
                self._pid = os.getpid()
                self._file = _write(self.path, self._pid)
            _open.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _open.discard(self)
        if self.path is None or self._file is None:
            return
        with self._file:
            if os.getpid() == self._pid == _pid_in(self.path):
                with contextlib.suppress(FileNotFoundError):
                    try:
                        self.path.unlink()
                    except PermissionError:
                        self._file.truncate(0)

    def leave(self) -> None:
        """In a child: it is not to write there what others would send signals to."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def rename(self, path: str) -> None:
        """Give the file another name: so another process may take the first one over."""
        if self.path is not None:
            new = Path(path).absolute()
            self.path.replace(new)
            self.path = new


# Entered and not left.
_open: set[PidFile] = set()


def _leave_all() -> None:
    for each in [*_open]:
        each.leave()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)


def _write(path: Path, pid: int) -> BinaryIO:
    """The file, open, when it is there under its name."""
    beside = path.with_name(f"{path.name}.{pid}")
    try:
        # In a directory like /tmp, anybody may have put a link there that leads to another file.
        # So a new one is made; one of ours may be left from a container before.
        beside.unlink(missing_ok=True)
        file = beside.open("xb", buffering=0)
        try:
            file.write(b"%d\n" % pid)
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o644)  # for tools of other users, and ourselves as one
            beside.replace(path)  # so nobody reads half of it
        except OSError:
            file.close()
            beside.unlink()
            raise
    except OSError as error:
        _refuse("pidfile", f"cannot write {str(path)!r}: {error.strerror}")
    return file


def _pid_in(path: Path) -> int | None:
    """The number in a file; None if there is no file, or none in it."""
    try:
        text = path.read_bytes().strip()  # bytes: no codec has to be imported at the end
        return int(text) if text.isdigit() else None
    except (OSError, ValueError):
        return None


def _refuse_live(path: Path) -> None:
    if sys.platform == "win32":
        return  # to ask there is to send Ctrl-C
    pid = _pid_in(path)
    # Our own number: the processes of a container have the same ones each time.
    if pid is None or pid in (0, os.getpid()):
        return
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return
    except PermissionError:
        pass  # somebody else's, but alive
    if not _is_older(path, pid):
        _refuse(
            "pidfile",
            f"{str(path)!r} has the number of process {pid}, which is alive; end that process, or "
            "remove the file if it is another program",
        )


def _is_older(path: Path, pid: int) -> bool:
    """Whether a file was written before the process began: after a restart of the machine, or of a
    container, another program may have the number. Where the system does not tell, it is not."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text().splitlines()
            if line.startswith("btime ")
        )
        began = booted + ticks / os.sysconf("SC_CLK_TCK")
        return path.stat().st_mtime < began - _CLOCK_SLACK
    except (OSError, ValueError, IndexError, StopIteration):
        return False


# --- The title ---------------------------------------------------------------------------


def set_title(text: str) -> None:
    """What lists of processes show, if the package setproctitle is there."""
    if setproctitle is not None:
        setproctitle.setproctitle(text)
