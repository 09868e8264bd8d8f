"""What the server hands over: the environ, and which methods its two streams have."""

import re
import warnings
from typing import Any

from quaich.types import WSGIEnvironment
from quaich.validate.base import DETAILS, ENVIRON, STREAMS, WSGIWarning, is_number, refuse, token_re

# RFC 3986 section 3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), produced in lower
# case. PEP 3333 says that it is "normally" http or https.
_scheme_re = re.compile(r"\A[a-z][a-z0-9+\-.]*\Z")

_REQUIRED_CGI_KEYS = ("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT")
_REQUIRED_WSGI_KEYS = ("wsgi.version", "wsgi.url_scheme", "wsgi.input", "wsgi.errors")
_REQUIRED_FLAGS = ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")


def check_environ(environ: WSGIEnvironment) -> None:
    """Check what the server hands over.

    Raises AssertionError if `environ` is not exactly a ``dict``, lacks a key, or has a value that
    PEP 3333, "environ Variables", does not allow; warns if the method cannot be one.
    """
    if type(environ) is not dict:
        fault = f"Environment is not of the right type: {type(environ)!r}"
        refuse(f"{fault}; it must be a dict, not a subclass or another mapping", DETAILS)
    for name in (*_REQUIRED_CGI_KEYS, *_REQUIRED_WSGI_KEYS, *_REQUIRED_FLAGS):
        if name not in environ:
            refuse(f"Environment missing required key: {name!r}; the server sets it", ENVIRON)
    for name in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        if name in environ:
            fault = f"Environment should not have the key: {name}"
            refuse(f"{fault} (use {name[5:]} instead)", ENVIRON)
    variables: dict[Any, Any] = environ
    for key, value in variables.items():
        if not isinstance(key, str):
            refuse(f"Environmental variables are named by a str, not by {key!r}", ENVIRON)
        # A dot makes it an extension, whose value is of any type.
        if "." not in key and type(value) is not str:
            fault = f"Environmental variable {key} is not a string: {type(value)!r}"
            refuse(f"{fault} (value: {value!r}); if there is none, leave it out", ENVIRON)

    version, scheme = environ["wsgi.version"], environ["wsgi.url_scheme"]
    if type(version) is not tuple:
        refuse(f"wsgi.version should be a tuple ({version!r}), namely (1, 0)", ENVIRON)
    if not isinstance(scheme, str) or not _scheme_re.match(scheme):
        allowed = "the scheme of a URL in lower case, normally 'http' or 'https'"
        refuse(f"wsgi.url_scheme unknown: {scheme!r}; it is {allowed}", ENVIRON)
    check_input(environ["wsgi.input"])
    check_errors(environ["wsgi.errors"])
    _check_request(environ)


def _check_request(environ: WSGIEnvironment) -> None:
    """Check the variables that say what was asked for. Absent is as good as empty."""
    method = environ["REQUEST_METHOD"]
    script_name, path_info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    length = environ.get("CONTENT_LENGTH", "")
    if not token_re.match(method):
        message = f"Unknown REQUEST_METHOD: {method!r} is no token (RFC 9110, section 9.1)"
        # At the stack level where the validated application is called.
        warnings.warn(message, WSGIWarning, stacklevel=4)
    if script_name and not script_name.startswith("/"):
        refuse(f"SCRIPT_NAME doesn't start with /: {script_name!r}", ENVIRON)
    # "OPTIONS *" asks about the server itself (RFC 9112 section 3.2.4).
    of_server = method == "OPTIONS" and path_info == "*" and not script_name
    if path_info and not path_info.startswith("/") and not of_server:
        refuse(f"PATH_INFO doesn't start with /: {path_info!r}", ENVIRON)
    if length and not is_number(length):
        refuse(f"Invalid CONTENT_LENGTH: {length!r}; it is digits, empty or absent", ENVIRON)
    # A request target has a path, except those that are for OPTIONS and CONNECT alone (RFC 9112
    # sections 3.2.3 and 3.2.4).
    if not script_name and "PATH_INFO" not in environ and method not in ("OPTIONS", "CONNECT"):
        fault = "One of SCRIPT_NAME or PATH_INFO are required"
        refuse(f"{fault} (PATH_INFO should at least be '/' if SCRIPT_NAME is empty)", ENVIRON)
    if script_name == "/":
        mended = "it should instead be '', and PATH_INFO should be '/'"
        refuse(f"SCRIPT_NAME cannot be '/'; {mended}", ENVIRON)


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
            refuse(f"{fault}; the server gives a stream with {', '.join(methods)}", STREAMS)
