"""The environ behind proxies: believed, everything agrees; else nothing of it is left."""

import logging
from typing import Any

import pytest

from quaich.exchange.forwarded import FORWARDED, Forwarding, mounted
from quaich.protocol.errors import ProtocolError

ALL = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
)

pytestmark = pytest.mark.rule("S32")


def environ(**fields: str) -> dict[str, Any]:
    """As the server makes it, with fields: ``X_FORWARDED_FOR="…"``."""
    return {
        "REMOTE_ADDR": "10.0.0.2",
        "REMOTE_PORT": "4711",
        "SERVER_NAME": "10.0.0.1",
        "SERVER_PORT": "8000",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/cups",
        "HTTP_HOST": "internal:8000",
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name}": value for name, value in fields.items()},
    }


def rewritten(
    fields: tuple[str, ...] = ALL, count: int = 1, peer: Any = ("10.0.0.2", 4711), **given: str
) -> dict[str, Any]:
    found = environ(**given)
    Forwarding(["10.0.0.0/8"], fields, count).rewriter(peer)(found)
    return found


# --- Who is believed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "peer", "is_believed"),
    [
        (["127.0.0.1"], ("127.0.0.1", 1), True),
        (["127.0.0.1"], ("127.0.0.2", 1), False),
        (["10.0.0.0/8", "fd00::/8"], ("10.255.0.1", 1), True),
        (["10.0.0.0/8", "fd00::/8"], ("fd00::1", 1, 0, 0), True),
        (["10.0.0.0/8"], ("::ffff:10.0.0.1", 1, 0, 0), True),  # IPv4 on an IPv6 socket
        (["fe80::/10"], ("fe80::1%eth0", 1, 0, 2), True),
        (["::ffff:10.0.0.0/104"], ("::ffff:10.0.0.1", 1, 0, 0), True),
        (["10.0.0.1/8"], ("10.2.0.1", 1), True),  # a network by one of its hosts
        (["*"], ("203.0.113.9", 1), True),
        ([], ("127.0.0.1", 1), False),
        ([], "", True),  # a Unix socket
    ],
)
def test_who_is_believed(allowed: list[str], peer: Any, is_believed: bool) -> None:
    found = environ(X_FORWARDED_FOR="192.0.2.7")
    Forwarding(allowed, ALL, 1).rewriter(peer)(found)
    assert (found["REMOTE_ADDR"] == "192.0.2.7") is is_believed
    assert ("HTTP_X_FORWARDED_FOR" in found) is is_believed


def test_what_others_say_is_taken_out() -> None:
    given: Any = {name.removeprefix("HTTP_"): "for=192.0.2.7" for name in FORWARDED}
    assert rewritten(peer=("192.0.2.1", 1), **given) == environ()


def test_fields_that_are_not_believed_are_taken_out_of_a_proxy_s_too() -> None:
    """A client may have sent them, and the proxy passed them on."""
    found = rewritten(("x-forwarded-for",), X_FORWARDED_FOR="192.0.2.7", X_FORWARDED_HOST="evil")
    assert found["REMOTE_ADDR"] == "192.0.2.7"
    assert found["HTTP_HOST"] == "internal:8000"
    assert "HTTP_X_FORWARDED_HOST" not in found


def test_it_is_said_once_for_each_field(caplog: pytest.LogCaptureFixture) -> None:
    forwarding = Forwarding([], ALL, 1)
    with caplog.at_level(logging.INFO, "quaich.error"):
        for _ in range(3):
            forwarding.rewriter(("10.0.0.2", 1))(environ(X_FORWARDED_FOR="a", FORWARDED="b"))
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "X-Forwarded-For from 10.0.0.2 is not believed and was taken out",
        "Forwarded from 10.0.0.2 is not believed and was taken out",
    ]
    assert "--forwarded-allow-ips" in caplog.text


# --- What becomes of it -----------------------------------------------------------------------


def test_the_address() -> None:
    found = rewritten(X_FORWARDED_FOR="192.0.2.7:5000")
    assert (found["REMOTE_ADDR"], found["REMOTE_PORT"]) == ("192.0.2.7", "5000")


def test_a_port_that_is_not_told_is_not_the_proxy_s() -> None:
    assert "REMOTE_PORT" not in rewritten(X_FORWARDED_FOR="192.0.2.7")


@pytest.mark.rule("S35")
def test_an_address_that_is_not_told_is_absent() -> None:
    found = rewritten(FORWARDED="for=unknown")
    assert "REMOTE_ADDR" not in found
    assert "REMOTE_PORT" not in found


@pytest.mark.parametrize(
    ("count", "address"), [(1, "192.0.2.3"), (2, "192.0.2.2"), (3, "192.0.2.1"), (9, "192.0.2.1")]
)
def test_so_many_proxies_are_believed(count: int, address: str) -> None:
    chain = "192.0.2.1, 192.0.2.2, 192.0.2.3"
    assert rewritten(count=count, X_FORWARDED_FOR=chain)["REMOTE_ADDR"] == address
    elements = ",".join(f"for={each.strip()}" for each in chain.split(","))
    assert rewritten(count=count, FORWARDED=elements)["REMOTE_ADDR"] == address


def test_the_scheme_brings_its_port() -> None:
    found = rewritten(X_FORWARDED_PROTO="https")
    assert found["wsgi.url_scheme"] == "https"
    # Host was passed on as it is: its port is the client's.
    assert found["SERVER_PORT"] == "8000"
    plain = environ(X_FORWARDED_PROTO="https") | {"HTTP_HOST": "shop.example"}
    Forwarding(["*"], ALL, 1).rewriter(("10.0.0.2", 1))(plain)
    assert (plain["SERVER_PORT"], plain["HTTP_HOST"]) == ("443", "shop.example")


