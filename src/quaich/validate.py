"""Middleware that checks whether a server and an application keep PEP 3333 with each other.

``validator(application)`` is an application too; it stands between the two and looks at
everything that passes::

    validator(application)(environ, start_response)
        check_environ                    what the server hands over
            check_input, check_errors    that both streams have their methods
        InputWrapper, ErrorWrapper       every call on wsgi.input and wsgi.errors
        start_response(...)              check_status, check_headers, check_exc_info
            WriteWrapper                 every block passed to write()
        check_iterator                   what the application returns
        IteratorWrapper                  every block of it, and that it is closed
        check_content_type               once there is content

A violation raises ``AssertionError``, under ``python -O`` too; the message says what was found,
what is allowed, and where PEP 3333 says so. What is allowed but surely not meant gives a
:class:`WSGIWarning`. Nothing is changed on the way, save that the two streams, ``write()`` and
the returned iterable are wrapped.

The names are those of ``wsgiref.validate``. What that module refuses although PEP 3333 and HTTP
allow it passes here, except where CPython's own tests demand the refusal; the comments marked
"Kept" name them. This is the drop-in grade: it looks for no violation that the standard library
overlooks. It imports nothing of Quaich but the types: an oracle shares no code with the accused.
"""

import re
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NoReturn

from quaich.types import ErrorStream, InputStream, WSGIApplication, WSGIEnvironment

__all__ = ["validator"]

