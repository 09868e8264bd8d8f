"""The ABNF that several modules need."""

import pytest

from quaich.protocol.grammar import (
    is_field_value,
    is_token,
    list_members,
    match_authority,
    parse_decimal,
)

TCHAR = "!#$%&'*+-.^_`|~" + "0123456789" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.rule("H044")
def test_tchar_is_what_rfc_9110_lists_and_nothing_else() -> None:
    assert {chr(code) for code in range(0x180) if is_token(chr(code))} == set(TCHAR)


@pytest.mark.rule("H044")
@pytest.mark.parametrize("text", ["", "a b", "a\n", "\na", "é", "a:", "\u0661"])
def test_not_a_token(text: str) -> None:
    assert is_token(text) is None


@pytest.mark.rule("H049")
def test_a_field_value_has_no_controls_but_htab_and_nothing_beyond_latin_1() -> None:
    allowed = {chr(code) for code in range(0x200) if is_field_value(chr(code))}
    assert allowed == {"\t"} | {chr(code) for code in range(0x20, 0x100)} - {"\x7f"}
    assert is_field_value("")
    assert is_field_value("a\n") is None


@pytest.mark.rule("H062")
@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("42", 42), ("003", 3), ("9" * 20, 10**20 - 1)],
)
def test_a_decimal_number(text: str, number: int) -> None:
    assert parse_decimal(text) == number


@pytest.mark.rule("H062")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "+5",
        "-5",
        "1_0",
        " 5",
        "5 ",
        "5\n",
        "0x5",
        "5.0",
        "1e3",
        "\u0663",
        "\xb2",
        "\uff15",
        "5,5",
    ],
)
def test_what_int_would_take_is_not_a_decimal_number(text: str) -> None:
    assert parse_decimal(text) is None


@pytest.mark.rule("H063")
def test_a_decimal_number_has_at_most_20_digits() -> None:
    assert parse_decimal("0" * 21) is None
    assert parse_decimal("9" * 100_000) is None


@pytest.mark.rule("H054")
@pytest.mark.parametrize(
    ("values", "members"),
    [
        ([], []),
        ([""], []),
        (["chunked"], ["chunked"]),
        (["Keep-Alive, TE"], ["keep-alive", "te"]),
        ([",a,, b ,\t,"], ["a", "b"]),
        (["a", "B,c"], ["a", "b", "c"]),
        (["a b"], ["a b"]),
        (["\xa0a"], ["\xa0a"]),  # only SP and HTAB are white space (H046)
        (["\x0ba"], ["\x0ba"]),
    ],
)
def test_list_members(values: list[str], members: list[str]) -> None:
    assert list_members(values) == members


@pytest.mark.rule("H040")
@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com", "example.com", None),
        ("example.com:80", "example.com", "80"),
        ("example.com:", "example.com", ""),
        ("127.0.0.1:8000", "127.0.0.1", "8000"),
        ("0.0.0.0=5000", "0.0.0.0=5000", None),
        ("a_b.example", "a_b.example", None),
        ("ex%41mple", "ex%41mple", None),
        ("[::]", "[::]", None),
        ("[::1]:443", "[::1]", "443"),
        ("[1::]", "[1::]", None),
        ("[2001:db8:0:0:0:0:2:1]", "[2001:db8:0:0:0:0:2:1]", None),
        ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", None),
        ("[::2:3:4:5:6:7:8]", "[::2:3:4:5:6:7:8]", None),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", None),
        ("[1:2:3:4:5:6:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", None),
        ("[v7.a:b]:1", "[v7.a:b]", "1"),
        ("", "", None),
        (":80", "", "80"),
    ],
)
def test_an_authority(text: str, host: str, port: str | None) -> None:
    match = match_authority(text)
    assert match is not None
    assert (match["host"], match["port"]) == (host, port)


@pytest.mark.rule("H040")
@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "a/b",
        "user@host",
        "a:b",
        "a:80:80",
        "a:\u0663",
        "a\n",
        "é.example",
        "a%4",
        "a%zz",
        "a?b",
        "a#b",
        "a\\b",
        "<a>",
        "[::1",
        "::1]",
        "::1",
        "[]",
        "[::1]x",
        "[::1%25eth0]",
        "[a]",
        "[1.2.3.4]",
        "[:]",
        "[:::]",
        "[1::2::3]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[1:2:3:4:5:6:7:8::]",
        "[12345::]",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[::1.2.3.4:5]",
        "[v7.]",
        "[vg.a]",
    ],
)
def test_not_an_authority(text: str) -> None:
    assert match_authority(text) is None
