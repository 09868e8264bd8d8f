"""Several hosts on one: network namespaces, each with an address of its own, on one bridge."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from stress.process import environment

_numbers = itertools.count()


class Host:
    """A host. ``prefix``: what a command is run with, to run there."""

    def __init__(self, ip: str, name: str, cable: str | None) -> None:
        self._ip = ip
        self.name = name
        self._cable = cable
        self.prefix = (ip, "netns", "exec", name)

    def cut_off(self) -> None:
        """Pull its cable."""
        assert self._cable is not None
        subprocess.run([self._ip, "link", "set", self._cable, "down"], check=True)

    def put_back(self) -> None:
        assert self._cable is not None
        subprocess.run([self._ip, "link", "set", self._cable, "up"], check=True)


@contextlib.contextmanager
def network(ip: str, addresses: list[str]) -> Iterator[list[Host]]:
    """A host for each address ``10.0.0.1/24``, all on one network. Needs the rights of root;
    PermissionError if they are not there."""
    number = f"{os.getpid() % 10_000}{next(_numbers)}"
    bridge = f"qb{number}"

    def run(*command: str) -> None:
        done = subprocess.run([ip, *command], capture_output=True, text=True)
        if done.returncode:
            raise PermissionError(f"ip {' '.join(command)}: {done.stderr.strip()}")

    with contextlib.ExitStack() as stack:
        run("link", "add", bridge, "type", "bridge")
        stack.callback(subprocess.run, [ip, "link", "del", bridge])
        run("link", "set", bridge, "up")
        hosts = []
        for index, address in enumerate(addresses):
            name, cable = f"qn{number}{index}", f"qv{number}{index}"
            run("netns", "add", name)
            stack.callback(subprocess.run, [ip, "netns", "del", name])
            run("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("link", "set", cable, "master", bridge, "up")
            for inside in (
                ("link", "set", "lo", "up"),
                ("address", "add", address, "dev", "eth0"),
                ("link", "set", "eth0", "up"),
            ):
                run("-n", name, *inside)
            hosts.append(Host(ip, name, cable))
        yield hosts


class Load:
    """Clients on a host (``deploy.load``), as long as the block lasts; then ``result``."""

    def __init__(self, host: Host, address: str, port: int, clients: int = 8) -> None:
        self._command = [
            *host.prefix,
            *(sys.executable, "-m", "deploy.load", address, str(port), str(clients)),
        ]
        self.result: dict[str, Any] = {}

    def __enter__(self) -> "Load":
        self._process = subprocess.Popen(
            self._command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            output, _ = self._process.communicate(timeout=60)
            if exc_info[0] is None:
                self.result = json.loads(output)
        finally:
            self._process.kill()
            self._process.wait()
