"""Any bytes, in any split, give the same head, the same refusal or nothing yet; new or known
before, by what is known or by every rule; never another error, and no octet where none may be."""

import zlib

from fuzz.harness import pieces, run
from protocol.connection import BASE, Refusal, verdict_on
from protocol.corpora import all_requests
from quaich.protocol import http1, recognition
from quaich.protocol.http1 import HeadLimits, HeadOptions
from quaich.protocol.request import Leniency

TOKENS = [
    *[b"GET ", b"OPTIONS ", b"CONNECT ", b"PRI ", b"/", b"/a?b", b"*", b"http://a/", b"[::1]:80"],
    *[b"%41", b"#", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b"GET / HTTP/1.1\r\n"],
    *[b"Host: a\r\n", b"Host", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b":", b" ", b"\t", b"_", b"\0"],
    *[b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"],
    *[
        b"Expect: 100-continue\r\n",
        b"Cookie: a=b\r\n",
        b"Proxy: a\r\n",
        b"X_A: b\r\n",
        b"X-A: b\r\n",
    ],
    *[b"Content-Type: a\r\n", b"keep-alive", b"identity", b"\xff", b"\x16\x03", b"user@"],
]

OPTIONS = [
    HeadOptions(),
    HeadOptions(header_map="dangerous"),
    HeadOptions(header_map="refuse", leniency=Leniency(bare_lf=True, raw_target=True)),
    HeadOptions(HeadLimits(request_line=24, fields=3, field_size=20, head=64)),
    HeadOptions(HeadLimits(request_line=64, fields=9, field_size=30, head=48)),
]
MEMOS = [recognition._known_lines, recognition._known_names, recognition._plain_requests]


def check(data: bytes) -> None:
    for options in (OPTIONS[0], OPTIONS[zlib.crc32(data) % len(OPTIONS)]):
        for memo in MEMOS:
            memo.clear()  # type: ignore[attr-defined]
        expected = verdict_on(data, options, parse=http1._parse_lines)
        verdicts = {
            "new": verdict_on(data, options),
            "known": verdict_on(data, options),
            "behind something": verdict_on(b"x\r\n\r\n" + data, options, 5),
            "in blocks": in_blocks(data, options),
            "with known names": with_known_names(data, options),
        }
        for how, verdict in verdicts.items():
            if verdict != expected:
                raise AssertionError(f"{how}: {verdict}, not {expected}")
        if isinstance(expected, Refusal):
            check_refusal(data, expected)
        elif expected is not None:
            check_head(data, *expected)


def in_blocks(data: bytes, options: HeadOptions) -> object:
    """The first verdict there is while the data comes in blocks."""
    verdict, size = None, 0
    for block in pieces(data):
        size += len(block)
        verdict = verdict_on(data[:size], options)
        if verdict is not None:
            break
    return verdict


def with_known_names(data: bytes, options: HeadOptions) -> object:
    """The verdict when each line, and what is in front of its colon, is a name that is known."""
    for line in data.split(b"\r\n"):
        recognition._learn(line + b": x")
        recognition._learn(line.partition(b":")[0].strip() + b": x")
    return verdict_on(data, options)


def check_refusal(data: bytes, refusal: Refusal) -> None:
    if refusal.status not in (400, 414, 417, 421, 431, 501, 505):
        raise AssertionError(f"{refusal.status} is not for a head")
    start, stop = refusal.span or (0, 1)
    if not 0 <= start < stop <= len(data):
        raise AssertionError(f"{refusal.span} is no place in it")


def check_head(data: bytes, end: int, request: object, variables: dict[str, object]) -> None:
    if not 0 < end <= len(data) or not data[:end].endswith(b"\n"):
        raise AssertionError(f"{end} is no end of a head")
    for name in variables.keys() - BASE.keys():
        value = variables[name]
        if type(value) is not str or max(value, default="") > "\xff":
            raise AssertionError(f"an unsound value: {name}: {value!r}")
        if name.startswith("HTTP_") and {"\r", "\n", "\0"} & set(value):
            raise AssertionError(f"an unsound field: {name}: {value!r}")


if __name__ == "__main__":
    run(check, TOKENS, all_requests())
