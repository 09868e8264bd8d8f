"""Heads in which nothing is unusual, and of which most has been seen before: nearly all.

    recognise        a head → its request and variables, or None if it must be looked at by
                     every rule (quaich.protocol.http1)
    Repetition       what the heads of one connection have in common

This only recognises what the rules have found sound. What it does not recognise it leaves to
them: so it refuses nothing, and makes the same variables as they do.
"""

import re
from typing import Any, Final

from quaich.protocol.body import Length
from quaich.protocol.errors import ProtocolError
from quaich.protocol.framing import persists
from quaich.protocol.grammar import TOKEN, parse_decimal
from quaich.protocol.memo import ENTRY_MAX, remember
from quaich.protocol.message import HeadOptions, Request
from quaich.protocol.request import METHOD_MAX, check_fields, parse_field_line, parse_field_value
from quaich.protocol.variables import NEVER, OWN_VARIABLE, variable_name

# The target in origin-form: path and query apart; a path with escapes is for the rules. In the
# unrolled form of (unreserved / … / pct-encoded)* each octet is looked at once, whatever
# follows.
_PATH: Final = r"[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]]"
_QUERY: Final = r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]"
_ORIGIN_FORM = re.compile(
    rf"({TOKEN}) ((/{_PATH}*)(?:\?({_QUERY}*(?:%[0-9A-Fa-f]{{2}}{_QUERY}*)*))?) (HTTP/1\.[01])"
).fullmatch

_known_lines: dict[bytes, tuple[str, str]] = {}  # field line → name and value of its variable
_known_names: dict[bytes, str] = {}  # field name → name of its variable

# Never remembered: what they hold says who somebody is, or what they may do.
_CREDENTIALS: Final = frozenset({"HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"})

# Requests without content, by method, on a connection that goes on.
_plain_requests: dict[str, Request] = {}


class Repetition:
    """What the heads of one connection begin with, again and again, and the variables of that.

    A client's requests differ in their first line and in a few fields, most of the time the last
    ones. What stood before those last time is compared as one piece, and its variables are
    copied as one dictionary. A client that asks for the same thing again and again, as a health
    check does, sends the same head: that is compared as a whole. Bytes are compared, nothing is
    assumed (H113). Always to be used with the same base and options.
    """

    __slots__ = (
        "_base",
        "_lean",
        "_misses",
        "block",
        "count",
        "head",
        "head_request",
        "head_variables",
        "previous",
        "variables",
    )

    def __init__(self, base: dict[str, Any]) -> None:
        self._base = base
        self._misses = 0
        self._lean = 0  # heads of which most was not in the block
        self.block = b""  # field lines with their CRLF; may be empty
        self.count = 0  # field lines in the block
        self.variables = base
        # A whole head that came at least twice in a row; of a request without content.
        self.head = b""
        self.head_request: Request | None = None
        self.head_variables = base
        self.previous = b""  # the last head, if it may become that

    def learn(self, lines: list[bytes]) -> None:
        """The field lines of a head that began otherwise. All of them are sound."""
        if self._misses > _MISSES_MAX:
            return
        self._misses += 1
        block, count = b"", 0
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
            whole = self.block[:-2].split(b"\r\n") + lines
            self.block, self._misses = b"", 0
            self.learn(whole)

    def keep(self, head: bytes, request: Request, variables: dict[str, Any]) -> None:
        """The same head came once more; without the empty line that ends it."""
        if _CREDENTIALS.isdisjoint(variables):
            if self.block:
                # One dictionary for each connection is enough, since many may be idle.
                self.block, self.count, self.variables = b"", 0, self._base
                self._misses -= 1
            self.head, self.head_request = head + b"\r\n", request
            self.head_variables = variables.copy()


_MISSES_MAX: Final = 4
_LEAN_MAX: Final = 64


def recognise(
    head: bytes, base: dict[str, Any], options: HeadOptions, repetition: Repetition | None
) -> tuple[Request, dict[str, Any]] | None:
    """The request and its variables of a head in which nothing is unusual; else None.

    ``head`` is without the empty line that ends it: its last line ends with CRLF.
    """
    limits = options.limits
    request_line, _, fields = head.partition(b"\r\n")
    match = _ORIGIN_FORM(request_line.decode("latin-1"))
    if match is None or len(head) - 2 > limits.harmless:
        return None
    method, target, path, query, version = match.groups()
    most = limits.fields
    block = b"" if repetition is None else repetition.block
    if block and repetition is not None and fields.startswith(block):
        variables = repetition.variables.copy()
        fields = fields[len(block) :]
        most -= repetition.count
    else:
        variables, block = base.copy(), b""
    variables["REQUEST_METHOD"] = method
    variables["PATH_INFO"] = path
    variables["REQUEST_URI"] = variables["RAW_URI"] = target
    variables["QUERY_STRING"] = query or ""
    variables["SERVER_PROTOCOL"] = version
    lines = fields.split(b"\r\n")
    lines.pop()  # behind the last CRLF is nothing
    count = len(variables) + len(lines)
    known = _known_lines.get
    for line in lines:
        item = known(line) or _learn(line)
        if item is None:
            return None
        variables[item[0]] = item[1]
    if len(variables) != count or len(lines) > most or "HTTP_HOST" not in variables:
        return None  # a field came twice, or there are too many, or Host did not come
    if repetition is not None:
        if not block:
            repetition.learn(lines)
        elif len(lines) > repetition.count:
            repetition.note_lean(lines)
    if (
        version == "HTTP/1.0"
        or "CONTENT_LENGTH" in variables
        or variables.get("HTTP_CONNECTION", "keep-alive") != "keep-alive"
        or "HTTP_TRANSFER_ENCODING" in variables
        or "HTTP_EXPECT" in variables
    ):
        return _framed(method, version, variables)
    request = _plain_requests.get(method)
    if request is None:
        if len(method) > METHOD_MAX or method == "CONNECT":
            return None
        request = Request(method, version, True)
        remember(_plain_requests, method, request)
    if repetition is not None and len(head) <= ENTRY_MAX:
        if head == repetition.previous:
            repetition.keep(head, request, variables)
        else:
            repetition.previous = head
    return request, variables


def _framed(
    method: str, version: str, variables: dict[str, Any]
) -> tuple[Request, dict[str, Any]] | None:
    """As :func:`recognise`, for a request whose fields frame it: Content-Length, Connection or
    HTTP/1.0, each field with one line."""
    if (
        len(method) > METHOD_MAX
        or method == "CONNECT"
        or "HTTP_TRANSFER_ENCODING" in variables
        or "HTTP_EXPECT" in variables
    ):
        return None
    size = parse_decimal(variables.get("CONTENT_LENGTH", "0"))
    if size is None:
        return None
    connection = variables.get("HTTP_CONNECTION", "")
    goes_on = persists(version, [connection]) if connection else version == "HTTP/1.1"
    return Request(method, version, goes_on, Length(size) if size else None), variables


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
