"""The head of a request, as a whole."""

from typing import Any

import pytest

from protocol.connection import BASE, HOST, STRICT_OPTIONS, chunks, get, post, read_connection
from protocol.wire import refusal, singly
from quaich.protocol import recognition
from quaich.protocol.body import Chunked, ChunkLimits, Length
from quaich.protocol.errors import ProtocolError
from quaich.protocol.http1 import (
    Head,
    HeadLimits,
    HeadOptions,
    Repetition,
    parse_head,
)
from quaich.protocol.memo import ENTRIES_MAX, ENTRY_MAX
from quaich.protocol.request import Leniency


def parse(data: bytes, options: HeadOptions = STRICT_OPTIONS, start: int = 0) -> Head:
    head = parse_head(data, start, BASE, options)
    assert head is not None
    return head


def refused(data: bytes, options: HeadOptions = STRICT_OPTIONS, start: int = 0) -> ProtocolError:
    with pytest.raises(ProtocolError) as info:
        parse_head(data, start, BASE, options)
    return info.value


# --- Incomplete heads ------------------------------------------------------------------------


@pytest.mark.rule("H009")
@pytest.mark.parametrize(
    "data", [get(b"X: y\r\n"), get(b"X: \x80\r\n"), b"\r\n\r\n" + get(line=b"OPTIONS * HTTP/1.1")]
)
def test_a_head_is_nothing_before_it_is_complete(data: bytes) -> None:
    for size in range(len(data)):
        assert parse_head(data[:size], 0, BASE) is None
    assert parse(data)[0] == len(data)


def test_a_fault_of_the_request_line_is_found_at_its_end() -> None:
    data = b"GET a HTTP/1.1\r\n"
    assert parse_head(data[:-1], 0, BASE) is None
    assert refused(data).rule == "H025"


def test_a_fault_of_a_field_line_is_found_at_the_head_s_end() -> None:
    data = b"GET / HTTP/1.1\r\nX : y\r\nHost: a\r\n\r\n"
    assert parse_head(data[:-1], 0, BASE) is None
    assert refused(data).rule == "H045"


def test_the_first_fault_counts() -> None:
    assert refused(b"GET a HTTP/1.1\r\nX : y\r\n\r\n").rule == "H025"
    assert refused(get(b"X : y\r\nZ: \x00\r\n")).rule == "H045"
    assert refused(get(b"Z: \x00\r\nX : y\r\n" * 200)).rule == "H048"
    assert refused(get(b"X: y\r\n" * 200 + b"X : y\r\n")).rule == "H051"


@pytest.mark.rule("H108")
def test_a_head_begins_where_it_is_told() -> None:
    first, second = get(b"X: \x80\r\n"), get(line=b"GET /b HTTP/1.1")
    data = first + second
    assert parse(data)[0] == len(first)
    end, _, variables = parse(data, start=len(first))
    assert (end, variables["PATH_INFO"]) == (len(data), "/b")
    assert parse_head(data, len(data), BASE) is None
    assert refused(data[:-4] + b"\n\r\n", start=len(first)).span == (17, len(second) - 3)


# --- Limits and spans ------------------------------------------------------------------------

SMALL = HeadOptions(limits=HeadLimits(request_line=16, fields=2, field_size=10, head=42))


@pytest.mark.rule("H019")
@pytest.mark.rule("H051")
@pytest.mark.parametrize(
    ("rule", "span", "data"),
    [
        (None, None, b"GET /ab HTTP/1.1\r\nHost: abcd\r\nX: 45678\r\n\r\n"),  # all are reached
        ("H019", (0, 19), b"GET /abc HTTP/1.1\r\n"),
        ("H019", (0, 19), b"GET /abcdefghijklmnopqrs"),
        ("H051", (16, 29), b"GET / HTTP/1.1\r\nHost: abcde\r\n\r\n"),
        ("H051", (16, 29), b"GET / HTTP/1.1\r\nHost: abcdefghi"),
        ("H051", (25, 38), b"GET / HTTP/1.1\r\nHost: a\r\nA: bcdefghi\r\nC"),
        ("H051", (29, 32), b"GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n\r\n"),
        ("H051", (34, 37), b"GET / HTTP/1.1\r\nHost: a\r\nA:12345\r\nC: "),
        ("H051", (41, 43), b"GET /a HTTP/1.1\r\nHost: abcd\r\nX: 4567890\r\n\r\n"),
        ("H051", (30, 43), b"GET /ab HTTP/1.1\r\nHost: abcd\r\nX: 456789012\r\n\r\n"),
        ("H051", (43, 45), b"\r\nGET /ab HTTP/1.1\r\nHost: abcd\r\nX: 456789\r\n\r\n"),
    ],
)
def test_a_limit_is_exceeded_by_the_byte_that_exceeds_it(
    rule: str | None, span: tuple[int, int] | None, data: bytes
) -> None:
    outcomes = [read_connection(blocks, SMALL) for blocks in ([data], singly(data))]
    assert outcomes[0] == outcomes[1]
    if rule is None or span is None:
        assert outcomes[0].verdict == "ok"
        return
    error = refused(data, SMALL)
    assert (error.rule, error.span) == (rule, span)
    assert parse_head(data[: span[1] - 1], 0, BASE, SMALL) is None


