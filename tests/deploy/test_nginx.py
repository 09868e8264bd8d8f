"""nginx in front, by a Unix socket, with the configuration of ``deploy/``."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.conftest import Program
from deploy.programs import Running, free_port, nginx, quaich, replaced
from stress.traffic import run

pytestmark = pytest.mark.live

Front = tuple[int, int]  # ports: plain, TLS


@contextlib.contextmanager
def behind_nginx(
    program: Program, certificate: Path, directory: Path, *options: str, app: str
) -> Iterator[tuple[Front, Running]]:
    socket = directory / "quaich.sock"
    ports = free_port(), free_port()
    server = replaced(
        "nginx/quaich.conf",
        {
            "/run/quaich/quaich.sock": str(socket),
            "Host $host;": "Host $host:$server_port;",  # as the file says of other ports
            "listen 80;": f"listen 127.0.0.1:{ports[0]};",
            "listen 443 ssl;": f"listen 127.0.0.1:{ports[1]} ssl;",
            "/etc/nginx/shop.example.pem": str(certificate),
            "/etc/nginx/shop.example.key": str(certificate),
        },
    )
    log = directory / "quaich.log"
    with (
        quaich(log, "-b", f"unix:{socket}", *options, app=app) as server_behind,
        nginx(program("nginx"), directory, server, ports[0]),
    ):
        yield ports, server_behind


@pytest.fixture(scope="module")
def shop(
    program: Program, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """An application that tells what it sees."""
    directory = tmp_path_factory.mktemp("shop")
    with behind_nginx(program, certificate, directory, app="deploy.shop:app") as (ports, _):
        yield ports


def test_everything_comes_through(program: Program, certificate: Path, tmp_path: Path) -> None:
    app = "stress.application:application"
    with behind_nginx(program, certificate, tmp_path, "-w", "2", app=app) as (ports, server):
        # nginx answers a failure in its own way; and it lets no response look whole.
        tally = run(("127.0.0.1", ports[0]), 600, 8)
        assert tally.lost == []
        assert tally.right >= 600
        assert server.stop() == 0
        assert "ERROR" not in server.log, server.log


def ask(program: Program, port: int, *options: str, scheme: str = "http") -> dict[str, Any]:
    done = subprocess.run(
        [
            *(program("curl"), "--silent", "--show-error", "--fail", "--insecure"),
            *("--resolve", f"shop.example:{port}:127.0.0.1", *options),
            f"{scheme}://shop.example:{port}/cups",
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_what_the_application_sees(program: Program, shop: Front) -> None:
    seen = ask(program, shop[0])
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["HTTP_HOST"] == f"shop.example:{shop[0]}"
    assert (seen["wsgi.url_scheme"], seen["SERVER_PORT"]) == ("http", str(shop[0]))
    assert seen["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_what_it_sees_behind_tls(program: Program, shop: Front) -> None:
    seen = ask(program, shop[1], scheme="https")
    assert (seen["wsgi.url_scheme"], seen["SERVER_PORT"]) == ("https", str(shop[1]))


def test_what_a_client_says_of_itself_is_not_believed(program: Program, shop: Front) -> None:
    seen = ask(
        program,
        shop[0],
        *("-H", "X-Forwarded-For: 192.0.2.1", "-H", "X-Forwarded-Host: evil.example"),
        *("-H", "X-Forwarded-Proto: https", "-H", "Forwarded: for=192.0.2.1"),
    )
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["wsgi.url_scheme"] == "http"
    assert "HTTP_X_FORWARDED_HOST" not in seen
    assert seen["HTTP_HOST"] == f"shop.example:{shop[0]}"
