"""How the time for a field line grows with its length: it should double when the length does.

The lines are those on which a careless expression tries each white space anew, and then takes
four times as long for twice the length.

    python benchmarks/parse_lines.py [--doublings N]
"""

import argparse
import itertools
import timeit

from quaich.protocol.errors import ProtocolError
from quaich.protocol.request import parse_field_line

LINES = {
    "white space": (b"a:", b" ", b"\x00"),
    "words": (b"a:", b"x ", b"\x00"),
    "white space behind": (b"a:x", b" ", b"\x00"),
    "name": (b"", b"a", b""),
    "white space only": (b"a:", b"\t ", b""),
    "value": (b"a:", b"x ", b""),
}
SHORTEST = 1024


def judge(line: bytes) -> None:
    try:
        parse_field_line(line)
    except ProtocolError:
        pass


def seconds(line: bytes) -> float:
    """The shortest of some measurements, each of about 10 ms or one call."""
    timer = timeit.Timer(lambda: judge(line))
    number = max(1, int(0.01 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(repeat=5, number=number)) / number


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--doublings", type=int, default=6, help="default: 6, up to 64 KiB")
    sizes = [SHORTEST << doubling for doubling in range(parser.parse_args().doublings + 1)]
    print(f"{'microseconds':20}", *(f"{size:>9}" for size in sizes))
    for name, (start, repeated, end) in LINES.items():
        times = [seconds(start + repeated * (size // len(repeated)) + end) for size in sizes]
        print(f"{name:20}", *(f"{each * 1e6:9.1f}" for each in times))
        ratios = [after / before for before, after in itertools.pairwise(times)]
        print(f"{'  times the last':20}", " " * 9, *(f"{each:9.2f}" for each in ratios))


if __name__ == "__main__":
    main()
