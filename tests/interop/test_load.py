"""ab, wrk and h2load: many requests, and whether each was answered, once and well."""

import http.client
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.conftest import FILE_SIZE
from interop.reference import GREETING
from interop.serving import PATIENCE, Served, serve

pytestmark = pytest.mark.live

REQUESTS = 3000
AT_ONCE = 20


@pytest.fixture
def server(file: Path, tmp_path: Path) -> Iterator[Served]:
    """One for each test: the access log is counted."""
    with serve(f"reference:Reference({str(file)!r})", access_log=tmp_path / "access.log") as served:
        yield served


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, text
    return int(found[1])


def answered(server: Served, path: str, late: int = 0) -> int:
    """How often the application was called for the path; then the server ends, and its access
    log must say the same. ``late``: so many requests more may come after the count, of a client
    that does not wait for its answers."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
    connection.request("GET", "/count")
    counts: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    server.stop()
    assert server.said == []
    lines = [line for line in server.logged() if f" {path} HTTP/1." in line]
    assert counts[path] <= len(lines) <= counts[path] + late
    return len(lines)


AB = [
    pytest.param([], id="a connection each"),
    pytest.param(["-k"], id="kept alive"),
    pytest.param(["-k", "-i"], id="HEAD"),
]


@pytest.mark.parametrize("options", AB)
def test_ab(program: Callable[[str], str], server: Served, options: list[str]) -> None:
    sizes = [*options, "-q", "-n", str(REQUESTS), "-c", str(AT_ONCE)]
    said = run(program("ab"), *sizes, f"{server.url}/")
    assert number(r"Complete requests: +([0-9]+)", said) == REQUESTS
    assert number(r"Failed requests: +([0-9]+)", said) == 0
    assert "Non-2xx" not in said
    content = 0 if "-i" in options else REQUESTS * len(GREETING)
    assert number(r"HTML transferred: +([0-9]+)", said) == content
    if "-k" in options:
        assert number(r"Keep-Alive requests: +([0-9]+)", said) == REQUESTS
    assert answered(server, "/") == REQUESTS


def test_ab_posts(program: Callable[[str], str], server: Served, file: Path) -> None:
    options = ["-q", "-k", "-n", "50", "-c", "10", "-T", "application/octet-stream"]
    said = run(program("ab"), *options, "-p", str(file), f"{server.url}/echo")
    assert number(r"Complete requests: +([0-9]+)", said) == 50
    assert number(r"Failed requests: +([0-9]+)", said) == 0
    assert number(r"Total body sent: +([0-9]+)", said) > 50 * FILE_SIZE
    assert "Non-2xx" not in said
    assert answered(server, "/echo") == 50


# A thread's own globals are read when all is done.
LUA = """
threads = {}
function setup(thread) table.insert(threads, thread) end
function init(arguments) good = 0; bad = 0 end
function response(status, headers, body)
  if status == 200 and #body == %d then good = good + 1 else bad = bad + 1 end
end
function done(summary, latency, requests)
  local good, bad = 0, 0
  for _, thread in ipairs(threads) do
    good = good + thread:get("good"); bad = bad + thread:get("bad")
  end
  local e = summary.errors
  print(string.format("good %%d bad %%d errors %%d", good, bad,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@pytest.mark.parametrize(
    ("path", "size"), [("/", len(GREETING)), ("/stream?size=200000", 200_000), ("/file", FILE_SIZE)]
)
def test_wrk(
    program: Callable[[str], str], server: Served, tmp_path: Path, path: str, size: int
) -> None:
    script = tmp_path / "check.lua"
    script.write_text(LUA % size)
    options = ["-t", "2", "-c", str(AT_ONCE), "-d", "1s", "-s", str(script)]
    said = run(program("wrk"), *options, server.url + path)
    good = number(r"good ([0-9]+) bad 0 errors 0", said)
    assert good > 0
    # wrk stops by the clock: it does not wait for what it has asked for last.
    if "?" not in path:
        assert good <= answered(server, path, late=AT_ONCE) <= good + AT_ONCE


@pytest.mark.parametrize("pipelined", [1, 8])
def test_h2load(program: Callable[[str], str], server: Served, pipelined: int) -> None:
    options = ["--h1", "-n", str(REQUESTS), "-c", str(AT_ONCE), "-t", "2", "-m", str(pipelined)]
    said = run(program("h2load"), *options, f"{server.url}/")
    assert re.search(
        rf"requests: {REQUESTS} total, {REQUESTS} started, {REQUESTS} done,"
        rf" {REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout",
        said,
    ), said
    assert f"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx" in said
    assert number(r" \(([0-9]+)\) data", said) == REQUESTS * len(GREETING)
    assert answered(server, "/") == REQUESTS


def test_h2load_posts(program: Callable[[str], str], server: Served, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"x" * 2000)
    options = ["--h1", "-n", "500", "-c", "10", "-d", str(data)]
    said = run(program("h2load"), *options, f"{server.url}/echo")
    assert "500 succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert "status codes: 500 2xx, 0 3xx, 0 4xx, 0 5xx" in said
    assert answered(server, "/echo") == 500
