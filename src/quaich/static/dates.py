"""HTTP-date as it is received (RFC 9110, section 5.6.7; H134)."""

import calendar
import re
from typing import Final

from quaich.protocol.date import MONTHS

# IMF-fixdate:   Sun, 06 Nov 1994 08:49:37 GMT
# rfc850-date:   Sunday, 06-Nov-94 08:49:37 GMT
# asctime-date:  Sun Nov  6 08:49:37 1994
_TIME: Final = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH: Final = f"(?P<month>{'|'.join(MONTHS)})"
_FORMS: Final = (
    re.compile(
        "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), "
        f"(?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"
    ),
    re.compile(
        "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, "
        f"(?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"
    ),
    re.compile(
        "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
        f"{_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"
    ),
)

_YEAR: Final = 31_556_952  # seconds, on average


def parse_http_date(text: str, now: float) -> int | None:
    """Seconds since the epoch, in any of the three forms; None if it is none of them. ``now`` in
    seconds since the epoch: a year of two digits is not more than 50 years ahead of it."""
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            break
    else:
        return None
    year, day = int(found["year"]), int(found["day"])
    month = MONTHS.index(found["month"]) + 1
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if len(found["year"]) == 2:
        this = int(1970 + now // _YEAR)
        year += this - this % 100
        if year > this + 50:
            year -= 100
    if hour > 23 or minute > 59 or second > 60 or year < 1:  # 60: a leap second
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))
