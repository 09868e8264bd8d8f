"""The body decoders and the chunked encoder."""

import pytest

from protocol.wire import cut, decode, refusal, singly
from quaich.protocol.body import LAST_CHUNK, Chunked, ChunkLimits, Length, encode_chunk
from quaich.protocol.errors import BodyError, IncompleteBody

# --- Length -----------------------------------------------------------------------------


@pytest.mark.rule("H060")
@pytest.mark.parametrize("pieces", [lambda data: [data], singly])
def test_a_length_takes_as_many_bytes_and_leaves_the_others(pieces: object) -> None:
    assert callable(pieces)
    result = decode(Length(5), pieces(b"helloGET /"))
    assert result == (b"hello", [], b"GET /", True, None)


@pytest.mark.rule("H061")
def test_an_empty_body_is_done_before_it_begins() -> None:
    decoder = Length(0)
    assert decoder.done
    assert decoder.wanted == 0
    assert decoder.feed(b"GET") == b""
    assert decoder.excess == b"GET"


def test_a_length_wants_what_is_left() -> None:
    decoder = Length(5)
    decoder.feed(b"he")
    assert (decoder.wanted, decoder.done) == (3, False)
    decoder.feed(b"llo")
    assert (decoder.wanted, decoder.done) == (0, True)


@pytest.mark.rule("H077")
def test_a_length_that_is_not_reached() -> None:
    decoder = Length(5)
    decoder.feed(b"he")
    error = decoder.incomplete()
    assert isinstance(error, IncompleteBody)
    assert isinstance(error, OSError)
    assert refusal(error) == (400, "H077")
    assert str(error) == "the request body ended 3 bytes before its Content-Length (H077)"


# --- Chunked: what is accepted ----------------------------------------------------------


