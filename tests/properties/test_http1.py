"""What holds of heads, and of connections, for all bytes and all splits of them."""

# ruff: noqa: PT017  # these properties allow an error, and say which

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from properties.strategies import any_bodies, any_lines, chunked_bodies, sizes
from protocol.connection import BASE, STRICT_OPTIONS, read_connection, verdict_on
from protocol.corpora import RECORDS, all_requests
from protocol.wire import cut, singly
from quaich.protocol import http1, recognition
from quaich.protocol.body import ChunkLimits, encode_chunk
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import HeadLimits, HeadOptions, Request, parse_head
from quaich.protocol.memo import ENTRIES_MAX, ENTRY_MAX
from quaich.protocol.request import Leniency

# --- Heads, sound and nearly sound -----------------------------------------------------------

SMALL = HeadLimits(request_line=24, fields=3, field_size=20, head=64)
SMALL_CHUNKS = ChunkLimits(size_line=8, extensions=12, trailer_section=24, trailers=2)
options = st.builds(
    HeadOptions,
    st.sampled_from([HeadLimits(), HeadLimits(), SMALL, HeadLimits(24, 9, 30, 30)]),
    st.sampled_from([ChunkLimits(), SMALL_CHUNKS]),
    st.sampled_from(["drop", "refuse", "dangerous"]),
    st.sampled_from([Leniency(), Leniency(), Leniency(bare_lf=True), Leniency(raw_target=True)]),
)

_methods = st.sampled_from([*[b"GET"] * 4, *b"POST HEAD OPTIONS CONNECT get M-SEARCH G(T".split()])
_targets = st.sampled_from(
    [
        *[b"/"] * 3,
        *b"/a/b?c=d&e /a%20b?%41 /?a?b // * http://a/b?c https://[::1]:8 a:80".split(),
        *b"/%zz /| /# /a[ ftp://a/ http://u@a/ /very/long/path/that/goes/on".split(),
    ]
)
_versions = st.sampled_from([*[b"HTTP/1.1"] * 5, *b"HTTP/1.0 HTTP/1.0 HTTP/1.9 HTTP/2.0".split()])
_values = st.sampled_from(
    [
        *b"a a:80 0 5 007 +5 chunked gzip,chunked close Keep-Alive keep-alive".split(),
        *b"100-continue x,,close caf\xe9 [::1] a/b a_b".split(),
        *[b"", b" ", b"\ta \t", b"a b", b"\x00", b"a\rb", b"; a=b"],
    ]
)
_names = st.sampled_from(
    [
        *b"Host Content-Length Transfer-Encoding Connection Expect Cookie Content-Type".split(),
        *b"X x X-A x-a X_A Proxy Authorization content-length HOST Accept".split(),
        *[b"X ", b" X", b"", b"X(", b"\xe9"],
    ]
)
_field_lines = (
    st.tuples(_names, st.sampled_from([b":", b": "]), _values).map(b"".join)
    | st.sampled_from([b"X: " + b"y" * 20, b"Cookie: a=b", b"Connection: close", b"Accept: */*"])
    | any_lines
)
_hosts = st.sampled_from([*[[b"Host: a"]] * 6, [], [b"Host: b:80"], [b"Host:"], [b"Host: a"] * 2])


@st.composite
def _heads(draw: st.DrawFn) -> bytes:
    """A head of which a part is sound, without empty lines in front."""
    line = b" ".join([draw(_methods), draw(_targets), draw(_versions)])
    lines = [line, *draw(_hosts), *draw(st.lists(_field_lines, max_size=4)), b"", b""]
    return b"\r\n".join(lines)


@st.composite
def _changed(draw: st.DrawFn, data: bytes) -> bytes:
    """With a few octets more, less or in other places."""
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(any_lines)[:3] + data[at + draw(st.integers(0, 3)) :]
    return data


