"""Any bytes, in any split, give the same PROXY header, the same refusal or nothing yet; never
another error, and never an address that is none."""

import ipaddress

from fuzz.harness import run
from protocol.test_proxy import NONE, SIGNATURE, SOUND, UNSOUND, verdict_on
from quaich.protocol.proxy import V2_MAX, ProxyHeader, Version

TOKENS = [
    *[b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"192.0.2.1 ", b"::1 ", b"65535 ", b"0", b" "],
    *[b"\r\n", b"\r", b"\n", b"%", b"\xff", SIGNATURE, SIGNATURE[:5], b"\x21\x11\x00\x0c"],
    *[b"\x20\x00\x00\x00", b"\x21\x21\x00\x24", b"\x03\x00\x04", b"\x04\x00\x00", bytes(12)],
]
VERSIONS: tuple[Version, ...] = ("v1", "v2", "auto")


def check(data: bytes) -> None:
    for version in VERSIONS:
        whole = verdict_on(data, version)
        last: ProxyHeader | str | None = None
        # Later bytes are of no account: all is decided within the first ones, or at the end.
        for end in [*range(min(len(data), 300)), len(data)]:
            verdict = verdict_on(data[:end], version)
            if last is not None and verdict != last:
                raise AssertionError(f"{version}: {verdict} behind {last}")
            last = verdict
        if last != whole:
            raise AssertionError(f"{version}: a split makes a difference: {whole}, {last}")
        if isinstance(whole, ProxyHeader):
            check_header(whole, data)


def check_header(header: ProxyHeader, data: bytes) -> None:
    if header.size > min(len(data), V2_MAX):
        raise AssertionError(f"more than was sent: {header}")
    for end in (header.source, header.destination):
        if end is not None and end.host and str(ipaddress.ip_address(end.host)) != end.host:
            raise AssertionError(f"no such address: {end}")


def seeds() -> list[bytes]:
    return [*(header for header, _, _ in SOUND.values()), *UNSOUND.values(), *NONE.values()]


if __name__ == "__main__":
    run(check, TOKENS, seeds())
