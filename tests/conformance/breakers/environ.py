"""Servers with a wrong environ: S08, S11, S23-S48, S86, S109. The application keeps all rules."""

import collections
import io
import types
from typing import Any

from conformance.corpus import breaks
from conformance.gateway import Gateway, gateway_with
from conformance.odd import Dict, Incomparable, Lowered, Str, Unspeakable


def changed(rule: str, name: str, key: Any, value: Any, **parts: Any) -> None:
    """A server that gives this variable."""
    breaks(rule, f"{key!s} is {name}", guilty="Gateway.call", **parts)(gateway_with({key: value}))


# -- What is missing ------------------------------------------------------------------------

for key, rule in {
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
}.items():
    misses = ("V35",) if rule == "S30" else ()
    breaks(rule, f"no {key}", guilty="Gateway.call", misses=misses)(gateway_with(absent=(key,)))

# -- S08: no dict ---------------------------------------------------------------------------


def not_a_dict(name: str, make: Any) -> None:
    """A server whose environ is of another type."""

    def make_environ(self: Any) -> Any:
        return make(Gateway.make_environ(self))

    breaks("S08", name, guilty="Gateway.call")(gateway_with(make_environ=make_environ))


not_a_dict("a subclass", Dict)
not_a_dict("an OrderedDict", collections.OrderedDict)
not_a_dict("a defaultdict", lambda environ: collections.defaultdict(str, environ))
not_a_dict("a UserDict", collections.UserDict)
not_a_dict("a proxy", types.MappingProxyType)
not_a_dict("a subclass whose methods give lists", Lowered)
not_a_dict("None", lambda environ: None)
not_a_dict("a list of items", lambda environ: list(environ.items()))
not_a_dict("an object whose repr fails", lambda environ: Unspeakable())

# -- S11, S48: names ------------------------------------------------------------------------

changed("S11", "a name of bytes", b"REQUEST_METHOD", b"GET", misses=("V38",))
changed("S11", "an int", 7, "seven", misses=("V38",))
changed("S11", "None", None, "none", misses=("V38",))
changed("S11", "a subclass of str", Str("PATH"), "/bin", misses=("V38",))

for key in (
    "Gateway.socket",
    "gateway.Socket",
    "gateway.my-socket",
    "gateway..socket",
    ".socket",
    "gateway.",
    "gateway.my socket",
    "gäteway.socket",
    "gateway.socket\n",
):
    changed("S48", "no name", key, None, misses=("V38",))

# -- S36, S86: values -----------------------------------------------------------------------

for name, value in {
    "bytes": b"7",
    "an int": 7,
    "None": None,
    "a subclass of str": Str("7"),
    "an object whose repr fails": Unspeakable(),
    "not to be compared": Incomparable(),
}.items():
    changed("S36", name, "HTTP_X", value)

for key in (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "CONTENT_LENGTH",
    "REMOTE_USER",
):
    changed("S36", "an int", key, 80)
    changed("S36", "not to be compared", key, Incomparable())

for name, value in {
    "beyond ISO-8859-1": "/\u0100",
    "a sign": "/\u2603",
    "a lone surrogate": "/\udcff",
}.items():
    for key in ("PATH_INFO", "HTTP_X", "QUERY_STRING"):
        changed("S86", name, key, value, misses=("V24",))

# -- S23-S35: CGI ---------------------------------------------------------------------------

for value in ("", " ", "GE T", "GET ", "GET\n", "G@T", "GET/1", "ÜBER", "GET\x00"):
    changed("S23", repr(value), "REQUEST_METHOD", value, misses=("V35",))

for key in ("SERVER_NAME", "SERVER_PORT"):
    changed("S29", "empty", key, "", misses=("V35",))

for value in ("http", "-1", "+80", "8_0", " 80", "80 ", "80\n", "8\xb2"):
    changed("S29", repr(value), "SERVER_PORT", value)

for value in (
    "",
    "HTTP",
    "1.1",
    "http/1.1",
    "HTTP/",
    "HTTP/x",
    "HTTP/1.1\n",
    "HTTP/1.",
    "HTTP/1.x",
):
    changed("S30", repr(value), "SERVER_PROTOCOL", value, misses=("V35",))

changed("S24", "without a slash", "SCRIPT_NAME", "app")
changed("S24", "a slash alone", "SCRIPT_NAME", "/")
changed("S24", "with a slash behind", "SCRIPT_NAME", "/app/", misses=("V44",))
changed("S25", "without a slash", "PATH_INFO", "page")
changed("S25", "a URL", "PATH_INFO", "http://localhost/page")
changed("S25", "more than an asterisk", "PATH_INFO", "**")

for value in (" 5 ", "+5", "5_0", "abc", "-1", "5.0", "5, 5", "5\n", "5\xb2"):
    changed("S28", repr(value), "CONTENT_LENGTH", value, misses=("V37",))

for key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
    changed("S31", "given", key, "0")

for key in ("REMOTE_USER", "REMOTE_HOST", "REMOTE_IDENT", "AUTH_TYPE"):
    changed("S35", "empty", key, "")

changed("S33", "https alone", "wsgi.url_scheme", "https")

# -- S38-S47: WSGI --------------------------------------------------------------------------

for version in ([1, 0], (1, 1), (1,), (1, 0, 0), (0, 1), "1.0", 1.0, None, (2, 0), Incomparable()):
    name = "not to be compared" if isinstance(version, Incomparable) else repr(version)
    changed("S38", name, "wsgi.version", version, misses=("V36",))

for scheme in ("", None, b"http", 80, Incomparable()):
    name = f"a {type(scheme).__name__}"
    changed("S39", name, "wsgi.url_scheme", scheme)

for key, rule in {
    "wsgi.multithread": "S45",
    "wsgi.multiprocess": "S46",
    "wsgi.run_once": "S47",
}.items():
    for flag in ("False", "", b"1"):
        changed(rule, repr(flag), key, flag, misses=("V36",))

# -- S49, S50, S109: objects ----------------------------------------------------------------


def without(stream: Any, methods: tuple[str, ...], missing: str) -> Any:
    """The stream, as an object without one of its methods."""

    class Stream:
        pass

    for each in methods:
        if each != missing:
            setattr(Stream, each, staticmethod(getattr(stream, each)))
    return Stream()


INPUT = ("read", "readline", "readlines", "__iter__")
ERRORS = ("write", "writelines", "flush")

for missing in INPUT:
    changed("S49", f"without {missing}", "wsgi.input", without(io.BytesIO(), INPUT, missing))
for missing in ERRORS:
    changed("S50", f"without {missing}", "wsgi.errors", without(io.StringIO(), ERRORS, missing))
changed("S49", "None", "wsgi.input", None)
changed("S49", "bytes", "wsgi.input", b"content")
changed("S50", "None", "wsgi.errors", None)
changed("S50", "a function", "wsgi.errors", print)

for wrapper in (None, io.BytesIO(), "FileWrapper"):
    changed("S109", f"a {type(wrapper).__name__}", "wsgi.file_wrapper", wrapper, misses=("V36",))
