"""The application that ``quaich probe`` lets a server serve.

It stands alone: the server under test runs it in its own Python, 3.8 or later, where Quaich need
not be. So this package imports nothing but the standard library and, by relative names, itself.

A request names a program by its path and itself by the query (``/echo?tag=S51-7``); what a program
notices goes to a log that ``/log?tag=…`` gives back, and that all processes of the server share
if WSGI_PROBE_LOG names a file. Nothing here is an example of a good application: programs try what
servers get wrong.

programs      the register of programs, and what they have in common
exchanges     programs for requests and responses
plays         steps that a trial writes
streams       the streams of a request, and files
"""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
# mypy: disable-error-code="var-annotated, type-arg"

import contextlib
import functools
import os

from . import exchanges as exchanges
from . import plays as plays
from . import streams as streams
from .plays import ProbeError as ProbeError
from .programs import LOG_FILE, PROGRAMS, Request

if LOG_FILE is not None:  # in a server: what is in its environment is of no request
    os.environ["HTTP_X_QUAICH_PROBE_PROCESS"] = "this is no field"
    with contextlib.suppress(UnicodeEncodeError):  # in the locale's encoding
        os.environ["PROBE_WORD"] = "caf\u00e9 \u20ac"


def application(*arguments, **keywords):
    """Call the program that the path names. A path of several segments is the first one's. Takes
    any arguments, to see which have come."""
    return _call("function", *arguments, **keywords)


def _call(kind, *arguments, **keywords):
    environ, start_response = [*arguments, *keywords.values()][:2]
    request = Request(environ)
    request.arguments = [len(arguments), sorted(keywords)]
    request.callable = kind
    name = environ.get("PATH_INFO", "").lstrip("/").split("/")[0]
    return PROGRAMS.get(name, exchanges.hello)(environ, start_response, request)


# --- For S01: other kinds of callables ------------------------------------------------------------


class Instance:
    """An instance, and its method."""

    def __call__(self, environ, start_response):
        return _call("instance", environ, start_response)

    def method(self, environ, start_response):
        """A bound method."""
        return _call("bound method", environ, start_response)


class Class:
    """A class, whose instances are results."""

    def __init__(self, environ, start_response):
        result = _call("class", environ, start_response)
        self.blocks = result
        if hasattr(result, "close"):
            self.close = result.close

    def __iter__(self):
        return iter(self.blocks)


CALLABLES = {
    "instance": Instance(),
    "bound method": Instance().method,
    "class": Class,
    "partial": functools.partial(_call, "partial"),
}

# By a variable, since not every server is told the name of the callable in the same way.
_kind = os.environ.get("WSGI_PROBE_CALLABLE")
if _kind in CALLABLES:
    globals()["application"] = CALLABLES[_kind]
