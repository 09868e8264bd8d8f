"""Runs a harness: under atheris, if that is installed, else in a plain random loop.

From the root of the repository::

    python -m fuzz.chunked --runs 100000
    python -m fuzz.chunked --seconds 60 --seed 7
    python -m fuzz.chunked seeds/           # under atheris: its own arguments
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec


def random_bytes(source: random.Random, pieces: Sequence[bytes]) -> bytes:
    """Some of the pieces in any order, and now and then any octets between."""
    blocks = []
    for _ in range(source.randrange(16)):
        block = source.choice(pieces)
        if source.random() < 0.1:
            block = source.randbytes(source.randrange(4))
        blocks.append(block * source.choice((1, 1, 1, 1, 2, 300)))
    return b"".join(blocks)


def run(check: Callable[[bytes], None], pieces: Sequence[bytes]) -> None:
    """Call ``check`` with one input after the other; it raises if its invariant is broken."""
    loop_options = {"--runs", "--seconds", "--seed"}.intersection(sys.argv)
    if not loop_options and find_spec("atheris") is not None:
        atheris = import_module("atheris")
        atheris.instrument_all()
        atheris.Setup(sys.argv, check)
        atheris.Fuzz()
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=sys.maxsize, help="how many inputs to try")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--seed", type=int, default=0, help="where the random numbers begin")
    options = parser.parse_args()
    source = random.Random(options.seed)
    deadline = time.monotonic() + options.seconds
    runs = 0
    while runs < options.runs and time.monotonic() < deadline:
        data = random_bytes(source, pieces)
        try:
            check(data)
        except BaseException:
            sys.stderr.write(f"after {runs} inputs, by {data!r}\n")
            raise
        runs += 1
    sys.stderr.write(f"{runs} inputs, and the invariant held\n")
