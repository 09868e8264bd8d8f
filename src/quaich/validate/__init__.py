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
overlooks; ``validator(application, strict=True)`` does (:mod:`quaich.conformance`). It imports
nothing of Quaich but the types and that room: an oracle shares no code with the accused.
"""

# Not public, and yet imported from here by programs in use: hence the doubled names.
import re as re
import sys as sys
import warnings as warnings
from typing import Any

from quaich.conformance.checker import checker
from quaich.types import WSGIApplication
from quaich.validate.base import DETAILS, START, refuse
from quaich.validate.base import WSGIWarning as WSGIWarning
from quaich.validate.base import assert_ as assert_
from quaich.validate.base import check_string_type as check_string_type
from quaich.validate.environ import check_environ as check_environ
from quaich.validate.environ import check_errors as check_errors
from quaich.validate.environ import check_input as check_input
from quaich.validate.response import IteratorWrapper as IteratorWrapper
from quaich.validate.response import PartialIteratorWrapper as PartialIteratorWrapper
from quaich.validate.response import bad_header_value_re as bad_header_value_re
from quaich.validate.response import check_content_type as check_content_type
from quaich.validate.response import check_exc_info as check_exc_info
from quaich.validate.response import check_headers as check_headers
from quaich.validate.response import check_iterator as check_iterator
from quaich.validate.response import check_status as check_status
from quaich.validate.response import close_iterable
from quaich.validate.response import header_re as header_re
from quaich.validate.streams import ErrorWrapper as ErrorWrapper
from quaich.validate.streams import InputWrapper as InputWrapper
from quaich.validate.streams import WriteWrapper as WriteWrapper

__all__ = ["validator"]


def validator(application: WSGIApplication, *, strict: bool = False) -> WSGIApplication:
    """Wrap `application` so that each call of it is checked, from both sides.

    Returns an application. Calling it, iterating over what it returns, and using
    ``start_response``, ``write``, ``wsgi.input`` or ``wsgi.errors`` inside raise AssertionError
    where PEP 3333 is violated. A returned iterable that the server never closes is reported on
    ``sys.stderr`` when it is garbage collected: there is nobody left to raise to.

    Kept: the iterable's ``__len__``, and that it was a file wrapper, are hidden from the server,
    since each block has to pass by here. CPython's test_validated_hello demands it.

    ``strict`` is Quaich's own: :func:`quaich.conformance.checker` looks on instead, which sees what
    this overlooks, refuses nothing that is legal, and hides nothing. It raises
    :class:`~quaich.conformance.Violation`, an AssertionError, and warns with
    :class:`~quaich.conformance.ConformanceWarning`.
    """
    if strict:
        return checker(application, "raise")

    def lint_app(*args: Any, **kw: Any) -> IteratorWrapper:
        if len(args) != 2:
            refuse(f"Two arguments required, environ and start_response: {args!r}", DETAILS)
        if kw:
            refuse(f"No keyword arguments allowed: {kw!r}; pass by position", DETAILS)
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
                refuse(f"Invalid number of arguments: {args!r}; {expected}", START)
            if kw:
                refuse(f"No keyword arguments allowed: {kw!r}; pass by position", START)
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
            close_iterable(result)
            raise

    return lint_app
