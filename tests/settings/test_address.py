"""The spellings of an address."""

import pytest

from quaich.settings import Address, parse_address
from quaich.settings.address import AnyAddress, Descriptor, UnixAddress, collide


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
        ("unix:/run/quaich.sock", UnixAddress("/run/quaich.sock")),
        ("unix:quaich.sock", UnixAddress("quaich.sock")),
        ("unix:///run/quaich.sock", UnixAddress("/run/quaich.sock")),  # gunicorn takes this too
        ("unix:./@x", UnixAddress("./@x")),
        ("unix:@quaich", UnixAddress("@quaich")),
        (f"unix:/{'x' * 106}", UnixAddress(f"/{'x' * 106}")),
        ("fd://3", Descriptor(3)),
        ("fd://0", Descriptor(0)),
    ],
)
def test_parses(text: str, address: AnyAddress) -> None:
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
        ("http://localhost:80", "it takes an address, not a URL: write localhost:80"),
        ("HTTPS://me@[::1]/x", "it takes an address, not a URL: write [::1]:443"),
        ("http://h:8081/?x", "it takes an address, not a URL: write h:8081"),
        ("ftp://h:21/x", "it takes an address, not a URL: write h:21"),
        ("/run/quaich.sock", "a Unix socket is written unix:/run/quaich.sock"),
        ("@quaich", "a Unix socket is written unix:@quaich"),
        ("unix:", "a Unix socket is written unix:PATH"),
        ("unix:@", "a Unix socket is written unix:PATH"),
        ("unix:/run/", "it takes the path of a socket, not of a directory"),
        ("unix:/run/\0x", "a path has no NUL"),
        (f"unix:/{'x' * 107}", "the path of a Unix socket has at most 107 bytes, not 108"),
        (f"unix:/{'é' * 54}", "the path of a Unix socket has at most 107 bytes, not 109"),
        ("fd:3", "a descriptor is written fd://N"),
        ("fd://", "a descriptor is written fd://N"),
        ("fd://-1", "a descriptor is written fd://N"),
        ("fd://٣", "a descriptor is written fd://N"),
        ("fd://2147483648", "a descriptor is written fd://N"),
    ],
)
def test_refuses(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_address(text)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("text", ["ftp://h", "http://", "http://h:99999", "https://a b"])
def test_a_url_may_lead_nowhere(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it takes an address, not a URL$"):
        parse_address(text)


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        (":80", ":80", True),
        (":80", "0.0.0.0:80", True),
        (":80", "192.0.2.1:80", True),
        ("localhost:80", "127.0.0.1:80", True),
        ("[::]:80", "[::1]:80", True),
        ("unix:/x", "unix:///x", True),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("[::]:80", "127.0.0.1:80", False),
        ("[::]:80", ":80", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:/x", "unix:/y", False),
        ("unix:/x", ":80", False),
    ],
)
def test_two_sockets_cannot_have_one_address(one: str, other: str, do: bool) -> None:
    addresses = parse_address(one), parse_address(other)
    assert collide(*addresses) == do
    assert collide(*reversed(addresses)) == do


@pytest.mark.parametrize(
    "text", ["127.0.0.1:8000", "[::1]:80", "unix:/run/x", "unix:@x", "unix:./@x", "fd://3"]
)
def test_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    ("address", "shown", "url"),
    [
        (Address("::", 80), "https://[::]:80", "https://[::1]:80"),
        (Address("0.0.0.0", 80), "https://0.0.0.0:80", "https://127.0.0.1:80"),
        (Address("192.0.2.1", 80), "https://192.0.2.1:80", "https://192.0.2.1:80"),
        (UnixAddress("/run/x y"), "unix:/run/x y", "https+unix://%2Frun%2Fx%20y"),
        (UnixAddress("@x"), "unix:@x", "https+unix://%40x"),
    ],
)
def test_is_told(address: Address | UnixAddress, shown: str, url: str) -> None:
    """In the line ``Listening on …``, and to a client on this host."""
    assert address.shown("https") == shown
    assert address.url("https") == url
