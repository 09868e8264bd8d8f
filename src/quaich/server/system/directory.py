"""The current directory, and by which name."""

import os
from pathlib import Path
from typing import TypeAlias

Node: TypeAlias = tuple[int, int]
"""What a directory is, whatever its name: its device, and its number there."""


def working_directory() -> str:
    """The absolute name of the current directory: the shell's (``$PWD``), if that is one.

    A shell that went through a symbolic link names the link. By the time of a reload it may lead to
    another directory, as ``current`` does with a new release; gunicorn heeds that too.
    """
    named = os.environ.get("PWD", "")
    here = node_of(".")
    if here is not None and Path(named).is_absolute() and node_of(named) == here:
        return named
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it has been deleted
        return "/"


def node_of(name: str) -> Node | None:
    """None if there is nothing to be found by that name."""
    try:
        found = os.stat(name)  # noqa: PTH116 - "." may be a directory that has been deleted
    except OSError:
        return None
    return found.st_dev, found.st_ino
