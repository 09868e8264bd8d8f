"""Quaich's modules against the standard library's, in one run.

Each row is one piece of work done by both. The two alternate, round by round, and change who
goes first; a round gives one ratio, and the row shows their median: how many times as fast
Quaich is. Absolute times depend on the machine and on what else it does; the ratios much less.

    python benchmarks/toolkit.py [--rounds N] [--only WORD] [--json FILE]
"""

import argparse
import contextlib
import gc
import importlib
import io
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Work = Callable[[], object]

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "127.0.0.1:8000",
}

BROWSER_REQUEST = (
    b"GET /articles?page=2 HTTP/1.1\r\n"
    b"Host: 127.0.0.1:8000\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://127.0.0.1:8000/\r\n"
    b"Connection: keep-alive\r\n"
    b"Cookie: session=0123456789abcdef; theme=dark\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"\r\n"
)


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    return [b"Hello, world!\n"]


def modules(package: str) -> dict[str, Any]:
    names = ("util", "headers", "handlers", "simple_server", "validate")
    return {name: importlib.import_module(f"{package}.{name}") for name in names}


# --- The rows ---------------------------------------------------------------------------


def handler_run(m: dict[str, Any], app: Any = hello) -> Work:
    """BaseHandler.run over byte streams, as an HTTP server's handler is used."""
    simple_handler = m["handlers"].SimpleHandler
    stderr = io.StringIO()

    def work() -> None:
        handler = simple_handler(io.BytesIO(), io.BytesIO(), stderr, ENVIRON)
        handler.server_software = "Benchmark/1.0"
        handler.run(app)

    return work


def server_handler_run(m: dict[str, Any]) -> Work:
    """The same with simple_server's own handler class."""
    server_handler = m["simple_server"].ServerHandler
    stderr = io.StringIO()

    class Connection:
        close_connection = True

        def log_request(self, *args: object) -> None:
            pass

    def work() -> None:
        handler = server_handler(io.BytesIO(), io.BytesIO(), stderr, ENVIRON, multithread=False)
        handler.request_handler = Connection()
        handler.run(hello)

    return work


def request_over_streams(m: dict[str, Any]) -> Work:
    """A browser's request through WSGIRequestHandler, without a socket."""
    base: Any = m["simple_server"].WSGIRequestHandler

    class Handler(base):  # type: ignore[misc]  # known at run time only
        def setup(self) -> None:
            self.connection = self.request
            self.rfile, self.wfile = self.request

        def finish(self) -> None:
            pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server:
        base_environ = {
            "SERVER_NAME": "127.0.0.1",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PORT": "8000",
            "REMOTE_HOST": "",
            "CONTENT_LENGTH": "",
            "SCRIPT_NAME": "",
        }

        @staticmethod
        def get_app() -> Any:
            return hello

    server = Server()

    def work() -> None:
        streams = (io.BufferedReader(io.BytesIO(BROWSER_REQUEST)), io.BytesIO())
        Handler(streams, ("127.0.0.1", 4711), server)

    return work


FIELDS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "1234"),
    ("Cache-Control", "private, max-age=60"),
    ("ETag", '"0123456789abcdef"'),
    ("X-Content-Type-Options", "nosniff"),
]


def headers_construct(m: dict[str, Any]) -> Work:
    headers = m["headers"].Headers
    return lambda: headers(FIELDS)


def headers_look_up(m: dict[str, Any]) -> Work:
    h = m["headers"].Headers(FIELDS[:])

    def work() -> None:
        h["etag"]
        h.get("X-Missing")
        "content-length" in h  # noqa: B015
        h.get_all("Cache-Control")

    return work


def headers_change(m: dict[str, Any]) -> Work:
    h = m["headers"].Headers(FIELDS[:])

    def work() -> None:
        h["Content-Length"] = "99"
        h.setdefault("Vary", "Accept")
        del h["Vary"]

    return work


def headers_add(m: dict[str, Any]) -> Work:
    headers = m["headers"].Headers

    def work() -> None:
        headers([]).add_header("Content-Disposition", "attachment", filename="bud.gif")

    return work


def headers_encode(m: dict[str, Any]) -> Work:
    h = m["headers"].Headers(FIELDS[:])
    return lambda: bytes(h)


def validated(m: dict[str, Any]) -> Work:
    """A call of a validated hello; what the validator costs is nearly all of it."""
    validator = m["validate"].validator

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(0)
        return hello(environ, start_response)

    checked = validator(app)
    environ = dict(ENVIRON)
    m["util"].setup_testing_defaults(environ)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        return lambda data: None

    def work() -> None:
        result = checked(environ.copy(), start_response)
        for _ in result:
            pass
        result.close()

    return work


