"""IMF-fixdate, the one form of date that HTTP generates (RFC 9110, section 5.6.7; H134)."""

import math
from time import gmtime

# English whatever the locale: strftime would ask it.
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

# A server asks for the same second again and again. One tuple, replaced whole: a reader on
# another thread sees either the old pair or the new one.
_last: tuple[int, str] = (0, "Thu, 01 Jan 1970 00:00:00 GMT")


def format_imf_fixdate(timestamp: float) -> str:
    """``timestamp`` (seconds since the epoch) as ``Mon, 05 Jun 2006 18:49:54 GMT``."""
    global _last
    second = math.floor(timestamp)
    known, text = _last
    if known == second:
        return text
    year, month, day, hour, minute, sec, weekday, _, _ = gmtime(second)
    text = (
        f"{WEEKDAYS[weekday]}, {day:02d} {MONTHS[month - 1]} {year:04d}"
        f" {hour:02d}:{minute:02d}:{sec:02d} GMT"
    )
    _last = (second, text)
    return text
