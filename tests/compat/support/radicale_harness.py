"""Radicale's server in a thread, and a client for it; radicale_server.py has the tests."""

# mypy: disable-error-code="import-not-found,import-untyped"

import base64
import contextlib
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import radicale.server
from radicale import config

# Seconds: what must happen, happens at once; this ends a test in which it does not.
PATIENCE = 20

CREDENTIALS = "Basic " + base64.b64encode(b"someone:").decode()


def free_port(family: socket.AddressFamily, host: str) -> int:
    with socket.socket(family) as unbound:
        unbound.bind((host, 0))
        port: int = unbound.getsockname()[1]
        return port


def eventually(connect: Callable[[], socket.socket]) -> socket.socket:
    """Connect as soon as somebody listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            os.sched_yield()  # to the thread that is about to listen


class Server:
    """Radicale's `serve` in a thread, and a client for it."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", **server: Any) -> None:
        self.host = host
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.port = free_port(self.family, host)
        self.configuration = config.load()
        self.configuration.update(
            {
                "auth": {"type": "none"},
                "rights": {"type": "owner_only"},
                "server": {"hosts": f"{self.bracketed}:{self.port}", **server},
                "storage": {"filesystem_folder": str(folder)},
                "web": {"type": "none"},
            },
            "test",
            privileged=True,
        )
        self.stopper, shutdown_socket = socket.socketpair()
        self.thread = threading.Thread(
            target=radicale.server.serve, args=(self.configuration, shutdown_socket), daemon=True
        )
        self.thread.start()
        self.raw().close()

    @property
    def bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def stop(self) -> None:
        self.stopper.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()

    def raw(self) -> socket.socket:
        return eventually(lambda: socket.create_connection((self.host, self.port), PATIENCE))

    def say(self, said: bytes) -> bytes:
        """Send bytes, and return all that comes back until the server closes."""
        with self.raw() as connection:
            connection.sendall(said)
            return read_all(connection)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        context: ssl.SSLContext | None = None,
        **headers: str,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection: http.client.HTTPConnection
        if context is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        else:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=PATIENCE, context=context
            )
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            named.setdefault("Authorization", CREDENTIALS)
            connection.request(method, quote(path, safe="/?"), body, named)
            response = connection.getresponse()
            return response, response.read()


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))
