"""``Input`` is a BytesIO over the content, whatever the framing and the splits."""

# ruff: noqa: PT017  # these properties allow an error, and say which

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from properties.strategies import ChunkedBody, chunked_bodies, sizes
from protocol.wire import Source
from quaich.exchange.input import Input
from quaich.protocol.body import Chunked, Length
from quaich.protocol.errors import IncompleteBody

limits = st.none() | st.integers(-2, 30)
operations = st.lists(
    st.tuples(st.sampled_from(["read", "readline", "readlines"]), limits)
    | st.tuples(st.sampled_from(["next", "line", "all"]), st.none())
    | st.tuples(st.sampled_from(["read1", "readinto", "readinto1"]), st.integers(0, 30)),
    max_size=12,
)


def perform(stream: Any, operation: str, argument: int | None) -> Any:
    match operation:
        case "next":
            return next(stream, None)
        case "line":
            return stream.readline()
        case "all":
            return stream.read()
        case "readinto" | "readinto1":
            assert argument is not None
            buffer = bytearray(argument)
            count = getattr(stream, operation)(buffer)
            return bytes(buffer[:count])
        case _:
            return getattr(stream, operation)(argument)


def check(stream: Input, content: bytes, steps: list[tuple[str, int | None]]) -> None:
    model = io.BytesIO(content)
    for operation, argument in steps:
        block = perform(stream, operation, argument)
        if operation in ("read1", "readinto1"):
            # As much as is there: some of it, unless there is nothing.
            assert argument is not None
            assert len(block) <= argument
            expected = model.read(len(block))
            assert block == expected
            if not block and argument:
                assert model.read(1) == b""
        else:
            assert block == perform(model, operation, argument)
    assert stream.read() == model.read()


lines = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"long line " * 2]), max_size=20)


@given(content=lines.map(b"".join), steps=operations, pieces=sizes)
def test_over_a_length_input_is_a_bytes_io(
    content: bytes, steps: list[tuple[str, int | None]], pieces: list[int]
) -> None:
    source = Source(content + b"next request", pieces)
    check(Input(Length(len(content)), source), content, steps)
    assert source.position == len(content)


@given(body=chunked_bodies(), steps=operations, pieces=sizes)
def test_over_chunks_input_is_a_bytes_io(
    body: ChunkedBody, steps: list[tuple[str, int | None]], pieces: list[int]
) -> None:
    source = Source(body.data + b"next request", pieces)
    check(Input(Chunked(), source), body.content, steps)
    assert source.position == len(body.data)


@given(body=chunked_bodies(), steps=operations, pieces=sizes, where=st.data())
def test_a_body_that_breaks_off_never_looks_whole(
    body: ChunkedBody, steps: list[tuple[str, int | None]], pieces: list[int], where: Any
) -> None:
    at = where.draw(st.integers(0, len(body.data) - 1))
    hooks: list[int] = []
    source = Source(body.data[:at], pieces)
    stream = Input(Chunked(), source, lambda: hooks.append(source.position))
    model = io.BytesIO(body.content)
    try:
        for operation, argument in [*steps, ("all", None)]:
            block = perform(stream, operation, argument)
            if operation not in ("read1", "readinto1"):
                assert block == perform(model, operation, argument)
            else:
                assert block == model.read(len(block))
    except IncompleteBody as error:
        assert stream.fault is error
    else:
        raise AssertionError("the end of the stream was taken for the end of the body")
    assert hooks == [0]
