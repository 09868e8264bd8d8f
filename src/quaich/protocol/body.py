"""Message bodies: the two decoders and the chunked encoder.

A decoder is fed bytes in any split and gives back content::

    content = decoder.feed(data)     # what of the data is content; may be b""
    decoder.done                     # the body's end has been seen
    decoder.excess                   # bytes behind the end: the next request's
    decoder.wanted                   # bytes that surely belong to the body; 0 means "a line"

``wanted`` is for sources that cannot take bytes back: whoever reads at most ``wanted`` bytes,
or one line where it is 0, never reads into the next message.

A fault found behind good content is kept in ``decoder.fault`` and raised by the next
``feed()``: so every split of the same bytes gives the same content and the same error.
"""

import re
from dataclasses import dataclass
from typing import Final, Protocol

from quaich.protocol.errors import BodyError, IncompleteBody, ProtocolError
from quaich.protocol.grammar import QUOTED_STRING, TOKEN
from quaich.protocol.request import parse_field_line

LAST_CHUNK: Final = b"0\r\n\r\n"


def encode_chunk(data: bytes) -> bytes:
    """One chunk. ``data`` must not be empty: an empty chunk would end the body (H132, S80)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Decoder(Protocol):
    """What :class:`Length` and :class:`Chunked` have in common."""

    fault: BodyError | None

    @property
    def done(self) -> bool: ...
    @property
    def wanted(self) -> int: ...
    @property
    def excess(self) -> bytes: ...
    def feed(self, data: bytes, /) -> bytes: ...
    def incomplete(self) -> IncompleteBody: ...


class Length:
    """A body of a declared number of bytes (RFC 9112, section 6.3, item 6)."""

    __slots__ = ("excess", "fault", "wanted")

    def __init__(self, length: int) -> None:
        self.wanted = length
        self.excess = b""
        self.fault: BodyError | None = None

    @property
    def done(self) -> bool:
        return self.wanted == 0

    def feed(self, data: bytes) -> bytes:
        size = len(data)
        if size <= self.wanted:
            self.wanted -= size
            return data
        content = data[: self.wanted]
        self.excess += data[self.wanted :]
        self.wanted = 0
        return content

    def incomplete(self) -> IncompleteBody:
        """The error for a peer that stops here."""
        return IncompleteBody(
            "H077", 400, f"the request body ended {self.wanted} bytes before its Content-Length"
        )


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How much of chunked framing that is not content is read. Bytes, but for ``trailers``."""

    # A size line without extensions has at most 16 digits; Apache and nginx take 8 KiB.
    size_line: int = 4096
    # Over the whole body: extensions say nothing to us, and may not be a way to send for ever
    # without content (CVE-2023-39326 in Go's net/http is this).
    extensions: int = 16 * 1024
    trailer_section: int = 16 * 1024
    trailers: int = 100


# chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
#                                                          RFC 9112, section 7.1.1 (H084)
_SIZE_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})((?:[ \t]*;[ \t]*%(token)b(?:[ \t]*=[ \t]*(?:%(token)b|%(quoted)b))?)*)"
    % {b"token": TOKEN.encode(), b"quoted": QUOTED_STRING.encode("latin-1")}
).fullmatch

