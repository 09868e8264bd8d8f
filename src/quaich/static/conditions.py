"""Conditional requests (RFC 9110, section 13): whether there is anything to send.

Validators      what a representation is recognised by
evaluate        the conditions of a request, in the order of section 13.2.2
is_range_due    If-Range
"""

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from quaich.protocol.date import format_imf_fixdate
from quaich.static.dates import parse_http_date

# An entity tag, or an empty element of the list, and the comma behind it.
_ELEMENT: Final = re.compile(r'[ \t]*(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|\Z)')

# A file may change twice within a tick of the file system's clock, and in the one second that
# Last-Modified tells (section 8.8.2.2).
_SETTLED: Final = 1.0


_formatted: Final = lru_cache(1024)(format_imf_fixdate)


class Outcome(Enum):
    """What the conditions of a request ask for."""

    SEND = "the representation, or whatever the method means"
    NOT_MODIFIED = "304 (Not Modified)"
    FAILED = "412 (Precondition Failed)"


class Validators(NamedTuple):
    """``etag``: as it stands in the field. ``modified``: seconds since the epoch. ``is_strong``:
    both change whenever the content does."""

    etag: str
    modified: int
    is_strong: bool

    @property
    def last_modified(self) -> str:
        return _formatted(self.modified)


def validators_of(size: int, modified: int, coding: str, now: float) -> Validators:
    """Of a file of ``size`` bytes, last changed at ``modified`` nanoseconds since the epoch.
    ``coding``: ``gzip``, ``br`` or ``""``; ``now``: seconds since the epoch.

    No inode: several hosts with the same files are to give the same tags. A file that has just
    been changed has a weak tag, because it may change again without that being seen.
    """
    is_strong = now - modified / 1e9 >= _SETTLED
    tag = f'"{modified:x}-{size:x}{coding and f"-{coding}"}"'
    # Not in the future, whatever the file says (section 8.8.2.1); 1970 is where dates begin.
    seconds = max(0, min(modified // 1_000_000_000, int(now)))
    return Validators(tag if is_strong else f"W/{tag}", seconds, is_strong)


def evaluate(environ: dict[str, Any], validators: Validators, now: float) -> Outcome:
    """What is to be done with a request for a representation that exists."""
    is_safe = environ["REQUEST_METHOD"] in ("GET", "HEAD")
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None:
        if not _matches(if_match, validators.etag, is_weak=False):
            return Outcome.FAILED
    else:
        since = _date(environ, "HTTP_IF_UNMODIFIED_SINCE", now)
        if since is not None and validators.modified > since:
            return Outcome.FAILED
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    if if_none_match is not None:
        if _matches(if_none_match, validators.etag, is_weak=True):
            return Outcome.NOT_MODIFIED if is_safe else Outcome.FAILED
    elif is_safe:
        since = _date(environ, "HTTP_IF_MODIFIED_SINCE", now)
        if since is not None and validators.modified <= since:
            return Outcome.NOT_MODIFIED
    return Outcome.SEND


def is_range_due(environ: dict[str, Any], validators: Validators, now: float) -> bool:
    """Whether a Range is to be heeded, as far as If-Range says (section 13.1.5). What the client
    has a part of must be certain to be the same."""
    text = environ.get("HTTP_IF_RANGE")
    if text is None:
        return True
    if not validators.is_strong:
        return False
    if text.startswith(('"', "W/")):
        return bool(text == validators.etag)
    return parse_http_date(text, now) == validators.modified


def _date(environ: dict[str, Any], name: str, now: float) -> int | None:
    text = environ.get(name)
    return None if text is None else parse_http_date(text, now)


def _matches(text: str, etag: str, *, is_weak: bool) -> bool:
    """Whether a list of entity tags has ``etag``, by weak or strong comparison (section
    8.8.3.2)."""
    if text.strip(" \t") == "*":
        return True
    if is_weak:
        etag = etag.removeprefix("W/")
        return any(each.removeprefix("W/") == etag for each in _tags(text))
    return not etag.startswith("W/") and etag in _tags(text)


def _tags(text: str) -> Iterator[str]:
    """The tags of a list up to where it is no list any more."""
    position = 0
    while position < len(text):
        found = _ELEMENT.match(text, position)
        if found is None:
            return
        if found[1]:
            yield found[1]
        position = found.end()
