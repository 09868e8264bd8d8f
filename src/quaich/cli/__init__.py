"""The commands. Their library, click, is the extra ``cli``; this module does without it."""

import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command that ``args`` (by default those of the process) name, and exit.

    Exit codes: 0 a clean stop, 2 a usage or configuration error, 3 the application could not be
    loaded, 1 anything else.
    """
    try:
        from quaich.cli.commands import quaich
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print(
            "quaich: the commands need click, which is not installed; "
            "this installs it: pip install 'quaich[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    quaich.main(args)
