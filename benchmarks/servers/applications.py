"""The applications that the servers are measured with: plain WSGI, no state but a counter.

As a program it prints how many iterations of :func:`spin` take two milliseconds here. That number
goes to every server, in a variable, so that all do the same work.
"""

import itertools
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

Environ = dict[str, Any]

GREETING = b"Hello, world!\n"
KIBIBYTE = bytes(range(32, 96)) * 16
STREAM_BLOCKS = 16
MEBIBYTE = bytes(range(256)) * 4096
FILE = Path(__file__).resolve().parents[2] / "build" / "servers" / "mebibyte.bin"
FILE_BLOCK = 65536

NAP = 0.02  # seconds; a query of a database that is not quick
NAP_EVERY = 20  # one request in so many takes a nap: 5 %

ITERATIONS_VARIABLE = "BENCHMARK_ITERATIONS"
ITERATIONS = int(os.environ.get(ITERATIONS_VARIABLE, "20000"))
CPU_SECONDS = 0.002

_calls = itertools.count(1)


def _head(start_response: Any, content_type: str, length: int) -> None:
    start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(length))])


def hello(environ: Environ, start_response: Any) -> list[bytes]:
    _head(start_response, "text/plain", len(GREETING))
    return [GREETING]


def length(environ: Environ, start_response: Any) -> list[bytes]:
    """Reads the content of the request, and answers how long it was."""
    content = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    answer = b"%d\n" % len(content)
    _head(start_response, "text/plain", len(answer))
    return [answer]


def stream(environ: Environ, start_response: Any) -> Iterator[bytes]:
    """Blocks from a generator, and no Content-Length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (KIBIBYTE for _ in range(STREAM_BLOCKS))


def block(environ: Environ, start_response: Any) -> list[bytes]:
    _head(start_response, "application/octet-stream", len(MEBIBYTE))
    return [MEBIBYTE]


def file(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """A file in the server's wrapper, or block by block if it has none."""
    source = FILE.open("rb")
    _head(start_response, "application/octet-stream", len(MEBIBYTE))
    wrapper = environ.get("wsgi.file_wrapper")
    if wrapper is not None:
        wrapped: Iterable[bytes] = wrapper(source, FILE_BLOCK)
        return wrapped
    return _blocks(source)


def _blocks(source: IO[bytes]) -> Iterator[bytes]:
    with source:
        while data := source.read(FILE_BLOCK):
            yield data


def mixed(environ: Environ, start_response: Any) -> list[bytes]:
    """Every 20th request takes a nap. Nothing in a request tells which."""
    if next(_calls) % NAP_EVERY == 0:
        time.sleep(NAP)
    return hello(environ, start_response)


def mixed_paths(environ: Environ, start_response: Any) -> list[bytes]:
    """The requests for one path take a nap."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(NAP)
    return hello(environ, start_response)


def sleeping(environ: Environ, start_response: Any) -> list[bytes]:
    time.sleep(NAP)
    return hello(environ, start_response)


def cpu(environ: Environ, start_response: Any) -> list[bytes]:
    spin(ITERATIONS)
    return hello(environ, start_response)


def spin(iterations: int) -> int:
    """Work in Python that holds the interpreter."""
    value = 1
    for number in range(iterations):
        value = (value * 31 + number) % 65521
    return value


def calibrated() -> int:
    """How many iterations take two milliseconds; of several tries the quickest."""
    tried = 20000
    quickest = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        spin(tried)
        quickest = min(quickest, time.perf_counter() - start)
    return max(1, round(tried * CPU_SECONDS / quickest))


if __name__ == "__main__":
    print(calibrated())
