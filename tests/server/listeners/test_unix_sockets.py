"""Requests that come over a Unix socket: what is told of a client that has no address."""

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quaich import Server
from quaich.server.logs.access_log import AccessLog
from quaich.settings import Address
from quaich.validate import validator
from server import wire
from server.conftest import Errors
from server.wire import PATIENCE, Client

pytestmark = pytest.mark.live

NAMES = ("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme")


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/fails":
        raise LookupError("no such thing")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: environ[name] for name in NAMES if name in environ}).encode()]


def get(path: Path, target: str = "/", name: str | bytes | None = None) -> bytes:
    """The content of the answer; ``name`` is what the client's end is bound to."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        if name is not None:
            client.bind(name)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.0\r\nHost: example.test\r\n\r\n".encode())
        response = b"".join(iter(lambda: client.recv(65536), b""))
    return response.partition(b"\r\n\r\n")[2]


@pytest.mark.rule("S29")
@pytest.mark.rule("S35")
def test_the_environ(tmp_path: Path) -> None:
    """The server has a name, and a port that goes with the scheme; the client has no address,
    whether or not its end has a name."""
    names: list[str | bytes | None] = [None, str(tmp_path / "client")]
    if sys.platform == "linux":
        names.append(f"\0quaich-test-{tmp_path}".encode())
    path = tmp_path / "socket"
    with Server(validator(app), bind=f"unix:{path}"):
        for name in names:
            assert json.loads(get(path, "/", name)) == {
                "SERVER_NAME": "localhost",
                "SERVER_PORT": "80",
                "wsgi.url_scheme": "http",
            }


def test_it_is_a_local_client_that_has_failed(tmp_path: Path, errors: Errors) -> None:
    path = tmp_path / "socket"
    with Server(app, bind=f"unix:{path}"):
        get(path, "/fails")
    (record,) = errors()
    assert record.getMessage() == "GET /fails from a local client: the application failed"
    assert record.levelno == logging.ERROR


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("%(h)s %(U)s", "- /x"),
        ('"%(h)s" %(U)s', '"-" /x'),
        ('{"client": "%(h)s"}', '{"client": "-"}'),
        ("combined", "- - - ["),
        ("json", '{"time":"'),
    ],
)
def test_the_access_log(tmp_path: Path, format: str, line: str) -> None:
    path, log = tmp_path / "socket", tmp_path / "log"
    access_log = AccessLog(str(log), format)
    with Server(app, bind=f"unix:{path}", access_log=access_log):
        get(path, "/x")
    access_log.close()
    written = log.read_text()
    assert written.startswith(line)
    if format == "json":
        assert json.loads(written)["remote_addr"] is None


def test_several_addresses_are_served_at_once(tmp_path: Path) -> None:
    """Each request has the address that it came by."""
    path = tmp_path / "socket"
    with Server(app, bind=["127.0.0.1:0", f"unix:{path}", "127.0.0.1:0"]) as server:
        one, _, other = server.addresses
        for address in (one, other, one):
            assert isinstance(address, Address)
            with Client(address) as client:
                seen = json.loads(client.exchange(wire.get()).content)
            assert seen["SERVER_PORT"] == str(address.port)
            assert seen["REMOTE_ADDR"] == "127.0.0.1"
        assert json.loads(get(path))["SERVER_PORT"] == "80"


def test_the_command_says_why_it_cannot_listen(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Server(app, bind=f"unix:{path}"):
        command = [sys.executable, "-m", "quaich", "demo", "--uds", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"quaich: cannot listen on unix:{path}: another server is listening there\n"
    )
