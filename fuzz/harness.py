"""Runs a harness: atheris makes inputs from the seeds, by what code they reach.

    python -m fuzz.head --seconds 60
    python -m fuzz.head --seconds 600 --seed 7
    python -m fuzz.head build/fuzz/head/crash-…      these inputs only: a finding, once more
    python -m fuzz.head --random --seconds 5         without atheris: nothing guides the inputs

Inputs that reach something new are kept in ``build/fuzz/NAME/found``, where the next run begins;
findings lie beside it.
"""

import argparse
import random
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from fuzz import atheris

BUILD = Path(__file__).parents[1] / "build" / "fuzz"
INPUT_MAX = 4096  # bytes; the limits that are larger have tests, and small ones here

Check = Callable[[bytes], object]


def run(check: Check, tokens: Sequence[bytes], seeds: Iterable[bytes]) -> None:
    """Call ``check`` with one input after the other; it raises if its invariant is broken.

    ``tokens``: what such inputs are made of. ``seeds``: some of them.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {sys.modules['__main__'].__spec__.name}")  # type: ignore[union-attr]
    parser.add_argument("inputs", nargs="*", type=Path, help="files: try these, and no others")
    parser.add_argument("--seconds", type=int, default=60, help="for how long")
    parser.add_argument("--runs", type=int, default=-1, help="how many inputs to try")
    parser.add_argument("--seed", type=int, default=1, help="where the random numbers begin")
    parser.add_argument("--random", action="store_true", help="a plain loop instead of atheris")
    options = parser.parse_args()
    if options.inputs:
        for path in options.inputs:
            _try(check, path.read_bytes())
        sys.stderr.write(f"{len(options.inputs)} inputs, and the invariant held\n")
    elif options.random:
        _run_at_random(check, tokens, list(seeds), options)
    elif atheris is None:
        version = ".".join(map(str, sys.version_info[:2]))
        parser.exit(
            2,
            f"There is no atheris for this Python {version}: pip install atheris (it has wheels"
            " for Linux, CPython 3.11 to 3.13), or give --random.\n",
        )
    else:
        _run_guided(check, tokens, seeds, options)


def pieces(data: bytes) -> list[bytes]:
    """The data in blocks: other data, other sizes; the same data, the same."""
    source = random.Random(zlib.crc32(data))
    if source.random() < 0.3:
        # As clients send them: each request by itself, or what looks like one.
        return [block for block in re.split(rb"(?<![A-Z])(?=[A-Z]+ /)", data) if block]
    longest = source.choice((1, 3, 20, 400)) + len(data) // 100
    blocks = []
    while data:
        size = source.randint(1, longest)
        blocks.append(data[:size])
        data = data[size:]
    return blocks


def _try(check: Check, data: bytes) -> None:
    try:
        check(data)
    except BaseException:
        sys.stderr.write(f"by {data!r}\n")
        raise


# --- Guided ----------------------------------------------------------------------------------


def _run_guided(
    check: Check, tokens: Sequence[bytes], seeds: Iterable[bytes], options: argparse.Namespace
) -> NoReturn:
    name = sys.modules["__main__"].__spec__.name.rpartition(".")[2]  # type: ignore[union-attr]
    directory = BUILD / name
    for part in ("seeds", "found"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds):
        (directory / "seeds" / f"{number:04}").write_bytes(data)
    dictionary = directory / "dictionary"
    dictionary.write_text("".join(f'"{_escaped(token)}"\n' for token in tokens), "ascii")
    arguments = [
        f"-max_total_time={options.seconds}",
        f"-runs={options.runs}",
        f"-seed={options.seed}",
        f"-max_len={INPUT_MAX}",
        f"-dict={dictionary}",
        f"-artifact_prefix={directory}/",
        "-timeout=10",  # seconds for one input: none needs more than milliseconds
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(
        [sys.argv[0], *arguments, str(directory / "found"), str(directory / "seeds")],
        lambda data: _try(check, data),
    )
    atheris.Fuzz()  # ends the process
    raise AssertionError


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in token)


# --- At random -------------------------------------------------------------------------------


def _run_at_random(
    check: Check, tokens: Sequence[bytes], seeds: list[bytes], options: argparse.Namespace
) -> None:
    source = random.Random(options.seed)
    deadline = time.monotonic() + options.seconds
    runs = 0
    while runs != options.runs and time.monotonic() < deadline:
        _try(check, _random_input(source, tokens, seeds))
        runs += 1
    sys.stderr.write(f"{runs} inputs, and the invariant held\n")


def _random_input(source: random.Random, tokens: Sequence[bytes], seeds: list[bytes]) -> bytes:
    """Some of the tokens in any order, in front of, behind or within a seed, or alone."""
    blocks = []
    for _ in range(source.randrange(16)):
        block = source.choice(tokens)
        if source.random() < 0.1:
            block = source.randbytes(source.randrange(4))
        blocks.append(block * source.choice((1, 1, 1, 1, 2, 300)))
    data = b"".join(blocks)
    if source.random() < 0.5:
        seed = source.choice(seeds)
        at = source.randint(0, len(seed))
        data = seed[:at] + data[: source.randrange(40)] + seed[at + source.randrange(4) :]
    return data[:INPUT_MAX]