heads = _heads()
any_heads = (
    heads
    | heads.flatmap(_changed)
    | st.tuples(st.sampled_from([b"\r\n", b"\r\n" * 4, b"\n", b"\r"]), heads).map(b"".join)
    | st.lists(any_lines, max_size=5).map(b"\r\n".join)
)


@st.composite
def _sound_messages(draw: st.DrawFn) -> bytes:
    close = draw(st.sampled_from([b"", b"", b"", b"Connection: close\r\n"]))
    head = b"POST /a HTTP/1.1\r\nHost: a\r\n" + close
    if draw(st.booleans()):
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + draw(chunked_bodies()).data
    content = draw(st.binary(max_size=20))
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


@st.composite
def _alike(draw: st.DrawFn) -> bytes:
    """Messages of one client: their heads begin with the same fields, or nearly."""
    common = draw(st.lists(_field_lines, max_size=3).map(lambda lines: [b"Host: a", *lines]))
    data = b""
    for _ in range(draw(st.integers(1, 6))):
        line = draw(st.sampled_from([b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1"]))
        own = draw(st.lists(_field_lines, max_size=2))
        content = draw(st.sampled_from([b"", b"", b"\r\n", b"\r\n\r\n", b"a\r\n\r\n"]))
        length = [b"Content-Length: %d" % len(content)] if content else []
        lines = [line, *common[: draw(st.integers(0, 4)) or None], *own, *length]
        data += b"\r\n".join([*lines, b"", b""]) + content
    return data


_broken_messages = any_bodies.map(
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".__add__
)
connections = st.lists(
    _sound_messages() | heads | any_heads | _broken_messages | _alike(), max_size=4
).map(b"".join)


# --- Splits ----------------------------------------------------------------------------------


@given(data=connections, where=sizes, chosen=options)
@example(b"\x16\x03\r\n", [2], STRICT_OPTIONS)
@example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [24], HeadOptions(HeadLimits(head=26)))
@example(b"GET / HTTP/1.1\r\nX: " + b"y" * 30 + b"\r\nZ", [], HeadOptions(SMALL))
def test_a_connection_is_read_the_same_in_every_split(
    data: bytes, where: list[int], chosen: HeadOptions
) -> None:
    whole = read_connection([data], chosen)
    assert read_connection(cut(data, where), chosen) == whole
    assert read_connection(singly(data), chosen) == whole


@given(data=any_heads, chosen=options)
def test_once_there_is_a_verdict_no_byte_changes_it(data: bytes, chosen: HeadOptions) -> None:
    decided: Any = None
    for size in range(len(data) + 1):
        verdict = verdict_on(data[:size], chosen)
        assert decided is None or verdict == decided
        decided = verdict


@given(before=any_lines, data=any_heads, chosen=options)
def test_what_is_in_front_of_a_head_says_nothing(
    before: bytes, data: bytes, chosen: HeadOptions
) -> None:
    assert verdict_on(before + data, chosen, len(before)) == verdict_on(data, chosen)


# --- Any bytes -------------------------------------------------------------------------------


@given(data=any_heads | st.binary(max_size=80), chosen=options)
def test_any_bytes_give_a_head_or_none_or_a_protocol_error(
    data: bytes, chosen: HeadOptions
) -> None:
    try:
        head = parse_head(data, 0, BASE, chosen)
    except ProtocolError as error:
        assert error.status in (400, 414, 417, 431, 501, 505)
        if error.span is not None:
            start, stop = error.span
            assert 0 <= start < stop <= len(data)
        return
    if head is None:
        return
    end, request, variables = head
    assert 0 < end <= len(data)
    assert data[:end].endswith(b"\n")
    assert request.decoder is None or not request.decoder.done
    assert all(variables[name] == value for name, value in BASE.items())
    for name in variables.keys() - BASE.keys():
        assert type(variables[name]) is str
        variables[name].encode("latin-1")
        if name.startswith(("HTTP_", "CONTENT_")):
            assert not {"\r", "\n", "\0"} & set(variables[name])


@given(data=connections, chosen=options)
def test_any_connection_gives_messages_and_a_refusal_at_most(
    data: bytes, chosen: HeadOptions
) -> None:
    outcome = read_connection([data], chosen)
    assert sum(len(message.content) for message in outcome.messages) <= len(data)
    if outcome.refusal is not None:
        assert outcome.refusal.status in (400, 414, 417, 431, 501, 505)


# --- There and back --------------------------------------------------------------------------

_token = st.text("abzAZ09!#$%&'*+-.^`|~", min_size=1, max_size=8)
_plain = "abzAZ09-._~!$&'()*+,;=:@/"
_paths = st.lists(
    st.sampled_from(_plain) | st.sampled_from(["%20", "%C3", "%00", "%2f", "%25"]), max_size=8
).map(lambda parts: "/" + "".join(parts))
_queries = st.none() | st.text(_plain + "?", max_size=8)
_field_values = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=12)
_spaces = st.sampled_from(["", " ", "\t", " \t "])
_fields = st.lists(st.tuples(_token.map("X-".__add__), _spaces, _field_values, _spaces), max_size=5)


@given(
    method=_token.filter(lambda method: method != "CONNECT"),
    path=_paths,
    query=_queries,
    minor=st.integers(0, 9),
    fields=_fields,
    rest=st.binary(max_size=10),
)
def test_a_head_that_is_built_comes_back(
    method: str,
    path: str,
    query: str | None,
    minor: int,
    fields: list[tuple[str, str, str, str]],
    rest: bytes,
) -> None:
    target = path if query is None else f"{path}?{query}"
    version = f"HTTP/1.{minor}"
    lines = [f"{method} {target} {version}", "Host: server.example"]
    expected: dict[str, str] = {}
    for name, before, value, behind in fields:
        lines.append(f"{name}:{before}{value}{behind}")
        key, value = "HTTP_" + name.upper().replace("-", "_"), value.strip(" \t")
        expected[key] = f"{expected[key]}, {value}" if key in expected else value
    data = "\r\n".join([*lines, "", ""]).encode("latin-1")
    for _ in range(2):  # new, and known
        head = parse_head(data + rest, 0, BASE)
        assert head is not None
        end, request, variables = head
        assert end == len(data)
        assert request == Request(method, version, minor > 0)
        octets = bytes(decoded(path.encode()))
        assert variables == BASE | expected | {
            "REQUEST_METHOD": method,
            "PATH_INFO": octets.decode("latin-1"),
            "QUERY_STRING": query or "",
            "REQUEST_URI": target,
            "RAW_URI": target,
            "SERVER_PROTOCOL": version,
            "HTTP_HOST": "server.example",
        }


def decoded(path: bytes) -> list[int]:
    """Percent-decoded, in another way than the source's."""
    octets = []
    position = 0
    while position < len(path):
        if path[position] == ord("%"):
            octets.append(int(path[position + 1 : position + 3], 16))
            position += 3
        else:
            octets.append(path[position])
            position += 1
    return octets


@given(contents=st.lists(st.lists(st.binary(min_size=1, max_size=30), max_size=4), max_size=4))
@pytest.mark.parametrize("chunked", [False, True])
def test_contents_that_are_sent_come_back_in_their_order(
    chunked: bool, contents: list[list[bytes]]
) -> None:
    data = b""
    for blocks in contents:
        data += b"POST / HTTP/1.1\r\nHost: a\r\n"
        if chunked:
            data += b"Transfer-Encoding: chunked\r\n\r\n"
            data += b"".join(map(encode_chunk, blocks)) + b"0\r\n\r\n"
        else:
            content = b"".join(blocks)
            data += b"Content-Length: %d\r\n\r\n" % len(content) + content
    outcome = read_connection([data])
    assert (outcome.verdict, outcome.rest) == ("ok", b"")
    assert [message.content for message in outcome.messages] == list(map(b"".join, contents))


# --- What is known, and every rule -----------------------------------------------------------


LENGTH_2 = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n"


@given(data=_alike() | connections, where=sizes, chosen=options)
@example(LENGTH_2 * 2 + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [len(LENGTH_2)] * 2, STRICT_OPTIONS)
def test_what_heads_have_in_common_changes_nothing(
    data: bytes, where: list[int], chosen: HeadOptions
) -> None:
    blocks = cut(data, where)
    expected = read_connection(blocks, chosen, repeats=False)
    assert read_connection(blocks, chosen) == expected
    assert read_connection([data], chosen) == expected


MEMOS: list[dict[Any, Any]] = [
    recognition._known_lines,
    recognition._known_names,
    recognition._plain_requests,
]


def by_every_rule(data: bytes, chosen: HeadOptions) -> Any:
    """As verdict_on(), by the parser that takes nothing for known."""
    return verdict_on(data, chosen, parse=http1._parse_lines)


@given(data=any_heads, chosen=options)
@example(b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", STRICT_OPTIONS)
def test_what_is_known_is_what_every_rule_says(data: bytes, chosen: HeadOptions) -> None:
    expected = by_every_rule(data, chosen)
    for memo in MEMOS:
        memo.clear()
    assert verdict_on(data, chosen) == expected
    assert verdict_on(data, chosen) == expected
    # Each line is a name that is known, and so is each name.
    for line in data.split(b"\r\n"):
        recognition._learn(line + b": x")
        recognition._learn(line.partition(b":")[0].strip() + b": x")
    assert verdict_on(data, chosen) == expected


def test_what_is_known_of_the_corpus_is_what_every_rule_says() -> None:
    chosen = [STRICT_OPTIONS, HeadOptions(SMALL), HeadOptions(header_map="refuse")]
    chosen += [record.options for record in RECORDS if record.options != STRICT_OPTIONS]
    requests = all_requests()
    for each in chosen:
        for data in requests:
            expected = by_every_rule(data, each)
            assert verdict_on(data, each) == expected
            assert verdict_on(data, each) == expected


def test_the_usual_head_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def lines(*_: Any) -> None:
        raise AssertionError("by every rule")

    monkeypatch.setattr(http1, "_parse_lines", lines)
    usual = b"GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nCookie: c\r\n\r\n"
    for data in (usual, usual.replace(b"Accept: */*", b"Connection: close\r\nContent-Length: 5")):
        assert parse_head(data, 0, BASE) is not None
        assert parse_head(b"x" + data + data, 1, BASE) is not None


@given(data=connections, chosen=options)
def test_what_was_read_before_changes_nothing(data: bytes, chosen: HeadOptions) -> None:
    cold = read_connection(forgetful(data), chosen)
    assert read_connection([data], chosen) == cold
    assert read_connection([data], chosen) == cold


def forgetful(data: bytes) -> list[bytes]:
    """The data, after everything has been forgotten."""
    for memo in MEMOS:
        memo.clear()
    return [data]


@given(data=connections, secret=st.sampled_from(["Cookie", "authorization", "PROXY-Authorization"]))
def test_the_memos_are_bounded_and_hold_no_credentials(data: bytes, secret: str) -> None:
    head = f"GET / HTTP/1.1\r\nHost: a\r\n{secret}: s3cret\r\n\r\n".encode()
    read_connection([head + data])
    read_connection([data.replace(b"\r\nHost:", f"\r\n{secret}: s3cret\r\nHost:".encode())])
    for memo in MEMOS:
        assert len(memo) <= ENTRIES_MAX
        assert all(len(key) <= ENTRY_MAX for key in memo)
    names = {line.partition(b":")[0].lower() for line in recognition._known_lines}
    assert not names & {b"cookie", b"authorization", b"proxy-authorization"}
    assert not any("s3cret" in repr(memo) for memo in MEMOS)
