"""The request's head, line by line: request line, request target, field lines, Host.

Strict by default. Leniency is explicit, few and named (:class:`Leniency`): the drop-in server
takes what CPython's and Django's own tests send.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from quaich.protocol.errors import ProtocolError
from quaich.protocol.grammar import TOKEN, is_token, match_authority, parse_decimal

# The longest method registered has 17 letters (UPDATEREDIRECTREF); RFC 9112, section 3, wants
# 501 for one that is longer than any implemented (H017, D053).
METHOD_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Leniency:
    """What is taken although HTTP/1.1 forbids it. Nothing by default."""

    bare_lf: bool = False  # H003: a line that ends with LF alone
    eof_ends_head: bool = False  # H009: the peer stops behind a line instead of an empty line
    http09: bool = False  # H024: a request line without a version
    raw_target: bool = False  # H034: octets that a URI would have to escape


STRICT: Final = Leniency()
DROPIN: Final = Leniency(bare_lf=True, eof_ends_head=True, http09=True, raw_target=True)


@dataclass(frozen=True, slots=True)
class RequestLine:
    """``method SP request-target SP HTTP-version``; ``version`` is e.g. ``"HTTP/1.1"``."""

    method: str
    target: str
    version: str


# unreserved / pct-encoded / sub-delims / ":" / "@" / "/" / "?" and the brackets of an
# authority (RFC 3986, appendix A); unrolled, so that each octet is looked at once
_TARGET = rb"(?! )%(plain)b*(?:%%[0-9A-Fa-f]{2}%(plain)b*)*" % {
    b"plain": rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]"
}
# Browsers send "|", "^" and the like unescaped in queries; "#" is never part of a target.
_RAW_TARGET = rb"[\x21\x22\x24-\x7e\x80-\xff]+"
_LINE = rb"(%b) (%b) (HTTP/[0-9]\.[0-9])"
_STRICT_LINE = re.compile(_LINE % (TOKEN.encode(), _TARGET)).fullmatch
_RAW_LINE = re.compile(_LINE % (TOKEN.encode(), _RAW_TARGET)).fullmatch
_HTTP09_LINE = re.compile(rb"(GET) (%b)" % _RAW_TARGET).fullmatch


def strip_line_end(line: bytes, leniency: Leniency = STRICT) -> bytes:
    """The line without its CRLF (H002, H003, H004).

    A line without LF is one that the peer's end of stream ended (H009).
    """
    if line.endswith(b"\r\n"):
        line = line[:-2]
    elif line.endswith(b"\n"):
        if not leniency.bare_lf:
            raise ProtocolError("H003", 400, "a line ends with a bare LF, not CRLF")
        line = line[:-1]
    elif not leniency.eof_ends_head:
        raise ProtocolError("H009", 400, "the request ended inside its header section")
    if b"\r" in line:
        raise ProtocolError("H004", 400, "a line holds a bare CR")
    return line


def parse_request_line(line: bytes, leniency: Leniency = STRICT) -> RequestLine:
    """A request line without its line end (RFC 9112, section 3; H013-H024).

    Raises :class:`ProtocolError` with status 400, 501 (method too long) or 505.
    """
    match = (_RAW_LINE if leniency.raw_target else _STRICT_LINE)(line)
    if match is None and leniency.http09 and (match := _HTTP09_LINE(line)) is not None:
        return RequestLine("GET", match[2].decode("latin-1"), "HTTP/0.9")
    if match is None:
        raise _request_line_error(line)
    method, target, version = match.groups()
    if len(method) > METHOD_MAX:
        raise ProtocolError("H017", 501, f"the method is longer than {METHOD_MAX} characters")
    if not version.startswith(b"HTTP/1."):
        raise ProtocolError("H023", 505, "the major version of HTTP is not 1")
    return RequestLine(method.decode("ascii"), target.decode("latin-1"), version.decode("ascii"))


def _request_line_error(line: bytes) -> ProtocolError:
    """Which rule the line breaks; the order is that of the line."""
    parts = line.split(b" ")
    if line.startswith(b"\x16\x03"):
        return ProtocolError("H011", 400, "this is a TLS handshake; the port speaks plain HTTP")
    if len(parts[0]) > METHOD_MAX:
        return ProtocolError("H017", 501, f"the method is longer than {METHOD_MAX} characters")
    if len(parts) == 2 and parts[0] == b"GET" and parts[1][:5] not in (b"", b"HTTP/"):
        return ProtocolError("H024", 400, "the request line has no version (HTTP/0.9)")
    if len(parts) != 3 or not parts[0] or not parts[1]:
        return ProtocolError(
            "H013", 400, "a request line is method, target and version with one space between"
        )
    method, target, version = parts
    if is_token(method.decode("latin-1")) is None:
        return ProtocolError("H016", 400, "the method is not a token")
    if re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version) is None:
        return ProtocolError("H021", 400, "the version is not HTTP/ digit . digit")
    if b"#" in target:
        return ProtocolError("H026", 400, "a request target has no fragment")
    if re.search(rb"%(?![0-9A-Fa-f]{2})", target):
        return ProtocolError("H035", 400, "a % in the request target is not an escaped octet")
    return ProtocolError("H034", 400, "the request target has octets that a URI must escape")


@dataclass(frozen=True, slots=True)
class Target:
    """A request target. ``path`` is not decoded and empty for asterisk-form; ``authority`` is
    given for absolute-form and authority-form only; ``scheme`` for absolute-form, in lower case."""

    path: str
    query: str = ""
    authority: str | None = None
    scheme: str | None = None


def parse_target(method: str, target: str, connection_scheme: str | None = None) -> Target:
    """The four forms of a request target (RFC 9112, section 3.2; H025-H033).

    ``connection_scheme``: ``"http"`` or ``"https"``, to be kept by an absolute-form (H037); None,
    if that is to be checked later, with :func:`check_scheme`.
    """
    if "#" in target:
        raise ProtocolError("H026", 400, "a request target has no fragment")
    if method == "CONNECT":
        # An origin server makes no tunnels; a valid target is refused for that (H031, D023).
        authority = match_authority(target)
        if authority is None or not authority["host"] or not _is_port(authority["port"]):
            raise ProtocolError("H031", 400, "the target of CONNECT is host and port")
        raise ProtocolError("H031", 501, "this server makes no tunnels")
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return Target(path, query)
    if target == "*":
        if method != "OPTIONS":
            raise ProtocolError("H033", 400, "the target * is for OPTIONS only")
        return Target("")
    scheme, separator, rest = target.partition("://")
    if not separator and (known := match_authority(target)) and known["host"] and known["port"]:
        raise ProtocolError("H032", 400, "a target of host and port is for CONNECT only")
    scheme = scheme.lower()
    if not separator or scheme not in ("http", "https"):
        raise ProtocolError(
            "H025", 400, "a request target is an absolute path, an http URI, or * for OPTIONS"
        )
    if connection_scheme is not None:
        check_scheme(scheme, connection_scheme)
    before_query, mark, query = rest.partition("?")
    host, slash, path = before_query.partition("/")
    _check_authority(host, "H028", "the authority of the request target")
    if method == "OPTIONS" and not slash and not mark:
        return Target("", authority=host, scheme=scheme)  # H029: what a proxy makes of "OPTIONS *"
    return Target("/" + path, query, host, scheme)


def check_scheme(scheme: str, connection_scheme: str) -> None:
    """Raise :class:`ProtocolError` if a request target is for another scheme than the connection's
    (H037): what is secured for its client is not to be had where it is not."""
    if scheme != connection_scheme:
        raise ProtocolError("H037", 421, f"this connection is {connection_scheme}, not {scheme}")


def decode_path(path: str) -> str:
    """Percent-decoded, as a native string: each octet is the code point of that number
    (PEP 3333, Unicode Issues). A ``%`` without two hexadecimal digits stays as it is."""
    if "%" not in path:
        return path
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1")


_FIELD_NAME = re.compile(rb"(%b):" % TOKEN.encode()).match
# All controls but HTAB.
_NOT_IN_VALUE: Final = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])


def parse_field_line(line: bytes) -> tuple[str, str]:
    """Name and value of a field line without its line end (RFC 9112, section 5; H043-H050).

    The name is as sent; the value has no white space around it and is decoded as
    ISO-8859-1. Raises :class:`ProtocolError` with status 400.
    """
    # Name and value apart: one expression with white space on both sides of the value would
    # be tried anew at each space.
    match = _FIELD_NAME(line)
    value = None if match is None else parse_field_value(line[match.end() :])
    if match is None or value is None:
        raise _field_line_error(line)
    return match[1].decode("ascii"), value


def parse_field_value(octets: bytes) -> str | None:
    """What stands behind the colon, or None if it holds a control character (H046-H050)."""
    # Half as long as a regular expression would take.
    if len(octets.translate(None, _NOT_IN_VALUE)) != len(octets):
        return None
    return octets.strip(b" \t").decode("latin-1")


def _field_line_error(line: bytes) -> ProtocolError:
    name, colon, value = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        return ProtocolError("H047", 400, "a field line begins with white space (line folding)")
    if not colon:
        return ProtocolError("H043", 400, "a field line has no colon")
    if name.endswith((b" ", b"\t")):
        return ProtocolError("H045", 400, "white space stands between a field name and its colon")
    if is_token(name.decode("latin-1")) is None:
        return ProtocolError("H044", 400, "a field name is not a token")
    rule = "H048" if any(octet in value for octet in (b"\0", b"\r", b"\n")) else "H049"
    return ProtocolError(rule, 400, "a field value holds a control character")


# Fields that have one value: a second line is a contradiction, and joining them would make a
# third meaning (RFC 9110, section 5.3; H053). Content-Length is checked with the framing.
_SINGLETONS = frozenset(
    {
        "authorization",
        "content-type",
        "from",
        "if-modified-since",
        "if-unmodified-since",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "user-agent",
    }
)


def check_fields(version: str, fields: list[tuple[str, str]]) -> None:
    """Host and the other fields of which there is one (H038-H042, H053)."""
    seen: set[str] = set()
    hosts: list[str] = []
    for name, value in fields:
        lower = name.lower()
        if lower == "host":
            hosts.append(value)
        elif lower in _SINGLETONS:
            if lower in seen:
                raise ProtocolError("H053", 400, f"the field {lower} is given more than once")
            seen.add(lower)
    if len(hosts) > 1:
        raise ProtocolError("H039", 400, "the field host is given more than once")
    if not hosts:
        if version >= "HTTP/1.1":
            raise ProtocolError("H038", 400, "an HTTP/1.1 request needs a Host field")
    elif hosts[0]:
        _check_authority(hosts[0], "H040", "the value of Host")


def _check_authority(authority: str, rule: str, what: str) -> None:
    match = match_authority(authority)
    if "@" in authority:
        raise ProtocolError("H030", 400, f"{what} holds user information")
    if match is None or not match["host"]:
        raise ProtocolError(rule, 400, f"{what} is not host or host:port")
    if match["port"] and not _is_port(match["port"]):
        raise ProtocolError(rule, 400, f"the port of {what} is not in 0 to 65535")


def _is_port(text: str | None) -> bool:
    port = parse_decimal(text) if text else None
    return port is not None and port <= 65535
