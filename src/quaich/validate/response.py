"""What the application answers: status, headers, exc_info, and the iterable it returns."""

import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable

from quaich.validate.base import (
    DETAILS,
    START,
    STRINGS,
    WSGIWarning,
    check_string_type,
    is_number,
    refuse,
    token_re,
)

# RFC 9110 section 5.1: a field name is a token; "X.A", "1X" and "_x-" are legal.
header_re = token_re
# PEP 3333 bars every control character. HTTP allows HTAB inside a field value (RFC 9110
# section 5.5), and so do CPython's handlers since gh-143916: it passes.
bad_header_value_re = re.compile(r"[\x00-\x08\x0a-\x1f]")

# The responses that end at their head, besides 1xx (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5).
_WITHOUT_CONTENT = (204, 205, 304)


def _parse_code(status: object) -> int:
    """The number that a status begins with; AssertionError if there is none from 100."""
    words = check_string_type(status, "Status").split(None, 1)
    code = words[0] if words else ""
    if len(code) != 3:
        refuse(f"Status codes must be three characters: {code!r} (in {status!r})", START)
    if not is_number(code) or int(code) < 100:
        refuse(f"Status code is invalid: {code!r}; it is a number from 100", START)
    return int(code)


def check_status(status: object) -> None:
    """Check the status that the application passes, such as ``"200 OK"``.

    Raises AssertionError if it is not exactly ``str`` or begins with no code of three digits;
    warns if no space follows. PEP 3333, "The start_response() Callable".
    """
    _parse_code(status)
    if str(status)[3:4] != " ":
        message = (
            f"The status string ({status!r}) should be a three-digit integer followed by a "
            f'single space and a status explanation (PEP 3333, "{START}")'
        )
        # At the stack level where start_response is called.
        warnings.warn(message, WSGIWarning, stacklevel=3)


def check_headers(headers: object) -> None:
    """Check the headers that the application passes.

    Raises AssertionError if they are not exactly a ``list`` of pairs of ``str``, each a ``tuple``
    of an HTTP field name and a value without control characters (HTAB is allowed), or if the
    name is "Status". PEP 3333, "The start_response() Callable".
    """
    if type(headers) is not list:
        # Kept to the letter: CPython's test_simple_validation_error compares the whole message.
        raise AssertionError(f"Headers ({headers!r}) must be of type list: {type(headers)!r}")
    for item in headers:
        if type(item) is not tuple:
            refuse(f"Individual headers ({item!r}) must be of type tuple: {type(item)!r}", START)
        if len(item) != 2:
            refuse(f"Individual headers ({item!r}) must be a name and a value", START)
        name = check_string_type(item[0], "Header name")
        value = check_string_type(item[1], "Header value")
        if name.lower() == "status":
            fault = "The Status header cannot be used; it conflicts with CGI script, and HTTP"
            refuse(f"{fault} status is not given through headers (value: {value!r})", START)
        if not header_re.match(name):
            allowed = "letters, digits and !#$%&'*+-.^_`|~, at least one"
            refuse(f"Bad header name: {name!r}; allowed are {allowed}", START)
        if bad := bad_header_value_re.search(value):
            fault = f"Bad header value: {value!r} (bad char: {bad[0]!r}) of {name}"
            refuse(f"{fault}; of the control characters only HTAB is allowed", START)


def check_content_type(
    status: str, headers: list[tuple[str, str]], content: bool | None = None
) -> None:
    """Check that a response with content says of what type it is.

    `content` tells whether there is content. By None the caller does not know yet; then a
    status of 2xx other than 204 and 205 lets expect it, unless Content-Length is "0".

    Raises AssertionError if there is content but no Content-Type: PEP 3333 does not ask for it,
    RFC 9110 section 8.3 does. A response without content may have one, too.
    """
    code = _parse_code(status)
    if code < 200 or code in _WITHOUT_CONTENT:
        return
    fields = {check_string_type(name, "Header name").lower(): value for name, value in headers}
    if content is None:
        content = code < 300 and fields.get("content-length") != "0"
    if content and "content-type" not in fields:
        fault = f"No Content-Type header found in headers ({headers!r}) of status {code}"
        raise AssertionError(f"{fault}, which have content to label (RFC 9110, section 8.3)")


