"""The head of an HTTP/1 request, from bytes to variables.

    parse_head      one head at the start of a buffer, or None while it is incomplete
      _parse_known    lines that have been seen before, and nothing unusual: most requests
      _parse_lines    every rule, line by line: the rest, and all that is refused

The second is the authority: the first only recognises what the second has found sound, and
whatever it does not recognise it leaves to the second. So both give the same variables, and
only one of them refuses.

A verdict depends on the bytes, never on how they were split: faults are found in the order of
the bytes, and a limit is exceeded by the byte that exceeds it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quaich.protocol.body import Chunked, ChunkLimits, Decoder
from quaich.protocol.errors import ProtocolError
from quaich.protocol.framing import body_decoder, expects_continue, persists
from quaich.protocol.grammar import TOKEN, list_members
from quaich.protocol.memo import ENTRY_MAX, remember
from quaich.protocol.request import (
    METHOD_MAX,
    STRICT,
    Leniency,
    RequestLine,
    check_fields,
    parse_field_line,
    parse_field_value,
    parse_request_line,
    parse_target,
    strip_line_end,
)
from quaich.protocol.variables import (
    NEVER,
    OWN_VARIABLE,
    HeaderMap,
    add_fields,
    target_variables,
    variable_name,
)

EMPTY_LINES_MAX: Final = 3
"""Empty lines that may stand before a request line (RFC 9112, section 2.2; H005). One is what
old clients send behind a body; h11 takes any number, llhttp and nginx too."""


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How large a head may be. Bytes; of a line without its CRLF."""

    # RFC 9112, section 3, recommends at least 8000 (H020). Apache 8190, nginx 8192, gunicorn
    # 4094.
    request_line: int = 8190
    # Field lines. Apache, gunicorn and hyper 100; httptools has none.
    fields: int = 100
    # One field line. Apache and gunicorn 8190.
    field_size: int = 8190
    # The head as a whole, with all line ends and the empty line. Node 16 KiB, nginx 32 KiB, h11
    # 16 KiB, granian 400 KiB; it is memory that a client may hold without having asked for
    # anything.
    head: int = 64 * 1024
    # The lines of a head that is no longer than this need not be measured.
    harmless: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        smallest = min(self.request_line, self.field_size, self.head - len(b"\r\n\r\n"))
        object.__setattr__(self, "harmless", smallest)


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What :func:`parse_head` is to allow. The default is every H-rule."""

    limits: HeadLimits = HeadLimits()
    chunk_limits: ChunkLimits = field(default_factory=ChunkLimits)
    header_map: HeaderMap = "drop"
    leniency: Leniency = STRICT


# Not frozen: making one would cost as much as parsing a small head; and of a NamedTuple, each
# look at a field costs several times what a slot does.
@dataclass(slots=True)
class Request:
    """What a server must know of a request; the rest is in its variables.

    ``version`` is as sent, e.g. ``"HTTP/1.1"``; ``persists`` whether the client wants the
    connection to go on (H104). ``decoder`` is that of the content, None where no content
    follows. ``awaits_continue``: the client waits for 100 (Continue) (H095).
    """

    method: str
    version: str
    persists: bool
    decoder: Decoder | None = None
    awaits_continue: bool = False

    @property
    def may_chunk(self) -> bool:
        """The client understands the chunked coding (H127)."""
        return self.version >= "HTTP/1.1"


Head = tuple[int, Request, dict[str, Any]]
"""Where the head ends in the buffer, the request, and its variables with those of the base."""


class Repetition:
    """What the heads of one connection begin with, again and again, and the variables of that.

    A client's requests differ in their first line and in a few fields, most of the time the last
    ones. What stood before those last time is compared as one piece, and its variables are
    copied as one dictionary. Bytes are compared, nothing is assumed (H113).
    """

    __slots__ = ("_base", "_lean", "_misses", "block", "count", "variables")

    def __init__(self, base: dict[str, Any]) -> None:
        self._base = base
        self._misses = 0
        self._lean = 0  # heads of which most was not in the block
        self.block = b""  # with the CRLF in front of it and the one at its end; may be empty
        self.count = 0  # field lines in the block
        self.variables = base

    def learn(self, lines: list[bytes]) -> None:
        """The field lines of a head that began otherwise. All of them are sound."""
        if self._misses > _MISSES_MAX:
            return
        self._misses += 1
        block, count = b"\r\n", 0
        variables = self._base.copy()
        for line in lines:
            item = _known_lines.get(line)  # not there: credentials, or long
            longer = block + line + b"\r\n"
            if item is None or (self.block and not self.block.startswith(longer)):
                break
            variables[item[0]] = item[1]
            block, count = longer, count + 1
        if not count or self._misses > _MISSES_MAX:
            # These heads have nothing in common: as behind a proxy, whose connections have
            # everybody's requests.
            self.block, self.count, self.variables = b"", 0, self._base
        else:
            self.block, self.count, self.variables = block, count, variables

    def note_lean(self, lines: list[bytes]) -> None:
        """More lines stood behind the block than in it. If that is so again and again, the
        block is too short, and is made anew."""
        self._lean += 1
        if self._lean % _LEAN_MAX == 0:
            whole = self.block[2:-2].split(b"\r\n") + lines
            self.block, self._misses = b"", 0
            self.learn(whole)


_MISSES_MAX: Final = 4
_LEAN_MAX: Final = 64


def parse_head(
    data: bytes,
    start: int,
    base: dict[str, Any],
    options: HeadOptions = HeadOptions(),
    repetition: Repetition | None = None,
) -> Head | None:
    """The head that begins at ``data[start]``, or None if its end has not come yet.

    ``base``: the variables to which those of the request are added, in a copy; none of them
    may be named like a field. ``repetition``: what the connection's heads had in common so far,
    with the same base; of use for speed only. Raises :class:`ProtocolError`, with ``span`` as
    octets from ``start``, for a head that breaks a rule or a limit, as soon as that is certain.
    """
    # Mostly the buffer is the head, so to look at its end is enough: searching forwards costs
    # as much as all the rest of a small head. If something else stands in front of that end,
    # _parse_known() finds the empty line between, and knows it not.
    end = len(data) - 4 if not start and data.endswith(b"\r\n\r\n") else -1
    head = _parse_known(data, 0, end, base, options, repetition) if end > 0 else None
    if head is None and (first := data.find(b"\r\n\r\n", start)) > start and first != end:
        end = first
        head = _parse_known(data, start, end, base, options, repetition)
    if head is not None:
        return end + 4, head[0], head[1]
    return _parse_lines(data[start:] if start else data, start, base, options)


# --- What has been seen before --------------------------------------------------------------

# The target in origin-form: path and query apart. In the unrolled form of
# (unreserved / … / pct-encoded)* each octet is looked at once, whatever follows.
_PATH: Final = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]]"
_QUERY: Final = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]"
_ORIGIN_FORM = re.compile(
    rb"(%(token)b) ((/%(path)b*)(?:\?(%(query)b*(?:%%[0-9A-Fa-f]{2}%(query)b*)*))?) (HTTP/1\.[01])"
    % {b"token": TOKEN.encode(), b"path": _PATH, b"query": _QUERY}
).fullmatch

_known_lines: dict[bytes, tuple[str, str]] = {}  # field line → name and value of its variable
_known_names: dict[bytes, str] = {}  # field name → name of its variable

# Never remembered: what they hold says who somebody is, or what they may do.
_CREDENTIALS: Final = frozenset({"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"})

# Requests without content, by method, on a connection that goes on.
_plain_requests: dict[str, Request] = {}


def _parse_known(
    data: bytes,
    start: int,
    end: int,
    base: dict[str, Any],
    options: HeadOptions,
    repetition: Repetition | None,
) -> tuple[Request, dict[str, Any]] | None:
    """A head, without its end, in which nothing is unusual; else None."""
    limits = options.limits
    line_end = data.find(b"\r\n", start)
    match = _ORIGIN_FORM(data, start, line_end)
    if match is None or end - start > limits.harmless:
        return None
    method, target, path, query, version = match.groups()
    block = b"" if repetition is None else repetition.block
    if block and repetition is not None and data.startswith(block, line_end):
        behind = line_end + len(block)
        if behind == end:
            return None  # this end is not the head's: an empty line stands in front of it
        variables = repetition.variables.copy()
        rest = data[behind:end]
        most = limits.fields - repetition.count
    else:
        variables = base.copy()
        rest = data[line_end + 2 : end]
        most = limits.fields
    # All of it is ASCII by now; decode() without an argument is the fastest for that.
    variables["REQUEST_METHOD"] = name = method.decode()
    variables["PATH_INFO"] = path.decode()
    variables["REQUEST_URI"] = variables["RAW_URI"] = target.decode()
    variables["QUERY_STRING"] = query.decode() if query else ""
    variables["SERVER_PROTOCOL"] = protocol = version.decode()
    count = len(variables)
    lines = rest.split(b"\r\n") if rest else []
    known = _known_lines.get
    for line in lines:
        item = known(line)
        if item is None:
            item = _learn(line)
            if item is None:
                return None
        variables[item[0]] = item[1]
    if len(lines) > most:
        return None
    if len(variables) - count != len(lines) or "HTTP_HOST" not in variables:
        return None  # a field came twice, or Host did not
    if repetition is not None:
        if most == limits.fields:
            repetition.learn(lines)
        elif len(lines) > repetition.count:
            repetition.note_lean(lines)
    if (
        protocol == "HTTP/1.1"
        and "CONTENT_LENGTH" not in variables
        and variables.get("HTTP_CONNECTION", "keep-alive") == "keep-alive"
        and "HTTP_TRANSFER_ENCODING" not in variables
        and "HTTP_EXPECT" not in variables
    ):
        request = _plain_requests.get(name)
        if request is None:
            if len(name) > METHOD_MAX or name == "CONNECT":
                return None
            request = Request(name, protocol, True)
            remember(_plain_requests, name, request)
        return request, variables
    return _framed(name, protocol, variables, options)


def _framed(
    method: str, version: str, variables: dict[str, Any], options: HeadOptions
) -> tuple[Request, dict[str, Any]] | None:
    """As :func:`_parse_known`, for a request whose fields frame it: Content-Length, Connection
    or HTTP/1.0, each field with one line."""
    length = variables.get("CONTENT_LENGTH")
    if (
        len(method) > METHOD_MAX
        or method == "CONNECT"
        or "HTTP_TRANSFER_ENCODING" in variables
        or "HTTP_EXPECT" in variables
    ):
        return None
    connection = variables.get("HTTP_CONNECTION")
    decoder = None
    if length is not None and length != "0":
        try:
            decoder = body_decoder(version, [], [length])
        except ProtocolError:
            return None
        if not decoder.wanted:
            decoder = None
    if version == "HTTP/1.1" and (connection is None or connection == "keep-alive"):
        goes_on = True  # as persists() would say
    else:
        goes_on = persists(version, [] if connection is None else [connection])
    return Request(method, version, goes_on, decoder), variables


def _learn(line: bytes) -> tuple[str, str] | None:
    """The variable of a field line, or None if it makes none or is not sound."""
    field_name, colon, raw = line.partition(b":")
    variable = _known_names.get(field_name)
    if variable is not None and colon:
        value = parse_field_value(raw)
        if value is None:
            return None
    else:
        try:
            name, value = parse_field_line(line)
        except ProtocolError:
            return None
        variable = variable_name(name)
        if "_" in name or variable in NEVER:
            return None
        if variable not in OWN_VARIABLE:
            variable = "HTTP_" + variable
        if len(name) <= ENTRY_MAX:
            remember(_known_names, field_name, variable)
    if variable == "HTTP_HOST":
        try:
            check_fields("HTTP/1.1", [("Host", value)])
        except ProtocolError:
            return None
    item = (variable, value)
    if variable not in _CREDENTIALS and len(line) <= ENTRY_MAX:
        remember(_known_lines, line, item)
    return item


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
        line = _parse_request_line(data[start:stop], leniency)
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


def _parse_request_line(line: bytes, leniency: Leniency) -> RequestLine:
    text = strip_line_end(line, leniency)
    if text == _PREFACE:
        raise ProtocolError("H012", 505, "this is HTTP/2; the port speaks HTTP/1.1")
    parsed = parse_request_line(text, leniency)
    parse_target(parsed.method, parsed.target)
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
    target = parse_target(line.method, line.target)
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
    )
    return request, variables
