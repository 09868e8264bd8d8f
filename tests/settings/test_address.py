"""The spellings of an address."""

import pytest

from quaich.settings import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", Address("127.0.0.1", 8000)),
        ("localhost", Address("localhost", 8000)),
        ("localhost:0", Address("localhost", 0)),
        (":9000", Address("", 9000)),
        ("[::1]", Address("::1", 8000)),
        ("[::1]:65535", Address("::1", 65535)),
        ("tcp://127.0.0.1:80", Address("127.0.0.1", 80)),
    ],
)
def test_parses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it takes HOST, HOST:PORT"),
        ("a b:80", "it takes HOST, HOST:PORT"),
        ("host/path", "it takes HOST, HOST:PORT"),
        ("8000", "a port alone is :8000"),
        ("::1", "an IPv6 address is written in brackets"),
        ("::1:8000", "an IPv6 address is written in brackets"),
        ("[::1", "an IPv6 address is written"),
        ("[::1]8000", "an IPv6 address is written"),
        ("[localhost]:80", "an IPv6 address is written"),
        ("localhost:", "'' is not a port number"),
        ("localhost:http", "'http' is not a port number"),
        ("localhost:-1", "'-1' is not a port number"),
        ("localhost:65536", "'65536' is not a port number"),
        ("localhost:٣", "'٣' is not a port number"),
        ("http://localhost:80", "it takes an address, not a URL"),
        ("unix:/run/quaich.sock", "only TCP addresses are served so far"),
        ("fd://3", "only TCP addresses are served so far"),
    ],
)
def test_refuses(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_address(text)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "[::1]:80"])
def test_is_written_as_in_a_url(text: str) -> None:
    assert str(parse_address(text)) == text
