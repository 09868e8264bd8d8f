"""What the tests of protocol/ and exchange/ share: bytes in pieces, and a request read whole."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from quaich.protocol.body import Chunked, Decoder, Length
from quaich.protocol.errors import BodyError, ProtocolError
from quaich.protocol.framing import body_decoder
from quaich.protocol.request import (
    STRICT,
    Leniency,
    RequestLine,
    Target,
    check_fields,
    parse_field_line,
    parse_request_line,
    parse_target,
    strip_line_end,
)


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """``data`` in blocks of these sizes; what is left over is the last block."""
    blocks = []
    for size in sizes:
        blocks.append(data[:size])
        data = data[size:]
    return [block for block in [*blocks, data] if block]


def singly(data: bytes) -> list[bytes]:
    return cut(data, [1] * len(data))


class Decoded(NamedTuple):
    """All that a decoder said about some bytes; ``error`` is rule, status and message."""

    content: bytes
    trailers: list[tuple[str, str]]
    excess: bytes
    done: bool
    error: tuple[str, int, str] | None


def decode(decoder: Decoder, blocks: Iterable[bytes]) -> Decoded:
    """Feed the blocks one by one, up to an error."""
    content = b""
    fault: BodyError | None = None
    try:
        for block in blocks:
            content += decoder.feed(block)
        fault = decoder.fault
    except BodyError as error:
        fault = error
    return Decoded(
        content,
        decoder.trailers if isinstance(decoder, Chunked) else [],
        decoder.excess,
        decoder.done,
        None if fault is None else (fault.rule, fault.status, fault.message),
    )


class Source:
    """A peer whose bytes cannot be put back: a ``receive`` that comes in pieces.

    Each call gives at least one byte and at most what is asked for; how many is taken from
    ``sizes``, again and again. ``position`` is how much has been taken.
    """

    def __init__(self, data: bytes, sizes: Iterable[int] = (1 << 30,)) -> None:
        self._data = data
        self._sizes = list(sizes) or [1 << 30]
        self._turn = 0
        self.position = 0

    def __call__(self, size: int) -> bytes:
        start = self.position
        end = start + self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        if size:
            end = min(end, start + size)
        else:
            line_end = self._data.find(b"\n", start) + 1
            end = min(end, line_end or len(self._data))
        self.position = min(max(end, start + 1), len(self._data))
        return self._data[start : self.position]


class Request(NamedTuple):
    """A request, read and judged whole. ``ended``: its body is complete."""

    line: RequestLine
    target: Target
    fields: list[tuple[str, str]]
    decoder: Length | Chunked
    body: Decoded

    @property
    def ended(self) -> bool:
        return self.body.done


def _lines(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each line with its end, and all that is behind it; at the end an empty line."""
    while data:
        line, feed, data = data.partition(b"\n")
        yield line + feed, data
    yield b"", b""


def read_request(data: bytes, leniency: Leniency = STRICT, pieces: Any = None) -> Request:
    """The rules of ``protocol/`` one after the other, as a server applies them.

    ``pieces`` cuts what is behind the head into blocks for the decoder (default: one block).
    """
    lines = _lines(data)
    raw, rest = next(lines)
    while raw in (b"\r\n", b"\n") and rest:  # H005; how many is the caller's limit
        raw, rest = next(lines)
    line = parse_request_line(strip_line_end(raw, leniency), leniency)
    scheme = None if leniency.raw_target else "http"
    target = parse_target(line.method, line.target, scheme)
    fields: list[tuple[str, str]] = []
    while line.version != "HTTP/0.9":
        raw, rest = next(lines)
        if not raw and leniency.eof_ends_head:
            break
        stripped = strip_line_end(raw, leniency)
        if not stripped:
            break
        fields.append(parse_field_line(stripped))
    check_fields(line.version, fields)
    values = {
        name: [value for field, value in fields if field.lower() == name]
        for name in ("transfer-encoding", "content-length")
    }
    decoder = body_decoder(line.version, values["transfer-encoding"], values["content-length"])
    body = decode(decoder, [rest] if pieces is None else pieces(rest))
    return Request(line, target, fields, decoder, body)


def refusal(error: ProtocolError) -> tuple[int, str]:
    """What a table says about a refusal: its status and its rule."""
    return error.status, error.rule
