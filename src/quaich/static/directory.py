"""Opening a file below a directory, and no file that is not below it.

    Directory.open      names → an open file and what it is, or None
      _at_once            the whole path; Linux then tells where that has led
      _walk               from directory to directory, each opened relative to the one before
      _by_real_path       where the system can do neither (Windows)

In a walk each name is opened relative to its parent's descriptor and without following a link; a
link is read and its target walked in the same way. So what is checked is what is opened, whatever
is renamed meanwhile, and ``..`` never asks the file system: it goes back to the descriptor that was
there before.

Mostly there is no link, and a walk takes two system calls for each directory. On Linux a file is
opened at once and its own path read from /proc: if that is the directory's with the names behind
it, then there was no link. If it is anything else, the file is closed again and the walk decides.
"""

import errno
import os
import stat
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from quaich.exchange.log import SafeLogger
from quaich.settings.operations import Symlinks

logger = SafeLogger("quaich.error")

LINKS_MAX: Final = 40  # as Linux has it for one path

# There is no file, or none for us. What else may fail is a failure.
_NO_FILE: Final = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENXIO,  # a socket, or a device that is not there
        errno.ENODEV,
        errno.EINVAL,
        errno.EILSEQ,  # a name that the file system cannot have
    }
)

_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
# Nobody waits for a pipe's other end, and no terminal becomes ours.
_FILE: Final = (
    os.O_RDONLY
    | _CLOEXEC
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
# O_PATH: to go through a directory, one need not be allowed to list it.
_DIRECTORY: Final = (
    getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC | _NOFOLLOW
)

HAS_WALK: Final = (
    os.open in os.supports_dir_fd and os.readlink in os.supports_dir_fd and bool(_NOFOLLOW)
)


class Way(Enum):
    """How what is below a directory is told from what is not."""

    AT_ONCE = "by its path in /proc, else walking"
    WALKING = "walking"
    REAL_PATH = "by its real path"


WAY: Final = (
    Way.REAL_PATH
    if not HAS_WALK
    else Way.AT_ONCE
    if os.path.isdir("/proc/self/fd")  # noqa: PTH112
    else Way.WALKING
)


class Opened(NamedTuple):
    """An open file, which is the caller's to close, or a directory, which is not open."""

    fd: int  # -1: a directory
    size: int  # bytes
    modified: int  # nanoseconds since the epoch

    @property
    def is_directory(self) -> bool:
        return self.fd < 0


class Directory:
    """A directory whose files may be sent. It is looked up for each file, so that it can be
    replaced by another one."""

    def __init__(self, path: str, symlinks: Symlinks, way: Way = WAY) -> None:
        """``path`` may lead through any links: it is the operator's."""
        self.path = os.fsencode(os.path.abspath(path))  # noqa: PTH100 - links are left as they are
        # What it was when last looked at. If it has been replaced, nothing is found to be below
        # it at once, and it is looked at again.
        self._real = os.path.realpath(self.path)
        self._symlinks = symlinks
        self._way = way

    def open(self, names: Sequence[bytes]) -> Opened | None:
        """What the names lead to; None if that is nothing, or no file and no directory. The names
        are sound ones (:func:`quaich.static.paths.is_sound`). OSError for what is a failure."""
        try:
            if self._way is Way.REAL_PATH:
                fd = self._by_real_path(names)
            elif self._symlinks == "follow":
                fd = os.open(b"/".join((self.path, *names)), _FILE)
            elif self._way is Way.AT_ONCE:
                fd = self._at_once(names)
            else:
                fd = self._walk(names)
        except OSError as error:
            if error.errno in _NO_FILE:
                if error.errno != errno.ENOENT:
                    logger.debug("no file: %r below %r: %s", b"/".join(names), self.path, error)
                return None
            raise
        return _opened(fd)

    def _at_once(self, names: Sequence[bytes]) -> int:
        """A descriptor of the file; OSError. One that is not there, with all links followed, a
        walk would not find either."""
        below = b"/".join(names)
        fd = os.open(b"/".join((self.path, below)), _FILE)
        try:
            where = os.readlink(b"/proc/self/fd/%d" % fd)  # noqa: PTH115
        except OSError:
            where = b""
        if where == b"/".join((self._real.rstrip(b"/"), below)):
            return fd
        os.close(fd)
        self._real = os.path.realpath(self.path)
        return self._walk(names)

    def _walk(self, names: Sequence[bytes]) -> int:
        """A descriptor of the file; OSError."""
        left = [*reversed(names)]  # a stack, the next name on top
        # Those that lead to where we are, the route's own directory first.
        parents = [os.open(self.path, _DIRECTORY & ~_NOFOLLOW)]
        links = 0
        try:
            while True:
                name = left.pop()
                if name == b"..":  # in the target of a link
                    if len(parents) == 1:
                        raise OSError(errno.EACCES, "out of the directory")
                    os.close(parents.pop())
                    if not left:
                        return os.open(b".", _FILE, dir_fd=parents[-1])
                    continue
                try:
                    if not left:
                        return os.open(name, _FILE | _NOFOLLOW, dir_fd=parents[-1])
                    parents.append(os.open(name, _DIRECTORY, dir_fd=parents[-1]))
                except OSError as error:
                    # Systems do not agree on what O_NOFOLLOW says of a link.
                    if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                        raise
                    if self._symlinks == "refuse":
                        raise
                    links += 1
                    if links > LINKS_MAX:
                        raise
                    # EINVAL: it is no link
                    target = os.readlink(name, dir_fd=parents[-1])
                    if target.startswith(b"/"):
                        target = self._below(target)
                        for fd in parents[1:]:
                            os.close(fd)
                        del parents[1:]
                    left += [
                        each for each in reversed(target.split(b"/")) if each not in (b"", b".")
                    ]
                    if not left:
                        return os.open(b".", _FILE, dir_fd=parents[-1])
        finally:
            for fd in parents:
                os.close(fd)

    def _below(self, target: bytes) -> bytes:
        """A link's absolute target, from this directory on. Whether that is so, the names say: what
        they lead to is walked all the same."""
        for root in (self.path, os.path.realpath(self.path)):
            root = root.rstrip(b"/") + b"/"
            if (target + b"/").startswith(root):
                return target[len(root) :]
        raise OSError(errno.EACCES, "out of the directory")

    def _by_real_path(self, names: Sequence[bytes]) -> int:
        """A descriptor, -1 for a directory; OSError. Between the look and the opening somebody
        may put a link there."""
        path = os.path.join(self.path, *names)  # noqa: PTH118 - bytes
        root, real = os.path.realpath(self.path), os.path.realpath(path)
        if self._symlinks == "refuse" and real != os.path.join(root, *names):  # noqa: PTH118
            raise OSError(errno.EACCES, "a link")
        separator = os.fsencode(os.sep)
        is_below = (real + separator).startswith(root.rstrip(separator) + separator)
        if self._symlinks != "follow" and not is_below:
            raise OSError(errno.EACCES, "out of the directory")
        if os.path.isdir(real):  # noqa: PTH112 - Windows opens no directory
            return -1
        return os.open(real, _FILE)


def _opened(fd: int) -> Opened | None:
    if fd < 0:
        return Opened(-1, 0, 0)
    try:
        status = os.fstat(fd)
    except BaseException:
        os.close(fd)
        raise
    if stat.S_ISREG(status.st_mode):
        return Opened(fd, status.st_size, status.st_mtime_ns)
    os.close(fd)
    return Opened(-1, 0, 0) if stat.S_ISDIR(status.st_mode) else None