@pytest.mark.rule("H051")
@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (HeadLimits(field_size=100), get(b"X: " + b"a" * 98 + b"\r\n")),
        (HeadLimits(fields=1), get(b"X: a\r\n")),
        (HeadLimits(head=100), get(b"X: " + b"a" * 90 + b"\r\n")),
        (HeadLimits(head=100, field_size=50), get((b"X: " + b"a" * 30 + b"\r\n") * 3)),
    ],
)
def test_each_limit_holds_for_lines_that_are_known(limits: HeadLimits, data: bytes) -> None:
    assert parse(data)[0] == len(data)
    assert refused(data, HeadOptions(limits=limits)).rule == "H051"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"GET a HTTP/1.1\r\n", b"GET a HTTP/1.1\r\n"),
        (b"\r\nGET a HTTP/1.1\r\n", b"GET a HTTP/1.1\r\n"),
        (get(b"X : y\r\nZ: z\r\n"), b"X : y\r\n"),
        (b"\r\n\r\n" + get(b"X : y\r\n"), b"X : y\r\n"),
        (b"\x16\x03\x01\x02", b"\x16\x03"),
        (b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n"),
    ],
)
def test_the_span_is_where_the_fault_is(data: bytes, where: bytes) -> None:
    for before in (b"", get()):
        span = refused(before + data, start=len(before)).span
        assert span is not None
        assert data[slice(*span)] == where


def test_a_fault_of_the_head_as_a_whole_is_nowhere() -> None:
    assert refused(get(host=b"")).span is None


# --- Options ---------------------------------------------------------------------------------


@pytest.mark.rule("H057")
def test_what_becomes_of_underscores_is_an_option() -> None:
    data = get(b"X_A: 1\r\nX-A: 2\r\n")
    assert refusal(refused(data, HeadOptions(header_map="refuse"))) == (400, "H057")
    variables = parse(data, HeadOptions(header_map="dangerous"))[2]
    assert variables["HTTP_X_A"] == "1, 2"


