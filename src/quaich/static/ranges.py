"""Range requests (RFC 9110, section 14): which bytes, and how several ranges are sent.

parse_range     the field Range → ranges of bytes
Multipart       the parts of a response with several, and its length
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

RANGES_MAX: Final = 16
"""With more, the whole file is sent (section 14.2 allows it): many small ranges cost the server
more than the client. Apache has 200, and merges none."""

_DIGITS_MAX: Final = 19  # more than any offset has; int() of thousands would take its time

_SPEC: Final = re.compile("(?:([0-9]+)-([0-9]*)|-([0-9]+))")


class ByteRange(NamedTuple):
    """Bytes ``start`` up to, and not with, ``stop``."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse_range(text: str, size: int) -> list[ByteRange] | None:
    """The ranges that a field asks for of ``size`` bytes, those that overlap as one.

    None: the field is to be ignored, because it is not of bytes, is malformed, or asks for too
    many ranges. Empty: none of them can be had (416).
    """
    unit, equals, specs = text.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    ranges = []
    elements = [element for each in specs.split(",", 8192) if (element := each.strip(" \t"))]
    if not 1 <= len(elements) <= RANGES_MAX:
        return None
    for element in elements:
        found = _SPEC.fullmatch(element)
        if found is None:
            return None
        first, last, suffix = found.groups()
        if suffix is not None:
            length = _number(suffix)
            if length and not size:
                return None  # all of nothing can be had, but Content-Range cannot say so
            if length:
                ranges.append(ByteRange(max(0, size - length), size))
            continue
        start = _number(first)
        stop = _number(last) + 1 if last else size
        if last and stop <= start:
            return None  # section 14.1.1: then the whole field is invalid
        if start < size:
            ranges.append(ByteRange(start, min(stop, size)))
    return _merged(ranges)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX


def _merged(ranges: list[ByteRange]) -> list[ByteRange]:
    """In the order asked for, if none overlap; else those that do as one, in the file's order. So
    never more is sent than the file has."""
    merged: list[ByteRange] = []
    for each in sorted(ranges):
        if merged and each.start < merged[-1].stop:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].stop, each.stop))
        else:
            merged.append(each)
    return merged if len(merged) < len(ranges) else ranges


class Multipart:
    """The content of a response of several ranges (section 14.6): ``multipart/byteranges``."""

    def __init__(
        self, ranges: Sequence[ByteRange], size: int, content_type: str, boundary: str
    ) -> None:
        """``size``: of the whole file. ``boundary`` is not in its bytes."""
        self.ranges = ranges
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        self.heads = [
            (
                f"{'' if number == 0 else chr(13) + chr(10)}--{boundary}\r\n"
                f"Content-Type: {content_type}\r\n"
                f"Content-Range: {each.content_range(size)}\r\n\r\n"
            ).encode("latin-1")
            for number, each in enumerate(ranges)
        ]
        self.end = f"\r\n--{boundary}--\r\n".encode("latin-1")
        self.length = (
            sum(len(head) for head in self.heads)
            + sum(each.stop - each.start for each in ranges)
            + len(self.end)
        )
