"""A lock for those who change something in a directory, among processes."""

import contextlib
import os
from collections.abc import Iterator
from time import sleep
from typing import Final

_LOCK_TRIES: Final = 50
_LOCK_PAUSE: Final = 0.02  # seconds; together as long as a start of another server may take


@contextlib.contextmanager
def directory_locked(directory: str) -> Iterator[None]:
    """A block that one process at a time is in. So of servers that find the same stale socket or
    pidfile at once, one replaces it and the others see that.

    A lock on the directory leaves no file behind. Where there is none to be had, it goes without:
    some file systems have no such locks, and whoever may read the directory could hold it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # what is done there will say what is wrong, if anything
        yield
        return
    try:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                sleep(_LOCK_PAUSE)
            except OSError:
                break
        yield
    finally:
        os.close(fd)
