"""Run a WSGI application over streams: the base classes of servers and gateways.

The interface is that of ``wsgiref.handlers``: one call of :meth:`BaseHandler.run` is one
request. :class:`SimpleHandler` writes HTTP to a stream, :class:`BaseCGIHandler` what a CGI-like
gateway expects, :class:`CGIHandler` is a CGI program::

    from quaich.handlers import CGIHandler

    CGIHandler().run(application)
"""

import os
import sys
import time

from quaich.handlers.base import BaseHandler
from quaich.handlers.cgi import CGIHandler, IISCGIHandler
from quaich.handlers.cgi_environ import _is_request, _needs_transcode, read_environ
from quaich.handlers.streams import BaseCGIHandler, SimpleHandler
from quaich.headers import Headers
from quaich.protocol.date import MONTHS, WEEKDAYS, format_imf_fixdate
from quaich.util import FileWrapper, guess_scheme, is_hop_by_hop

__all__ = [
    "BaseCGIHandler",
    "BaseHandler",
    "CGIHandler",
    "IISCGIHandler",
    "SimpleHandler",
    "read_environ",
]

# Not public, and yet imported from here by programs in use.
_weekdayname = WEEKDAYS
_monthname = [None, *MONTHS]
_incidental = (
    FileWrapper,
    Headers,
    guess_scheme,
    is_hop_by_hop,
    _is_request,
    _needs_transcode,
    os,
    sys,
)


def format_date_time(timestamp: float | None) -> str:
    """Seconds since the epoch (None: now) as HTTP's date, ``Mon, 05 Jun 2006 18:49:54 GMT``.

    Not in ``wsgiref``'s manual, and used by many programs.
    """
    return format_imf_fixdate(time.time() if timestamp is None else timestamp)