@pytest.mark.rule("H092")
@pytest.mark.rule("H057")
def test_even_dangerous_underscores_do_not_frame() -> None:
    data = post(b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\n")
    _, request, variables = parse(data, HeadOptions(header_map="dangerous"))
    assert request.decoder is None
    assert (
        not {"CONTENT_LENGTH", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"} & variables.keys()
    )


@pytest.mark.rule("H003")
@pytest.mark.rule("H034")
def test_leniency_is_an_option() -> None:
    lenient = HeadOptions(leniency=Leniency(bare_lf=True, raw_target=True))
    data = b"GET /\xc3\xa9 HTTP/1.1\nHost: a\nX: y\r\n\nrest"
    end, _, variables = parse(data, lenient)
    assert data[end:] == b"rest"
    assert (variables["PATH_INFO"], variables["HTTP_X"]) == ("/\xc3\xa9", "y")
    assert parse_head(data[: end - 1], 0, BASE, lenient) is None


def test_the_limits_of_chunks_are_handed_to_their_decoder() -> None:
    options = HeadOptions(chunk_limits=ChunkLimits(size_line=4))
    assert read_connection([chunks(b"1;abcd\r\n")], options).verdict == "400 H086"


# --- What comes out --------------------------------------------------------------------------


def test_the_variables_are_those_of_the_base_and_of_the_request() -> None:
    base = dict(BASE)
    for data in (
        get(b"Content-Type: b\r\nX: c\r\n"),
        get(b"Content-Type: b\r\nX: c\r\nProxy: d\r\n"),
    ):
        assert parse(data)[2] == base | {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "REQUEST_URI": "/",
            "RAW_URI": "/",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "a",
            "CONTENT_TYPE": "b",
            "HTTP_X": "c",
        }
    assert base == BASE


@pytest.mark.parametrize("proxy", [b"", b"Proxy: a\r\n"], ids=["known", "by line"])
def test_no_request_changes_another(proxy: bytes) -> None:
    first = parse(post(b"Content-Length: 5\r\n" + proxy))
    first[2]["HTTP_HOST"] = "evil"
    assert first[1].decoder is not None
    first[1].decoder.feed(b"hello")
    second = parse(post(b"Content-Length: 5\r\n" + proxy))
    assert second[2]["HTTP_HOST"] == "a"
    assert isinstance(second[1].decoder, Length)
    assert second[1].decoder.wanted == 5


def test_a_decoder_is_new_for_each_request() -> None:
    data = chunks(b"")
    decoders = [parse(data)[1].decoder for _ in range(2)]
    assert isinstance(decoders[0], Chunked)
    assert decoders[0] is not decoders[1]


# --- What the heads of a connection have in common -------------------------------------------


@pytest.mark.rule("H060")
@pytest.mark.rule("H113")
@pytest.mark.parametrize("content", [b"\r\n", b"\r\n\r\n", b"a\r\n\r\n", b"a\r\n"])
def test_a_content_of_line_ends_is_not_of_the_head(content: bytes) -> None:
    head = post(b"Content-Length: %d\r\n" % len(content))
    repetition = Repetition(BASE)
    for _ in range(3):
        for data in (head, head + content, head + content + head + content):
            parsed = parse_head(data, 0, BASE, STRICT_OPTIONS, repetition)
            assert parsed is not None
            assert parsed[0] == len(head)
    assert repetition.count == 2


@pytest.mark.rule("H113")
def test_a_connection_is_not_one_client_s() -> None:
    heads = [get(b"X: y\r\n"), get(b"X: z\r\n"), get(), get(b"Authorization: a\r\n"), get(HOST)]
    alone = [read_connection([data]) for data in heads]
    for first, before in zip(heads[:4], alone, strict=False):
        for second, behind in zip(heads, alone, strict=True):
            together = read_connection([first * 3, second])
            assert together.messages == before.messages * 3 + behind.messages
            assert together.verdict == behind.verdict


def repeated(repetition: Repetition, *heads: bytes) -> int:
    """How many field lines are in common behind these heads, each of which is read right."""
    for data in heads:
        assert parse_head(data, 0, BASE, STRICT_OPTIONS, repetition) == parse(data)
    return repetition.count


def test_what_heads_have_in_common_is_what_all_begin_with() -> None:
    repetition = Repetition(BASE)
    assert repeated(repetition, get(b"X: y\r\nZ: 1\r\n")) == 3
    assert repeated(repetition, get(b"X: y\r\nZ: 2\r\n")) == 2
    assert repeated(repetition, get(b"X: y\r\n"), get(b"X: y\r\nZ: 1\r\n")) == 2
    assert repeated(repetition, get(b"Z: 1\r\nX: y\r\n")) == 1


def test_where_more_comes_behind_it_again_and_again_it_grows() -> None:
    repetition = Repetition(BASE)
    more = get(b"X: y\r\nZ: 1\r\n")
    others = [more.replace(b"/", b"/%d" % number, 1) for number in range(recognition._LEAN_MAX)]
    assert repeated(repetition, get(), *others[1:]) == 1
    assert repeated(repetition, others[0]) == 3


def test_heads_that_have_nothing_in_common_are_compared_no_more() -> None:
    repetition = Repetition(BASE)
    different = [get(b"Host: a\r\n", host=b"X: %d\r\n" % number) for number in range(9)]
    assert repeated(repetition, *different) == 0
    assert repeated(repetition, *[get()] * 9) == 0


@pytest.mark.rule("S09")
def test_a_head_that_comes_again_whole_is_read_as_the_first_time() -> None:
    repetition = Repetition(BASE)
    data = get(b"X: y\r\n")
    for _ in range(5):
        parsed = parse_head(data, 0, BASE, STRICT_OPTIONS, repetition)
        assert parsed == parse(data)
        parsed[2].clear()  # the application may do that, and the next must not see it
    assert repetition.head == data
    other = get(b"X: z\r\n")
    assert repeated(repetition, other, data, data + other, other) == 1


@pytest.mark.parametrize(
    "data",
    [
        get(b"Cookie: secret\r\n"),
        get(b"Authorization: secret\r\n"),
        get(b"X: " + b"y" * ENTRY_MAX + b"\r\n"),
        post(b"Content-Length: 0\r\n"),
        get(b"Connection: close\r\n"),
    ],
)
def test_a_whole_head_is_not_kept_if(data: bytes) -> None:
    repetition = Repetition(BASE)
    repeated(repetition, *[data] * 4)
    assert not repetition.head


@pytest.mark.rule("H051")
@pytest.mark.parametrize("fields", [2, 3])
def test_the_limit_of_fields_counts_what_is_repeated(fields: int) -> None:
    options = HeadOptions(limits=HeadLimits(fields=fields))
    outcome = read_connection([get(b"X: y\r\n") * 3 + get(b"X: y\r\nZ: z\r\n")], options)
    assert outcome.verdict == ("ok" if fields == 3 else "431 H051")


# --- What is remembered ----------------------------------------------------------------------

MEMOS: list[dict[Any, Any]] = [
    recognition._known_lines,
    recognition._known_names,
    recognition._plain_requests,
]


@pytest.fixture
def _forgotten() -> None:
    for memo in MEMOS:
        memo.clear()


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize("name", ["Cookie", "Authorization", "Proxy-Authorization"])
@pytest.mark.parametrize("write", [str.title, str.lower, str.upper])
def test_nothing_that_says_who_somebody_is(name: str, write: Any) -> None:
    data = get(f"{write(name)}: secret\r\nX: y\r\n".encode())
    for _ in range(3):
        assert "secret" in parse(data)[2].values()
    assert recognition._known_lines.keys() == {b"Host: a", b"X: y"}
    assert not any("secret" in repr(memo) for memo in MEMOS)


@pytest.mark.usefixtures("_forgotten")
def test_nothing_that_is_refused_and_nothing_long() -> None:
    for field in (b"X : y", b"X: \x00", b"X_A: y", b"Proxy: y", b"X", b""):
        try:
            parse_head(b"GET / HTTP/1.1\r\n" + field + b"\r\n\r\n", 0, BASE)
        except ProtocolError:
            pass
    parse(get(b"X: " + b"y" * ENTRY_MAX + b"\r\n" + b"Y" * (ENTRY_MAX + 1) + b": y\r\n"))
    assert recognition._known_lines.keys() == {b"Host: a"}
    assert recognition._known_names.keys() <= {b"Host", b"X"}


@pytest.mark.rule("H043")
@pytest.mark.rule("H045")
@pytest.mark.rule("H047")
@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("H043", b"X-Known"),
        ("H045", b"X-Known : y"),
        ("H047", b" X-Known: y"),
        ("H048", b"X-Known: \x00"),
        ("H004", b"X-Known: y\r"),
    ],
)
def test_a_name_that_is_known_makes_no_line_sound(rule: str, line: bytes) -> None:
    parse(get(b"X-Known: y\r\n"))
    for _ in range(2):
        assert refused(get(line + b"\r\n")).rule == rule


@pytest.mark.rule("H040")
@pytest.mark.parametrize("line", [b"Host: b a", b"Host:a/b", b"Host: u@a", b"Host"])
def test_a_host_is_looked_at_although_its_name_is_known(line: bytes) -> None:
    parse(get())
    assert refused(get(host=line + b"\r\n")).status == 400


@pytest.mark.usefixtures("_forgotten")
def test_no_more_than_has_its_place() -> None:
    for number in range(2 * ENTRIES_MAX + 10):
        parse(get(b"X%d: y\r\n" % number, b"M%d / HTTP/1.1" % number))
        assert all(len(memo) <= ENTRIES_MAX for memo in MEMOS)
    assert all(memo for memo in MEMOS)
