"""What the process is to the system: its environment, its owner, its title.

    prepare             before anything is opened: variables, umask, directory, imports
    drop_privileges     in a worker, when the sockets are open
    set_title           for lists of processes

All of it is done by the main thread. What cannot be done is a
:class:`~quaich.settings.SettingError` that has the name of the setting.
"""

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from quaich.server.system.directory import Node, node_of, working_directory
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


class _Before:
    """What prepare() has changed, and how it was before."""

    def __init__(self) -> None:
        self.variables: dict[str, str | None] = {}  # None: there was none
        self.umask: int | None = None  # None: it was not set
        self.path: list[str] = []  # sys.path
        self.path_set: list[str] | None = None  # what was made of it
        self.entered: Node | None = None  # the directory that was the current one in the end


_before = _Before()


def prepare(process: Process) -> None:
    """Set what an application finds when it is loaded: variables, umask, current directory,
    ``sys.path``. What can be wrong with the owner and the title shows here too.

    It may be done again, with other settings: what the first ones have changed is put back before,
    and relative names go from the directory in which it was done first.
    """
    start = _start()
    _put_back()
    _set(_variables(process, start, os.environ))
    if process.umask is not None:
        _before.umask = os.umask(process.umask)
    _enter(start, process.chdir)
    _put_on_path(process.pythonpath)
    owner(process)
    if process.name is not None and setproctitle is None:
        _refuse("name", "it needs the package setproctitle: pip install 'quaich[title]'")


def _refuse(name: str, reason: str) -> NoReturn:
    raise SettingError(name, reason)


@functools.cache
def _start() -> Path:
    """The directory that the process was started in."""
    return Path(working_directory())


def _enter(start: Path, chdir: str | None) -> None:
    """Make a directory the current one; for None the one of the start, where that is not so."""
    try:
        # The first time there is nothing to be done for None. Later the name may lead elsewhere, if
        # it is a symbolic link. An application that is here already may have gone where it wants.
        if chdir is not None or _before.entered == node_of("."):
            os.chdir(start / (chdir or ""))
    except OSError as error:
        if chdir is not None or not _is_deleted():
            _refuse("chdir", f"{chdir or str(start)!r}: {error.strerror}")
    finally:
        _before.entered = node_of(".")


def _is_deleted() -> bool:
    """Whether the current directory is no more; then there is none to go back to."""
    try:
        os.getcwd()  # noqa: PTH109 - asked for its error alone
    except FileNotFoundError:
        return True
    return False


def _put_on_path(places: tuple[str, ...]) -> None:
    absolute = []
    for place in places:
        path = Path(place).absolute()
        if not path.is_dir():
            _refuse("pythonpath", f"there is no directory {place!r}")
        absolute.append(str(path))
    if absolute:
        _before.path = [*sys.path]
        sys.path[:] = [*absolute, *(each for each in sys.path if each not in absolute)]
        _before.path_set = [*sys.path]


def _take_off_path() -> None:
    if _before.path_set is None:
        return
    if sys.path == _before.path_set:
        sys.path[:] = _before.path
    else:
        # An application that is here already has added something.
        ours = {*_before.path_set} - {*_before.path}
        sys.path[:] = [each for each in sys.path if each not in ours]
    _before.path_set = None


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
        _before.variables[name] = os.environ.get(name)
        os.environ[name] = value


def _put_back() -> None:
    """Variables, the umask and ``sys.path``, as they were before they were set."""
    for name, value in _before.variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _before.variables.clear()
    if _before.umask is not None:
        os.umask(_before.umask)
        _before.umask = None
    _take_off_path()


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


# --- The title ---------------------------------------------------------------------------


def set_title(text: str) -> None:
    """What lists of processes show, if the package setproctitle is there."""
    if setproctitle is not None:
        setproctitle.setproctitle(text)