def test_the_host_agrees_with_name_and_port() -> None:
    found = rewritten(X_FORWARDED_HOST="shop.example:8443", X_FORWARDED_PROTO="https")
    assert (found["HTTP_HOST"], found["SERVER_NAME"], found["SERVER_PORT"]) == (
        "shop.example:8443",
        "shop.example",
        "8443",
    )


def test_the_port_counts_more_than_that_of_the_host() -> None:
    found = rewritten(
        X_FORWARDED_HOST="[2001:db8::1]:80", X_FORWARDED_PORT="443", X_FORWARDED_PROTO="https"
    )
    assert (found["HTTP_HOST"], found["SERVER_NAME"], found["SERVER_PORT"]) == (
        "[2001:db8::1]",
        "2001:db8::1",
        "443",
    )


def test_a_port_of_its_own_is_the_host_s_too() -> None:
    """Else the URLs that an application makes would lead elsewhere."""
    found = rewritten(X_FORWARDED_PORT="8443")
    assert (found["HTTP_HOST"], found["SERVER_PORT"]) == ("internal:8443", "8443")
    found = rewritten(X_FORWARDED_PORT="443", X_FORWARDED_PROTO="https")
    assert (found["HTTP_HOST"], found["SERVER_PORT"]) == ("internal", "443")
    without = environ(X_FORWARDED_PORT="443")
    del without["HTTP_HOST"]
    Forwarding(["*"], ALL, 1).rewriter(("10.0.0.2", 1))(without)
    assert without["SERVER_PORT"] == "443"
    assert "HTTP_HOST" not in without


def test_what_stands_before_our_own_proxies_words_is_cut_off() -> None:
    """It may be the client's own, and many an application takes the first entry."""
    found = rewritten(
        count=2,
        X_FORWARDED_FOR="6.6.6.6, 192.0.2.7, 10.0.0.9",
        X_FORWARDED_HOST="evil,shop.example",
        X_FORWARDED_PROTO="gopher, https, http",
    )
    assert found["HTTP_X_FORWARDED_FOR"] == "192.0.2.7, 10.0.0.9"
    assert found["HTTP_X_FORWARDED_HOST"] == "evil,shop.example"  # both are ours
    assert found["HTTP_X_FORWARDED_PROTO"] == "https, http"
    found = rewritten(
        FORWARDED='for=6.6.6.6;host=",", for=192.0.2.7;by=_a', X_FORWARDED_FOR="6.6.6.6"
    )
    assert found["HTTP_FORWARDED"] == "for=192.0.2.7;by=_a"
    assert "HTTP_X_FORWARDED_FOR" not in found


@pytest.mark.rule("S30")
def test_the_prefix() -> None:
    found = rewritten(X_FORWARDED_PREFIX="/shop%20s/")
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/shop s", "/cups")


def test_forwarded_counts_alone_where_it_is_believed() -> None:
    found = rewritten(FORWARDED="for=192.0.2.7;proto=https", X_FORWARDED_FOR="192.0.2.9")
    assert found["REMOTE_ADDR"] == "192.0.2.7"
    other = rewritten(ALL[1:], FORWARDED="for=192.0.2.7", X_FORWARDED_FOR="192.0.2.9")
    assert other["REMOTE_ADDR"] == "192.0.2.9"


def test_empty_fields_say_nothing() -> None:
    given: Any = {name.removeprefix("HTTP_"): "" for name in FORWARDED}
    assert rewritten(**given) == environ(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"X_FORWARDED_FOR": "nobody"},
        {"X_FORWARDED_FOR": "192.0.2.7", "X_FORWARDED_PROTO": "gopher"},
        {"X_FORWARDED_FOR": "192.0.2.7", "X_FORWARDED_HOST": "a b"},
        {"X_FORWARDED_FOR": "192.0.2.7", "X_FORWARDED_PORT": "http"},
        {"X_FORWARDED_FOR": "192.0.2.7", "X_FORWARDED_PREFIX": "//evil"},
        {"FORWARDED": "for"},
    ],
)
def test_what_is_malformed_is_refused_and_nothing_is_changed(given: dict[str, str]) -> None:
    found = environ(**given)
    with pytest.raises(ProtocolError) as info:
        Forwarding(["*"], ALL, 1).rewriter(("10.0.0.2", 1))(found)
    assert info.value.status == 400
    assert found == environ(**given)


# --- root_path --------------------------------------------------------------------------------


@pytest.mark.rule("S30")
@pytest.mark.parametrize(
    ("path", "script_name", "path_info"),
    [
        ("/shop/cups", "/shop", "/cups"),
        ("/shop", "/shop", ""),
        ("/shop/", "/shop", "/"),
        ("/shopping", "/shop", "/shopping"),
        ("/cups", "/shop", "/cups"),
    ],
)
def test_an_application_under_a_path(path: str, script_name: str, path_info: str) -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        return []

    mounted(application, "shop/")(environ() | {"PATH_INFO": path}, lambda *_: lambda _: None)
    assert (seen[0]["SCRIPT_NAME"], seen[0]["PATH_INFO"]) == (script_name, path_info)
    assert mounted(application, "/") is application


@pytest.mark.rule("S20")
def test_a_path_that_is_not_ascii_is_bytes_as_latin_1() -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        return []

    path = "/\u76c3".encode().decode("latin-1")
    mounted(application, "/\u76c3")(environ() | {"PATH_INFO": f"{path}/a"}, lambda *_: print)
    assert (seen[0]["SCRIPT_NAME"], seen[0]["PATH_INFO"]) == (path, "/a")