def check_exc_info(exc_info: object) -> None:
    """Raise AssertionError unless `exc_info` is a ``tuple`` or None (PEP 3333, "The
    start_response() Callable")."""
    if exc_info is not None and type(exc_info) is not tuple:
        fault = f"exc_info ({exc_info!r}) is not a tuple: {type(exc_info)!r}"
        refuse(f"{fault}; pass sys.exc_info()", START)


def check_iterator(iterator: object) -> None:
    """Check what the application returns, without iterating over it.

    Raises AssertionError for a string, which would be sent byte by byte, and for what is no
    iterable. PEP 3333, "Specification Details".
    """
    if isinstance(iterator, (str, bytes)):
        fault = "You should not return a string as your application iterator"
        refuse(f"{fault}, instead return a single-item list containing a bytestring", DETAILS)
    # What iter() looks for, on the class: the object itself is neither touched nor compared.
    if not (hasattr(type(iterator), "__iter__") or hasattr(type(iterator), "__getitem__")):
        fault = f"The application must return an iterator, if only an empty list: {iterator!r}"
        refuse(fault, DETAILS)


class PartialIteratorWrapper:
    """An iterable whose iterators are checked as by :class:`IteratorWrapper`."""

    def __init__(self, wsgi_iterator: Iterable[bytes]) -> None:
        self.iterator = wsgi_iterator

    def __iter__(self) -> "IteratorWrapper":
        return IteratorWrapper(self.iterator, None)


class IteratorWrapper:
    """The application's iterable as the server sees it (PEP 3333, "Specification Details").

    `check_start_response` is empty until ``start_response`` was called, or None to skip that
    check; `check_content` is called before each block that is not empty. A block that is not
    bytes, a block before ``start_response``, and a block asked for after ``close()`` raise
    AssertionError.
    """

    # Nothing is there to close until iter() has succeeded; __del__ runs even if it has not.
    closed = True

    def __init__(
        self,
        wsgi_iterator: Iterable[bytes],
        check_start_response: Collection[object] | None,
        check_content: Callable[[], None] | None = None,
    ) -> None:
        self.original_iterator = wsgi_iterator
        self.iterator = iter(wsgi_iterator)
        self.closed = False
        self.check_start_response = check_start_response
        self.check_content = check_content

    def __iter__(self) -> "IteratorWrapper":
        return self

    def __next__(self) -> bytes:
        if self.closed:
            refuse("Iterator read after closed: the server must close it last", DETAILS)
        block = next(self.iterator)
        if type(block) is not bytes:
            fault = f"Iterator yielded non-bytestring ({block!r} of {type(block)!r})"
            refuse(f"{fault}; encode text first", STRINGS)
        if self.check_start_response is not None:
            if not self.check_start_response:
                fault = "The application returns and we started iterating over its body, but"
                refuse(f"{fault} start_response has not yet been called", DETAILS)
            self.check_start_response = None
        if block and self.check_content is not None:
            self.check_content()
        return block

    def close(self) -> None:
        """Close the application's iterable, if it has a ``close()``."""
        self.closed = True
        close_iterable(self.original_iterator)

    def __del__(self) -> None:
        if not self.closed:
            complaint = "Iterator garbage collected without being closed"
            if sys.stderr is not None:
                sys.stderr.write(f"{complaint}\n")
            refuse(f"{complaint}; who calls an application must close what it returns", DETAILS)


def close_iterable(iterable: object) -> None:
    """Close what the application returned, if it has a ``close()``."""
    if hasattr(iterable, "close"):
        iterable.close()
