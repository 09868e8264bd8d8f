"""The plugin of pytest, in test projects that use it."""

import gc
import importlib
import subprocess
import sys
import tomllib
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

APPLICATIONS = """
import threading
import urllib.error
import urllib.request

import pytest


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def failing(environ, start_response):
    raise LookupError("no such thing")


def get(server, path="/"):
    with urllib.request.urlopen(server.url + path, timeout=10) as response:
        return response.read()
"""


class Project:
    """A test project that uses the plugin, however Quaich is installed here."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def run(self, tests: str, *options: str) -> pytest.RunResult:
        self._pytester.makepyfile(APPLICATIONS + tests)
        with warnings.catch_warnings():
            # What another test has left is not to be found in the middle of this run.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        return self._pytester.runpytest_inprocess(
            *("-p", "no:quaich", "-p", "quaich.testing.plugin", "-p", "no:cacheprovider"), *options
        )


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


@pytest.mark.live
def test_an_application_is_served(project: Project) -> None:
    result = project.run("""
def test_hello(wsgi_server):
    server = wsgi_server(hello)
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert get(server) == b"hello"
""")
    result.assert_outcomes(passed=1)


@pytest.mark.live
def test_two_servers_and_settings(project: Project) -> None:
    result = project.run("""
def threads(environ, start_response):
    start_response("200 OK", [])
    return [str(environ["wsgi.multithread"]).encode()]

def test_two(wsgi_server):
    one = wsgi_server(threads, threads=1)
    other = wsgi_server(threads, graceful_timeout="1s")
    assert one.port != other.port
    assert get(one) == b"False"
    assert get(other) == b"True"
    assert other.settings.timeouts.graceful_timeout == 1

def test_wrong(wsgi_server):
    with pytest.raises(TypeError, match="there is no such setting"):
        wsgi_server(hello, thread=1)

def test_a_record(wsgi_server):
    from quaich.settings import settings
    assert get(wsgi_server(hello, settings=settings(bind="127.0.0.1:0"))) == b"hello"
""")
    result.assert_outcomes(passed=3)


@pytest.mark.live
def test_a_server_ends_with_its_test(project: Project) -> None:
    """A client's idle connection does not hold it up."""
    result = project.run("""
import http.client
import socket

ports = []
clients = []

def test_first(wsgi_server):
    server = wsgi_server(hello)
    ports.append(server.port)
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("GET", "/")
    assert client.getresponse().read() == b"hello"
    clients.append(client)

def test_second():
    clients[0].close()
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", ports[0]), timeout=10)
""")
    result.assert_outcomes(passed=2)


@pytest.mark.live
def test_a_failing_application(project: Project) -> None:
    """The client gets 500; the report of a failed test has the traceback."""
    result = project.run("""
def test_500(wsgi_server, caplog):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(wsgi_server(failing), "/there")
    caught.value.close()
    assert caught.value.code == 500
    (record,) = caplog.records
    assert record.name == "quaich.error"
    assert record.exc_info[0] is LookupError

def test_report(wsgi_server):
    get(wsgi_server(failing))
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*- Captured log call -*", "*LookupError: no such thing*"])


@pytest.mark.live
def test_requests_that_do_not_end(project: Project) -> None:
    """They are an error of the test; all servers are closed all the same."""
    result = project.run("""
entered, may_end = threading.Event(), threading.Event()
servers = []

def waiting(environ, start_response):
    entered.set()
    may_end.wait(10)
    return hello(environ, start_response)

def visit(server):
    with pytest.raises(OSError):
        get(server)

def test_waiting(wsgi_server):
    servers.append(wsgi_server(hello))
    servers.append(wsgi_server(waiting, graceful_timeout=0.01))
    thread = threading.Thread(target=visit, args=(servers[1],), daemon=True)
    thread.start()
    assert entered.wait(10)
    while not servers[1].requests_under_way:
        pass

def test_closed():
    may_end.set()
    assert [server.close() for server in servers] == [0, 0]
    with pytest.raises(OSError):
        get(servers[0])
""")
    result.assert_outcomes(passed=2, errors=1)
    line = "http://127.0.0.1:*: 1 request had not ended behind the test, and had to be cut off"
    result.stdout.fnmatch_lines([line])


@pytest.mark.live
def test_a_server_that_cannot_be_closed(project: Project) -> None:
    result = project.run("""
import quaich

def test_broken(wsgi_server, monkeypatch):
    server = wsgi_server(hello)
    close = server.close
    def fail():
        close()
        raise OSError("broken")
    server.close = fail
    wsgi_server(hello)
""")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*: the server could not be closed: OSError('broken')"])


@pytest.mark.live
def test_nothing_is_left(project: Project) -> None:
    """No socket and no thread; warnings are errors in the project."""
    result = project.run(
        """
def test_hello(wsgi_server):
    assert get(wsgi_server(hello)) == b"hello"

def test_threads():
    assert [each.name for each in threading.enumerate() if each.name.startswith("quaich")] == []
""",
        "-W",
        "error",
    )
    result.assert_outcomes(passed=2)


def test_it_costs_next_to_nothing_where_it_is_not_used() -> None:
    """Of Quaich it imports two modules more than the package, and of the rest what pytest has."""
    program = (
        "import sys, pytest, _pytest.fixtures; before = {*sys.modules}; "
        "import quaich.testing.plugin; print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["quaich", "quaich.testing", "quaich.testing.plugin"]


def test_pytest_finds_it() -> None:
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]["pytest11"]
    assert declared == {"quaich": "quaich.testing.plugin"}
    assert hasattr(importlib.import_module(declared["quaich"]), "wsgi_server")
    installed = entry_points(group="pytest11", name="quaich")
    assert {each.value for each in installed} <= {"quaich.testing.plugin"}
