"""What the checker of ``quaich.conformance`` adds to a request, in microseconds.

Each row is one kind of request, answered by an application as it is and by the same one checked,
in the mode that collects. The two alternate, round by round, and change who goes first; "adds" is
the median of the rounds' differences. The server is a loop in memory that does what PEP 3333 asks
for and no more, so a percentage would say nothing about a real one.

    python benchmarks/checker.py [--rounds N] [--only WORD] [--json FILE]
"""

import argparse
import gc
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from quaich.conformance import Report, checker

Work = Callable[[], object]

HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "private, max-age=60"),
    ("ETag", '"0123456789abcdef"'),
]

# What a server makes of a browser's request.
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/articles",
    "QUERY_STRING": "page=2",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "Benchmark/1.0",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "40000",
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.7,de;q=0.3",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_COOKIE": "session=0123456789abcdef; theme=dark",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}

CONTENT = b"name=Quaich&kind=cup&material=pewter\n"


def returns_a_list(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [*HEADERS, ("Content-Length", "14")])
    return [b"Hello, world!\n"]


def yields_four_blocks(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", list(HEADERS))
    yield b"<!doctype html>\n<title>Four blocks</title>\n"
    yield b"<p>The second of four blocks.</p>\n"
    yield b"<p>The third of four blocks.</p>\n"
    yield b"<p>The last of four blocks.</p>\n"


def reads_its_content(environ: Any, start_response: Any) -> list[bytes]:
    content = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [*HEADERS, ("Content-Length", str(len(content)))])
    return [content]


def serving(application: Any, content: bytes = b"") -> Work:
    """A request, as a server without sockets has it answered."""
    environ: dict[str, Any] = dict(ENVIRON)
    if content:
        environ.update(REQUEST_METHOD="POST", CONTENT_LENGTH=str(len(content)))
    errors = io.StringIO()

    def work() -> None:
        sent: list[bytes] = []

        def start_response(status: str, headers: Any, exc_info: Any = None, /) -> Any:
            return sent.append

        request = environ.copy()
        request["wsgi.input"] = io.BytesIO(content)
        request["wsgi.errors"] = errors
        result = application(request, start_response)
        try:
            for block in result:
                sent.append(block)  # noqa: PERF402  a server sends each by itself
        finally:
            if hasattr(result, "close"):
                result.close()

    return work


ROWS: dict[str, tuple[Any, bytes]] = {
    "GET, a list": (returns_a_list, b""),
    "GET, a generator of 4 blocks": (yields_four_blocks, b""),
    "POST, reads its content": (reads_its_content, CONTENT),
}


class Row(NamedTuple):
    name: str
    bare: float  # seconds per request, median
    checked: float
    adds: float  # checked - bare, median of the rounds
    low: float
    high: float


def seconds(work: Work, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def compare(name: str, bare: Work, checked: Work, rounds: int, budget: float) -> Row:
    """``budget``: about how many seconds one side of one round takes."""
    for work in (bare, checked):
        seconds(work, 50)  # warm up: what the checker remembers, the adaptive interpreter
    times = max(50, int(budget / max(seconds(checked, 100), 1e-9)))
    pairs = []
    for number in range(rounds):
        gc.collect()
        if number % 2:
            with_checker, without = seconds(checked, times), seconds(bare, times)
        else:
            without, with_checker = seconds(bare, times), seconds(checked, times)
        pairs.append((without, with_checker))
    added = sorted(with_checker - without for without, with_checker in pairs)
    return Row(
        name,
        statistics.median(without for without, _ in pairs),
        statistics.median(with_checker for _, with_checker in pairs),
        statistics.median(added),
        added[len(added) // 4],
        added[-1 - len(added) // 4],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="pairs per row (default 15)")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()

    print(f"Python {sys.version.split()[0]}; µs per request, medians of {arguments.rounds}")
    print(f"{'':30}{'bare':>9}{'checked':>9}{'adds':>9}   quartiles")
    rows = []
    report = Report()
    for name, (application, content) in ROWS.items():
        if arguments.only.lower() not in name.lower():
            continue
        bare = serving(application, content)
        checked = serving(checker(application, report), content)
        row = compare(name, bare, checked, arguments.rounds, 0.05)
        rows.append(row)
        figures = "".join(f"{each * 1e6:9.2f}" for each in (row.bare, row.checked, row.adds))
        print(f"{name:30}{figures}   {row.low * 1e6:.2f}-{row.high * 1e6:.2f}", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([row._asdict() for row in rows], indent=2))
    for finding in report.findings:
        print(f"FAULT: {finding}")  # what is measured has to be the way of what is right
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
