"""The application's side of a response: start_response, the blocks, closing the iterable.

Functions of values and states; the state itself (what has been sent) belongs to the caller.
All raise what ``wsgiref`` raises: AssertionError, TypeError or ValueError with a message that
says what was wrong and what is allowed. They are the application's faults and reach it as
exceptions out of its own call.
"""

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from quaich.protocol.errors import Fault
from quaich.protocol.response import FieldSection, checked_section, status_fault

logger = logging.getLogger("quaich.application")

_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def check_restart(exc_info: _ExcInfo | None, *, called: bool, headers_sent: bool) -> None:
    """May start_response be called (S68-S72)?

    ``called``: it was called before, even if that call failed (S70, D074). With ``exc_info``
    a new start is allowed until the headers are sent; then the exception in it is raised with
    its own traceback, also outside an ``except`` block (S69, D072).
    """
    if exc_info:
        if headers_sent:
            _, error, traceback = exc_info
            try:
                if isinstance(error, BaseException):
                    raise error.with_traceback(traceback)
                raise TypeError(
                    "exc_info must be what sys.exc_info() returns, with an exception as its"
                    f" second item (got {error!r})"
                )
            finally:
                del error, traceback, exc_info  # no reference cycle through the frame (S71)
    elif called:
        raise AssertionError(
            "Headers already set! start_response may be called again only with exc_info"
            " (PEP 3333, The start_response() Callable)"
        )


def check_status(status: object) -> None:
    """Raise for a status that must not go out (A05, A06, A25)."""
    fault = status_fault(status)
    if fault is not None:
        raise fault.exception()


def check_headers(headers: Any) -> FieldSection:
    """The header section that the list of a start_response call makes; its list is a copy
    (D091).

    Raises for everything that must not go out (A07-A11, A25, A37), before anything has (S64).
    A header with an empty name is dropped with a warning: it cannot be sent, and
    ``prometheus_client`` gives one.
    """
    if type(headers) is not list:
        raise TypeError(
            "Headers must be a list of name/value tuples, not"
            f" {type(headers).__name__} (PEP 3333, The start_response() Callable)"
        )
    section = checked_section(headers)
    if isinstance(section, Fault):
        raise section.exception()
    if len(section[0]) != len(headers):
        logger.warning("A response header without a name was dropped")
    return section


def check_block(data: object) -> None:
    """A block is exactly ``bytes`` (S88, A18), from the iterable as from write()."""
    if type(data) is not bytes:
        raise AssertionError(
            "write() argument must be a bytes instance: an application yields and writes bytes,"
            f" not {type(data).__name__} (PEP 3333, Unicode Issues)"
        )


def check_result(result: object) -> None:
    """The application must return an iterable of bytes (A17, D103).

    A ``str`` or ``bytes`` that is not empty would be iterated by characters or numbers; an
    empty one gives no block and passes, as it always did.
    """
    if result is None:
        raise TypeError(
            "the application returned None; it must return an iterable of bytes, if only an"
            " empty list (PEP 3333, Specification Details)"
        )
    if isinstance(result, (str, bytes)) and result:
        kind = type(result).__name__
        advice = "[result]" if isinstance(result, bytes) else "[result.encode()]"
        raise TypeError(
            f"the application returned a {kind}; it must return an iterable of bytes: return"
            f" {advice} (PEP 3333, Specification Details)"
        )


def close_result(result: Iterable[bytes] | None) -> None:
    """Call ``close()`` of the object that the application returned, if it has one (S18, S19).

    The caller sees to it that this happens once for each result, whatever ended the request.
    """
    close: Any = getattr(result, "close", None)
    if close is not None:
        close()
