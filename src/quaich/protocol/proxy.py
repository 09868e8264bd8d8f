"""The header of the PROXY protocol, versions 1 and 2: who has connected to the proxy.

    parse_proxy      the header at the start of a connection, or None while it is incomplete
      _parse_1         ``PROXY TCP4 192.0.2.1 198.51.100.1 56324 443``
      _parse_2         the binary one, with its extensions (TLV)

The source is HAProxy's doc/proxy-protocol.txt (the numbers of sections are from there). A verdict
depends on the bytes, never on how they were split.
"""

import ipaddress
import struct
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from quaich.protocol.grammar import parse_decimal

Version = Literal["v1", "v2", "auto"]

V1_MAX: Final = 107  # bytes of a header of version 1, with its CRLF (section 2.1)

V2_MAX: Final = 4096
"""Bytes of a header of version 2 that are taken. 16 + 65535 could come; HAProxy's largest, with
addresses and all extensions, is a few hundred, with a client's certificate about two thousand."""

_V1_SIGNATURE: Final = b"PROXY "
_V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED: Final = 16

_TCP4, _TCP6, _UNIX = 0x11, 0x21, 0x31  # family and transport
_NONE_OR_UDP: Final = (0x00, 0x12, 0x22, 0x32)
_SIZES: Final = {_TCP4: 12, _TCP6: 36, _UNIX: 216}  # bytes of the addresses

_TYPE_CRC32C: Final = 0x03  # of an extension: a checksum of the header (section 2.2.3)


class ProxyError(Exception):
    """A connection does not begin with a sound header of the PROXY protocol. The text says what
    is wrong, and never repeats the peer's bytes."""


class Endpoint(NamedTuple):
    """One end of the proxy's connection: a numeric IP address, and a port. Of a Unix socket
    neither is known: ``host`` is empty then."""

    host: str
    port: int


class ProxyHeader(NamedTuple):
    """What a header says. ``size``: its bytes. Both ends are None where the proxy speaks for
    itself (LOCAL), or says that it does not know (UNKNOWN), or where there is no header."""

    size: int
    source: Endpoint | None = None
    destination: Endpoint | None = None


def parse_proxy(data: bytes, version: Version = "auto") -> ProxyHeader | None:
    """The header that ``data`` begins with; None if its end has not come yet.

    With ``auto`` either version is taken, and none: that is a header of size 0. Raises
    :class:`ProxyError` as soon as it is certain that the header is not sound.
    """
    if version != "v1" and _begins(data, _V2_SIGNATURE):
        return _parse_2(data)
    if version != "v2" and _begins(data, _V1_SIGNATURE):
        return _parse_1(data)
    if version == "auto":
        return ProxyHeader(0)
    raise ProxyError(f"the connection does not begin with a PROXY header, {version}")


def _begins(data: bytes, signature: bytes) -> bool:
    """Whether ``data`` begins with a signature, as far as it has come."""
    return data[: len(signature)] == signature[: len(data)]


# --- Version 1 ------------------------------------------------------------------------------


def _parse_1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, V1_MAX)
    if end < 0:
        if len(data) >= V1_MAX:
            raise ProxyError(f"a PROXY header, v1, has no end within {V1_MAX} bytes")
        return None
    size = end + 2
    # Also a byte beyond ASCII is then in none of the words.
    words = data[:end].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return ProxyHeader(size)  # what follows is to be ignored
    if words[1] not in ("TCP4", "TCP6") or len(words) != 6:
        raise ProxyError("a PROXY header, v1, is not of TCP4, TCP6 or UNKNOWN, with two addresses")
    _, family, source, destination, source_port, destination_port = words
    number = 4 if family == "TCP4" else 6
    return ProxyHeader(
        size,
        Endpoint(_address(source, number), _port(source_port)),
        Endpoint(_address(destination, number), _port(destination_port)),
    )


def _address(text: str, version: int) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    # With a zone it would be an address of the proxy's host, and not of ours.
    if address is None or address.version != version or "%" in text:
        raise ProxyError(f"a PROXY header, v1, has an address that is not IPv{version}")
    return _plain(address)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As text; an IPv4 address that came as an IPv6 one (RFC 4291, section 2.5.5.2) is one."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _port(text: str) -> int:
    port = parse_decimal(text) if len(text) <= 5 else None
    if port is None or port > 65535 or (text[0] == "0" and text != "0"):
        raise ProxyError("a PROXY header, v1, has a port that is not in 0 to 65535")
    return port


# --- Version 2 ------------------------------------------------------------------------------


def _parse_2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_FIXED:
        return None
    command, family, length = data[12], data[13], int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21):
        raise ProxyError("a PROXY header, v2, has an unknown version or command")
    size = _V2_FIXED + length
    if size > V2_MAX:
        raise ProxyError(f"a PROXY header, v2, is larger than {V2_MAX} bytes")
    is_local = command == 0x20
    # Of LOCAL the family is of no account (section 2.2).
    if not is_local and family not in _SIZES and family not in _NONE_OR_UDP:
        raise ProxyError("a PROXY header, v2, has an unknown family or transport")
    addresses = 0 if is_local else _SIZES.get(family, 0)
    if length < addresses:
        raise ProxyError("a PROXY header, v2, is too short for its addresses")
    if len(data) < size:
        return None
    header = data[:size]
    if is_local or not addresses:
        # What stands behind is not understood, so there is no telling where extensions begin.
        return ProxyHeader(size)
    _check_extensions(header, _V2_FIXED + addresses)
    if family == _UNIX:
        return ProxyHeader(size, Endpoint("", 0), Endpoint("", 0))
    of_ip = 4 if family == _TCP4 else 16
    source, destination, source_port, destination_port = struct.unpack_from(
        f"!{of_ip}s{of_ip}sHH", header, _V2_FIXED
    )
    return ProxyHeader(
        size,
        Endpoint(_plain(ipaddress.ip_address(source)), source_port),
        Endpoint(_plain(ipaddress.ip_address(destination)), destination_port),
    )


def _check_extensions(header: bytes, start: int) -> None:
    """Skip the extensions; of a checksum, check that it is right (section 2.2.3)."""
    for kind, begin, end in _extensions(header, start):
        if kind != _TYPE_CRC32C:
            continue
        if end - begin != 4:
            raise ProxyError("a PROXY header, v2, has a checksum that is not 4 bytes long")
        zeroed = header[:begin] + bytes(4) + header[end:]
        if crc32c(zeroed) != int.from_bytes(header[begin:end], "big"):
            raise ProxyError("a PROXY header, v2, has a wrong checksum")


def _extensions(header: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """The type of each extension, and where its value begins and ends."""
    while start < len(header):
        begin = start + 3
        end = begin + int.from_bytes(header[start + 1 : begin], "big")
        if begin > len(header) or end > len(header):
            raise ProxyError("a PROXY header, v2, has an extension that is cut off")
        yield header[start], begin, end
        start = end


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        table.append(octet)
    return tuple(table)


_CRC32C: Final = _crc32c_table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3720, appendix B.4."""
    value = 0xFFFFFFFF
    for octet in data:
        value = value >> 8 ^ _CRC32C[(value ^ octet) & 0xFF]
    return value ^ 0xFFFFFFFF
