"""The commands as processes: what a person and a supervisor see of them."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live


def wait_address(process: subprocess.Popen[str]) -> tuple[str, int]:
    """The address on the line ``Listening on …``, which is the first on stderr."""
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.fullmatch(r"Listening on http://\[?([0-9a-f.:]+?)\]?:([0-9]+)\n", line)
    assert found, line + process.stderr.read()
    return found[1], int(found[2])


@contextlib.contextmanager
def client(address: tuple[str, int]) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=10)) as connection:
        yield connection


def get(connection: http.client.HTTPConnection, target: str = "/") -> tuple[int, bytes]:
    connection.request("GET", target)
    response = connection.getresponse()
    return response.status, response.read()


def is_listening(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=10).close()
    except ConnectionError:
        return False
    return True


def stop(process: subprocess.Popen[str], signum: int = signal.SIGTERM) -> tuple[str, str]:
    """Send the signal; the process ends well. What else there was on stdout and stderr."""
    process.send_signal(signum)
    return wait_end(process)


def wait_end(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_demo(command: Any, signum: signal.Signals) -> None:
    with command("demo", "--bind", "127.0.0.1:0", "--access-log") as process:
        with client(wait_address(process)) as connection:
            status, content = get(connection, "/a%20b?c")
            # The connection stays open, and does not keep the process from ending.
            out, err = stop(process, signum)
        assert status == 200
        assert content.startswith(b"Hello world!")
        line = r'127\.0\.0\.1 - - \[.*\] "GET /a%20b\?c HTTP/1\.1" 200 [0-9]+ "-" "-"\n'
        assert re.fullmatch(line, out)
        assert err == ""


def test_serve_ipv6(command: Any, project: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with command("shop.py", "-b", "[::1]:0") as process:
        with client(wait_address(process)) as connection:
            assert get(connection) == (200, b"shop")
        assert stop(process) == ("", "")


def test_the_access_log_on_stdout(command: Any, project: Path) -> None:
    with command("--port", "0", "--access-logfile", "-", "shop") as process:
        with client(wait_address(process)) as connection:
            get(connection, "/x")
        out, err = stop(process)
        assert '"GET /x HTTP/1.1" 200 4' in out
        assert err == ""


def test_json_and_a_file(command: Any, project: Path) -> None:
    options = ("--access-logfile", "log", "--access-logformat", "json", "--port=0")
    with command("serve", "shop", *options) as process:
        with client(wait_address(process)) as connection:
            get(connection, "/x?y")
        assert stop(process) == ("", "")
    entry = json.loads(Path("log").read_text())
    assert (entry["target"], entry["status"], entry["bytes"]) == ("/x?y", 200, 4)


def test_no_access_log_unless_asked_for(command: Any, project: Path) -> None:
    with command("shop", "--port", "0") as process:
        with client(wait_address(process)) as connection:
            get(connection)
        assert stop(process) == ("", "")


def test_variables(command: Any, project: Path) -> None:
    variables = {"QUAICH_BIND": "127.0.0.1:0", "QUAICH_ACCESS_LOGFILE": "-"}
    variables["QUAICH_ACCESS_LOGFORMAT"] = "%(m)s %(U)s"
    with command("shop", variables=variables) as process:
        with client(wait_address(process)) as connection:
            get(connection, "/x")
        assert stop(process) == ("GET /x\n", "")


SLOW = """
import os

def app(environ, start_response):
    start_response("200 OK", [])
    yield b"a"
    if environ["PATH_INFO"] == "/slow":
        yield os.read(0, 1)

def late(environ, start_response):
    os.write(1, b"begun\\n")
    content = os.read(0, 1)
    start_response("200 OK", [])
    return [content]
