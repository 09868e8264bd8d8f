"""What a line of the access log says.

A format is a text with gunicorn's atoms, or a name in :data:`FORMATS`. It is compiled once to a
function that makes the line of an :class:`Entry`. Nothing here knows of files, sockets, settings
or the loop.

What a line may hold:

- Of a value that a client or the application chose, only printable ASCII but ``"`` and ``\\``
  appears as it is. The rest is ``\\xHH``, as nginx does it, for every code point of Latin-1,
  which in WSGI are the bytes as they came; what is above, ``\\uHHHH`` or ``\\UHHHHHHHH``. So a
  value cannot end a line or a quoted field, move the cursor of a terminal, or depend on what a
  reader takes for the encoding; and it can be had back exactly.
- Outside double quotes the space is escaped as well, since it separates fields there, and what
  is empty is ``-``. (But ``%(q)s`` may be empty, as in ``%(U)s?%(q)s``.)
- A format that begins with ``{`` is JSON, and its values are escaped as JSON's strings are. An
  atom that is not between double quotes there becomes a value of its own: a number, a string
  with its quotes, or ``null``. So such a line cannot be forged or broken either. A format that
  would not be JSON is refused.
"""

import binascii
import difflib
import json
import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from time import gmtime, localtime
from typing import Any, Final, NamedTuple, NoReturn

from quaich.protocol.date import MONTHS
from quaich.protocol.variables import OWN_VARIABLE, variable_name


class Entry(NamedTuple):
    """What is known of one request when its response has ended.

    ``time``: when the request came, in seconds since the epoch. ``method``, ``target`` (as it
    was sent) and ``protocol`` are None if the head made no sense. ``status``: ``"200 OK"``, or
    None if there was no response. ``environ``: as the application has left it. ``size``: bytes
    of content sent. ``duration``: seconds. ``user``: see :func:`user_of`.
    """

    remote_addr: str
    user: str | None
    time: float
    method: str | None
    target: str | None
    protocol: str | None
    status: str | None
    headers: list[tuple[str, str]]
    environ: Mapping[str, Any]
    size: int
    duration: float
    pid: int


_Getter = Callable[[Entry], str | None]
_Writer = Callable[[str | None], str]
Formatter = Callable[[Entry], str]


