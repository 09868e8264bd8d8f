"""systemd: its sockets, and its word on the units of ``deploy/``."""

import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.conftest import Program
from deploy.programs import DEPLOY, connects, free_port, replaced, running
from server.wire import wait_until

pytestmark = pytest.mark.live


def test_the_units_are_sound(program: Program, tmp_path: Path) -> None:
    quaich = tmp_path / "quaich"
    quaich.write_text("#!/bin/sh\n")
    quaich.chmod(0o755)
    service = tmp_path / "quaich.service"
    service.write_text(
        replaced("systemd/quaich.service", {"/srv/shop/.venv/bin/quaich": str(quaich)})
    )
    socket = tmp_path / "quaich.socket"
    socket.write_text((DEPLOY / "systemd" / "quaich.socket").read_text("utf-8"))
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", str(service), str(socket)],
        capture_output=True,
        text=True,
    )
    said = [line for line in done.stderr.splitlines() if "quaich" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_the_sockets_are_this_host_s_alone() -> None:
    """A port without an address would be open to all, beside whatever stands in front."""
    text = (DEPLOY / "systemd" / "quaich.socket").read_text("utf-8")
    streams = re.findall(r"^ListenStream=(.*)$", text, re.M)
    assert len(streams) == 2
    assert [each for each in streams if not each.startswith(("/", "127.0.0.1:"))] == []


def test_the_service_is_started_with_settings_that_there_are(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "quaich.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    _, *arguments = shlex.split(command)
    assert "--workers" in arguments  # or there would be no reload
    (tmp_path / "shop.py").write_text("def app(environ, start_response): return []\n")
    done = subprocess.run(
        [sys.executable, "-m", "quaich", *arguments, "--check-config"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", ["0", "2"])
def test_sockets_that_systemd_has_opened(program: Program, tmp_path: Path, workers: str) -> None:
    port = free_port()
    command = [
        *(program("systemd-socket-activate"), "-l", f"127.0.0.1:{port}"),
        *("-E", "PYTHONPATH", "-E", "PATH"),
        *(sys.executable, "-m", "quaich", "serve", "-w", workers, "deploy.shop:app"),
    ]
    with running(command, tmp_path / "log", lambda _: connects(("127.0.0.1", port))) as server:
        # It is started by the first connection, which waits for it.
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            connection.close()
        # A worker answers as soon as it can, and the supervisor hears of it.
        wait_until(lambda: f"Listening on http://127.0.0.1:{port}" in server.log, "it is said")
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(20) == 0
