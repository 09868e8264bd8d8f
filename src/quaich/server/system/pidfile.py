"""The pidfile: a file that has the number of the process, while it is there.

What cannot be done is a :class:`~quaich.settings.SettingError` of ``pidfile``.
"""

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NoReturn

from quaich.server.system.directory_lock import directory_locked
from quaich.settings import SettingError

# Seconds by which the clock may have been set since the machine was started.
_CLOCK_SLACK: Final = 60.0


def _refuse(reason: str) -> NoReturn:
    raise SettingError("pidfile", reason)


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
        self.remove()

    def remove(self) -> None:
        """Remove it, as at the end of the context."""
        _open.discard(self)
        file, self._file = self._file, None
        if self.path is None or file is None:
            return
        with file:
            if os.getpid() == self._pid == _pid_in(self.path):
                with contextlib.suppress(FileNotFoundError):
                    try:
                        self.path.unlink()
                    except PermissionError:
                        file.truncate(0)

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
        _refuse(f"cannot write {str(path)!r}: {error.strerror}")
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
