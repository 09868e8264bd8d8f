"""IMF-fixdate."""

import locale
import re

import pytest

from quaich.protocol.date import MONTHS, WEEKDAYS, format_imf_fixdate


@pytest.mark.rule("H134")
@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),  # RFC 9110's own
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (2**31, "Tue, 19 Jan 2038 03:14:08 GMT"),
        (253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_a_date(timestamp: float, text: str) -> None:
    assert format_imf_fixdate(timestamp) == text


@pytest.mark.parametrize("timestamp", [0.5, 784111777.999999, -0.5, -1.5])
def test_a_fraction_of_a_second_is_cut_off_downwards(timestamp: float) -> None:
    assert format_imf_fixdate(timestamp) == format_imf_fixdate(timestamp // 1)


def test_the_second_that_is_remembered_is_forgotten_for_another() -> None:
    later, earlier = format_imf_fixdate(2), format_imf_fixdate(1)
    assert later == "Thu, 01 Jan 1970 00:00:02 GMT"
    assert earlier == "Thu, 01 Jan 1970 00:00:01 GMT"
    assert format_imf_fixdate(1.5) == earlier
    assert format_imf_fixdate(2) == later


@pytest.mark.rule("H134")
def test_the_names_are_english_whatever_the_locale() -> None:
    known = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_TIME, name)
        except locale.Error:
            continue
        try:
            for day in range(366):
                match = re.match(
                    r"(...), \d\d (...) 2024 ", format_imf_fixdate(1704067200 + 86400 * day)
                )
                assert match is not None
                assert match[1] in WEEKDAYS
                assert match[2] in MONTHS
        finally:
            locale.setlocale(locale.LC_TIME, known)
