"""HAProxy in front of several hosts, with the configurations of ``deploy/``: network namespaces, so
the addresses are those that stand there."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.conftest import Program, absent
from deploy.hosts import Host, Load, network
from deploy.programs import Running, haproxy, quaich, replaced
from server.wire import wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(180),
]

FRONT = "10.0.0.1"
ADDRESSES = ["10.0.0.11", "10.0.0.12", "10.0.0.13"]


@pytest.fixture
def hosts(program: Program) -> Iterator[list[Host]]:
    """The host of HAProxy, and three for Quaich."""
    ip = program("ip")
    if os.geteuid():
        absent("network namespaces need root")
    with network(ip, [f"{each}/24" for each in (FRONT, *ADDRESSES)]) as made:
        yield made


def get(host: Host, url: str, *options: str) -> str:
    """The answer to a request from that host; empty if there is none."""
    done = subprocess.run(
        [*host.prefix, "curl", "--silent", "--insecure", "--max-time", "5", *options, url],
        capture_output=True,
        text=True,
    )
    return done.stdout


def is_ready(host: Host, address: str) -> bool:
    options = ("--fail", "-o/dev/null", "-w%{http_code}")
    return get(host, f"http://{address}:9000/readyz", *options) == "200"


@contextlib.contextmanager
def server(
    hosts: list[Host], number: int, log: Path, *options: str, app: str | None = None
) -> Iterator[Running]:
    """Quaich on the host of that number, from when it is ready."""
    chosen = {} if app is None else {"app": app}
    with quaich(
        log,
        *("-b", ":8000", "-w", "1", "--admin-bind", ":9000", "--forwarded-allow-ips", FRONT),
        *options,
        prefix=hosts[number].prefix,
        **chosen,
    ) as running:
        wait_until(lambda: is_ready(hosts[0], ADDRESSES[number - 1]), "the host is ready")
        yield running


def connects_from(host: Host) -> bool:
    """Whether HAProxy takes connections, on one of the ports of its configurations."""
    return any(
        get(host, f"{scheme}://{FRONT}/", "-w%{http_connect}%{time_connect}", "-o/dev/null")
        != "0000.000000"
        for scheme in ("http", "https")
    )


def balancer(
    program: Program, hosts: list[Host], directory: Path, name: str, certificate: Path
) -> Any:
    replacements = {"/etc/haproxy/shop.example.pem": str(certificate)}
    text = replaced(name, replacements if name == "haproxy/haproxy.cfg" else {})
    return haproxy(
        program("haproxy"),
        directory,
        text,
        lambda _: connects_from(hosts[0]),
        hosts[0].prefix,
    )


def test_a_rolling_restart_loses_nothing(
    program: Program, hosts: list[Host], certificate: Path, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        running = {
            number: stack.enter_context(server(hosts, number, tmp_path / f"{number}.log"))
            for number in (1, 2, 3)
        }
        stack.enter_context(balancer(program, hosts, tmp_path, "haproxy/haproxy.cfg", certificate))
        wait_until(lambda: get(hosts[0], f"http://{FRONT}/echo?id=up") != "", "it answers")
        with Load(hosts[0], FRONT, 80) as load:
            for number, old in running.items():
                assert old.stop() == 0
                assert "cut off" not in old.log
                stack.enter_context(server(hosts, number, tmp_path / f"{number}.new.log"))
        print(f"rolling restart: {len(load.result['lost'])} lost, {load.result['right']} right")
        assert load.result["lost"] == []
        assert load.result["right"] > 100


def test_a_host_that_is_cut_off_and_comes_back(
    program: Program, hosts: list[Host], certificate: Path, tmp_path: Path
) -> None:
    clients = 8
    with contextlib.ExitStack() as stack:
        for number in (1, 2, 3):
            log = tmp_path / f"{number}.log"
            stack.enter_context(server(hosts, number, log))
        stack.enter_context(balancer(program, hosts, tmp_path, "haproxy/haproxy.cfg", certificate))
        wait_until(lambda: get(hosts[0], f"http://{FRONT}/echo?id=up") != "", "it answers")
        with Load(hosts[0], FRONT, 80, clients) as load:
            hosts[2].cut_off()
            wait_until(lambda: "quaich/two is DOWN" in balancer_log(tmp_path), "it is noticed")
            hosts[2].put_back()
            wait_until(lambda: "quaich/two is UP" in balancer_log(tmp_path), "it is back")
        print(f"cut off: {len(load.result['lost'])} lost, {load.result['right']} right")
        # What was under way on that host, at most: one for each client.
        assert len(load.result["lost"]) <= clients, load.result["lost"]
        assert load.result["right"] > 100


def balancer_log(directory: Path) -> str:
    return (directory / "haproxy.log").read_text("utf-8")


def test_what_the_application_sees(
    program: Program, hosts: list[Host], certificate: Path, tmp_path: Path
) -> None:
    with (
        server(hosts, 1, tmp_path / "1.log", app="deploy.shop:app"),
        balancer(program, hosts, tmp_path, "haproxy/haproxy.cfg", certificate),
    ):
        wait_until(lambda: get(hosts[0], f"http://{FRONT}/") != "", "it answers")
        plain = json.loads(get(hosts[0], f"http://{FRONT}/", "-H", "X-Forwarded-For: 192.0.2.1"))
        assert plain["REMOTE_ADDR"] == FRONT
        assert (plain["wsgi.url_scheme"], plain["SERVER_PORT"]) == ("http", "80")
        tls = json.loads(get(hosts[3], f"https://{FRONT}/", "--http2"))
        assert tls["REMOTE_ADDR"] == ADDRESSES[2]
        assert (tls["wsgi.url_scheme"], tls["SERVER_PORT"]) == ("https", "443")


def test_the_proxy_protocol_and_our_own_tls(
    program: Program, hosts: list[Host], certificate: Path, tmp_path: Path
) -> None:
    options = [
        *("-b", ":8443", "--certfile", str(certificate), "--admin-bind", ":9000"),
        *("--proxy-protocol", "v2", "--proxy-allow-from", FRONT),
    ]
    with (
        quaich(
            tmp_path / "1.log", *options, app="deploy.shop:app", prefix=hosts[1].prefix
        ) as behind,
        balancer(program, hosts, tmp_path, "haproxy/proxy-protocol.cfg", certificate),
    ):
        wait_until(lambda: get(hosts[0], f"https://{FRONT}/") != "", "it answers")
        seen = json.loads(get(hosts[3], f"https://{FRONT}/"))
        assert seen["REMOTE_ADDR"] == ADDRESSES[2]
        assert seen["wsgi.url_scheme"] == "https"
        # Nobody else may say whose connection it is.
        assert get(hosts[2], f"https://{ADDRESSES[0]}:8443/") == ""
        behind.signal(signal.SIGTERM)