@pytest.mark.rule("H080")
@pytest.mark.parametrize("pieces", [lambda data: [data], singly], ids=["whole", "singly"])
@pytest.mark.parametrize(
    ("data", "content", "trailers"),
    [
        (b"0\r\n\r\n", b"", []),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", []),
        (b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", b"hello world", []),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", []),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", []),
        (b"0005\r\nhello\r\n0\r\n\r\n", b"hello", []),
        (b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", b"hello", []),
        (b"7\r\n\r\n\r\n0\r\n\r\n0\r\n\r\n", b"\r\n\r\n0\r\n", []),
        (b"5;a\r\nhello\r\n0\r\n\r\n", b"hello", []),
        (b"5; some; parameters=stuff\r\nhello\r\n0;x\r\n\r\n", b"hello", []),
        (b'5;a="b c"\r\nhello\r\n0\r\n\r\n', b"hello", []),
        (b'5;a="\\"b\\\\;\t\xff"\r\nhello\r\n0\r\n\r\n', b"hello", []),
        (b"5 \t;\ta\t=\tb ;c\r\nhello\r\n0\r\n\r\n", b"hello", []),  # H055
        (b"0\r\nVary: *\r\n\r\n", b"", [("Vary", "*")]),
        (b"0\r\nA: b\r\nA:  c \r\n\r\n", b"", [("A", "b"), ("A", "c")]),
        (b"1\r\nx\r\n0\r\nExpires: never\r\n\r\n", b"x", [("Expires", "never")]),
    ],
)
def test_chunked(
    data: bytes, content: bytes, trailers: list[tuple[str, str]], pieces: object
) -> None:
    assert callable(pieces)
    assert decode(Chunked(), pieces(data)) == (content, trailers, b"", True, None)
    with_more = decode(Chunked(), pieces(data + b"GET /second"))
    assert with_more == (content, trailers, b"GET /second", True, None)


@pytest.mark.rule("H089")
def test_trailers_are_kept_apart_from_content() -> None:
    decoder = Chunked()
    assert decoder.feed(b"1\r\nx\r\n0\r\nVary: *\r\n\r\n") == b"x"
    assert decoder.trailers == [("Vary", "*")]


def test_wanted_is_the_rest_of_the_chunk_or_a_line() -> None:
    decoder = Chunked()
    wanted = []
    for block in (b"5\r\n", b"he", b"llo", b"\r\n", b"0\r\n", b"\r\n"):
        wanted.append(decoder.wanted)
        decoder.feed(block)
    assert wanted == [0, 5, 3, 0, 0, 0]
    assert decoder.done


# --- Chunked: what is refused -----------------------------------------------------------

REFUSED = [
    ("H080", 400, b"\r\nhello\r\n"),
    ("H080", 400, b"g\r\n"),
    ("H080", 400, b"-5\r\nhello\r\n"),
    ("H080", 400, b"+5\r\nhello\r\n"),
    ("H080", 400, b"0x5\r\nhello\r\n"),
    ("H080", 400, b"5_0\r\n"),
    ("H080", 400, b" 5\r\nhello\r\n"),
    ("H080", 400, b"5 \r\nhello\r\n"),
    ("H080", 400, b"5\t\r\nhello\r\n"),
    ("H080", 400, b"5 5\r\nhello\r\n"),
    ("H080", 400, b" ;foo=bar\r\nhello\r\n"),
    ("H080", 400, b";foo=bar\r\nhello\r\n"),
    ("H080", 400, b"2 erfrferferf\r\naa\r\n"),
    ("H080", 400, b"5\x00\r\nhello\r\n"),
    ("H080", 400, b"\xd9\xa3\r\n"),
    ("H080", 400, b"5,5\r\n"),
    ("H081", 400, b"00000000000000005\r\nhello\r\n"),
    ("H081", 400, b"fffffffffffffffff\r\n"),
    ("H081", 400, b"fffffffffffffffff;a\r\n"),
    ("H082", 400, b"5\r\nhello0\r\n"),
    ("H082", 400, b"5\r\nhello\n0\r\n"),
    ("H082", 400, b"5\r\nhello\r0\r\n"),
    ("H082", 400, b"5\r\nhello\r\r\n"),
    ("H082", 400, b"5\r\nhello \r\n"),
    ("H082", 400, b"5\r\nhello world\r\n"),
    ("H083", 400, b"5\nhello\r\n0\r\n\r\n"),
    ("H083", 400, b"5;a\nhello\r\n0\r\n\r\n"),
    ("H083", 400, b"5\n;\r\nhello\r\n0\r\n\r\n"),
    ("H083", 400, b"0\r\n\n"),
    ("H083", 400, b"0\r\nA: b\n\r\n"),
    ("H083", 400, b"0\n\n"),
    ("H084", 400, b"5;\r\nhello\r\n"),
    ("H084", 400, b"5;;\r\nhello\r\n"),
    ("H084", 400, b"5;=b\r\nhello\r\n"),
    ("H084", 400, b"5;a=\r\nhello\r\n"),
    ("H084", 400, b"5;a b\r\nhello\r\n"),
    ("H084", 400, b'5;a="b\r\nhello\r\n'),
    ("H084", 400, b'5;a="b"c\r\nhello\r\n'),
    ("H084", 400, b"5;a=b \r\nhello\r\n"),
    ("H084", 400, b"5;ext=val\rue\r\nhello\r\n"),
    ("H084", 400, b'5;a="\x00"\r\nhello\r\n'),
    ("H084", 400, b"5 ;\xff\r\nhello\r\n"),
    ("H043", 400, b"0\r\nGET / HTTP/1.1\r\n\r\n"),
    ("H044", 400, b"0\r\n: b\r\n\r\n"),
    ("H045", 400, b"0\r\nA : b\r\n\r\n"),
    ("H047", 400, b"0\r\nA: b\r\n c\r\n\r\n"),
    ("H048", 400, b"0\r\nA: b\rc\r\n\r\n"),
    ("H049", 400, b"0\r\nA: \x7f\r\n\r\n"),
    *[
        ("H090", 400, b"0\r\n" + name + b": 1\r\n\r\n")
        for name in (b"Content-Length", b"TRANSFER-ENCODING", b"host", b"Trailer", b"Authorization")
    ],
    ("H086", 400, b"1" + b";" * 5000),
    ("H086", 400, b"1;" + b"a" * 5000 + b"\r\n"),
    ("H086", 400, (b"1;" + b"a" * 4000 + b"\r\nx\r\n") * 5),
    ("H088", 431, b"0\r\nA: " + b"a" * 17_000),
    ("H088", 431, b"0\r\n" + b"A: aaaaaaa\r\n" * 101),
    ("H088", 431, b"0\r\n" + (b"A: " + b"a" * 1000 + b"\r\n") * 17),
]


@pytest.mark.rule("H080")
@pytest.mark.parametrize("pieces", [lambda data: [data], singly], ids=["whole", "singly"])
@pytest.mark.parametrize(("rule", "status", "data"), REFUSED)
def test_broken_framing(rule: str, status: int, data: bytes, pieces: object) -> None:
    assert callable(pieces)
    result = decode(Chunked(), pieces(data))
    assert result.error is not None
    assert result.error[:2] == (rule, status)
    assert not result.done
    assert result.excess == b""


@pytest.mark.rule("H081")
def test_the_largest_chunk_size_is_a_number_and_no_allocation() -> None:
    decoder = Chunked()
    decoder.feed(b"ffffffffffffffff\r\n")
    assert decoder.wanted == 2**64 - 1
    assert decoder.feed(b"abc") == b"abc"
    assert decoder.wanted == 2**64 - 4


@pytest.mark.rule("H082")
@pytest.mark.parametrize("start", [b"x", b"\rx", b"\n"])
def test_what_cannot_become_crlf_is_refused_at_once(start: bytes) -> None:
    decoder = Chunked()
    decoder.feed(b"1\r\na")
    with pytest.raises(BodyError) as info:
        decoder.feed(start)
    assert refusal(info.value) == (400, "H082")


def test_content_in_front_of_a_fault_is_given_first() -> None:
    decoder = Chunked()
    assert decoder.feed(b"5\r\nhello\r\nx\r\n") == b"hello"
    for _ in range(2):
        with pytest.raises(BodyError) as info:
            decoder.feed(b"more")
        assert info.value is decoder.fault
        assert refusal(info.value) == (400, "H080")
    assert not decoder.done


def test_a_refusal_in_a_trailer_says_where() -> None:
    with pytest.raises(BodyError, match="in the trailer section: a field line has no colon"):
        Chunked().feed(b"0\r\nabc\r\n\r\n")


@pytest.mark.rule("H086")
@pytest.mark.parametrize("pieces", [lambda data: [data], singly], ids=["whole", "singly"])
def test_limits_are_inclusive(pieces: object) -> None:
    assert callable(pieces)
    limits = ChunkLimits(size_line=8, extensions=10, trailer_section=14, trailers=2)

    def error(data: bytes) -> tuple[str, int, str] | None:
        return decode(Chunked(limits), pieces(data)).error

    assert error(b"1;aaaaa\r\nx\r\n1;bbbb\r\nx\r\n0\r\n\r\n") == (
        "H086",
        400,
        "chunk extensions are longer than 10 bytes together",
    )
    assert error(b"1;aaaa\r\nx\r\n1;bbbb\r\nx\r\n0\r\n\r\n") is None
    assert error(b"1;aaaaaaa\r\nx\r\n0\r\n\r\n") == (
        "H086",
        400,
        "a chunk-size line is longer than 8 bytes",
    )
    assert error(b"0\r\nA: b\r\nC: d\r\n\r\n") is None
    trailers = error(b"0\r\nA:b\r\nC:d\r\nE:\r\n\r\n")
    assert trailers is not None
    assert trailers[:2] == ("H088", 431)
    assert error(b"0\r\nA: b\r\nC: ddd\r\n\r\n") is None
    large = error(b"0\r\nA: b\r\nC: dddd\r\n\r\n")
    assert large is not None
    assert large[:2] == ("H088", 431)


@pytest.mark.rule("H091")
@pytest.mark.parametrize(
    "data", [b"", b"5", b"5\r\nhel", b"5\r\nhello\r\n", b"0\r\n", b"0\r\nA: b"]
)
def test_a_body_without_its_end_is_incomplete(data: bytes) -> None:
    decoder = Chunked()
    decoder.feed(data)
    assert not decoder.done
    error = decoder.incomplete()
    assert isinstance(error, IncompleteBody)
    assert refusal(error) == (400, "H091")


# --- The encoder ------------------------------------------------------------------------


@pytest.mark.rule("H132")
def test_a_chunk_has_a_bare_hexadecimal_size() -> None:
    assert encode_chunk(b"x") == b"1\r\nx\r\n"
    assert encode_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert LAST_CHUNK == b"0\r\n\r\n"


@pytest.mark.rule("H132")
def test_what_is_encoded_can_be_decoded() -> None:
    blocks = [b"a", b"\r\n", b"0\r\n\r\n", bytes(range(256))]
    data = b"".join(map(encode_chunk, blocks)) + LAST_CHUNK
    assert decode(Chunked(), cut(data, [3, 1, 7])).content == b"".join(blocks)
