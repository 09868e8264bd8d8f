"""Unix sockets that listen: their paths, whose they are, and what a server has left behind that is
no more.

open_unix               one, by its address
UnixListener            knows whether the path is still its own
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from typing import NamedTuple

from quaich.exchange.log import SafeLogger
from quaich.server.starting import CannotListen
from quaich.server.system.directory_lock import directory_locked
from quaich.settings import Listen
from quaich.settings.address import UnixAddress

logger = SafeLogger("quaich.error")


class Node(NamedTuple):
    """What tells one entry of a directory from a later one of the same name. The number of an
    inode alone does not: it is given to the next file at once."""

    device: int
    inode: int
    made: int  # nanoseconds; of a socket nothing changes that, also not a change of its mode


class UnixListener(socket.socket):
    """A listening Unix socket whose path this process has made."""

    path: str
    node: Node
    pid: int

    def remove_path(self) -> None:
        """Remove the path, if it is still this socket's and this process has made it: by now it
        may be another server's."""
        if self.pid != os.getpid():
            return
        with contextlib.suppress(OSError):
            if _node(self.path) == self.node:
                os.unlink(self.path)  # noqa: PTH108


def open_unix(address: UnixAddress, listen: Listen, owner: tuple[int, int] | None) -> socket.socket:
    """A socket that listens on a path or an abstract name, non-blocking; a path is given to
    ``owner``, a user and a group. Raises :class:`CannotListen`."""
    if not hasattr(socket, "AF_UNIX"):
        raise CannotListen(address, "", "this system has no Unix sockets")
    listening = UnixListener(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if address.is_abstract:
            plain = socket.socket(fileno=listening.detach())
            return _open_abstract(plain, address, listen.backlog)
        # Absolute, because the process may change its directory before it ends.
        path = os.path.abspath(address.path)  # noqa: PTH100 - Path.resolve() would follow links
        with directory_locked(os.path.dirname(path)):  # noqa: PTH120
            _bind_path(listening, address)
            listening.path, listening.node, listening.pid = path, _node(path), os.getpid()
            try:
                # Nobody can connect before listen(), so nobody comes before the mode is right.
                with _bound(path) as bound:
                    if listen.uds_permissions is not None:
                        os.chmod(bound, listen.uds_permissions)  # noqa: PTH101
                    if owner is not None:
                        os.chown(bound, *owner)
                listening.listen(listen.backlog)
            except OSError:
                listening.remove_path()
                raise
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        if isinstance(error, CannotListen):
            raise
        raise CannotListen(address, "", _reason(error, address), error.errno or 0) from error
    return listening


def _open_abstract(listening: socket.socket, address: UnixAddress, backlog: int) -> socket.socket:
    try:
        listening.bind(f"\0{address.path[1:]}")
        listening.listen(backlog)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise CannotListen(address, "", _reason(error, address), error.errno or 0) from error
    return listening


def _bind_path(listening: socket.socket, address: UnixAddress) -> None:
    """Bind; what a server has left there that is no more is removed. The directory is locked."""
    try:
        listening.bind(address.path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    else:
        return
    if not stat.S_ISSOCK(os.lstat(address.path).st_mode):
        raise CannotListen(
            address, "", "there is something that is not a socket, which is left alone"
        )
    if not _is_stale(address.path):
        raise CannotListen(address, "", "another server is listening there", errno.EADDRINUSE)
    logger.info("%s was left behind by a server that is no more; it is replaced", address)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(address.path)  # noqa: PTH108
    listening.bind(address.path)


def _is_stale(path: str) -> bool:
    """Whether nobody listens there: whoever connects is refused."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probing:
        probing.setblocking(False)  # EAGAIN: the backlog of the one who listens is full
        try:
            probing.connect(path)
        except ConnectionRefusedError:
            return True
        except FileNotFoundError:  # removed meanwhile
            return True
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise
    return False


@contextlib.contextmanager
def _bound(path: str) -> Iterator[str]:
    """A name that leads to the socket at a path, and to nothing else. The directory may be that of
    a user who can put a link there meanwhile, and root is not to change what that leads to."""
    flags = getattr(os, "O_PATH", None)
    if flags is None or not os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        yield path
        return
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
            raise OSError(errno.EACCES, "somebody else has replaced the socket")
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _node(path: str) -> Node:
    status = os.lstat(path)
    return Node(status.st_dev, status.st_ino, status.st_mtime_ns)


def _reason(error: OSError, address: UnixAddress) -> str:
    directory = os.path.dirname(os.path.abspath(address.path))  # noqa: PTH100, PTH120
    if error.errno == errno.EADDRINUSE:
        return "another server is listening there"
    if error.errno == errno.ENOENT:
        return "there is no such directory"
    if error.errno in (errno.EACCES, errno.EPERM):
        if not address.is_abstract and not os.access(directory, os.W_OK | os.X_OK):
            return f"no permission to write to the directory {directory!r}"
        return "no permission for that"
    return error.strerror or str(error)
