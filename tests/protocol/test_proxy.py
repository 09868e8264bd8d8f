"""The header of the PROXY protocol (HAProxy's doc/proxy-protocol.txt): what it says, and what is
no such header."""

import socket
import struct
from typing import Any

import pytest

from quaich.protocol.proxy import (
    V1_MAX,
    V2_MAX,
    Endpoint,
    ProxyError,
    ProxyHeader,
    Version,
    crc32c,
    parse_proxy,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT, SERVICE = ("192.0.2.1", 56324), ("198.51.100.1", 443)
BEHIND = b"GET / HTTP/1.1\r\n"


def v2(
    family: int = 0x11,
    payload: bytes | None = None,
    *,
    command: int = 0x21,
    length: int | None = None,
) -> bytes:
    """A header of version 2."""
    if payload is None:
        payload = ipv4()
    size = len(payload) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + payload


def ipv4(source: Any = CLIENT, destination: Any = SERVICE) -> bytes:
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    return addresses + struct.pack("!HH", source[1], destination[1])


def ipv6(source: str, destination: str, *ports: int) -> bytes:
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, each) for each in (source, destination))
    return addresses + struct.pack("!HH", *ports)


def extension(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def with_checksum(header_of: Any, *, off_by: int = 0) -> bytes:
    """``header_of(payload behind the addresses)`` with the right checksum in it."""
    blank = header_of(extension(3, bytes(4)))
    return bytes(header_of(extension(3, struct.pack("!I", crc32c(blank) ^ off_by))))


SOUND: dict[str, tuple[bytes, Endpoint | None, Endpoint | None]] = {
    "v1 IPv4": (
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        Endpoint(*CLIENT),
        Endpoint(*SERVICE),
    ),
    "v1 IPv6": (
        b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n",
        Endpoint("2001:db8::1", 0),
        Endpoint("::1", 65535),
    ),
    "v1 IPv4 in IPv6": (
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6401 56324 443\r\n",
        Endpoint(*CLIENT),
        Endpoint(*SERVICE),
    ),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", None, None),
    "v1 unknown, with words": (b"PROXY UNKNOWN ff:ff a\xff b\n c\r\n", None, None),
    "v1 as long as may be": (b"PROXY UNKNOWN " + b"x" * (V1_MAX - 16) + b"\r\n", None, None),
    "v2 IPv4": (v2(), Endpoint(*CLIENT), Endpoint(*SERVICE)),
    "v2 IPv6": (
        v2(0x21, ipv6("2001:db8::1", "::1", 1, 2)),
        Endpoint("2001:db8::1", 1),
        Endpoint("::1", 2),
    ),
    "v2 IPv4 in IPv6": (
        v2(0x21, ipv6("::ffff:192.0.2.1", "::ffff:198.51.100.1", 56324, 443)),
        Endpoint(*CLIENT),
        Endpoint(*SERVICE),
    ),
    "v2 Unix": (v2(0x31, b"/run/a".ljust(216, b"\0")), Endpoint("", 0), Endpoint("", 0)),
    "v2 local": (v2(0x00, b"", command=0x20), None, None),
    "v2 local, with addresses": (v2(command=0x20), None, None),
    "v2 local, of a strange family": (v2(0xFF, b"anything", command=0x20), None, None),
    "v2 unspecified": (v2(0x00, b"anything"), None, None),
    "v2 datagrams": (v2(0x12), None, None),
    "v2 with extensions": (
        v2(payload=ipv4() + extension(1, b"h2") + extension(4, b"") + extension(0xEA, bytes(99))),
        Endpoint(*CLIENT),
        Endpoint(*SERVICE),
    ),
    "v2 with a checksum": (
        with_checksum(lambda tail: v2(payload=ipv4() + extension(4, b"xx") + tail)),
        Endpoint(*CLIENT),
        Endpoint(*SERVICE),
    ),
    "v2 as large as may be": (
        v2(payload=ipv4() + extension(4, bytes(V2_MAX - 16 - 12 - 3))),
        Endpoint(*CLIENT),
        Endpoint(*SERVICE),
    ),
}

UNSOUND = {
    "v1 of another transport": b"PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
    "v1 in lower case": b"PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n",
    "v1 of nothing": b"PROXY \r\n",
    "v1 without ports": b"PROXY TCP4 192.0.2.1 198.51.100.1\r\n",
    "v1 with a word too many": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
    "v1 with two spaces": b"PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
    "v1 with a space behind": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n",
    "v1 with a bare line end": b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n\r\n",
    "v1 with IPv6 for IPv4": b"PROXY TCP4 ::1 198.51.100.1 1 2\r\n",
    "v1 with IPv4 for IPv6": b"PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
    "v1 with a zone": b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "v1 with zeros in front": b"PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
    "v1 with a name": b"PROXY TCP4 example.test 198.51.100.1 1 2\r\n",
    "v1 with a large port": b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n",
    "v1 with a long port": b"PROXY TCP4 192.0.2.1 198.51.100.1 000001 2\r\n",
    "v1 with a port with zeros": b"PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
    "v1 with a signed port": b"PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
    "v1 with no port": b"PROXY TCP4 192.0.2.1 198.51.100.1  2\r\n",
    "v1 with other digits": "PROXY TCP4 192.0.2.1 198.51.100.1 1 ²\r\n".encode("latin-1"),
    "v1 that is too long": b"PROXY UNKNOWN " + b"x" * (V1_MAX - 15) + b"\r\n",
    "v1 without an end": b"PROXY TCP4 " + b"1" * V1_MAX,
    "v2 of version 1": v2(command=0x11),
    "v2 with another command": v2(command=0x22),
    "v2 of another family": v2(0x41),
    "v2 of another transport": v2(0x13),
    "v2 with short addresses": v2(payload=ipv4()[:-1]),
    "v2 with a short path": v2(0x31, bytes(215)),
    "v2 that is too large": v2(length=V2_MAX - 15),
    "v2 of 64 KiB": v2(length=65535),
    "v2 with half an extension": v2(payload=ipv4() + b"\x01\x00"),
    "v2 with a cut off extension": v2(payload=ipv4() + b"\x01\x00\x05h2"),
    "v2 with a wrong checksum": with_checksum(lambda tail: v2(payload=ipv4() + tail), off_by=1),
    "v2 with a short checksum": v2(payload=ipv4() + extension(3, b"abc")),
}

NONE = {
    "a request": BEHIND,
    "PROPFIND": b"PROPFIND / HTTP/1.1\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n",
    "empty lines": b"\r\n\r\nGET / HTTP/1.1\r\n",
    "TLS": b"\x16\x03\x01\x02\x00",
    "in lower case": b"proxy TCP4 ",
    "no space": b"PROXY\r\n",
}


def versions_of(name: str) -> tuple[Version, Version]:
    """Those that take a header, and one that does not."""
    return ("v1", "v2") if name.startswith("v1") else ("v2", "v1")


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_header(name: str) -> None:
    header, source, destination = SOUND[name]
    expected = ProxyHeader(len(header), source, destination)
    taken, other = versions_of(name)
    for version in (taken, "auto"):
        assert parse_proxy(header, version) == expected
        assert parse_proxy(header + BEHIND, version) == expected
        for end in range(len(header)):
            assert parse_proxy(header[:end], version) is None
    with pytest.raises(ProxyError):
        parse_proxy(header, other)


def verdict_on(data: bytes, version: Version) -> ProxyHeader | str | None:
    try:
        return parse_proxy(data, version)
    except ProxyError as error:
        return str(error)


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_header(name: str) -> None:
    header = UNSOUND[name]
    for version in (versions_of(name)[0], "auto"):
        with pytest.raises(ProxyError) as caught:
            parse_proxy(header, version)
        with pytest.raises(ProxyError, match=str(caught.value)):
            parse_proxy(header + BEHIND, version)
        verdicts = [verdict_on(header[:end], version) for end in range(len(header))]
        # None for a while, and then the same refusal to the end.
        pending = verdicts.count(None)
        assert verdicts[:pending] == [None] * pending
        assert set(verdicts[pending:]) <= {str(caught.value)}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_header(name: str) -> None:
    data = NONE[name]
    assert parse_proxy(data, "auto") == ProxyHeader(0)
    for version in ("v1", "v2"):
        with pytest.raises(ProxyError, match=version):
            parse_proxy(data, version)


def test_nothing_is_no_verdict() -> None:
    for version in ("v1", "v2", "auto"):
        assert parse_proxy(b"", version) is None


def test_a_fault_never_repeats_what_came() -> None:
    for header in UNSOUND.values():
        with pytest.raises(ProxyError) as caught:
            parse_proxy(header.replace(b"UDP4", b"SECRET"))
        assert "192.0.2" not in str(caught.value)
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        # RFC 3720, appendix B.4, where the octets stand the other way round.
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_the_checksum(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum
