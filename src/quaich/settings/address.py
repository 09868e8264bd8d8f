"""Addresses as they are written: ``HOST``, ``HOST:PORT``, ``:PORT``, ``[IPV6]:PORT``,
``unix:PATH``, ``unix:@NAME``, ``fd://N``.

The spellings are gunicorn's. Nothing is looked up here.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000
PORT_MAX: Final = 65535

# Most bytes of a path or name: sun_path of sockaddr_un has 108 on Linux, 104 on macOS, and the
# last one is for a NUL.
UNIX_PATH_MAX: Final = 107

DESCRIPTOR_MAX: Final = 2**31 - 1  # a C int


class Address(NamedTuple):
    """Where to listen by TCP. ``host`` may be a name, ``""`` is all IPv4 addresses; port 0, any
    port."""

    host: str
    port: int

    def __str__(self) -> str:
        """As in a URL: an IPv6 address stands in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def shown(self, scheme: str) -> str:
        """For the line ``Listening on …``."""
        return f"{scheme}://{self}"

    def url(self, scheme: str) -> str:
        """For a client on this host; without a slash at the end."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"{scheme}://{Address(host, self.port)}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket: its path, or its abstract name behind ``@`` (Linux). A path that begins with
    ``@`` is written ``./@…``."""

    path: str

    @property
    def is_abstract(self) -> bool:
        return self.path.startswith("@")

    def __str__(self) -> str:
        return f"unix:{self.path}"

    def shown(self, scheme: str) -> str:
        """For the line ``Listening on …``."""
        return str(self)

    def url(self, scheme: str) -> str:
        """As requests-unixsocket and others write it."""
        return f"{scheme}+unix://{quote(self.path, safe='')}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A listening socket that this process was started with."""

    number: int

    def __str__(self) -> str:
        return f"fd://{self.number}"


AnyAddress: TypeAlias = Address | UnixAddress | Descriptor


def parse_address(text: str) -> AnyAddress:
    """The address that ``text`` writes; ValueError says in one line what is wrong with it."""
    if text.startswith("unix:"):
        return _parse_unix(text)
    if text.startswith("fd:"):
        return _parse_descriptor(text)
    if text.startswith(("/", "@", "./")):
        raise ValueError(f"a Unix socket is written unix:{text if text.isprintable() else 'PATH'}")
    return parse_tcp_address(text)


def _parse_unix(text: str) -> UnixAddress:
    path = text.removeprefix("unix:").removeprefix("//")
    if not path or path == "@":
        raise ValueError("a Unix socket is written unix:PATH, or unix:@NAME for an abstract one")
    if "\0" in path:
        raise ValueError("a path has no NUL character")
    if path.endswith("/"):
        raise ValueError("it takes the path of a socket, not of a directory")
    size = len(path.encode("utf-8", "surrogateescape"))
    if size > UNIX_PATH_MAX:
        raise ValueError(f"the path of a Unix socket has at most {UNIX_PATH_MAX} bytes, not {size}")
    return UnixAddress(path)


def _parse_descriptor(text: str) -> Descriptor:
    found = re.fullmatch("fd://([0-9]{1,10})", text)
    if found is None or int(found[1]) > DESCRIPTOR_MAX:
        raise ValueError("a descriptor is written fd://N, such as fd://3")
    return Descriptor(int(found[1]))


def parse_tcp_address(text: str) -> Address:
    """The address ``HOST:PORT`` that ``text`` writes; ValueError says what is wrong with it."""
    text = text.removeprefix("tcp://")
    url = re.match(r"([a-z][a-z0-9+.-]*)://([^/?#]*)", text, re.IGNORECASE)
    if url is not None:
        meant = _address_in_url(url[1].lower(), url[2])
        raise ValueError(f"it takes an address, not a URL{f': write {meant}' if meant else ''}")
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
        raise ValueError("it takes HOST, HOST:PORT, :PORT, [IPV6]:PORT, unix:PATH or fd://N")
    return Address(host, parse_port(port) if colon else DEFAULT_PORT)


_PORTS: Final = {"http": 80, "https": 443}


def _address_in_url(scheme: str, authority: str) -> Address | None:
    """The address that a URL leads to; None if that cannot be told."""
    text = authority.rpartition("@")[2]
    if not text or text.startswith(":"):
        return None
    if not re.search(r":[0-9]+$", text):
        if scheme not in _PORTS:
            return None
        text = f"{text.removesuffix(':')}:{_PORTS[scheme]}"
    try:
        return parse_tcp_address(text)
    except ValueError:
        return None


def collide(one: AnyAddress, other: AnyAddress) -> bool:
    """Whether two sockets cannot listen on these at once, as far as the addresses tell."""
    if not isinstance(one, Address) or not isinstance(other, Address):
        return one == other
    if one.port != other.port or one.port == 0:
        return False
    hosts = {_LOCAL.get(each.host, each.host) for each in (one, other)}
    if len(hosts) == 1:
        return True
    # A socket on all IPv6 addresses is not one on those of IPv4.
    families = {":" in host for host in hosts}
    return len(families) == 1 and not hosts.isdisjoint(("0.0.0.0", "::"))


_LOCAL: Final = {"": "0.0.0.0", "localhost": "127.0.0.1"}


def parse_port(text: str) -> int:
    """A port number; ValueError says what it takes."""
    if re.fullmatch("[0-9]{1,5}", text) and int(text) <= PORT_MAX:
        return int(text)
    raise ValueError(f"{text!r} is not a port number, which goes from 0 to {PORT_MAX}")
