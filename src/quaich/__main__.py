"""``python -m quaich``: the commands of :mod:`quaich.cli`."""

import sys

from quaich.cli import main

if __name__ == "__main__":
    sys.exit(main())
