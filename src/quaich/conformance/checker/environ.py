"""The environ that a server hands over: S08, S10, S11, S23-S50, S86.

check_environ     nothing about it is new and all is sound, or
  _check            every rule, and what is wrong
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

from quaich.conformance.findings import Breach, names, show

_REQUIRED: Final = frozenset(
    {
        "REQUEST_METHOD",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "wsgi.version",
        "wsgi.url_scheme",
        "wsgi.input",
        "wsgi.errors",
        "wsgi.multithread",
        "wsgi.multiprocess",
        "wsgi.run_once",
    }
)

# The rule that names each.
_RULE: Final = {
    "REQUEST_METHOD": "S23",
    "SERVER_NAME": "S29",
    "SERVER_PORT": "S29",
    "SERVER_PROTOCOL": "S30",
    "wsgi.version": "S38",
    "wsgi.url_scheme": "S39",
    "wsgi.input": "S40",
    "wsgi.errors": "S41",
    "wsgi.multithread": "S45",
    "wsgi.multiprocess": "S46",
    "wsgi.run_once": "S47",
}

# Left out where they do not apply; there is no empty name.
_NEVER_EMPTY: Final[tuple[str, ...]] = (
    "REMOTE_USER",
    "REMOTE_HOST",
    "REMOTE_ADDR",
    "REMOTE_IDENT",
    "AUTH_TYPE",
)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_PROTOCOL = re.compile(r"HTTP/[0-9]+(\.[0-9]+)?").fullmatch
_EXTENSION = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+").fullmatch
_DIGITS = re.compile(r"[0-9]+").fullmatch

_INPUT_METHODS: Final = ("read", "readline", "readlines", "__iter__")
_ERRORS_METHODS: Final = ("write", "writelines", "flush")


class _Layout:
    """The keys of an environ in their order, all of them sound. A server's environs have few
    layouts, so the keys need not be looked at again, and the values can be had at once."""

    __slots__ = ("filled", "texts")

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.texts = itemgetter(*(key for key in keys if "." not in key))
        # Those that are absent rather than empty; twice, so that it is a tuple in any case.
        present = [key for key in _NEVER_EMPTY if key in keys] or ["SERVER_NAME"]
        self.filled = itemgetter(*present, present[0])

    def is_sound(self, environ: dict[str, Any]) -> bool:
        """Whether nothing is wrong with the values either; if not, the rules tell what is."""
        texts = self.texts(environ)
        if {*map(type, texts)} != _ONLY_STR or not "".join(texts).isascii():
            return False
        get = environ.get
        path, length = get("PATH_INFO", "/"), get("CONTENT_LENGTH")
        return (
            (*_CONSTANTS(environ), get("SCRIPT_NAME")) in _sound_constants
            and path[:1] == "/"
            and (not length or length.isdigit())
            and "" not in self.filled(environ)
            and type(environ["wsgi.input"]) in _sound_streams
            and type(environ["wsgi.errors"]) in _sound_streams
            and callable(get("wsgi.file_wrapper", callable))
        )


# What hardly differs between the requests of one server.
_CONSTANTS = itemgetter(
    *("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "wsgi.version"),
    *("wsgi.url_scheme", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"),
)
_ONLY_STR: Final = {str}

_MEMO_MAX: Final = 512
_layouts: dict[tuple[str, ...], _Layout] = {}
_sound_constants: dict[tuple[Any, ...], None] = {}
_sound_streams: dict[type, None] = {}


def check_environ(environ: Any) -> Iterable[Breach]:
    """What is wrong with an environ, before the application has changed it."""
    if type(environ) is not dict:
        return _check(environ)
    keys = tuple(environ)
    layout = _layouts.get(keys)
    try:
        if layout is not None and layout.is_sound(environ):
            return ()
    except TypeError:
        pass  # a value that cannot be hashed, or is no text
    breaches = list(_check(environ))
    if not breaches:
        _learn(keys, environ)
    return breaches


def _learn(keys: tuple[str, ...], environ: dict[str, Any]) -> None:
    """Remember what was found sound."""
    if environ["wsgi.url_scheme"] == "https":
        return  # which is sound with HTTPS only
    _remember(_layouts, keys, _Layout(keys))
    with contextlib.suppress(TypeError):
        _remember(_sound_constants, (*_CONSTANTS(environ), environ.get("SCRIPT_NAME")), None)
    for key, methods in (("wsgi.input", _INPUT_METHODS), ("wsgi.errors", _ERRORS_METHODS)):
        kind = type(environ[key])
        if all(hasattr(kind, name) for name in methods):
            _remember(_sound_streams, kind, None)


def _remember(memo: dict[Any, Any], key: Any, value: Any) -> None:
    if len(memo) >= _MEMO_MAX:
        memo.clear()
    memo[key] = value


# --- Every rule -------------------------------------------------------------------------------


def _check(environ: Any) -> Iterator[Breach]:
    if type(environ) is not dict:
        yield Breach("S08", f"the environ is {show(environ)}, not a dict")
        if not isinstance(environ, dict):
            return
        environ = dict(dict.items(environ))  # whatever the methods of a subclass do
    for key in sorted(_REQUIRED - environ.keys()):
        yield Breach(_RULE[key], f"the environ has no {key}")
    for key in environ:
        if type(key) is not str:
            yield Breach("S11", f"the environ has the key {show(key)}")
        elif "." in key and _EXTENSION(key) is None:
            yield Breach("S48", f"{key!r} is no name for a variable of the server's own")
    yield from _check_texts(environ)
    yield from _check_variables(environ)
    yield from _check_wsgi(environ)


def _check_texts(environ: dict[Any, Any]) -> Iterator[Breach]:
    for key, value in environ.items():
        if type(key) is not str or "." in key:
            continue
        if type(value) is not str:
            yield Breach("S36", f"{key} is {show(value)}, not a str")
        elif not value.isascii() and max(value) > "\xff":
            yield Breach("S86", f"{key} is {show(value)}, beyond ISO-8859-1")


def _check_variables(environ: dict[Any, Any]) -> Iterator[Breach]:
    get = environ.get
    method = get("REQUEST_METHOD", "GET")
    if isinstance(method, str) and _TOKEN(method) is None:
        yield Breach("S23", f"REQUEST_METHOD is {show(method)}, which is no method")
    for key in ("SERVER_NAME", "SERVER_PORT"):
        if _is_empty(get(key)):
            yield Breach("S29", f"{key} is empty")
    port = get("SERVER_PORT", "0")
    if isinstance(port, str) and port and _DIGITS(port) is None:
        yield Breach("S29", f"SERVER_PORT is {show(port)}, not a number")
    protocol = get("SERVER_PROTOCOL", "HTTP/1.1")
    if isinstance(protocol, str) and _PROTOCOL(protocol) is None and protocol != "INCLUDED":
        yield Breach("S30", f"SERVER_PROTOCOL is {show(protocol)}, not HTTP/ and a version")
    script, path = get("SCRIPT_NAME", ""), get("PATH_INFO", "")
    if isinstance(script, str) and script and (script[0] != "/" or script[-1] == "/"):
        yield Breach(
            "S24", f"SCRIPT_NAME is {show(script)}: it begins with a slash and ends in none"
        )
    if isinstance(path, str) and path and path[0] != "/" and path != "*":
        yield Breach("S25", f"PATH_INFO is {show(path)}, which begins with no slash")
    length = get("CONTENT_LENGTH", "")
    if isinstance(length, str) and length and _DIGITS(length) is None:
        yield Breach("S28", f"CONTENT_LENGTH is {show(length)}, not a number of bytes")
    for key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        if key in environ:
            yield Breach("S31", f"the environ has {key}; it is called {key[5:]}")
    for key in _NEVER_EMPTY:
        if _is_empty(get(key)):
            yield Breach("S35", f"{key} is empty")


def _is_empty(value: object) -> bool:
    return type(value) is str and not value  # and no comparison with whatever it is


def _check_wsgi(environ: dict[Any, Any]) -> Iterator[Breach]:
    get = environ.get
    version = get("wsgi.version", (1, 0))
    if not isinstance(version, tuple) or version != (1, 0):
        yield Breach("S38", f"wsgi.version is {show(version)}, not (1, 0)")
    scheme = get("wsgi.url_scheme", "http")
    if not isinstance(scheme, str) or not scheme:
        yield Breach("S39", f"wsgi.url_scheme is {show(scheme)}")
    elif scheme == "https" and "HTTPS" not in environ:
        yield Breach("S33", "wsgi.url_scheme is https, and the environ has no HTTPS")
    for key in ("wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"):
        value = get(key, False)
        if isinstance(value, (str, bytes)):  # "False" is true
            yield Breach(_RULE[key], f"{key} is {show(value)}, no truth value")
    for key, rule, methods in (
        ("wsgi.input", "S49", _INPUT_METHODS),
        ("wsgi.errors", "S50", _ERRORS_METHODS),
    ):
        if key in environ:
            missing = [name for name in methods if not hasattr(environ[key], name)]
            if missing:
                yield Breach(rule, f"{key} is {show(environ[key])}, without {names(missing)}")
    if "wsgi.file_wrapper" in environ and not callable(environ["wsgi.file_wrapper"]):
        yield Breach(
            "S109", f"wsgi.file_wrapper is {show(environ['wsgi.file_wrapper'])}, not callable"
        )
