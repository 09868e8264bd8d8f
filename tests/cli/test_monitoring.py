"""What an operator sees of the command as a process, alone and with workers."""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from quaich.cli.commands import quaich as quaich_command
from server.wire import Client, get, wait_until

pytestmark = pytest.mark.live


class Operator:
    """Asks at the Unix socket of ``--admin-bind``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, target: str) -> tuple[int, str]:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self._path))
            client.sendall(get(target, "Connection: close"))
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), content.decode()

    @property
    def status(self) -> Any:
        return json.loads(self.ask("/status")[1])

    def figure(self, name: str) -> float:
        """The sum of all samples of that name."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.ask("/metrics")[1])
            for sample in family.samples
            if sample.name == name
        )


def wait_address(process: subprocess.Popen[str]) -> tuple[str, int]:
    assert process.stderr is not None
    for line in process.stderr:
        found = re.match(r"Listening on http://([0-9.]+):([0-9]+)\n", line)
        if found:
            return found[1], int(found[2])
    raise AssertionError("it does not listen")


def ask_often(address: tuple[str, int], times: int) -> None:
    for _ in range(times):
        with Client(address) as client:
            assert client.exchange(get("/", "Connection: close")).status == 200


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_command_is_seen_at_work_until_it_ends(command: Any, project: Path, workers: str) -> None:
    """With workers, over their replacement: no request is counted twice, and none is left out."""
    admin = project / "admin"
    bind = f"unix:{admin}"
    arguments = ("-b", "127.0.0.1:0", "-w", workers, "--admin-bind", bind, "--health-path", "/up")
    with command("shop:app", *arguments) as process:
        address = wait_address(process)
        operator = Operator(admin)
        wait_until(lambda: operator.ask("/readyz") == (200, "ready\n"), "it is ready")
        ask_often(address, 20)
        sent = 20
        # One that is not ready yet would be ended by the reload, and not be replaced.
        wait_until(
            lambda: all(each["state"] == "ready" for each in operator.status["workers"]),
            "all to be ready",
        )
        former = {worker["pid"] for worker in operator.status["workers"]}
        if workers == "0":
            assert former == {process.pid}
        else:
            assert len(former) == 2
            process.send_signal(signal.SIGHUP)
            wait_until(
                lambda: former.isdisjoint(each["pid"] for each in operator.status["workers"]),
                "both have been replaced",
            )
            assert operator.ask("/readyz")[0] == 200
            wait_until(
                lambda: operator.status["restarts"]["by_reason"]["reload"] == 2,
                "both to be counted",
            )
            assert {each["pid"] for each in operator.status["restarts"]["last"]} == former
            ask_often(address, 5)
            sent += 5
        with Client(address) as client:
            assert client.exchange(get("/up")).content == b"ready\n"
        wait_until(lambda: operator.figure("quaich_requests_total") == sent, "all are counted")
        assert operator.figure("quaich_requests_begun_total") == sent
        assert operator.figure("quaich_request_duration_seconds_count") == sent
        assert operator.figure("quaich_response_content_bytes_total") == sent * len("shop")
        shown = CliRunner().invoke(quaich_command, ["top", "--once", bind])
        assert shown.exit_code == 0
        assert "ready" in shown.stdout
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 0
        assert not admin.exists()
