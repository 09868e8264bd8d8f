"""The head of an HTTP/1 request, from bytes to variables.

    parse_head      one head at the start of a buffer, or None while it is incomplete
      recognise       nothing unusual in it: most requests (quaich.protocol.recognition)
      _parse_lines    every rule, line by line: the rest, and all that is refused

The second is the authority: the first only recognises what the second has found sound, and
whatever it does not recognise it leaves to the second. So both give the same variables, and
only one of them refuses.

A verdict depends on the bytes, never on how they were split: faults are found in the order of
the bytes, and a limit is exceeded by the byte that exceeds it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from quaich.protocol.body import Chunked
from quaich.protocol.errors import ProtocolError
from quaich.protocol.framing import body_decoder, expects_continue, persists
from quaich.protocol.grammar import list_members
from quaich.protocol.message import (
    EMPTY_LINES_MAX,
    STRICT_OPTIONS,
    Head,
    HeadLimits,
    HeadOptions,
    Request,
)
from quaich.protocol.recognition import Repetition, recognise
from quaich.protocol.request import (
    RequestLine,
    check_fields,
    parse_field_line,
    parse_request_line,
    parse_target,
    strip_line_end,
)
from quaich.protocol.variables import add_fields, target_variables, variable_name

__all__ = [
    "EMPTY_LINES_MAX",
    "Head",
    "HeadLimits",
    "HeadOptions",
    "Repetition",
    "Request",
    "parse_head",
]

_END_OF_HEAD: Final = b"\r\n\r\n"


def parse_head(
    data: bytes,
    start: int,
    base: dict[str, Any],
    options: HeadOptions = STRICT_OPTIONS,
    repetition: Repetition | None = None,
) -> Head | None:
    """The head that begins at ``data[start]``, or None if its end has not come yet.

    ``base``: the variables to which those of the request are added, in a copy; none of them
    may be named like a field. ``repetition``: what the connection's heads had in common so far,
    with the same base; of use for speed only. Raises :class:`ProtocolError`, with ``span`` as
    octets from ``start``, for a head that breaks a rule or a limit, as soon as that is certain.
    """
    if not start:
        if repetition is not None and data == repetition.head and repetition.head_request:
            return len(data), repetition.head_request, repetition.head_variables.copy()
        # Mostly the buffer is the head, so to look at its end is enough. If the end of something
        # else stands there, there is an empty line in front of it, which is not recognised.
        if data[-4:] == _END_OF_HEAD:
            found = recognise(data[:-2], base, options, repetition)
            if found is not None:
                return len(data), found[0], found[1]
    end = data.find(_END_OF_HEAD, start) + 4
    if end > start + 4 and (start or end < len(data)):
        found = recognise(data[start : end - 2], base, options, repetition)
        if found is not None:
            return end, found[0], found[1]
    return _parse_lines(data[start:] if start else data, start, base, options)


# --- Every rule -----------------------------------------------------------------------------

_END = re.compile(rb"\n\r?\n").search
_PREFACE: Final = b"PRI * HTTP/2.0"  # the first line of HTTP/2 (RFC 9113, section 3.4)
_TLS_HANDSHAKE: Final = b"\x16\x03"


def _parse_lines(
    data: bytes, offset: int, base: Mapping[str, Any], options: HeadOptions
) -> Head | None:
    """As :func:`parse_head`, by every rule; the head begins at ``data[0]``, which is at
    ``offset`` of the caller's buffer."""
    limits, leniency = options.limits, options.leniency
    position = start = _skip_empty_lines(data)
    stop = data.find(b"\n", start) + 1
    try:
        if data.startswith(_TLS_HANDSHAKE, start):
            # Of a handshake no line end need ever come.
            stop = start + len(_TLS_HANDSHAKE)
            parse_request_line(_TLS_HANDSHAKE)
        _check_size(start, start, stop or len(data), limits, 0)
        if not stop:
            return None
        line = _parse_request_line(data[start:stop], options)
        if _END(data, stop - 1) is None and not _is_too_large(data, start, stop, limits):
            return None
        fields: list[tuple[str, str]] = []
        while True:
            position, stop = stop, data.find(b"\n", stop) + 1
            _check_size(start, position, stop or len(data), limits, len(fields) + 1)
            if not stop:
                return None
            text = strip_line_end(data[position:stop], leniency)
            if not text:
                break
            fields.append(parse_field_line(text))
    except ProtocolError as error:
        error.span = error.span or (position, stop)
        raise
    request, variables = _whole(line, fields, base, options)
    return offset + stop, request, variables