"""


@pytest.fixture
def slow(project: Path) -> None:
    """An application that waits for a byte on stdin, before or behind its head."""
    (project / "slow.py").write_text(SLOW)


@pytest.mark.usefixtures("slow")
def test_a_request_under_way_gets_its_response(command: Any) -> None:
    """A stop closes the listener and idle connections; nothing that began is cut off."""
    with command("slow", "--port", "0", "--access-log") as process:
        address = wait_address(process)
        with client(address) as idle, client(address) as connection:
            assert get(idle) == (200, b"a")
            connection.request("GET", "/slow")
            response = connection.getresponse()
            assert response.read(1) == b"a"
            process.send_signal(signal.SIGTERM)
            assert idle.sock.recv(1) == b""  # its end comes behind that of the listener
            assert not is_listening(address)
            assert process.poll() is None
            process.stdin.write("b")
            process.stdin.flush()
            assert response.read() == b"b"
            out, _ = wait_end(process)
        assert '"GET /slow HTTP/1.1" 200 2 ' in out


@pytest.mark.usefixtures("slow")
def test_a_response_after_the_signal_says_that_the_connection_ends(command: Any) -> None:
    """Or the client would send its next request into the close."""
    with command("slow:late", "--port", "0") as process:
        address = wait_address(process)
        with (
            contextlib.closing(socket.create_connection(address, timeout=10)) as idle,
            client(address) as connection,
        ):
            connection.request("GET", "/")
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGTERM)
            assert idle.recv(1) == b""
            process.stdin.write("b")
            process.stdin.flush()
            response = connection.getresponse()
            assert response.read() == b"b"
            assert response.getheader("Connection") == "close"
        wait_end(process)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    ("signum", "seconds"), [(signal.SIGTERM, "200ms"), (signal.SIGTERM, "0"), (signal.SIGINT, "1h")]
)
def test_a_request_that_does_not_end_is_cut_off(command: Any, signum: int, seconds: str) -> None:
    """Ctrl-C waits for two seconds, whatever the setting says. The client sees no whole
    response."""
    with command("slow", "--port", "0", "--graceful-timeout", seconds) as process:
        with client(wait_address(process)) as connection:
            connection.request("GET", "/slow")
            response = connection.getresponse()
            assert response.read(1) == b"a"
            process.send_signal(signum)
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                response.read()
        _, err = wait_end(process)
    assert err.splitlines()[-1] == "1 request was cut off"


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(command: Any, second: int) -> None:
    options = ("--port", "0", "--graceful-timeout", "1h")
    with command("slow", *options) as process, client(wait_address(process)) as connection:
        connection.request("GET", "/slow")
        response = connection.getresponse()
        assert response.read(1) == b"a"
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline().startswith("Stopping; waiting up to 3600 s for 1 req")
        process.send_signal(second)
        assert process.wait(10) == -second


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_application_is_loaded(command: Any, project: Path, signum: int) -> None:
    """It need not wait for that."""
    (project / "loading.py").write_text("print('loading', flush=True)\ninput()\n")
    with command("loading", "--port", "0") as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signum)
        assert process.wait(10) == 0
        assert wait_end(process) == ("", "")


def test_an_application_that_interrupts_itself(command: Any, project: Path) -> None:
    (project / "rude.py").write_text("raise KeyboardInterrupt\n")
    with command("rude", "--port", "0") as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in err


def test_a_script_that_waits_when_it_is_imported(command: Any, project: Path) -> None:
    (project / "tut.py").write_text("from shop import app\ninput()\n")
    at_once = (
        "from quaich.cli import load, main; load.NOTE_DELAY = 0; main()",
        "tut.py",
        "--port=0",
    )
    with command(python=("-c", *at_once)) as process:
        assert process.stderr.readline() == (
            "quaich: still importing tut.py; does it start a server itself? "
            "(it should do so only under if __name__ == '__main__':)\n"
        )
        process.stdin.write("\n")
        process.stdin.flush()
        wait_address(process)
        assert stop(process) == ("", "")


def test_an_application_that_exits(command: Any, project: Path) -> None:
    """The client gets an answer, the log a traceback, and the next request is served."""
    (project / "leaving.py").write_text(
        "import sys\n"
        "def app(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/leave':\n"
        "        sys.exit(3)\n"
        "    start_response('200 OK', [])\n"
        "    return [b'here']\n"
    )
    with command("leaving", "--port", "0", "--access-log") as process:
        address = wait_address(process)
        with client(address) as connection:
            assert get(connection, "/leave")[0] == 500
        with client(address) as connection:
            assert get(connection) == (200, b"here")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert process.returncode == 0
    assert err.count("Traceback") == 1
    assert "SystemExit: 3\n" in err
    assert '"GET /leave HTTP/1.1" 500 ' in out


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
def test_a_taken_port(command: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with command("demo", "-b", f"127.0.0.1:{port}") as process:
            out, err = process.communicate()
    assert process.returncode == 2
    assert err.startswith(
        f"quaich: cannot listen on 127.0.0.1:{port}: the port is taken, held by pid {os.getpid()} ("
    )
    assert err.count("\n") == 1
    assert out == ""


def test_an_import_that_fails(command: Any, project: Path) -> None:
    """The traceback of the application's code, nothing of ours, then the line."""
    with command("needs:app", "--port", "0") as process:
        _, err = process.communicate()
    assert process.returncode == 3
    assert err == (
        "Traceback (most recent call last):\n"
        f'  File "{project / "needs.py"}", line 1, in <module>\n'
        "    import surely_not_installed\n"
        "ModuleNotFoundError: No module named 'surely_not_installed'\n"
        "quaich: cannot load 'needs:app': the import of module 'needs' failed: "
        "ModuleNotFoundError: No module named 'surely_not_installed'\n"
    )


def test_without_click(command: Any) -> None:
    blocked = "import sys; sys.modules['click'] = None; from quaich.cli import main; main()"
    with command("demo", python=("-c", blocked)) as process:
        out, err = process.communicate()
    assert process.returncode == 2
    assert err.startswith("quaich: the commands need click")
    assert err.count("\n") == 1
    assert out == ""