# RFC 9110 section 5.6.2: token = 1*tchar; a method is a token (section 9.1) …
_token_re = re.compile(r"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
# … and so is a field name (section 5.1): "X.A", "1X" and "_x-" are legal.
header_re = _token_re
# PEP 3333 bars every control character. HTTP allows HTAB inside a field value (RFC 9110
# section 5.5), and so do CPython's handlers since gh-143916: it passes.
bad_header_value_re = re.compile(r"[\x00-\x08\x0a-\x1f]")
# RFC 3986 section 3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), produced in lower
# case. PEP 3333 says that it is "normally" http or https.
_scheme_re = re.compile(r"\A[a-z][a-z0-9+\-.]*\Z")

# The responses that end at their head, besides 1xx (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5).
_WITHOUT_CONTENT = (204, 205, 304)

_REQUIRED_CGI_KEYS = ("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT")
_REQUIRED_WSGI_KEYS = ("wsgi.version", "wsgi.url_scheme", "wsgi.input", "wsgi.errors")
_REQUIRED_FLAGS = ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")

# Sections of PEP 3333, for the messages.
_STRINGS = "A Note On String Types"
_DETAILS = "Specification Details"
_ENVIRON = "environ Variables"
_STREAMS = "Input and Error Streams"
_START = "The start_response() Callable"


class WSGIWarning(Warning):
    """The category of warnings about what PEP 3333 allows but nobody means."""


def _refuse(fault: str, section: str) -> NoReturn:
    raise AssertionError(f'{fault} (PEP 3333, "{section}")')


def _refuse_barely(fault: str, section: str) -> NoReturn:
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
    return _refuse(f"{title} must be of type str (got {value!r})", _STRINGS)


def _check_bytes(value: object, title: str) -> bytes:
    # A subclass of bytes passes: where PEP 3333 bars subclasses, it says so (environ, headers).
    if isinstance(value, bytes):
        return value
    return _refuse(f"{title} must be bytes (got {value!r}); encode text first", _STRINGS)


def validator(application: WSGIApplication) -> WSGIApplication:
    """Wrap `application` so that each call of it is checked, from both sides.

    Returns an application. Calling it, iterating over what it returns, and using
    ``start_response``, ``write``, ``wsgi.input`` or ``wsgi.errors`` inside raise AssertionError
    where PEP 3333 is violated. A returned iterable that the server never closes is reported on
    ``sys.stderr`` when it is garbage collected: there is nobody left to raise to.

    Kept: the iterable's ``__len__``, and that it was a file wrapper, are hidden from the server,
    since each block has to pass by here. CPython's test_validated_hello demands it.
    """

    def lint_app(*args: Any, **kw: Any) -> IteratorWrapper:
        if len(args) != 2:
            _refuse(f"Two arguments required, environ and start_response: {args!r}", _DETAILS)
        if kw:
            _refuse(f"No keyword arguments allowed: {kw!r}; pass by position", _DETAILS)
        environ, start_response = args
        check_environ(environ)
        # The content of the answer to HEAD is never sent, so it need not be labelled. Asked
        # now, because the application may change environ.
        content_is_sent = environ["REQUEST_METHOD"] != "HEAD"
        # One (status, headers) for each call of start_response.
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def check_content() -> None:
            if content_is_sent and started:
                check_content_type(*started[-1], content=True)

        def start_response_wrapper(*args: Any, **kw: Any) -> WriteWrapper:
            if len(args) not in (2, 3):
                expected = "pass status, headers and, for an error, exc_info"
                _refuse(f"Invalid number of arguments: {args!r}; {expected}", _START)
            if kw:
                _refuse(f"No keyword arguments allowed: {kw!r}; pass by position", _START)
            status, headers = args[:2]
            check_status(status)
            check_headers(headers)
            check_exc_info(args[2] if len(args) == 3 else None)
            # A copy, because the server may change the list it is given.
            started.append((status, headers[:]))
            return WriteWrapper(start_response(*args), check_content)

        environ["wsgi.input"] = InputWrapper(environ["wsgi.input"])
        environ["wsgi.errors"] = ErrorWrapper(environ["wsgi.errors"])
        result = application(environ, start_response_wrapper)
        try:
            check_iterator(result)
            return IteratorWrapper(result, started, check_content)
        except BaseException:
            # The server never gets this iterable, so closing it falls to us.
            _close(result)
            raise

    return lint_app


def _close(iterable: object) -> None:
    if hasattr(iterable, "close"):
        iterable.close()


class InputWrapper:
    """``wsgi.input`` as the application sees it: four methods, and every call checked.

    The server's stream is the attribute ``input``. A number of arguments that PEP 3333, "Input
    and Error Streams", does not promise, a ``close()``, and a result that is not bytes raise
    AssertionError.
    """

    def __init__(self, wsgi_input: InputStream) -> None:
        self.input = wsgi_input

    def read(self, *args: int) -> bytes:
        """Read up to a number of bytes. The number must be given.

        Kept: a server should allow ``read()``, says PEP 3333, but it need not, so a portable
        application does without. CPython's test_wsgi_input demands the refusal.
        """
        if len(args) != 1:
            fault = f"wsgi.input.read() takes one argument, the size (got {len(args)})"
            _refuse_barely(f"{fault}; pass what is left of CONTENT_LENGTH", _STREAMS)
        return _check_bytes(self.input.read(*args), "The result of wsgi.input.read()")

    def readline(self, *args: int) -> bytes:
        """Read a line, or its beginning up to a number of bytes."""
        if len(args) > 1:
            fault = f"wsgi.input.readline() takes one argument at most (got {len(args)})"
            _refuse_barely(f"{fault}, the size", _STREAMS)
        return _check_bytes(self.input.readline(*args), "The result of wsgi.input.readline()")

    def readlines(self, *args: int) -> list[bytes]:
        """Read the lines that are left, or until a hint's number of bytes is reached."""
        if len(args) > 1:
            fault = f"wsgi.input.readlines() takes one argument at most (got {len(args)})"
            _refuse_barely(f"{fault}, the hint", _STREAMS)
        lines = self.input.readlines(*args)
        if not isinstance(lines, list):
            _refuse(f"wsgi.input.readlines() must return a list (got {lines!r})", _STREAMS)
        for line in lines:
            _check_bytes(line, "Each line of wsgi.input.readlines()")
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def close(self) -> NoReturn:
        """Raise AssertionError: the stream belongs to the server."""
        _refuse("input.close() must not be called: the stream is the server's", _STREAMS)


class ErrorWrapper:
    """``wsgi.errors`` as the application sees it: three methods, and every call checked.

    The server's stream is the attribute ``errors``. A text that is not exactly ``str`` and a
    ``close()`` raise AssertionError. PEP 3333, "Input and Error Streams".
    """

    def __init__(self, wsgi_errors: ErrorStream) -> None:
        self.errors = wsgi_errors

    def write(self, s: str) -> None:
        """Write a text."""
        if type(s) is not str:
            _refuse_barely(f"wsgi.errors takes text of type str (got {s!r})", _STREAMS)
        self.errors.write(s)

    def flush(self) -> None:
        """Flush the server's stream."""
        self.errors.flush()

    def writelines(self, seq: Iterable[str]) -> None:
        """Write one text after the other."""
        for line in seq:
            self.write(line)

    def close(self) -> NoReturn:
        """Raise AssertionError: the stream belongs to the server."""
        _refuse("errors.close() must not be called: the stream is the server's", _STREAMS)


class WriteWrapper:
    """The ``write()`` callable as the application sees it (PEP 3333, "The write() Callable").

    The server's callable is the attribute ``writer``. `check_content` is called before each
    block that is not empty.
    """

    def __init__(
        self,
        wsgi_writer: Callable[[bytes], object],
        check_content: Callable[[], None] | None = None,
    ) -> None:
        self.writer = wsgi_writer
        self.check_content = check_content

    def __call__(self, s: bytes) -> None:
        """Pass the block `s` on; AssertionError if it is not bytes."""
        _check_bytes(s, "The argument of write()")
        if s and self.check_content is not None:
            self.check_content()
        self.writer(s)


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
            _refuse("Iterator read after closed: the server must close it last", _DETAILS)
        block = next(self.iterator)
        if not isinstance(block, bytes):
            _refuse(f"Iterator yielded non-bytestring ({block!r}); encode text first", _STRINGS)
        if self.check_start_response is not None:
            if not self.check_start_response:
                fault = "The application returns and we started iterating over its body, but"
                _refuse(f"{fault} start_response has not yet been called", _DETAILS)
            self.check_start_response = None
        if block and self.check_content is not None:
            self.check_content()
        return block

    def close(self) -> None:
        """Close the application's iterable, if it has a ``close()``."""
        self.closed = True
        _close(self.original_iterator)

    def __del__(self) -> None:
        if not self.closed:
            complaint = "Iterator garbage collected without being closed"
            if sys.stderr is not None:
                sys.stderr.write(f"{complaint}\n")
            _refuse(f"{complaint}; who calls an application must close what it returns", _DETAILS)


def check_environ(environ: WSGIEnvironment) -> None:
    """Check what the server hands over.

    Raises AssertionError if `environ` is not exactly a ``dict``, lacks a key, or has a value that
    PEP 3333, "environ Variables", does not allow; warns if the method cannot be one.
    """
    if type(environ) is not dict:
        fault = f"Environment is not of the right type: {type(environ)!r}"
        _refuse(f"{fault}; it must be a dict, not a subclass or another mapping", _DETAILS)
    for name in (*_REQUIRED_CGI_KEYS, *_REQUIRED_WSGI_KEYS, *_REQUIRED_FLAGS):
        if name not in environ:
            _refuse(f"Environment missing required key: {name!r}; the server sets it", _ENVIRON)
    for name in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        if name in environ:
            fault = f"Environment should not have the key: {name}"
            _refuse(f"{fault} (use {name[5:]} instead)", _ENVIRON)
    variables: dict[Any, Any] = environ
    for key, value in variables.items():
        if not isinstance(key, str):
            _refuse(f"Environmental variables are named by a str, not by {key!r}", _ENVIRON)
        # A dot makes it an extension, whose value is of any type.
        if "." not in key and type(value) is not str:
            fault = f"Environmental variable {key} is not a string: {type(value)!r}"
            _refuse(f"{fault} (value: {value!r}); if there is none, leave it out", _ENVIRON)

    version, scheme = environ["wsgi.version"], environ["wsgi.url_scheme"]
    if type(version) is not tuple:
        _refuse(f"wsgi.version should be a tuple ({version!r}), namely (1, 0)", _ENVIRON)
    if type(scheme) is not str or not _scheme_re.match(scheme):
        allowed = "the scheme of a URL in lower case, normally 'http' or 'https'"
        _refuse(f"wsgi.url_scheme unknown: {scheme!r}; it is {allowed}", _ENVIRON)
    check_input(environ["wsgi.input"])
    check_errors(environ["wsgi.errors"])
    _check_request(environ)


def _check_request(environ: WSGIEnvironment) -> None:
    """Check the variables that say what was asked for. Absent is as good as empty."""
    method = environ["REQUEST_METHOD"]
    script_name, path_info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    length = environ.get("CONTENT_LENGTH", "")
    if not _token_re.match(method):
        message = f"Unknown REQUEST_METHOD: {method!r} is no token (RFC 9110, section 9.1)"
        # At the stack level where the validated application is called.
        warnings.warn(message, WSGIWarning, stacklevel=4)
    if script_name and not script_name.startswith("/"):
        _refuse(f"SCRIPT_NAME doesn't start with /: {script_name!r}", _ENVIRON)
    # "OPTIONS *" asks about the server itself (RFC 9112 section 3.2.4).
    of_server = method == "OPTIONS" and path_info == "*" and not script_name
    if path_info and not path_info.startswith("/") and not of_server:
        _refuse(f"PATH_INFO doesn't start with /: {path_info!r}", _ENVIRON)
    if length and not _is_length(length):
        _refuse(f"Invalid CONTENT_LENGTH: {length!r}; it is digits, empty or absent", _ENVIRON)
    # A request target has a path, except those that are for OPTIONS and CONNECT alone (RFC 9112
    # sections 3.2.3 and 3.2.4).
    if not script_name and "PATH_INFO" not in environ and method not in ("OPTIONS", "CONNECT"):
        fault = "One of SCRIPT_NAME or PATH_INFO are required"
        _refuse(f"{fault} (PATH_INFO should at least be '/' if SCRIPT_NAME is empty)", _ENVIRON)
    if script_name == "/":
        mended = "it should instead be '', and PATH_INFO should be '/'"
        _refuse(f"SCRIPT_NAME cannot be '/'; {mended}", _ENVIRON)


def _is_length(text: str) -> bool:
    try:
        return int(text) >= 0
    except ValueError:
        return False


def check_input(wsgi_input: object) -> None:
    """Raise AssertionError unless ``wsgi.input`` has the methods that PEP 3333, "Input and Error
    Streams", asks for."""
    _check_methods("wsgi.input", wsgi_input, ("read", "readline", "readlines", "__iter__"))


def check_errors(wsgi_errors: object) -> None:
    """Raise AssertionError unless ``wsgi.errors`` has the methods that PEP 3333, "Input and Error
    Streams", asks for."""
    _check_methods("wsgi.errors", wsgi_errors, ("flush", "write", "writelines"))


def _check_methods(name: str, stream: object, methods: tuple[str, ...]) -> None:
    for method in methods:
        if not hasattr(stream, method):
            fault = f"{name} ({stream!r}) doesn't have the attribute {method}"
            _refuse(f"{fault}; the server gives a stream with {', '.join(methods)}", _STREAMS)


def _parse_code(status: object) -> int:
    """The number that a status begins with; AssertionError if there is none from 100."""
    words = check_string_type(status, "Status").split(None, 1)
    code = words[0] if words else ""
    if len(code) != 3:
        _refuse(f"Status codes must be three characters: {code!r} (in {status!r})", _START)
    if not _is_length(code) or int(code) < 100:
        _refuse(f"Status code is invalid: {code!r}; it is a number from 100", _START)
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
            f'single space and a status explanation (PEP 3333, "{_START}")'
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
            _refuse(f"Individual headers ({item!r}) must be of type tuple: {type(item)!r}", _START)
        if len(item) != 2:
            _refuse(f"Individual headers ({item!r}) must be a name and a value", _START)
        name = check_string_type(item[0], "Header name")
        value = check_string_type(item[1], "Header value")
        if name.lower() == "status":
            fault = "The Status header cannot be used; it conflicts with CGI script, and HTTP"
            _refuse(f"{fault} status is not given through headers (value: {value!r})", _START)
        if not header_re.match(name):
            allowed = "letters, digits and !#$%&'*+-.^_`|~, at least one"
            _refuse(f"Bad header name: {name!r}; allowed are {allowed}", _START)
        if bad := bad_header_value_re.search(value):
            fault = f"Bad header value: {value!r} (bad char: {bad[0]!r}) of {name}"
            _refuse(f"{fault}; of the control characters only HTAB is allowed", _START)


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
        _refuse(f"{fault}; pass sys.exc_info()", _START)


def check_iterator(iterator: object) -> None:
    """Check what the application returns, without iterating over it.

    Raises AssertionError for a string, which would be sent byte by byte, and for what is no
    iterable. PEP 3333, "Specification Details".
    """
    if isinstance(iterator, (str, bytes)):
        fault = "You should not return a string as your application iterator"
        _refuse(f"{fault}, instead return a single-item list containing a bytestring", _DETAILS)
    # What iter() looks for, on the class: the object itself is neither touched nor compared.
    if not (hasattr(type(iterator), "__iter__") or hasattr(type(iterator), "__getitem__")):
        fault = f"The application must return an iterator, if only an empty list: {iterator!r}"
        _refuse(fault, _DETAILS)