def _skip_empty_lines(data: bytes) -> int:
    """Where the request line begins."""
    start = 0
    while start < 2 * EMPTY_LINES_MAX and data.startswith(b"\r\n", start):
        start += 2
    return start


def _parse_request_line(line: bytes, options: HeadOptions) -> RequestLine:
    text = strip_line_end(line, options.leniency)
    if text == _PREFACE:
        raise ProtocolError("H012", 505, "this is HTTP/2; the port speaks HTTP/1.1")
    parsed = parse_request_line(text, options.leniency)
    parse_target(parsed.method, parsed.target, options.scheme)
    return parsed


def _check_size(start: int, position: int, stop: int, limits: HeadLimits, number: int) -> None:
    """Refuse a line, whole or begun, if it exceeds a limit; ``number`` 0 is the request line.

    A byte too many is one although a line end may follow: two more than the limit, which are
    its CRLF in a line that is just short enough.
    """
    size = limits.field_size if number else limits.request_line
    if number > limits.fields:
        size = 0  # the empty line may still come
    line_stop, head_stop = position + size + 2, start + limits.head
    if stop <= line_stop and stop <= head_stop:
        return
    if head_stop < line_stop:
        error = ProtocolError("H051", 431, f"the head is larger than {limits.head} bytes")
    elif not number:
        error = ProtocolError("H019", 414, f"the request line is longer than {size} bytes")
    elif size:
        error = ProtocolError("H051", 431, f"a field line is longer than {size} bytes")
    else:
        error = ProtocolError("H051", 431, f"there are more than {limits.fields} field lines")
    error.span = (position, min(line_stop, head_stop) + 1)
    raise error


def _is_too_large(data: bytes, start: int, behind: int, limits: HeadLimits) -> bool:
    """Whether a head that has no end yet exceeds a limit already; its field lines begin
    ``behind`` the request line. May say so two bytes early, which can be a line end."""
    size = len(data) - start
    return (
        size > limits.head
        or data.count(b"\n", start) > limits.fields
        or (
            size > limits.harmless
            and max(map(len, data[behind:].split(b"\n"))) > limits.field_size + 1
        )
    )


def _whole(
    line: RequestLine,
    fields: list[tuple[str, str]],
    base: Mapping[str, Any],
    options: HeadOptions,
) -> tuple[Request, dict[str, Any]]:
    """The rules that hold for the head as a whole."""
    version = line.version
    check_fields(version, fields)
    if options.header_map == "refuse" and any("_" in name for name, _ in fields):
        raise ProtocolError("H057", 400, "a field name holds an underscore")
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value)
    decoder = body_decoder(
        version,
        values.get("transfer-encoding", []),
        values.get("content-length", []),
        options.chunk_limits,
    )
    expected = list_members(values.get("expect", [])) if version >= "HTTP/1.1" else []
    if any(member != "100-continue" for member in expected):
        raise ProtocolError("H093", 417, "the only expectation that can be met is 100-continue")
    target = parse_target(line.method, line.target, options.scheme)
    variables: dict[str, Any] = dict(base)
    variables.update(target_variables(target, line.target))
    variables["REQUEST_METHOD"] = line.method
    variables["SERVER_PROTOCOL"] = version
    for name in ("content-type", "content-length"):
        if name in values:
            variables[variable_name(name)] = values[name][0]
    add_fields(variables, fields, header_map=options.header_map)
    # Who finds it would decode the content a second time (H092).
    variables.pop("HTTP_TRANSFER_ENCODING", None)
    if target.authority is not None:
        variables["HTTP_HOST"] = target.authority  # not the Host field (H028)
    has_content = isinstance(decoder, Chunked) or not decoder.done
    request = Request(
        line.method,
        version,
        persists(version, values.get("connection", [])),
        decoder if has_content else None,
        has_content and expects_continue(version, ", ".join(values.get("expect", []))),
        target.scheme if options.scheme is None else None,
    )
    return request, variables