def request_uri(m: dict[str, Any]) -> Work:
    util = m["util"]
    environ = {**ENVIRON, "wsgi.url_scheme": "http", "SCRIPT_NAME": "/a", "PATH_INFO": "/b/c"}
    return lambda: util.request_uri(environ)


def shift_path(m: dict[str, Any]) -> Work:
    shift = m["util"].shift_path_info
    return lambda: shift({"SCRIPT_NAME": "/a", "PATH_INFO": "/b/c/d"})


def date(m: dict[str, Any]) -> Work:
    format_date_time = m["handlers"].format_date_time
    return lambda: format_date_time(time.time())


MICRO: dict[str, Callable[[dict[str, Any]], Work]] = {
    "BaseHandler.run, hello": handler_run,
    "ServerHandler.run, hello": server_handler_run,
    "WSGIRequestHandler, browser's request": request_over_streams,
    "Headers(list)": headers_construct,
    "Headers: get, in, get_all": headers_look_up,
    "Headers: set, setdefault, del": headers_change,
    "Headers.add_header": headers_add,
    "bytes(Headers)": headers_encode,
    "validator(hello)": validated,
    "request_uri": request_uri,
    "shift_path_info": shift_path,
    "format_date_time": date,
}

# --- simple_server over real sockets ----------------------------------------------------

SERVER_PROGRAM = """
import importlib, sys
package = sys.argv[1]
simple_server = importlib.import_module(package + ".simple_server")
def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    return [b"Hello, world!\\n"]
with simple_server.make_server("127.0.0.1", 0, hello) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@contextlib.contextmanager
def server_process(package: str) -> Iterator[int]:
    """simple_server in a process of its own, its access log thrown away; yields the port."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER_PROGRAM, package],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no pipe from the server")
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def one_request(port: int) -> Work:
    def work() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(BROWSER_REQUEST)
            data = b""
            while block := connection.recv(65536):
                data += block
            if not data.endswith(b"Hello, world!\n"):
                raise RuntimeError(f"not the answer of the application: {data!r}")

    return work


# --- Measuring --------------------------------------------------------------------------


class Row(NamedTuple):
    name: str
    standard: float  # seconds per piece of work, median
    quaich: float
    ratio: float  # standard / quaich, median of the rounds
    low: float
    high: float


def seconds(work: Work, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def compare(name: str, standard: Work, quaich: Work, rounds: int, budget: float) -> Row:
    """``budget``: about how many seconds one side of one round takes."""
    for work in (standard, quaich):
        seconds(work, 20)  # warm up: imports, memos, the adaptive interpreter
    times = max(20, int(budget / max(seconds(standard, 50), 1e-9)))
    pairs = []
    for number in range(rounds):
        gc.collect()
        if number % 2:
            ours, theirs = seconds(quaich, times), seconds(standard, times)
        else:
            theirs, ours = seconds(standard, times), seconds(quaich, times)
        pairs.append((theirs, ours))
    ratios = sorted(theirs / ours for theirs, ours in pairs)
    return Row(
        name,
        statistics.median(theirs for theirs, _ in pairs),
        statistics.median(ours for _, ours in pairs),
        statistics.median(ratios),
        ratios[len(ratios) // 4],
        ratios[-1 - len(ratios) // 4],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="pairs per row (default 15)")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    standard, quaich = modules("wsgiref"), modules("quaich")

    print(f"Python {sys.version.split()[0]}; µs per piece of work, medians of {arguments.rounds}")
    print(f"{'':42}{'wsgiref':>9}{'quaich':>9}{'ratio':>8}   quartiles")
    rows = []

    def show(row: Row) -> None:
        rows.append(row)
        print(
            f"{row.name:42}{row.standard * 1e6:9.2f}{row.quaich * 1e6:9.2f}{row.ratio:7.2f}x"
            f"   {row.low:.2f}-{row.high:.2f}",
            flush=True,
        )

    for name, make in MICRO.items():
        if arguments.only.lower() in name.lower():
            show(compare(name, make(standard), make(quaich), arguments.rounds, 0.05))
    name = "simple_server, a request over a socket"
    if arguments.only.lower() in name.lower():
        with server_process("wsgiref") as theirs, server_process("quaich") as ours:
            row = compare(name, one_request(theirs), one_request(ours), arguments.rounds, 0.3)
        show(row)
        rates = (round(1 / row.standard), round(1 / row.quaich))
        print("simple_server: {} requests per second with wsgiref, {} with Quaich".format(*rates))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([row._asdict() for row in rows], indent=2))
    slower = [row.name for row in rows if row.ratio < 1]
    print("Faster in every row." if not slower else f"Slower: {', '.join(slower)}.")


if __name__ == "__main__":
    main()
