"""Field lines and the target as variables of the environ."""

from typing import Any

import pytest

from quaich.protocol.request import parse_target
from quaich.protocol.variables import HeaderMap, add_fields, target_variables, variable_name


def added(
    fields: list[tuple[str, str]], environ: dict[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    environ = {} if environ is None else environ
    add_fields(environ, fields, **options)
    return environ


@pytest.mark.parametrize(
    ("name", "variable"),
    [("Host", "HOST"), ("X-Forwarded-For", "X_FORWARDED_FOR"), ("x.y|z", "X.Y|Z")],
)
def test_the_name_of_a_variable(name: str, variable: str) -> None:
    assert variable_name(name) == variable


@pytest.mark.rule("H052")
def test_a_variable_for_each_field_and_repeated_ones_joined_in_order() -> None:
    fields = [("Host", "a"), ("X-A", "1"), ("Accept", "x"), ("x-a", "2"), ("X-A", "")]
    assert added(fields) == {"HTTP_HOST": "a", "HTTP_X_A": "1, 2, ", "HTTP_ACCEPT": "x"}
    assert added(fields, separator=",")["HTTP_X_A"] == "1,2,"


@pytest.mark.rule("H053")
def test_cookies_are_one_list_over_all_their_lines() -> None:
    fields = [("Cookie", "a=1"), ("cookie", "b=2")]
    assert added(fields) == {"HTTP_COOKIE": "a=1; b=2"}
    assert added(fields, separator=",") == {"HTTP_COOKIE": "a=1; b=2"}


@pytest.mark.rule("H057")
@pytest.mark.parametrize("header_map", ["drop", "refuse"])
def test_names_with_an_underscore_are_dropped(header_map: HeaderMap) -> None:
    fields = [("X_A", "bad"), ("X-A", "good"), ("_", "bad"), ("X-_B", "bad")]
    assert added(fields, header_map=header_map) == {"HTTP_X_A": "good"}


@pytest.mark.rule("H057")
def test_names_with_an_underscore_count_as_the_others_only_on_demand() -> None:
    fields = [("X_A", "1"), ("X-A", "2"), ("Content_Length", "3"), ("Content_Type", "4")]
    assert added(fields, header_map="dangerous") == {"HTTP_X_A": "1, 2"}


@pytest.mark.rule("H057")
@pytest.mark.parametrize("header_map", ["drop", "refuse", "dangerous"])
@pytest.mark.parametrize("name", ["For", "Host", "Port", "Prefix", "Proto"])
def test_what_proxies_write_has_one_name(name: str, header_map: HeaderMap) -> None:
    """A proxy replaces what comes under the right name, and nothing else."""
    for wrong in (f"X_Forwarded_{name}", f"X-Forwarded_{name}", f"x_forwarded-{name.lower()}"):
        assert added([(wrong, "evil")], header_map=header_map) == {}
        variable = f"HTTP_X_FORWARDED_{name.upper()}"
        fields = [(wrong, "evil"), (f"X-Forwarded-{name}", "good"), (wrong, "evil")]
        assert added(fields, header_map=header_map) == {variable: "good"}


@pytest.mark.rule("H059")
@pytest.mark.parametrize("header_map", ["drop", "dangerous"])
@pytest.mark.parametrize("name", ["Proxy", "proxy", "PROXY"])
def test_proxy_is_never_exposed(name: str, header_map: HeaderMap) -> None:
    assert added([(name, "http://evil/")], header_map=header_map) == {}
    assert added([("Proxy-Authorization", "x")]) == {"HTTP_PROXY_AUTHORIZATION": "x"}


def test_content_type_and_length_have_variables_of_their_own() -> None:
    assert added([("Content-Type", "a"), ("content-length", "1")]) == {}


def test_no_field_can_be_taken_for_a_variable_of_cgi() -> None:  # D051
    environ = {"SERVER_NAME": "a", "SCRIPT_NAME": ""}
    added([("Server-Name", "evil"), ("Script-Name", "evil"), ("wsgi.input", "x")], environ)
    assert environ == {
        "SERVER_NAME": "a",
        "SCRIPT_NAME": "",
        "HTTP_SERVER_NAME": "evil",
        "HTTP_SCRIPT_NAME": "evil",
        "HTTP_WSGI.INPUT": "x",
    }


@pytest.mark.rule("H036")
@pytest.mark.parametrize(
    ("method", "raw", "path", "query"),
    [
        ("GET", "/a%20b?c=%20d", "/a b", "c=%20d"),
        ("GET", "/caf%C3%A9", "/caf\xc3\xa9", ""),
        ("GET", "//a", "//a", ""),
        ("GET", "http://a:80/b?c", "/b", "c"),
        ("OPTIONS", "*", "", ""),
    ],
)
def test_the_variables_of_a_target(method: str, raw: str, path: str, query: str) -> None:
    assert target_variables(parse_target(method, raw), raw) == {
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": raw,
        "RAW_URI": raw,
    }
