"""Conditional requests, in the order of RFC 9110, section 13.2.2."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaich.protocol.date import format_imf_fixdate
from quaich.static.conditions import (
    Outcome,
    Validators,
    evaluate,
    is_range_due,
    validators_of,
)
from quaich.static.dates import parse_http_date

NOW = 1_800_000_000.5
MODIFIED = 1_700_000_000
VALIDATORS = Validators('"abc"', MODIFIED, is_strong=True)
WEAK = Validators('W/"abc"', MODIFIED, is_strong=False)

SAME = format_imf_fixdate(MODIFIED)
BEFORE = format_imf_fixdate(MODIFIED - 1)
AFTER = format_imf_fixdate(MODIFIED + 1)

SEND, UNCHANGED, FAILED = Outcome.SEND, Outcome.NOT_MODIFIED, Outcome.FAILED


def environ(method: str = "GET", **fields: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": method} | {
        f"HTTP_{name.upper()}": value for name, value in fields.items()
    }


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, SEND),
        # If-Match
        ({"if_match": '"abc"'}, SEND),
        ({"if_match": '"x" , "abc"'}, SEND),
        ({"if_match": "*"}, SEND),
        ({"if_match": '"x"'}, FAILED),
        ({"if_match": 'W/"abc"'}, FAILED),  # strong comparison
        ({"if_match": "abc"}, FAILED),
        ({"if_match": ""}, FAILED),
        # If-Unmodified-Since, only without If-Match
        ({"if_unmodified_since": SAME}, SEND),
        ({"if_unmodified_since": AFTER}, SEND),
        ({"if_unmodified_since": BEFORE}, FAILED),
        ({"if_unmodified_since": "yesterday"}, SEND),
        ({"if_match": '"abc"', "if_unmodified_since": BEFORE}, SEND),
        # If-None-Match
        ({"if_none_match": '"abc"'}, UNCHANGED),
        ({"if_none_match": 'W/"abc"'}, UNCHANGED),  # weak comparison
        ({"if_none_match": '"x",,"abc",'}, UNCHANGED),
        ({"if_none_match": '"a,b", "abc"'}, UNCHANGED),
        ({"if_none_match": " * "}, UNCHANGED),
        ({"if_none_match": '"x"'}, SEND),
        ({"if_none_match": '"ABC"'}, SEND),
        ({"if_none_match": 'w/"abc"'}, SEND),
        ({"if_none_match": 'abc"abc"'}, SEND),
        ({"if_none_match": '"x" "abc"'}, SEND),
        # If-Modified-Since, only without If-None-Match
        ({"if_modified_since": SAME}, UNCHANGED),
        ({"if_modified_since": AFTER}, UNCHANGED),
        ({"if_modified_since": BEFORE}, SEND),
        ({"if_modified_since": "yesterday"}, SEND),
        ({"if_none_match": '"x"', "if_modified_since": SAME}, SEND),
        # The first pair comes before the second
        ({"if_match": '"x"', "if_none_match": '"abc"'}, FAILED),
        ({"if_match": '"abc"', "if_none_match": '"abc"'}, UNCHANGED),
        ({"if_unmodified_since": BEFORE, "if_none_match": '"abc"'}, FAILED),
        ({"if_unmodified_since": SAME, "if_modified_since": SAME}, UNCHANGED),
    ],
)
def test_the_order(fields: dict[str, str], outcome: Outcome) -> None:
    assert evaluate(environ(**fields), VALIDATORS, NOW) is outcome
    assert evaluate(environ("HEAD", **fields), VALIDATORS, NOW) is outcome


def test_methods_that_change_something() -> None:
    assert evaluate(environ("PUT", if_none_match="*"), VALIDATORS, NOW) is FAILED
    assert evaluate(environ("PUT", if_modified_since=SAME), VALIDATORS, NOW) is SEND


def test_a_weak_tag() -> None:
    assert evaluate(environ(if_match='W/"abc"'), WEAK, NOW) is FAILED
    assert evaluate(environ(if_none_match='W/"abc"'), WEAK, NOW) is UNCHANGED
    assert evaluate(environ(if_none_match='"abc"'), WEAK, NOW) is UNCHANGED


@pytest.mark.parametrize(
    ("text", "is_due"),
    [
        ('"abc"', True),
        ('"x"', False),
        ('W/"abc"', False),
        (SAME, True),
        (AFTER, False),  # not "unchanged since", but this very one
        (BEFORE, False),
        ("yesterday", False),
        ("", False),
    ],
)
def test_if_range(text: str, is_due: bool) -> None:
    assert is_range_due(environ(if_range=text), VALIDATORS, NOW) is is_due
    assert is_range_due(environ(if_range=text), WEAK, NOW) is False
    assert is_range_due(environ(), WEAK, NOW) is True


@given(st.text(alphabet='W/"a*, \t\n\xff\x00', max_size=30))
def test_no_text_is_a_failure(text: str) -> None:
    evaluate(environ(if_match=text), VALIDATORS, NOW)
    evaluate(environ(if_none_match=text), VALIDATORS, NOW)


# --- What they are -----------------------------------------------------------------------


def test_the_tag_has_size_time_and_coding() -> None:
    tags = {
        validators_of(size, modified, coding, NOW).etag
        for size in (1, 2)
        for modified in (1, 2)
        for coding in ("", "br", "gzip")
    }
    assert len(tags) == 12
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


def test_a_file_that_has_just_changed_may_change_again() -> None:
    moment = int(NOW * 1e9)
    assert validators_of(1, moment - 10**9, "", NOW).is_strong
    new = validators_of(1, moment - 10**9 + 1000, "", NOW)
    assert not new.is_strong
    assert new.etag.startswith('W/"')


def test_last_modified_is_no_later_than_now() -> None:
    future = validators_of(1, int((NOW + 1000) * 1e9), "", NOW)
    assert future.modified == int(NOW)
    assert validators_of(1, -(10**9), "", NOW).last_modified == "Thu, 01 Jan 1970 00:00:00 GMT"


# --- Dates -------------------------------------------------------------------------------


@pytest.mark.rule("H134")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Wed Nov 16 08:49:37 1994", 784975777),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 3155760000),  # 2070: not yet 50 years ahead
        ("Friday, 01-Jan-80 00:00:00 GMT", 315532800),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT ", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT\n", None),
        ("Sun, 31 Nov 1994 08:49:37 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("Sun, 29 Feb 2023 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:60:37 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Sun, ٠٦ Nov 1994 08:49:37 GMT", None),
        ("784111777", None),
        ("", None),
    ],
)
def test_a_date(text: str, seconds: int | None) -> None:
    assert parse_http_date(text, NOW) == seconds


@given(st.integers(-(2**33), 2**37))
def test_a_date_of_our_own(second: int) -> None:
    assert parse_http_date(format_imf_fixdate(second), NOW) == second