def user_of(environ: Mapping[str, Any]) -> str | None:
    """REMOTE_USER, or else the name in Basic credentials, which nobody may have checked."""
    user = _text(environ.get("REMOTE_USER"))
    if user:
        return user
    scheme, _, credentials = (_text(environ.get("HTTP_AUTHORIZATION")) or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, _ = binascii.a2b_base64(credentials.strip()).partition(b":")
    except ValueError:
        return None
    if not colon or not name:  # without a colon it is no name, but may well be a secret
        return None
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


# --- Values -----------------------------------------------------------------------------


def _text(value: object) -> str | None:
    """A value that the application may have put there; None if it has no text."""
    if type(value) is str or value is None:
        return value
    try:
        # Without the __str__ of a subclass: what is escaped must be what is written.
        return str.__str__(value if isinstance(value, str) else str(value))
    except Exception:
        return None


def _variable(name: str) -> _Getter:
    def get(entry: Entry) -> str | None:
        value = entry.environ.get(name)
        return value if type(value) is str else _text(value)

    return get


def _variable_in_any_case(name: str) -> _Getter:
    """gunicorn's case does not count; its documentation has lower case for all of them."""
    getters = [_variable(each) for each in dict.fromkeys([name, name.upper(), name.lower()])]
    return lambda entry: next((v for get in getters if (v := get(entry)) is not None), None)


def _response_field(name: str) -> _Getter:
    """A field of the response; the last one, as gunicorn has it, if there are more."""
    name = name.lower()
    return lambda entry: next(
        (_text(value) for field, value in reversed(entry.headers) if field.lower() == name), None
    )


def _request_line(entry: Entry) -> str | None:
    if entry.method is None:
        return None
    return f"{entry.method} {entry.target} {entry.protocol}"


_CODES: Final = frozenset(map(str, range(100, 1000)))


def _status(entry: Entry) -> str | None:
    code = (entry.status or "")[:3]
    return code if code in _CODES else None


def _microseconds(entry: Entry) -> int:
    return round(entry.duration * 1_000_000)


# Requests come many to the second. One tuple, replaced whole: a reader on another thread sees
# either the old one or the new one.
_last: tuple[int, str, str] = (-1, "", "")


def _second(time: float) -> tuple[int, str, str]:
    """A second as a number, as ``[21/Nov/2026:01:57:48 +0000]``, with English months whatever
    the locale and the local zone, and as ``2026-11-21T01:57:48``, UTC, by which lines sort."""
    global _last
    second = int(time)
    last = _last
    if last[0] == second:
        return last
    at = localtime(second)
    sign, minutes = ("-" if at.tm_gmtoff < 0 else "+"), abs(at.tm_gmtoff) // 60
    local = (
        f"[{at.tm_mday:02d}/{MONTHS[at.tm_mon - 1]}/{at.tm_year:04d}"
        f":{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
        f" {sign}{minutes // 60:02d}{minutes % 60:02d}]"
    )
    year, month, day, hour, minute, sec, _, _, _ = gmtime(second)
    utc = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{sec:02d}"
    _last = last = (second, local, utc)
    return last


_query = _variable("QUERY_STRING")

_ATOMS: Final[dict[str, _Getter]] = {
    "h": lambda entry: entry.remote_addr or None,  # nobody has one on a Unix socket
    "l": lambda entry: "-",
    "u": attrgetter("user"),
    "t": lambda entry: _second(entry.time)[1],
    "r": _request_line,
    "m": attrgetter("method"),
    "U": _variable("PATH_INFO"),  # as gunicorn has it: decoded, and as the application left it
    "q": _query,
    "H": attrgetter("protocol"),
    "s": _status,
    "B": lambda entry: str(entry.size),
    "b": lambda entry: str(entry.size),  # not CLF's "-" for 0: nor does gunicorn, since 19.2
    "f": _variable("HTTP_REFERER"),
    "a": _variable("HTTP_USER_AGENT"),
    "T": lambda entry: str(_microseconds(entry) // 1_000_000),
    "D": lambda entry: str(_microseconds(entry)),
    "M": lambda entry: str(_microseconds(entry) // 1000),
    "L": lambda entry: f"{entry.duration:.6f}",
    "p": lambda entry: f"<{entry.pid}>",
}

# What these say is never escaped, not even the space in the date.
_OURS: Final = frozenset("ltsBbTDMLp")


# --- Escaping ---------------------------------------------------------------------------

_NOT_IN_QUOTES: Final = re.compile(r"[^ !#-\[\]-~]")
_NOT_BARE: Final = re.compile(r"[^!#-\[\]-~]")

_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_quotes(value: str | None) -> str:
    return "-" if value is None else _NOT_IN_QUOTES.sub(_escape, value)


def _bare(value: str | None) -> str:
    return _NOT_BARE.sub(_escape, value) if value else "-"


def _in_json_string(value: str | None) -> str:
    return "-" if value is None else encode_basestring_ascii(value)[1:-1]


def _as_json(value: str | None) -> str:
    """A value of its own: a number, if it looks like one that every reader takes exactly."""
    return _quote(value) if value is None or not _NUMBER.fullmatch(value) else value


def _quote(value: str | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value)


def _bare_request_line(entry: Entry) -> str:
    """Its own two spaces stay."""
    words = (entry.method, entry.target, entry.protocol)
    return "-" if entry.method is None else " ".join(map(_bare, words))


def _bare_query(entry: Entry) -> str:
    return _bare(value) if (value := _query(entry)) != "" else ""


_BARE: Final[dict[str, Formatter]] = {"r": _bare_request_line, "q": _bare_query}


# --- Formats ----------------------------------------------------------------------------


def _json_line(entry: Entry) -> str:
    """One object; its keys and their order are fixed, and what is missing is null."""
    get = entry.environ.get
    address, user, time, method, target, protocol, _, _, _, size, duration, pid = entry
    second, _, utc = _second(time)
    microseconds = int((time - second) * 1_000_000)
    return (
        f'{{"time":"{utc}.{microseconds:06d}+00:00","remote_addr":{_quote(address or None)}'
        f',"user":{_quote(user)},"method":{_quote(method)},"target":{_quote(target)}'
        f',"protocol":{_quote(protocol)},"status":{_status(entry) or "null"},"bytes":{size}'
        f',"duration":{duration:.6f},"referer":{_quote(_text(get("HTTP_REFERER")))}'
        f',"user_agent":{_quote(_text(get("HTTP_USER_AGENT")))}'
        f',"host":{_quote(_text(get("HTTP_HOST")))},"pid":{pid}}}'
    )


COMMON: Final = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s'
COMBINED: Final = COMMON + ' "%(f)s" "%(a)s"'

FORMATS: Final = {"combined": COMBINED, "common": COMMON, "default": COMBINED, "json": "json"}
"""Names, and the text that each stands for; no text could say what ``json`` says."""

# "%(name)s" with whatever is in the place of the s, and "%" with whatever comes next.
_DIRECTIVE: Final = re.compile(r"%(?:\(([^()]*)\)(.?)|(.?))")
_FIELD: Final = re.compile(r"\{([^{}]+)\}([ioe])")

# Anything that some reader takes for the end of a line or for a command; the tab is none.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def compile_format(text: str) -> Formatter:
    """The function that makes a line, without its newline, by a format or the name of one.

    ValueError, with a message of one line, for an atom that there is not, a line that has none,
    one that holds a control character, or one that begins with ``{`` and would not be JSON.
    """
    text = FORMATS.get(text, text)
    if text == "json":
        return _json_line
    if (control := _CONTROL.search(text)) is not None:
        raise ValueError(f"an access log format is one line, without {control[0]!r}")
    is_json = text.startswith("{")
    is_quoted = False
    template, end = "", 0
    atoms: list[tuple[_Getter, Formatter]] = []
    samples: list[str] = []
    for match in _DIRECTIVE.finditer(text):
        literal, end = text[end : match.start()], match.end()
        # With a backslash it is part of a string, in JSON.
        is_quoted ^= re.sub(r"\\.", "", literal).count('"') % 2 == 1
        if match[0] == "%%":
            template += literal + "%%"
            continue
        template += literal + "%s"
        atoms.append(_atom(match, is_json, is_quoted))
        samples.append("x" if is_quoted else "null")
    template += text[end:]
    if not atoms:
        near = difflib.get_close_matches(text.lower(), FORMATS, n=1)
        raise ValueError(
            f"{text!r} is no name of an access log format and has no atom such as %(h)s; "
            + (f"the nearest name is {near[0]}" if near else f"names: {', '.join(FORMATS)}")
        )
    if is_json:
        # After a part of an escape, as in "\%(h)s", an x is no JSON; and where null can stand, a
        # string or a number can.
        try:
            json.loads(template % tuple(samples))
        except ValueError as error:
            raise ValueError(
                f"an access log format that begins with {{ is JSON, and this would not be: {error}"
            ) from None

    as_they_are = [get for get, _ in atoms]
    escaped = [function for _, function in atoms]
    quotes, backslashes = text.count('"'), text.count("\\")

    def line(entry: Entry) -> str:
        # Most requests need no escape between quotes. Whether one does is seen in the whole
        # line: no value has added what must not be there.
        values = ["-" if (value := get(entry)) is None else value for get in as_they_are]
        line = template % tuple(values)
        is_plain = line.isascii() and line.isprintable() and line.count('"') == quotes
        if is_plain and line.count("\\") == backslashes:
            return line
        return template % tuple([function(entry) for function in escaped])

    return line


def _atom(directive: re.Match[str], is_json: bool, is_quoted: bool) -> tuple[_Getter, Formatter]:
    """An atom twice: as it is where that needs no escape between quotes; escaped for its place."""
    name, conversion, other = directive.groups()
    if name is None:
        _refuse(directive[0], f"%({other})s" if other in _ATOMS else "%%")
    field = _FIELD.fullmatch(name)
    get: _Getter | None
    if field is None:
        get = _ATOMS.get(name)
    elif field[2] == "i":
        variable = variable_name(field[1])
        get = _variable(variable if variable in OWN_VARIABLE else "HTTP_" + variable)
    elif field[2] == "o":
        get = _response_field(field[1])
    else:
        get = _variable_in_any_case(field[1])
    if get is None:
        _refuse(f"%({name})s", f"%({_nearest(name)})s")
    if conversion != "s":
        _refuse(directive[0], f"%({name})s")
    write: _Writer
    if is_quoted:
        write = _in_json_string if is_json else _in_quotes
    else:
        write = _as_json if is_json else _bare

    def escaped(entry: Entry) -> str:
        return write(get(entry))

    def without_space(entry: Entry) -> str:
        value = get(entry)
        return value if value and " " not in value else write(value)

    if is_quoted:
        return get, escaped
    if is_json:
        return escaped, escaped
    if name in _OURS:
        return get, lambda entry: get(entry) or "-"
    if name in _BARE:
        return _BARE[name], _BARE[name]
    return without_space, escaped


def _refuse(what: str, nearest: str) -> NoReturn:
    raise ValueError(f"there is no {what!r} in an access log format; the nearest is {nearest}")


# What people call an atom, among them the words of other servers.
_WORDS: Final = {
    "remote_addr": "h", "host": "h", "client": "h", "user": "u", "username": "u",
    "remote_user": "u", "time": "t", "date": "t", "request": "r", "method": "m", "path": "U",
    "url": "U", "query": "q", "protocol": "H", "status": "s", "code": "s", "bytes": "b",
    "size": "b", "length": "b", "referer": "f", "user_agent": "a", "duration": "L",
    "seconds": "L", "milliseconds": "M", "ms": "M", "microseconds": "D", "us": "D", "pid": "p",
}  # fmt: skip


def _nearest(name: str) -> str:
    """What was meant by the name of an atom that there is not: a guess, but never no answer."""
    if name.startswith("{"):
        return "{" + (name[1:].partition("}")[0] or "header") + "}i"
    if name.swapcase() in _ATOMS:
        return name.swapcase()
    if len(name) > 2 and (name.isupper() or "-" in name):
        return "{" + name + ("}e" if name.isupper() else "}i")
    near = difflib.get_close_matches(name.lower(), _WORDS, n=1)
    return _WORDS[near[0]] if near else "r"
