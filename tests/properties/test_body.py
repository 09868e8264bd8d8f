"""What holds of the body decoders for all bytes and all splits of them."""

# ruff: noqa: PT017  # these properties allow an error, and say which

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.strategies import ChunkedBody, alphabet_soup, any_bodies, chunked_bodies, sizes
from protocol.wire import Decoded, Source, cut, decode, singly
from quaich.protocol.body import LAST_CHUNK, Chunked, ChunkLimits, Length, encode_chunk
from quaich.protocol.errors import BodyError

SMALL = ChunkLimits(size_line=12, extensions=16, trailer_section=24, trailers=2)


@given(data=any_bodies, where=sizes, limits=st.sampled_from([None, SMALL]))
def test_every_split_of_the_same_bytes_is_decoded_the_same(
    data: bytes, where: list[int], limits: ChunkLimits | None
) -> None:
    whole = decode(Chunked(limits), [data])
    assert decode(Chunked(limits), singly(data)) == whole
    assert decode(Chunked(limits), cut(data, where)) == whole


@given(body=chunked_bodies(), rest=st.binary(max_size=20), where=sizes)
def test_a_sound_body_is_what_was_meant(body: ChunkedBody, rest: bytes, where: list[int]) -> None:
    expected = (body.content, body.trailers, rest, True, None)
    assert decode(Chunked(), cut(body.data + rest, where)) == expected


@given(data=any_bodies | st.binary(max_size=60))
def test_any_bytes_give_content_or_a_body_error_and_nothing_else(data: bytes) -> None:
    decoder = Chunked()
    try:
        content = decoder.feed(data)
    except BodyError as error:
        assert error.status in (400, 431)
        assert decoder.fault is error
    else:
        assert len(content) + len(decoder.excess) <= len(data)
        assert decoder.done or decoder.excess == b""


@given(blocks=st.lists(st.binary(min_size=1, max_size=50), max_size=10), where=sizes)
def test_what_is_encoded_is_decoded(blocks: list[bytes], where: list[int]) -> None:
    data = b"".join(map(encode_chunk, blocks)) + LAST_CHUNK
    assert decode(Chunked(), cut(data, where)) == (b"".join(blocks), [], b"", True, None)


@given(data=st.binary(max_size=60), length=st.integers(0, 60), where=sizes)
def test_a_length_is_split_invariant(data: bytes, length: int, where: list[int]) -> None:
    expected = Decoded(data[:length], [], data[length:], len(data) >= length, None)
    assert decode(Length(length), cut(data, where)) == expected


@pytest.mark.rule("S52")
@given(body=chunked_bodies(), rest=alphabet_soup, sizes=sizes)
def test_who_reads_no_more_than_is_wanted_stays_within_the_message(
    body: ChunkedBody, rest: bytes, sizes: list[int]
) -> None:
    source = Source(body.data + rest, sizes)
    decoder = Chunked()
    content = b""
    while not decoder.done:
        content += decoder.feed(source(decoder.wanted))
    assert content == body.content
    assert decoder.excess == b""
    assert source.position == len(body.data)


@given(data=any_bodies, sizes=sizes)
def test_a_line_or_what_is_wanted_never_makes_excess(data: bytes, sizes: list[int]) -> None:
    source = Source(data, sizes)
    decoder = Chunked()
    try:
        while not decoder.done and (block := source(decoder.wanted)):
            decoder.feed(block)
    except BodyError:
        pass
    assert decoder.excess == b""


@given(body=chunked_bodies(), where=st.data())
def test_a_sound_body_that_breaks_off_is_incomplete_and_no_other_error(
    body: ChunkedBody, where: Any
) -> None:
    at = where.draw(st.integers(0, len(body.data) - 1))
    result = decode(Chunked(), [body.data[:at]])
    assert result.error is None
    assert not result.done
    assert body.content.startswith(result.content)


def reference(data: bytes) -> tuple[bytes, bytes] | None:
    """Content and rest of a chunked body without extensions and trailers; None if it is none.

    Another way to the same answer: it looks at the body as a whole.
    """
    content = b""
    while True:
        digits, _, data = data.partition(b"\r\n")
        if not digits or digits.strip(b"0123456789abcdefABCDEF") or len(digits) > 16:
            return None
        size = int(digits, 16)
        if data[size : size + 2] != b"\r\n":
            return None
        if size == 0:
            return content, data[2:]
        content, data = content + data[:size], data[size + 2 :]


@given(data=any_bodies | chunked_bodies().map(lambda body: body.data))
def test_a_plain_reader_agrees(data: bytes) -> None:
    result = decode(Chunked(), [data])
    if b";" in data or result.trailers:
        return
    plain = reference(data)
    assert (result.done and result.error is None) == (plain is not None)
    if plain is not None:
        assert (result.content, result.excess) == plain