# Fields that must not come as trailers: framing, routing, authentication, content
# (RFC 9110, section 6.5.1; H090).
_NO_TRAILER = frozenset(
    {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "max-forwards",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_SIZE, _DATA, _DATA_END, _TRAILER, _DONE = range(5)


class Chunked:
    """A body in the chunked transfer coding (RFC 9112, section 7.1; H080-H092).

    Lines end with CRLF and nothing else, whatever the profile: a bare LF in chunk framing has
    no honest use and several dishonest ones (H083). Trailer fields are kept apart in
    ``trailers`` and never merged into the header section (H089).
    """

    __slots__ = (
        "_buffer",
        "_extensions",
        "_left",
        "_limits",
        "_state",
        "_trailer_bytes",
        "excess",
        "fault",
        "trailers",
    )

    def __init__(self, limits: ChunkLimits | None = None) -> None:
        self._limits = limits or ChunkLimits()
        self._state = _SIZE
        self._buffer = b""  # an unfinished line
        self._left = 0  # bytes of the current chunk that are still to come
        self._extensions = 0
        self._trailer_bytes = 0
        self.excess = b""
        self.fault: BodyError | None = None
        self.trailers: list[tuple[str, str]] = []

    @property
    def done(self) -> bool:
        return self._state == _DONE

    @property
    def wanted(self) -> int:
        return self._left if self._state == _DATA else 0

    def feed(self, data: bytes) -> bytes:
        """Content in ``data``; raises :class:`BodyError` where the framing is broken."""
        if self.fault is not None:
            raise self.fault
        content: list[bytes] = []
        try:
            self._decode(self._buffer + data, content)
        except BodyError as fault:
            self.fault = fault
            if not content:
                raise
        return content[0] if len(content) == 1 else b"".join(content)

    def _decode(self, data: bytes, content: list[bytes]) -> None:
        self._buffer = b""
        position, end = 0, len(data)
        while self._state != _DONE:
            if self._state == _DATA:
                block = data[position : position + self._left]
                if not block:
                    return
                content.append(block)
                position += len(block)
                self._left -= len(block)
                if self._left:
                    return
                self._state = _DATA_END
            else:
                line_end = data.find(b"\n", position)
                if line_end < 0:
                    self._keep(data[position:])
                    return
                # At the first fault of a line, by position: a split must not change which.
                self._line(self._complete(data[position : line_end + 1]))
                position = line_end + 1
        if position < end:
            self.excess += data[position:]

    def _keep(self, start: bytes) -> None:
        """Hold the start of a line until its end has come, unless it is wrong already."""
        if self._state == _DATA_END:
            if start not in (b"", b"\r"):
                raise _bad("H082", "a chunk's data is not followed by CRLF")
        else:
            self._check_size(len(start) - start.endswith(b"\r"))
        self._buffer = start

    def _complete(self, line: bytes) -> bytes:
        """The line without its CRLF."""
        if self._state == _DATA_END and line != b"\r\n":
            raise _bad("H082", "a chunk's data is not followed by CRLF")
        self._check_size(len(line) - (2 if line[-2:] == b"\r\n" else 1))
        if line[-2:] != b"\r\n":
            raise _bad("H083", "a line of the chunked framing ends with a bare LF, not CRLF")
        return line[:-2]

    def _check_size(self, size: int) -> None:
        """``size``: bytes of the current line so far, without its line end."""
        if self._state == _SIZE and size > self._limits.size_line:
            raise _bad("H086", f"a chunk-size line is longer than {self._limits.size_line} bytes")
        if self._state == _TRAILER and self._trailer_bytes + size > self._limits.trailer_section:
            raise BodyError(
                "H088",
                431,
                f"the trailer section is larger than {self._limits.trailer_section} bytes",
            )

    def _line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            self._state = _SIZE
        elif self._state == _SIZE:
            self._size_line(line)
        elif line:
            self._trailer_line(line)
        else:
            self._state = _DONE

    def _size_line(self, line: bytes) -> None:
        match = _SIZE_LINE(line)
        if match is None:
            raise _size_line_error(line)
        size, extensions = match.groups()
        self._extensions += len(extensions)
        if self._extensions > self._limits.extensions:
            raise _bad(
                "H086", f"chunk extensions are longer than {self._limits.extensions} bytes together"
            )
        self._left = int(size, 16)
        self._state = _DATA if self._left else _TRAILER

    def _trailer_line(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        try:
            name, value = parse_field_line(line)
        except ProtocolError as error:
            raise BodyError(
                error.rule, error.status, f"in the trailer section: {error.message}"
            ) from None
        if name.lower() in _NO_TRAILER:
            raise _bad("H090", "a field that must not come as a trailer is in the trailer section")
        if len(self.trailers) >= self._limits.trailers:
            raise BodyError(
                "H088", 431, f"there are more than {self._limits.trailers} trailer fields"
            )
        self.trailers.append((name, value))

    def incomplete(self) -> IncompleteBody:
        """The error for a peer that stops here."""
        return IncompleteBody("H091", 400, "the chunked request body ended before its last chunk")


def _size_line_error(line: bytes) -> BodyError:
    """Which rule the line breaks; the order is that of the line."""
    rest = line.lstrip(b"0123456789ABCDEFabcdef")
    if len(line) - len(rest) > 16:
        return _bad("H081", "a chunk size has more than 16 digits")
    if len(line) > len(rest) and rest.lstrip(b" \t").startswith(b";"):
        return _bad("H084", "a chunk extension is malformed")
    return _bad("H080", "a chunk size is not hexadecimal digits, with extensions at most")


def _bad(rule: str, message: str) -> BodyError:
    return BodyError(rule, 400, message)
