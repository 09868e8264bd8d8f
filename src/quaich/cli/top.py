"""``quaich top``: what a server does, live in a terminal, from its admin address.

top           fetches, draws, and again
  look          /status and /metrics
"""

import json
import re
import socket
from http.client import HTTPConnection, HTTPException
from time import monotonic, sleep
from typing import Final

from quaich.cli.errors import CommandError, ConfigurationError
from quaich.cli.top_figures import Look, parse_metrics, rates
from quaich.settings.address import Address, UnixAddress, parse_address

_TIMEOUT: Final = 5.0  # seconds for an answer, which takes a millisecond

_ANSWER_MAX: Final = 64 * 2**20  # bytes of an answer that are read


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = "\0" + path[1:] if path.startswith("@") else path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def address_of(text: str) -> Address | UnixAddress:
    """The admin address that ``text`` means: a URL, or as ``--admin-bind`` takes it. Raises
    ConfigurationError."""
    url = re.fullmatch(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", text, re.IGNORECASE)
    if url is not None and url[1].lower() != "tcp":
        if url[1].lower() != "http" or url[3] not in ("", "/"):
            raise ConfigurationError(
                f"{text}: it takes http://HOST:PORT, without TLS and with nothing behind it,"
                " HOST:PORT or unix:PATH"
            )
        plain = url[2]
    else:
        plain = text if text.startswith("unix:") else text.rstrip("/")
    try:
        address = parse_address(plain)
    except ValueError as error:
        raise ConfigurationError(f"{text}: {error}") from None
    if not isinstance(address, Address | UnixAddress):
        raise ConfigurationError(f"{text}: it takes http://HOST:PORT, HOST:PORT or unix:PATH")
    return address


def look(address: Address | UnixAddress) -> Look:
    """What is answered now. CommandError says why there is no answer."""
    if isinstance(address, UnixAddress):
        connection: HTTPConnection = _UnixConnection(address.path)
    else:
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(
            address.host, address.host
        )
        connection = HTTPConnection(host, address.port, timeout=_TIMEOUT)
    try:
        status = json.loads(_fetch(connection, "/status"))
        metrics = parse_metrics(_fetch(connection, "/metrics"))
        if not isinstance(status, dict) or "workers" not in status:
            raise ValueError("it has no workers")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise CommandError(
            f"nobody answers at {address}: {reason}; it takes the address that the server was "
            "given as --admin-bind"
        ) from error
    except ValueError as error:
        raise CommandError(f"{address} is not an admin address of Quaich: {error}") from error
    finally:
        connection.close()
    return Look(monotonic(), status, metrics)


def _fetch(connection: HTTPConnection, path: str) -> str:
    connection.request("GET", path)
    response = connection.getresponse()
    content = response.read(_ANSWER_MAX)
    if response.status != 200:
        raise ValueError(f"GET {path} is answered with {response.status}")
    return content.decode()


def top(text: str, interval: float, *, once: bool) -> None:
    """Show it every ``interval`` seconds until Ctrl-C. With ``once``, and where the output is no
    terminal, as it is now, and what has been since the server was started."""
    address = address_of(text)
    try:
        from rich.console import Console
        from rich.live import Live

        from quaich.cli.top_view import frame
    except ImportError as error:
        raise CommandError(
            "quaich top needs the package rich: pip install 'quaich[top]'"
        ) from error
    console = Console(highlight=False)
    before: Look | None = None
    now = look(address)
    if once or not console.is_terminal:
        console.print(frame(now, rates(now, None)))
        return
    try:
        with Live(frame(now, rates(now, None)), console=console, screen=True) as live:
            while True:
                sleep(interval)
                try:
                    before, now = now, look(address)
                    live.update(frame(now, rates(now, before)), refresh=True)
                except CommandError as error:
                    # Perhaps it is being replaced; what there was stays to be read.
                    live.update(frame(now, rates(now, before), str(error)), refresh=True)
    except KeyboardInterrupt:
        pass
