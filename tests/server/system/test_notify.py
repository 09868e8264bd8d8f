"""What the service manager is told, over a real socket."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quaich.server.system.notify import Notifier, watchdog_interval
from server.wire import PATIENCE


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE)
        yield sock


@pytest.mark.live
@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda notifier: notifier.ready("4 workers"), b"READY=1\nSTATUS=4 workers"),
        (lambda notifier: notifier.ready(), b"READY=1"),
        (lambda notifier: notifier.reloading(), b"RELOADING=1\nMONOTONIC_USEC=1234567"),
        (lambda notifier: notifier.stopping(), b"STOPPING=1"),
        (lambda notifier: notifier.status("schön"), "STATUS=schön".encode()),
        (lambda notifier: notifier.status("a\nSTOPPING=1\r\0"), b"STATUS=a STOPPING=1 \0"),
        (lambda notifier: notifier.status("\udc80"), b"STATUS=\\udc80"),
        (lambda notifier: notifier.watchdog(), b"WATCHDOG=1"),
        (lambda notifier: notifier.main_pid(4711), b"MAINPID=4711"),
    ],
)
def test_each_message(
    manager: socket.socket, tell: Callable[[Notifier], None], message: bytes
) -> None:
    tell(Notifier(manager.getsockname(), clock=lambda: 1_234_567_890))
    assert manager.recv(4096) == message


@pytest.mark.live
def test_the_time_of_a_reload_is_the_systems(manager: socket.socket) -> None:
    """``Type=notify-reload`` compares it with its own reading of CLOCK_MONOTONIC."""
    import time

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(manager.getsockname()).reloading()
    told = int(manager.recv(4096).rpartition(b"=")[2])
    assert before <= told <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_address(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0quaich-test-{tmp_path}")
        manager.settimeout(PATIENCE)
        Notifier.from_environment({"NOTIFY_SOCKET": f"@quaich-test-{tmp_path}"}).stopping()
        assert manager.recv(4096) == b"STOPPING=1"


@pytest.mark.live
def test_nobody_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and that is all."""
    Notifier(str(tmp_path / "nobody")).ready()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"READY=1 cannot be sent to NOTIFY_SOCKET={tmp_path}")


@pytest.mark.live
def test_a_manager_that_does_not_read(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("quaich.server.system.notify._PATIENCE", 0.001)
    notifier = Notifier(manager.getsockname())
    while not caplog.records:
        notifier.watchdog()
    assert "timed out" in caplog.records[0].getMessage()


# --- The environment ----------------------------------------------------------------------


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "1000000"}])
def test_without_a_manager_nothing_is_told(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier = Notifier.from_environment(environ)
    assert (notifier.address, notifier.watchdog_interval) == (None, None)
    monkeypatch.delattr(socket, "socket")
    notifier.ready("up")
    notifier.reloading()
    notifier.stopping()
    notifier.status("up")
    notifier.watchdog()
    notifier.main_pid(1)


def test_an_address_of_another_kind(caplog: pytest.LogCaptureFixture) -> None:
    assert Notifier.from_environment({"NOTIFY_SOCKET": "vsock:2:1234"}).address is None
    assert "neither a path nor @NAME" in caplog.text


def test_what_the_variables_say() -> None:
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
    notifier = Notifier.from_environment(environ, 7)
    assert (notifier.address, notifier.watchdog_interval) == ("/run/x", 15.0)
    assert Notifier.from_environment(environ, 8).watchdog_interval is None
    assert Notifier.from_environment(environ | {"WATCHDOG_PID": str(os.getpid())}).address


@pytest.mark.parametrize(
    ("microseconds", "seconds"),
    [
        ("3000000", 1.5),
        ("1", 5e-7),
        ("0", None),
        ("", None),
        ("x", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_the_watchdog(microseconds: str, seconds: float | None) -> None:
    """Half of what it allows, for any process unless one is named."""
    assert watchdog_interval({"WATCHDOG_USEC": microseconds}, 7) == seconds
