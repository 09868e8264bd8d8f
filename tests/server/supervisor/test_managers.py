"""In a container, and under a service manager."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.supervisor.sites import running, write_site
from server.wire import Client, get, wait_until
from stress.process import environment

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The directory of an application, ``site_app:app`` in it."""
    return write_site(tmp_path)


def test_as_process_1_it_reaps_orphans_and_ignores_how_they_ended(site: Path) -> None:
    """gunicorn took a child's exit code 3 for a worker that had failed to start (#3220)."""
    start = [
        *("unshare", "--pid", "--fork", "--kill-child", "--map-root-user", "--mount-proc"),
        *(sys.executable, "-m", "quaich", "site_app:app", "-w", "1", "-b", "127.0.0.1:0"),
    ]
    with subprocess.Popen(
        start, cwd=site, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            lines: list[str] = []
            while not (lines and "is ready" in lines[-1]):
                lines.append(process.stderr.readline())
                if not lines[-1]:
                    if "CI" in os.environ:
                        pytest.fail("".join(lines))
                    pytest.skip("this system makes no namespaces for us")
            (found,) = re.findall(r"Listening on http://127\.0\.0\.1:(\d+)\n", "".join(lines))
            assert "[1] [INFO] worker" in "".join(lines)
            (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

            def children() -> list[str]:
                return Path(f"/proc/{first}/task/{first}/children").read_text().split()

            with Client(("127.0.0.1", int(found))) as client:
                for _ in range(3):
                    assert client.exchange(get("/orphan")).content == b"/orphan"
            wait_until(lambda: len(children()) == 1, "the orphans to be reaped")
            assert process.poll() is None
            os.kill(int(first), signal.SIGTERM)
            _, rest = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, rest
    assert "exit code" not in rest


def test_the_service_manager_is_told_once_which_program_it_is(site: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        manager.bind(str(site / "notify"))
        variables = {"NOTIFY_SOCKET": str(site / "notify")}
        with running(site, workers=1, variables=variables) as service:
            service.send(signal.SIGUSR2)
            service.wait_for("is ready", 2)
            assert service.stop() == 0
            service.wait_for("the former program .* has ended")
            (new,) = service.find("the new program is ([0-9]+)")
            os.kill(int(new), signal.SIGTERM)
            told: list[str] = []
            while "STOPPING=1" not in told:
                told.append(manager.recv(4096).decode())
            assert [each for each in told if "MAINPID" in each] == [f"MAINPID={new}"]


def test_the_service_manager_is_told(site: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        manager.bind(str(site / "notify"))
        variables = {"NOTIFY_SOCKET": str(site / "notify"), "WATCHDOG_USEC": "200000"}
        told: list[str] = []

        def wait_told(word: str) -> None:
            while not told or word not in told[-1]:
                told.append(manager.recv(4096).decode())

        with running(site, variables=variables) as service:
            wait_told("READY=1\nSTATUS=2 workers")
            wait_told("WATCHDOG=1")
            service.send(signal.SIGHUP)
            wait_told("RELOADING=1")
            wait_told("READY=1")
            service.wait_for("reloaded")
            service.send(signal.SIGTTIN)
            wait_told("STATUS=3 workers")
            service.send(signal.SIGWINCH)
            wait_told("STATUS=0 workers")
            service.send(signal.SIGTERM)
            wait_told("STOPPING=1")
            assert not any("MAINPID" in each for each in told)
            assert service.wait() == 0
