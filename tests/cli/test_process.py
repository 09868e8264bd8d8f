"""The commands as processes: what a person and a supervisor see of them."""

import contextlib
import http.client
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


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_demo(command: Any, signum: signal.Signals) -> None:
    with command("demo", "--bind", "127.0.0.1:0", "--access-log") as process:
        with client(wait_address(process)) as connection:
            status, content = get(connection, "/a%20b?c")
            # The connection stays open, and does not keep the process from ending.
            out, err = stop(process, signum)
        assert status == 200
        assert content.startswith(b"Hello world!")
        assert re.fullmatch(r'127\.0\.0\.1 - - \[.*\] "GET /a%20b\?c HTTP/1\.1" 200 [0-9]+\n', out)
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


def test_a_request_under_way_gets_its_response(command: Any, project: Path) -> None:
    """A stop closes the listener and idle connections; nothing that began is cut off."""
    (project / "slow.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    yield b'a'\n"
        "    if environ['PATH_INFO'] == '/slow':\n"
        "        yield input().encode()\n"
    )
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
            process.stdin.write("b\n")
            process.stdin.flush()
            assert response.read() == b"b"
            out, _ = wait_end(process)
        assert '"GET /slow HTTP/1.1" 200 2' in out


def test_a_signal_while_the_application_is_loaded(command: Any, project: Path) -> None:
    (project / "slow.py").write_text("print('loading', flush=True)\ninput()\n")
    with command("slow") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        assert stop(process) == ("", "")


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
    with command("needs:app") as process:
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
