"""What an application says of its response: status, headers, exc_info; and what chunks look like.

Each function looks at values and yields breaches; none raises, and none keeps anything but which
values it has found sound, since the same few recur.
"""

import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from quaich.conformance.findings import Breach, show

_STATUS = re.compile(r"[0-9]{3} [^ ].*", re.ASCII | re.DOTALL).fullmatch
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
_CONTROL_BUT_TAB = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_DIGITS = re.compile(r"[0-9]+").fullmatch
_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
).fullmatch

# What is between two neighbours only, or decides whether the connection goes on
# (RFC 9110, section 7.6.1; RFC 2616, section 13.5.1, to which PEP 3333 refers).
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "upgrade",
    }
)

# A status that has to bring a header (RFC 9110, sections 11.6.1 and 15.5.6).
_HAS_TO_BRING: Final = {"401": "WWW-Authenticate", "405": "Allow"}

_DIGITS_MAX: Final = 640  # any Python turns so many into an int

_MEMO_MAX: Final = 1024
_MEMO_ENTRY_MAX: Final = 256
_sound_statuses: dict[str, bool] = {}
_sound_items: dict[tuple[str, str], str] = {}  # → name in lower case


def check_status(status: object) -> Iterator[Breach]:
    """A05, A06, A25, H116."""
    if type(status) is not str:
        yield Breach("A05", f"the status is {show(status)}, not a str")
        if not isinstance(status, str):
            return
        status = str.__str__(status)  # without what its class makes of it
    elif status in _sound_statuses:
        return
    if _CONTROL(status):
        yield Breach("A06", f"the status {show(status)} holds a control character")
    elif _STATUS(status) is None or status != status.strip():
        yield Breach(
            "A05", f"the status {show(status)} is not three digits, one space and a reason"
        )
    elif not "200" <= status[:3] <= "599":
        what = "is not a final one" if status[0] == "1" else "is not from 100 to 599"
        yield Breach("H139" if status[0] == "1" else "H116", f"the code of {show(status)} {what}")
    elif not _is_latin_1(status):
        yield Breach("A25", f"the status {show(status)} holds characters beyond ISO-8859-1")
    elif len(status) <= _MEMO_ENTRY_MAX:
        _remember(_sound_statuses, status, True)


def check_headers(headers: object) -> Iterator[Breach]:
    """A07-A11, A25, A36, A37, H134: each header by itself."""
    if type(headers) is not list:
        yield Breach("A07", f"the headers are {show(headers)}, not a list")
        if not isinstance(headers, (list, tuple)):
            return
    lengths = 0
    for item in headers:
        if type(item) is tuple and len(item) == 2:
            name, value = item
            if type(name) is str and type(value) is str:
                lower = _sound_items.get(item)
                if lower is None:
                    breaches = list(_check_item(name, value))
                    yield from breaches
                    lower = name.lower()
                    if not breaches and len(name) + len(value) <= _MEMO_ENTRY_MAX:
                        _remember(_sound_items, item, lower)
                if lower == "content-length":
                    lengths += 1
                continue
        yield Breach("A08", f"the header {show(item)} is not a tuple of two str")
    if lengths > 1:
        yield Breach("A37", "Content-Length is given more than once")


def _check_item(name: str, value: str) -> Iterator[Breach]:
    header = f"the header {show((name, value)).removesuffix(' (tuple)')}"  # of two str
    lower = name.lower()
    if _TOKEN(name) is None:
        yield Breach("A09", f"the name of {header} is not a token")
    if lower == "transfer-encoding":
        yield Breach("A36", f"{header} is the server's to give")
    elif lower in _HOP_BY_HOP:
        yield Breach("A11", f"{header} is hop-by-hop")
    if _CONTROL_BUT_TAB(value):
        yield Breach("A10", f"the value of {header} holds a control character")
    elif not _is_latin_1(value):
        yield Breach("A25", f"the value of {header} holds characters beyond ISO-8859-1")
    elif lower == "content-length" and _DIGITS(value.strip(" \t")) is None:
        yield Breach("A37", f"the value of {header} is not a number of bytes")
    elif lower in ("date", "last-modified") and _DATE(value) is None:
        yield Breach("H134", f"the value of {header} is not a date as HTTP writes them")


def check_together(status: str, names: set[str]) -> Iterator[Breach]:
    """H121, H136: what a status demands of the headers, whose names are in lower case."""
    code = status[:3]
    needed = _HAS_TO_BRING.get(code)
    if needed is not None and needed.lower() not in names:
        yield Breach("H136", f"the status {show(status)} comes without a header {needed}")
    if code == "204" and "content-length" in names:
        # Many frameworks do that, and servers leave it out.
        yield Breach(
            "H121",
            f"the status {show(status)} comes with a Content-Length",
            "warning",
            "Leave the header out; the server has to do so otherwise.",
        )


def declared_length(headers: Any) -> int | None:
    """The bytes that Content-Length says, or None."""
    for name, value in headers:
        if len(name) == 14 and name.lower() == "content-length":
            digits = value.strip(" \t")
            return int(digits) if _DIGITS(digits) and len(digits) <= _DIGITS_MAX else None
    return None


def check_exc_info(exc_info: object) -> Iterator[Breach]:
    """A12: what ``sys.exc_info()`` returns, with an exception in it."""
    match exc_info:
        case (type() as kind, BaseException() as error, traceback) if (
            type(exc_info) is tuple
            and isinstance(error, kind)
            and (traceback is None or isinstance(traceback, TracebackType))
        ):
            return
    yield Breach("A12", f"exc_info is {show(exc_info)}, not what sys.exc_info() returns")


_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(;[^\r\n]*)?\r\n").match

LAST_CHUNK: Final = b"0\r\n\r\n"


def is_chunks(block: bytes) -> bool:
    """Whether a block is nothing but whole chunks (RFC 9112, section 7.1), without trailers."""
    position = 0
    while position < len(block):
        size = _CHUNK_SIZE(block, position)
        if size is None:
            return False
        position = size.end() + int(size[1], 16) + 2
        if block[position - 2 : position] != b"\r\n":
            return False
    return True


def _is_latin_1(text: str) -> bool:
    return text.isascii() or max(text) <= "\xff"


def _remember(memo: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memo) >= _MEMO_MAX:
        memo.clear()
    memo[key] = value
