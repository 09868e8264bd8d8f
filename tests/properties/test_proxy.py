"""The PROXY protocol's header: any bytes, in any split."""

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from protocol.test_proxy import BEHIND, NONE, SOUND, UNSOUND, extension, v2, verdict_on
from quaich.protocol.proxy import (
    V2_MAX,
    Endpoint,
    ProxyHeader,
    Version,
    parse_proxy,
)

versions: st.SearchStrategy[Version] = st.sampled_from(["v1", "v2", "auto"])

_known = st.sampled_from([*(header for header, _, _ in SOUND.values()), *UNSOUND.values()])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A header of which a piece is something else."""
    header = draw(_known)
    start = draw(st.integers(0, len(header)))
    end = start + draw(st.integers(0, 4))
    return header[:start] + draw(st.binary(max_size=6)) + header[end:]


starts = st.binary(max_size=300) | damaged() | st.sampled_from(list(NONE.values()))

Verdict = ProxyHeader | str | None


@given(starts, versions)
@example(b"PROXY " + b"\r\n" * 60, "v1")
def test_a_verdict_is_the_same_however_the_bytes_come(data: bytes, version: Version) -> None:
    """And is never taken back, whatever follows."""
    whole = verdict_on(data + BEHIND, version)
    last: Verdict = None
    for end in range(len(data) + len(BEHIND) + 1):
        verdict = verdict_on((data + BEHIND)[:end], version)
        assert last is None or verdict == last
        last = verdict
    assert last == whole


@given(starts, versions)
def test_a_header_is_within_what_came_and_its_addresses_are_addresses(
    data: bytes, version: Version
) -> None:
    verdict = verdict_on(data, version)
    if not isinstance(verdict, ProxyHeader):
        return
    assert verdict.size <= min(len(data), V2_MAX)
    assert (verdict.source is None) == (verdict.destination is None)
    for end in (verdict.source, verdict.destination):
        if end is not None and end.host:
            assert str(ipaddress.ip_address(end.host)) == end.host
            assert 0 <= end.port <= 65535


addresses = st.ip_addresses().map(str).filter(lambda text: not text.startswith("::ffff:"))
ports = st.integers(0, 65535)


@given(addresses, ports, ports)
def test_both_versions_say_the_same(host: str, port: int, other_port: int) -> None:
    address = ipaddress.ip_address(host)
    four = address.version == 4
    payload = address.packed * 2 + port.to_bytes(2, "big") + other_port.to_bytes(2, "big")
    first = f"PROXY TCP{address.version} {host} {host} {port} {other_port}\r\n".encode()
    second = v2(0x11 if four else 0x21, payload)
    expected = (Endpoint(host, port), Endpoint(host, other_port))
    for header in (first, second):
        assert parse_proxy(header) == (len(header), *expected)


@given(st.lists(st.tuples(st.integers(4, 255), st.binary(max_size=40)), max_size=8))
def test_extensions_change_nothing(extensions: list[tuple[int, bytes]]) -> None:
    plain, source, destination = SOUND["v2 IPv4"]
    header = v2(payload=plain[16:] + b"".join(extension(*each) for each in extensions))
    assert parse_proxy(header) == (len(header), source, destination)
