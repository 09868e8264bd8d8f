"""Which status and which header fields an application may send.

Pure: each function looks at one value and returns a :class:`~quaich.protocol.errors.Fault` or
None. They run when start_response is called, before the first byte goes out (S64), and also
under ``python -O`` (D078, D079).
"""

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from quaich.protocol.errors import Fault
from quaich.protocol.grammar import is_field_value, is_token, parse_decimal
from quaich.protocol.memo import ENTRY_MAX, PRIVATE, remember

# Those that RFC 2616 (section 13.5.1) named and CPython's tests pin: "Trailers" is a slip of
# that document, and "Trailer" is not among them (D117).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]").search
_CODE = re.compile(r"[0-9]{3}").match


# Found sound before, so that the next response need not look again.
_sound_statuses: dict[str, bool] = {}
_sound: dict[tuple[str, str], tuple[str, str]] = {}  # as _checked_field() returns it

_SPECIAL = frozenset({"content-length", "date", "server"})
"""Fields that the server gives where the application does not."""


def status_fault(status: object) -> Fault | None:
    """What is wrong with a status string, ``"NNN Reason"`` (A05, A06, S87).

    Codes from 600 to 999 pass: ``wsgiref`` sends them, and clients treat them as 5xx
    (RFC 9110, section 15). Below 200 nothing can be final (D083, H139).
    """
    if type(status) is not str:
        return Fault("A05", AssertionError, f"Status must be of type str (got {status!r})")
    if status in _sound_statuses:
        return None
    if _CONTROLS(status):
        # First, and HTAB too, as in CPython since gh-144370.
        return Fault("A06", ValueError, f"Control characters are not allowed in status: {status!r}")
    # The three texts that CPython's tests pin, in their order.
    if len(status) < 4:
        return Fault("A05", AssertionError, "Status must be at least 4 characters")
    if _CODE(status) is None:
        return Fault("A05", AssertionError, "Status message must begin w/3-digit code")
    if status[3] != " ":
        return Fault("A05", AssertionError, "Status message must have a space after code")
    if status[0] in "01":
        return Fault(
            "A05",
            AssertionError,
            f"Status code {status[:3]} cannot be final: a response has a code from 200 to 599",
        )
    if is_field_value(status) is None:
        return Fault(
            "A25",
            AssertionError,
            f"Status {status!r} has characters that ISO-8859-1 cannot encode (PEP 3333,"
            " Unicode Issues)",
        )
    if len(status) <= ENTRY_MAX:
        remember(_sound_statuses, status, True)
    return None


def control_fault(text: str, *, name: bool = False) -> Fault | None:
    """A control character in a header name or value; a value may hold HTAB (A10, D076)."""
    if _CONTROLS(text) and (name or _CONTROLS(text.replace("\t", ""))):
        what = "name" if name else "value"
        return Fault(
            "A10", ValueError, f"Control characters are not allowed in a header {what}: {text!r}"
        )
    return None


FieldSection: TypeAlias = tuple[list[tuple[str, str]], str | None, bool, bool, str]
"""A response's header fields and what a server must know of them: the fields as a new list;
the value of the first Content-Length or None; whether there is a Date, and a Server field
(names in any case; S61, S62); and the text of the fields, each on its line, without the empty
line that ends them."""


def checked_section(headers: Iterable[object]) -> FieldSection | Fault:
    """The section that a header list makes, or the first fault found in the list.

    An item is a tuple of two ``str`` (A08): a token as name (A09), no control character in
    the value (A10), nothing outside ISO-8859-1 (A25), not hop-by-hop (A11); at most one
    Content-Length, of digits (A37, D087). An item whose name is empty cannot be sent and is
    left out: ``prometheus_client`` gives ``('', '')``.
    """
    fields: list[Any] = [*headers]  # the application may go on with its own
    content_length: str | None = None
    has_date = has_server = has_nameless = False
    text = ""
    for item in fields:
        # What has been found sound before needs only to be of exactly these types again.
        known = None
        if type(item) is tuple and len(item) == 2:
            name, value = item
            if type(name) is str and type(value) is str:
                known = _sound.get(item)
        if known is None:
            checked = _checked_field(item)
            if isinstance(checked, Fault):
                return checked
            known = checked
            has_nameless = has_nameless or not checked[0]
        line, special = known
        if special:
            if special == "content-length":
                if content_length is not None:
                    return Fault("A37", AssertionError, "Content-Length is given more than once")
                content_length = value
            elif special == "date":
                has_date = True
            else:
                has_server = True
        text += line
    if has_nameless:
        fields = [item for item in fields if item[0]]
    return fields, content_length, has_date, has_server, text


def _checked_field(item: object) -> tuple[str, str] | Fault:
    """The line of a header item, and its name in lower case if it is one of ``_SPECIAL``; no
    line at all for an item that cannot be sent."""
    if type(item) is not tuple or len(item) != 2:
        return Fault(
            "A08",
            AssertionError,
            f"Header {item!r} must be a tuple (name, value), not {type(item).__name__}",
        )
    name, value = item
    if type(name) is not str:
        return Fault("A08", AssertionError, f"Header name must be of type str (got {name!r})")
    if type(value) is not str:
        return Fault("A08", AssertionError, f"Header value must be of type str (got {value!r})")
    lower = name.lower()
    fault = _field_fault(name, lower, value)
    if fault is not None:
        return fault
    if not name:
        return "", ""
    checked = f"{name}: {value}\r\n", lower if lower in _SPECIAL else ""
    if len(checked[0]) <= ENTRY_MAX and lower not in PRIVATE:
        remember(_sound, item, checked)
    return checked


def section(fields: list[tuple[str, str]]) -> FieldSection:
    """The section of fields that have been checked, in one pass over them."""
    content_length: str | None = None
    has_date = has_server = False
    text = ""
    for name, value in fields:
        lower = name.lower()
        if lower == "content-length":
            content_length = content_length or value
        elif lower == "date":
            has_date = True
        elif lower == "server":
            has_server = True
        text += f"{name}: {value}\r\n"
    return fields[:], content_length, has_date, has_server, text


def _field_fault(name: str, lower: str, value: str) -> Fault | None:
    if is_token(name) is None and name:
        return control_fault(name, name=True) or Fault(
            "A09",
            AssertionError,
            f"Header name {name!r} is not a token: letters, digits and !#$%&'*+-.^_`|~ are"
            " allowed, and no colon or space (RFC 9110, section 5.1)",
        )
    if lower in HOP_BY_HOP:
        return Fault("A11", AssertionError, f"Hop-by-hop header, '{name}: {value}', not allowed")
    if is_field_value(value) is None:
        return control_fault(value) or Fault(
            "A25",
            AssertionError,
            f"Value of header {name} has characters that ISO-8859-1 cannot encode: {value!r}"
            " (PEP 3333, Unicode Issues)",
        )
    if lower == "content-length" and parse_decimal(value) is None:
        return Fault(
            "A37",
            AssertionError,
            f"Content-Length must be a number of bytes, digits only (got {value!r})",
        )
    return None
