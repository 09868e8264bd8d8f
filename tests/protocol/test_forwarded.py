"""What proxies say of the client: RFC 7239, and the X-Forwarded fields."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaich.protocol.errors import ProtocolError
from quaich.protocol.forwarded import (
    check_port,
    check_prefix,
    check_scheme,
    last_elements,
    last_entries,
    nth_from_the_end,
    parse_forwarded,
    parse_node,
    split_authority,
)

pytestmark = pytest.mark.rule("S32")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1", "192.0.2.1", ""),
        ("192.0.2.1:8000", "192.0.2.1", "8000"),
        ("[2001:DB8::1]", "2001:db8::1", ""),
        ("[2001:db8::1]:65535", "2001:db8::1", "65535"),
        ("2001:db8::1", "2001:db8::1", ""),  # X-Forwarded-For, without brackets
        ("::ffff:192.0.2.1", "192.0.2.1", ""),  # the same in every version of Python
        ("[::ffff:192.0.2.1]:80", "192.0.2.1", "80"),
        ("fe80::1%eth0", "fe80::1", ""),
        ("[fe80::1%eth0]:80", "fe80::1", "80"),
        ("192.0.2.1:_hidden", "192.0.2.1", ""),
        ("unknown", "", ""),
        ("Unknown", "", ""),
        ("_secret", "", ""),
    ],
)
def test_a_node(text: str, host: str, port: str) -> None:
    node = parse_node(text)
    assert ipaddress.ip_address(node.host) == ipaddress.ip_address(host) if host else not node.host
    assert node.port == port


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "192.0.2.256",
        "192.0.2.1:65536",
        "192.0.2.1:",
        "192.0.2.1 ",
        "[::1",
        "::1]",
        "192.0.2.1%eth0",
        "fe80::1%",
        "fe80::1%a b",
        "[192.0.2.1]x",
        "<script>",
        "192.0.2.1\r\nX: y",
        "_",
        "\uff1192.0.2.1",
    ],
)
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(ProtocolError) as info:
        parse_node(text)
    assert info.value.status == 400


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", 1),
        ('for=192.0.2.43, for="[2001:db8:cafe::17]:4711"', 2),
        ("For=_a ; PROTO=https ,for=unknown", 2),
        ("", 0),
        (", ,", 0),
        ('for="a\\"b,;c"', 1),
        (";;for=x;", 1),
    ],
)
def test_the_elements_of_forwarded(value: str, elements: int) -> None:
    assert len(parse_forwarded(value)) == elements


def test_the_parameters_of_an_element() -> None:
    assert parse_forwarded('for="[::1]:80";Proto=https;host="a\\"b"') == [
        {"for": "[::1]:80", "proto": "https", "host": 'a"b'}
    ]


@pytest.mark.parametrize(
    "value", ["for", "for=", "=x", "for=a b", 'for="a', "for=a;for=b", "for=[::1]", "a=b\0"]
)
def test_what_is_not_forwarded(value: str) -> None:
    with pytest.raises(ProtocolError):
        parse_forwarded(value)


@given(st.text())
def test_any_text_gives_elements_or_an_error(value: str) -> None:
    try:
        elements = parse_forwarded(value)
    except ProtocolError:
        return
    assert all(elements)


@given(
    st.lists(
        st.dictionaries(
            st.from_regex(r"[a-z]{1,6}", fullmatch=True),
            st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
            min_size=1,
        )
    )
)
def test_what_is_written_is_read(elements: list[dict[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    value = ", ".join(
        ";".join(f"{name}={quoted(text)}" for name, text in element.items()) for element in elements
    )
    assert parse_forwarded(value) == elements


@pytest.mark.parametrize(("count", "entry"), [(1, "c"), (2, "b"), (3, "a"), (4, "a"), (100, "a")])
def test_entries_are_counted_from_the_end(count: int, entry: str) -> None:
    assert nth_from_the_end("a, b\t,c", count) == entry


@pytest.mark.parametrize(
    ("value", "count", "left"),
    [
        ("a, b\t,c", 1, "c"),
        ("a, b\t,c", 2, "b\t,c"),
        ("a, b\t,c", 3, "a, b\t,c"),
        ("a", 9, "a"),
        ("a,", 1, ""),
        ("", 1, ""),
    ],
)
def test_entries_before_them_are_cut_off(value: str, count: int, left: str) -> None:
    assert last_entries(value, count) == left


@pytest.mark.parametrize(
    ("value", "count", "left"),
    [
        ("for=a, for=b;proto=http", 1, "for=b;proto=http"),
        ('for=a;host=", for=x", ,for=b , ', 1, "for=b , "),
        ('for=a;host=", for=x", ,for=b', 2, 'for=a;host=", for=x", ,for=b'),
        ("for=a", 9, "for=a"),
        (",", 1, ","),
    ],
)
def test_elements_before_them_are_cut_off(value: str, count: int, left: str) -> None:
    assert last_elements(value, count) == left


def test_schemes() -> None:
    assert [check_scheme(each) for each in ("http", "HTTPS", "ws", "wss")] == [
        "http",
        "https",
        "http",
        "https",
    ]
    for wrong in ("", "ftp", "https,http", "https "):
        with pytest.raises(ProtocolError):
            check_scheme(wrong)


def test_authorities() -> None:
    assert split_authority("shop.example") == ("shop.example", "")
    assert split_authority("[::1]:8000") == ("[::1]", "8000")
    for wrong in ("", ":80", "a b", "u@h", "h:99999", "h/x", "h\r\nX: y"):
        with pytest.raises(ProtocolError):
            split_authority(wrong)


def test_ports_and_prefixes() -> None:
    assert check_port("0443") == "443"
    assert [check_prefix(each) for each in ("/", "/shop/", "/a/b")] == ["", "/shop", "/a/b"]
    for wrong in ("", "-1", "65536", "\uff180"):
        with pytest.raises(ProtocolError):
            check_port(wrong)
    for wrong in ("shop", "//evil.example", "/a b", "/a\r\nX: y", "/a?b"):
        with pytest.raises(ProtocolError):
            check_prefix(wrong)
