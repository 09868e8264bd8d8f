"""How a violation is told, and the rules that several of the other modules ask for."""

import re
from typing import NoReturn

# Sections of PEP 3333, for the messages.
STRINGS = "A Note On String Types"
DETAILS = "Specification Details"
ENVIRON = "environ Variables"
STREAMS = "Input and Error Streams"
START = "The start_response() Callable"

# RFC 9110 section 5.6.2: token = 1*tchar.
token_re = re.compile(r"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")


class WSGIWarning(Warning):
    """The category of warnings about what PEP 3333 allows but nobody means."""


def refuse(fault: str, section: str) -> NoReturn:
    """Raise AssertionError: the `fault`, and the `section` of PEP 3333 that says so."""
    raise AssertionError(f'{fault} (PEP 3333, "{section}")')


def refuse_barely(fault: str, section: str) -> NoReturn:
    """Refuse without a message, and explain in the exception's cause.

    Kept: CPython's test_wsgi_input wants a traceback that ends in the bare line
    "AssertionError". The cause is printed above it, so the explanation is not lost.
    """
    raise AssertionError from AssertionError(f'{fault} (PEP 3333, "{section}")')


def assert_(cond: object, *args: object) -> None:
    """Raise ``AssertionError(*args)`` unless `cond` is true, under ``python -O`` too."""
    if not cond:
        raise AssertionError(*args)


def check_string_type(value: object, title: str) -> str:
    """Return `value` if its type is exactly ``str``.

    Raises AssertionError otherwise, calling the value by its `title`. PEP 3333, "A Note On
    String Types".
    """
    if type(value) is str:
        return value
    return refuse(f"{title} must be of type str (got {value!r})", STRINGS)


def check_bytes(value: object, title: str) -> bytes:
    """Return `value` if its type is exactly ``bytes``; AssertionError otherwise.

    Kept: a subclass is refused, as ``wsgiref`` and :mod:`quaich.handlers` refuse it. PEP 3333
    speaks of the builtin type, and a validator that lets pass what a server refuses helps nobody.
    """
    if type(value) is bytes:
        return value
    fault = f"{title} must be bytes (got {value!r} of {type(value)!r})"
    return refuse(f"{fault}; encode text first", STRINGS)


def is_number(text: str) -> bool:
    """Whether ``int()`` takes `text` for a number from 0."""
    try:
        return int(text) >= 0
    except ValueError:
        return False
