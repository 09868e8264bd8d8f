"""What proxies say of the client, from field values to facts: ``Forwarded`` (RFC 7239) and the
older ``X-Forwarded-…``.

    parse_forwarded     the elements of a Forwarded value, from the client's to the last proxy's
    parse_node          one end of a connection: an address and a port, as far as it is told
    nth_from_the_end    the entry of a list that the first of one's own proxies has added
    last_entries        that entry and those after it; last_elements: the same of Forwarded

Each proxy adds its entry at the end. So what is to be believed is counted from there; whatever
stands before may be the client's own.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final, NamedTuple

from quaich.protocol.errors import ProtocolError
from quaich.protocol.grammar import QUOTED_STRING, TOKEN, match_authority, parse_decimal

_PORT_MAX: Final = 65535


class Node(NamedTuple):
    """An end of a connection. ``host`` is an IP address as it is usually written, or ``""`` where
    the proxy does not tell; ``port`` a number, or ``""``."""

    host: str
    port: str


_UNTOLD: Final = Node("", "")

# nodename [ ":" node-port ]                                          RFC 7239, section 6
_OBFUSCATED = r"_[A-Za-z0-9._\-]+"
_ZONE = r"(?:%[A-Za-z0-9._~\-]+)?"  # of an address on the proxy's link, where it means something
_NODE = re.compile(
    rf"(?:\[(?P<v6>[0-9A-Fa-f:.]+){_ZONE}\]|(?P<v4>[0-9.]+)|(?P<bare>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:"
    rf"[0-9A-Fa-f:.]*){_ZONE}|(?P<untold>unknown|{_OBFUSCATED}))(?::(?P<port>[0-9]{{1,5}}|{_OBFUSCATED}))?",
    re.IGNORECASE,
).fullmatch

# forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )  RFC 7239, section 4
_PAIR = re.compile(
    rf"[ \t]*(?:({TOKEN})=({TOKEN}|{QUOTED_STRING}))?[ \t]*([;,]|\Z)",
)


def malformed(what: str) -> ProtocolError:
    """The error for what a proxy should not have sent."""
    return ProtocolError("S32", 400, f"{what}, which a proxy in front has sent, is malformed")


@lru_cache(maxsize=4096)
def parse_node(text: str) -> Node:
    """``192.0.2.1``, ``192.0.2.1:8000``, ``[2001:db8::1]:8000``, ``unknown``, ``_hidden``; also an
    IPv6 address without brackets, as X-Forwarded-For has it. An IPv4 address that stands in an
    IPv6 one, as on a socket for both, is itself. Raises :class:`ProtocolError`."""
    match = _NODE(text)
    if match is None:
        raise malformed("the address of the client")
    port = match["port"] or ""
    if port.startswith("_"):
        port = ""
    if port and int(port) > _PORT_MAX:
        raise malformed("the port of the client")
    if match["untold"]:
        return _UNTOLD
    try:
        address = ipaddress.ip_address(match["v6"] or match["v4"] or match["bare"])
    except ValueError:
        raise malformed("the address of the client") from None
    return Node(str(getattr(address, "ipv4_mapped", None) or address), port)


def parse_forwarded(value: str) -> list[dict[str, str]]:
    """Elements in their order, each with its parameters by their names in lower case. Raises
    :class:`ProtocolError`."""
    return [element for _, element in _elements(value)]


def last_elements(value: str, count: int) -> str:
    """The last ``count`` elements of a Forwarded value, as they stand there."""
    starts = [start for start, _ in _elements(value)]
    return value[starts[-count] :].lstrip(" \t") if count < len(starts) else value


def _elements(value: str) -> list[tuple[int, dict[str, str]]]:
    """The elements that are not empty, and where each begins."""
    elements: list[tuple[int, dict[str, str]]] = [(0, {})]
    position = 0
    while True:
        match = _PAIR.match(value, position)
        if match is None:
            raise malformed("the field Forwarded")
        name, text, separator = match.groups()
        if name is not None:
            if name.lower() in elements[-1][1]:
                raise malformed("the field Forwarded")
            if text.startswith('"'):
                text = re.sub(r"\\(.)", r"\1", text[1:-1])
            elements[-1][1][name.lower()] = text
        if separator == ",":
            elements.append((match.end(), {}))
        elif not separator:
            return [each for each in elements if each[1]]
        position = match.end()


def nth_from_the_end(value: str, count: int) -> str:
    """The ``count``-th entry from the end of a list with commas; the first, if there are fewer."""
    entries = [entry.strip(" \t") for entry in value.split(",")]
    return entries[-count] if count <= len(entries) else entries[0]


def last_entries(value: str, count: int) -> str:
    """The last ``count`` entries of a list with commas, as they stand there."""
    entries = value.rsplit(",", count)
    return ",".join(entries[-count:]).lstrip(" \t") if count < len(entries) else value


def check_scheme(text: str) -> str:
    """``http`` or ``https``, for the schemes of WebSocket as well. Raises ProtocolError."""
    scheme = {"http": "http", "https": "https", "ws": "http", "wss": "https"}.get(text.lower())
    if scheme is None:
        raise malformed("the scheme")
    return scheme


def split_authority(text: str) -> tuple[str, str]:
    """Host, an IPv6 address in its brackets, and port or ``""``. Raises ProtocolError."""
    match = match_authority(text)
    if match is None or not match["host"]:
        raise malformed("the host")
    port = match["port"] or ""
    if port:
        check_port(port)
    return match["host"], port


def check_port(text: str) -> str:
    """A port. Raises ProtocolError."""
    number = parse_decimal(text)
    if number is None or number > _PORT_MAX:
        raise malformed("the port")
    return str(number)


# segment = *pchar, without what would need escapes                   RFC 3986, section 3.3
_PREFIX = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%]+)*/?").fullmatch


def check_prefix(text: str) -> str:
    """A path without a slash at its end: ``/shop``. Raises ProtocolError."""
    if _PREFIX(text) is None:
        raise malformed("the prefix")
    return text.rstrip("/")
