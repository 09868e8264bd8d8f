"""``python -m quaich``: the commands of :mod:`quaich.cli`."""

from quaich.cli import main

if __name__ == "__main__":
    main()
