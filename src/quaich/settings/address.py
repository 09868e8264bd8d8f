"""Addresses as they are written: ``HOST``, ``HOST:PORT``, ``:PORT``, ``[IPV6]:PORT``.

The spellings are gunicorn's. Nothing is looked up here.
"""

import re
from typing import Final, NamedTuple

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000
PORT_MAX: Final = 65535


class Address(NamedTuple):
    """Where to listen. ``host`` may be a name, ``""`` is all IPv4 addresses; port 0, any port."""

    host: str
    port: int

    def __str__(self) -> str:
        """As in a URL: an IPv6 address stands in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that ``text`` writes; ValueError says in one line what is wrong with it."""
    if text.startswith(("unix:", "fd:", "/", "@")):
        raise ValueError("only TCP addresses are served so far")
    text = text.removeprefix("tcp://")
    if re.match(r"https?://", text):
        raise ValueError("it takes an address, not a URL")
    if re.fullmatch("[0-9]+", text):
        raise ValueError(
            f"a port alone is :{text} (on all interfaces) or {DEFAULT_HOST}:{text} (on this host)"
        )
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address is written [::1] or [::1]:8000")
        return Address(host, parse_port(rest[1:]) if rest else DEFAULT_PORT)
    if text.count(":") > 1:
        raise ValueError("an IPv6 address is written in brackets: [::1] or [::1]:8000")
    host, colon, port = text.partition(":")
    if not text or any(character.isspace() or character in "/?#" for character in host):
        raise ValueError("it takes HOST, HOST:PORT, :PORT or [IPV6]:PORT")
    return Address(host, parse_port(port) if colon else DEFAULT_PORT)


def parse_port(text: str) -> int:
    """A port number; ValueError says what it takes."""
    if re.fullmatch("[0-9]{1,5}", text) and int(text) <= PORT_MAX:
        return int(text)
    raise ValueError(f"{text!r} is not a port number, which goes from 0 to {PORT_MAX}")
