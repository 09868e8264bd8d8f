"""Sockets that the process was started with."""

import http.client
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quaich.server.listeners import listening
from quaich.server.listeners.activation import Activated, NotListening, adopt, take_activated
from quaich.server.listeners.listening import CannotListen, open_listener, open_listeners
from quaich.settings import Listen, parse_address
from server.wire import PATIENCE, wait_until


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


# --- The variables -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"LISTEN_FDS": "1"}, []),  # for whom, it does not say
        ({"LISTEN_PID": "7"}, []),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, [Activated(3, "")]),
        (
            {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"},
            [Activated(3, "web"), Activated(4, "admin")],
        ),
        (
            {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web"},
            [Activated(3, "web"), Activated(4, "")],
        ),
        (
            {"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web:admin"},
            [Activated(3, "web")],
        ),
    ],
)
def test_reads(variables: dict[str, str], expected: list[Activated]) -> None:
    """They are for the process that they name, and gone in any case: no child takes them."""
    environ = variables | {"PATH": "/bin"}
    assert take_activated(environ, 7) == expected
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("text", ["x", "-1", "1.0", "٣", "1025", "9" * 5000])
def test_a_number_that_is_none(text: str) -> None:
    with pytest.raises(NotListening, match="is not a number of sockets"):
        take_activated({"LISTEN_PID": "7", "LISTEN_FDS": text}, 7)


# --- Descriptors -------------------------------------------------------------------------


@pytest.mark.live
def test_a_listening_socket_is_taken(tcp: socket.socket) -> None:
    tcp.set_inheritable(True)
    port = tcp.getsockname()[1]
    adopted = open_listener(parse_address(f"fd://{tcp.detach()}"), 8)
    with adopted:
        assert adopted.getsockname()[1] == port
        assert adopted.getblocking() is False
        assert adopted.get_inheritable() is False
        # Accepted sockets have it from here.
        assert adopted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.live
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("closed", "it is not open"),
        ("file", "it is a file, not a socket"),
        ("directory", "it is a directory, not a socket"),
        ("pipe", "it is a pipe, not a socket"),
        ("device", "it is a terminal or another device, not a socket"),
        ("datagrams", "it is a socket for datagrams"),
        ("packets", "it is a socket for packets"),
        ("bound", "it is a socket that does not listen"),
        ("connected", "it is a socket that does not listen"),
    ],
)
def test_others_are_refused(kind: str, reason: str, tmp_path: Path) -> None:
    """With what they are; and they stay open, because they are not ours."""
    fds: dict[str, Callable[[], int]] = {
        "closed": _closed,
        "file": lambda: os.open(tmp_path / "file", os.O_CREAT | os.O_RDONLY),
        "directory": lambda: os.open(tmp_path, os.O_RDONLY),
        "pipe": lambda: _first(os.pipe()),
        "device": lambda: os.open("/dev/null", os.O_RDONLY),
        "datagrams": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach(),
        "packets": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).detach(),
        "bound": _bound,
        "connected": lambda: _first([each.detach() for each in socket.socketpair()]),
    }
    fd = fds[kind]()
    try:
        with pytest.raises(CannotListen) as caught:
            open_listener(parse_address(f"fd://{fd}"), 8)
    finally:
        if kind != "closed":
            os.close(fd)
    assert str(caught.value) == (
        f"cannot listen on fd://{fd}: {reason}; it has to be a stream socket that listens"
    )


@pytest.mark.live
def test_one_that_is_bound_only_may_be_wanted() -> None:
    """To keep an address for those who will listen there (SO_REUSEPORT)."""
    with adopt(_bound(), listens=False) as adopted:
        assert adopted.getsockname()[1]


def _closed() -> int:
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    return fd


def _first(fds: Any) -> int:
    first, second = fds
    os.close(second)
    return int(first)


def _bound() -> int:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock.detach()


# --- Instead of bind ---------------------------------------------------------------------


@pytest.fixture
def as_systemd(tcp: socket.socket, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables with which this process has been given ``tcp``, and no other."""
    fd = tcp.fileno()
    monkeypatch.setattr(
        listening, "adopt", lambda number: adopt(os.dup(fd) if number == 3 else number)
    )
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}


@pytest.mark.live
def test_they_come_before_bind(
    tcp: socket.socket, as_systemd: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    (one,) = open_listeners(Listen(bind=("unix:/nowhere/x",)), environ=as_systemd)
    with one:
        assert one.getsockname() == tcp.getsockname()
    assert as_systemd == {}
    (record,) = caplog.records
    assert record.getMessage() == (
        "the sockets that systemd has opened are used, and not bind=unix:/nowhere/x"
    )


@pytest.mark.live
def test_of_the_default_there_is_nothing_to_say(
    as_systemd: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    (one,) = open_listeners(Listen(), environ=as_systemd)
    one.close()
    assert caplog.records == []


@pytest.mark.live
def test_those_of_another_process_are_not_taken(
    as_systemd: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Most likely a script has started this one, and not by ``exec``."""
    as_systemd["LISTEN_PID"] = "1"
    (one,) = open_listeners(Listen(bind=("127.0.0.1:0",)), environ=as_systemd)
    one.close()
    assert as_systemd == {}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("LISTEN_PID=1 is another process's")


@pytest.mark.live
def test_one_that_does_not_listen(as_systemd: dict[str, str]) -> None:
    as_systemd["LISTEN_FDS"] = "2"
    with open(os.devnull) as held:  # noqa: PTH123
        taken = held.fileno() == 4
    with pytest.raises(CannotListen) as caught:
        open_listeners(Listen(), environ=as_systemd | {"LISTEN_FDS": "x"})
    assert str(caught.value).startswith("cannot listen on the sockets of systemd: LISTEN_FDS=x")
    if not taken:  # descriptor 4 is this process's own, whatever it is
        with pytest.raises(CannotListen, match=r"descriptor 4 of LISTEN_FDS: it is "):
            open_listeners(Listen(), environ=as_systemd)


# --- systemd's own ----------------------------------------------------------------------

APPLICATION = """
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    left = [name for name in os.environ if name.startswith("LISTEN_")]
    child = os.popen("ls -l /proc/self/fd").read().count("socket:")
    return [repr((environ["SERVER_PORT"], left, child)).encode()]
"""


@pytest.mark.live
def test_systemd_socket_activate(tmp_path: Path) -> None:
    """The tool accepts nothing itself: it waits for the first connection, and then executes the
    server. No child of the application has the sockets."""
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        reason = "no program 'systemd-socket-activate' here (Debian: systemd)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    (tmp_path / "shop.py").write_text(APPLICATION)
    path = tmp_path / "socket"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [tool, "-l", f"127.0.0.1:{port}", "-l", str(path), "--fdname=web:local"]
    # Of the environment it hands on what it is told to.
    command += [f"--setenv={name}" for name in os.environ if name.startswith(("PYTHON", "COV"))]
    command += [sys.executable, "-m", "quaich", "serve", "shop:app"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: _answers(port), "the tool listens")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("GET", "/")
            seen = connection.getresponse().read().decode()
            connection.close()
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(path))
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                status = client.recv(65536).split(b"\r\n")[0]
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE)
    assert seen == repr((str(port), [], 0))
    assert status == b"HTTP/1.1 200 OK"
    assert f"Listening on http://127.0.0.1:{port}\nListening on unix:{path}\n" in said
    assert path.exists()  # it is systemd's, who has made it


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True
