"""What holds of the lines of a head for all bytes, and of the grammar for all text."""

# ruff: noqa: PT017  # these properties allow an error, and say which

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.strategies import any_lines
from protocol.wire import read_request
from quaich.protocol.date import format_imf_fixdate
from quaich.protocol.errors import ProtocolError
from quaich.protocol.grammar import is_token, list_members, match_authority, parse_decimal
from quaich.protocol.request import (
    DROPIN,
    STRICT,
    Leniency,
    decode_path,
    parse_field_line,
    parse_request_line,
    parse_target,
    strip_line_end,
)

leniencies = st.builds(Leniency, st.booleans(), st.booleans(), st.booleans(), st.booleans())


@given(line=any_lines, leniency=leniencies)
def test_a_request_line_is_parsed_or_refused_and_nothing_else(
    line: bytes, leniency: Leniency
) -> None:
    try:
        parsed = parse_request_line(line, leniency)
    except ProtocolError as error:
        assert error.status in (400, 501, 505)
        return
    expected = f"{parsed.method} {parsed.target}"
    if parsed.version != "HTTP/0.9":
        expected += f" {parsed.version}"
    assert line == expected.encode("latin-1")
    try:
        target = parse_target(parsed.method, parsed.target)
    except ProtocolError as error:
        assert error.status in (400, 501)
    else:
        assert target.path[:1] in ("", "/")
        decode_path(target.path).encode("latin-1")


@given(line=any_lines, leniency=leniencies)
def test_a_line_end_is_taken_off_or_refused_and_nothing_else(
    line: bytes, leniency: Leniency
) -> None:
    try:
        stripped = strip_line_end(line, leniency)
    except ProtocolError as error:
        assert error.status == 400
        return
    assert b"\r" not in stripped
    assert line in (stripped + b"\r\n", stripped + b"\n", stripped)


@given(line=any_lines)
def test_a_field_line_is_parsed_or_refused_and_nothing_else(line: bytes) -> None:
    try:
        name, value = parse_field_line(line)
    except ProtocolError as error:
        assert error.status == 400
        return
    assert is_token(name)
    assert value == value.strip(" \t")
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
    before, _, behind = line.partition(b":")
    assert (before.decode("latin-1"), behind.strip(b" \t").decode("latin-1")) == (name, value)


@given(
    name=st.text("abzAZ09!#$%&'*+-.^_`|~", min_size=1),
    value=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"])),
    before=st.text(" \t", max_size=3),
    behind=st.text(" \t", max_size=3),
)
def test_every_field_comes_back_from_its_line(
    name: str, value: str, before: str, behind: str
) -> None:
    line = f"{name}:{before}{value}{behind}".encode("latin-1")
    assert parse_field_line(line) == (name, value.strip(" \t"))


@given(data=st.lists(any_lines, max_size=4).map(b"\r\n".join), leniency=leniencies)
def test_a_whole_request_is_read_or_refused_and_nothing_else(
    data: bytes, leniency: Leniency
) -> None:
    try:
        read_request(data, leniency)
    except ProtocolError as error:
        assert error.status in (400, 501, 505)


@given(data=st.lists(any_lines, max_size=4).map(b"\r\n".join))
def test_the_drop_in_profile_takes_what_the_strict_one_takes_and_the_same(data: bytes) -> None:
    try:
        strict = read_request(data, STRICT)
    except ProtocolError:
        return
    assert read_request(data, DROPIN)[:3] == strict[:3]


@given(text=st.text("0123456789+-_ .x\n٣") | st.text())
def test_a_decimal_number_is_what_ascii_digits_say(text: str) -> None:
    expected = int(text) if re.fullmatch("[0-9]{1,20}", text) else None
    assert parse_decimal(text) == expected


@given(values=st.lists(st.text("aB, \t;"), max_size=4))
def test_list_members_are_those_of_the_joined_lines(values: list[str]) -> None:
    members = list_members(values)
    assert members == list_members([",".join(values)])
    assert list_members([", ".join(members)]) == members
    assert all(member and member == member.strip(" \t").lower() for member in members)


@pytest.mark.rule("H040")
@given(
    text=st.lists(st.sampled_from(["0", "1", "ffff", "12345", "g", ":", "::", ".", "1.2.3.4"])).map(
        "".join
    )
    | st.lists(st.sampled_from(["0", "f", "1.2.3.4"]), min_size=1, max_size=9).map(":".join)
    | st.ip_addresses(v=6).map(str)
)
def test_an_ip_literal_is_what_the_standard_library_takes(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        assert match_authority(f"[{text}]") is None
    else:
        assert match_authority(f"[{text}]") is not None


FIRST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@pytest.mark.rule("H134")
@given(second=st.integers(FIRST, LAST), quarter=st.sampled_from([0, 0.25, 0.5, 0.75]))
def test_the_date_is_that_of_email_utils(second: int, quarter: float) -> None:
    assert format_imf_fixdate(second) == formatdate(second, usegmt=True)
    if abs(second) < 2**40:
        assert format_imf_fixdate(second + quarter) == formatdate(second, usegmt=True)
