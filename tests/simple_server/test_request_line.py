"""Request line and request target (D021-D032, D053, D055a, D055b)."""

from types import SimpleNamespace
from typing import Any

import pytest

from simple_server.client import HOST, Recorder
from support import exchange


def environ_of(wsgiref: SimpleNamespace, line: bytes, fields: bytes = HOST) -> dict[str, Any]:
    app = Recorder()
    answer = exchange(wsgiref, app, line + b"\r\n" + fields + b"\r\n")
    assert answer.status == "HTTP/1.0 200 OK"
    return app.environ


def refuse(wsgiref: SimpleNamespace, data: bytes, status: int, *, size: int | None = None) -> None:
    app = Recorder()
    answer = exchange(wsgiref, app, data, size=size)
    assert answer.status.startswith(f"HTTP/1.0 {status} ")
    assert app.environs == []
    assert "Traceback" not in answer.err


@pytest.mark.defect("D021")
@pytest.mark.parametrize("scheme", [b"http", b"HTTPS"])
def test_an_absolute_target_is_split_into_host_and_path(
    wsgiref: SimpleNamespace, scheme: bytes
) -> None:
    environ = environ_of(wsgiref, b"GET %b://other.test:81/p%%20q?a=b HTTP/1.1" % scheme)
    assert environ["PATH_INFO"] == "/p q"
    assert environ["QUERY_STRING"] == "a=b"
    assert environ["HTTP_HOST"] == "other.test:81"


@pytest.mark.defect("D021")
def test_an_absolute_target_without_a_path_has_the_path_slash(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, b"GET http://other.test?a HTTP/1.1")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/", "a")


@pytest.mark.defect("D021")
@pytest.mark.parametrize(
    "target",
    [b"http://user@other.test/", b"http:///path", b"http://other.test:99999/", b"ftp://x/"],
)
def test_an_absolute_target_without_a_sound_authority_is_refused(
    wsgiref: SimpleNamespace, target: bytes
) -> None:
    refuse(wsgiref, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400)


@pytest.mark.defect("D022")
@pytest.mark.parametrize("target", [b"*", b"http://example.test"])
def test_options_asterisk_has_an_empty_path(wsgiref: SimpleNamespace, target: bytes) -> None:
    environ = environ_of(wsgiref, b"OPTIONS " + target + b" HTTP/1.1")
    assert environ["PATH_INFO"] == ""
    assert environ["REQUEST_URI"] == target.decode()


@pytest.mark.defect("D022")
def test_asterisk_is_a_target_of_options_only(wsgiref: SimpleNamespace) -> None:
    refuse(wsgiref, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400)


@pytest.mark.defect("D023")
@pytest.mark.parametrize(
    ("target", "status"),
    [(b"example.test:443", 501), (b"[::1]:443", 501), (b"/", 400), (b"example.test", 400)],
)
def test_connect_is_refused(wsgiref: SimpleNamespace, target: bytes, status: int) -> None:
    refuse(wsgiref, b"CONNECT " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", status)


@pytest.mark.defect("D024")
@pytest.mark.parametrize("target", [b"/a#b", b"/a?b#c", b"http://example.test/#"])
def test_a_fragment_in_the_target_is_refused(wsgiref: SimpleNamespace, target: bytes) -> None:
    refuse(wsgiref, b"GET " + target + b" HTTP/1.0\r\n\r\n", 400)


@pytest.mark.defect("D024")
def test_a_relative_target_is_refused(wsgiref: SimpleNamespace) -> None:
    refuse(wsgiref, b"GET a/b HTTP/1.0\r\n\r\n", 400)


def test_two_slashes_at_the_start_of_the_path_are_one(wsgiref: SimpleNamespace) -> None:
    """D025, kept: the guard of CVE-2021-28861 against redirects to //host."""
    environ = environ_of(wsgiref, b"GET //evil.test/%2e?a=//b HTTP/1.0")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/evil.test/.", "a=//b")


@pytest.mark.defect("D026")
@pytest.mark.parametrize("target", ["/a%2Fb?c=%20", "//a", "/%zz"])
def test_the_target_as_sent_is_in_the_environ(wsgiref: SimpleNamespace, target: str) -> None:
    environ = environ_of(wsgiref, f"GET {target} HTTP/1.0".encode())
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == target


@pytest.mark.defect("D027")
@pytest.mark.parametrize("octet", [b"\x85", b"\xa0"])
def test_white_space_of_unicode_does_not_split_the_request_line(
    wsgiref: SimpleNamespace, octet: bytes
) -> None:
    environ = environ_of(wsgiref, b"GET /a" + octet + b"b HTTP/1.0")
    assert environ["PATH_INFO"].encode("latin-1") == b"/a" + octet + b"b"


@pytest.mark.defect("D028")
@pytest.mark.parametrize(
    "line",
    [
        b" GET / HTTP/1.0",
        b"\tGET / HTTP/1.0",
        b"GET  / HTTP/1.0",
        b"GET\t/ HTTP/1.0",
        b"GET /  HTTP/1.0",
        b"GET /\x0bHTTP/1.0",
        b"GET / HTTP/1.0 ",
    ],
)
@pytest.mark.parametrize("size", [None, 1])
def test_one_space_stands_between_the_parts_of_the_request_line(
    wsgiref: SimpleNamespace, line: bytes, size: int | None
) -> None:
    refuse(wsgiref, line + b"\r\n\r\n", 400, size=size)


@pytest.mark.defect("D029")
@pytest.mark.parametrize("version", [b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1.\xb2"])
def test_a_version_is_a_digit_a_dot_and_a_digit(wsgiref: SimpleNamespace, version: bytes) -> None:
    refuse(wsgiref, b"GET / " + version + b"\r\n" + HOST + b"\r\n", 400)


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1.1", b"GET / HTTP/1,1", b"GET / XYZ"])
def test_a_version_of_another_shape_is_400(wsgiref: SimpleNamespace, line: bytes) -> None:
    answer = exchange(wsgiref, Recorder(), line + b"\r\n\r\n")
    assert b"400" in answer.out


@pytest.mark.defect("D030", upstream="gh-54930")
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /\r\n\r\n", 400),
        (b"GET / HTTP/x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400),
        (b"\x00\xff\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
@pytest.mark.parametrize("size", [None, 1])
def test_every_error_page_has_a_status_line(
    wsgiref: SimpleNamespace, data: bytes, status: int, size: int | None
) -> None:
    refuse(wsgiref, data, status, size=size)


@pytest.mark.defect("D032")
@pytest.mark.parametrize("lines", [b"\r\n", b"\n", b"\r\n\r\n\r\n"])
def test_up_to_three_empty_lines_before_the_request_are_ignored(
    wsgiref: SimpleNamespace, lines: bytes
) -> None:
    app = Recorder()
    answer = exchange(wsgiref, app, lines + b"GET /x HTTP/1.0\r\n\r\n")
    assert answer.status == "HTTP/1.0 200 OK"
    assert app.environ["PATH_INFO"] == "/x"


def test_empty_lines_and_no_request_are_no_request(wsgiref: SimpleNamespace) -> None:
    answer = exchange(wsgiref, Recorder(), b"\r\n\r\n")
    assert answer == (b"", "")


@pytest.mark.defect("D032")
@pytest.mark.parametrize("lines", [b"\r\n" * 4, b"\r\r\n"])
def test_more_empty_lines_or_a_bare_cr_are_400(wsgiref: SimpleNamespace, lines: bytes) -> None:
    refuse(wsgiref, lines + b"GET /x HTTP/1.0\r\n\r\n", 400)


@pytest.mark.defect("D053")
@pytest.mark.parametrize("length", [65, 70_000])
def test_a_method_that_is_too_long_is_501(wsgiref: SimpleNamespace, length: int) -> None:
    refuse(wsgiref, b"A" * length + b" / HTTP/1.0\r\n\r\n", 501)


@pytest.mark.parametrize("size", [None, 4096])
def test_a_target_that_is_too_long_is_414(wsgiref: SimpleNamespace, size: int | None) -> None:
    refuse(wsgiref, b"GET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n", 414, size=size)


@pytest.mark.defect("D032")
def test_the_limit_of_the_request_line_holds_behind_an_empty_line(
    wsgiref: SimpleNamespace,
) -> None:
    refuse(wsgiref, b"\r\nGET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n", 414)


@pytest.mark.defect("D055a")
@pytest.mark.parametrize("method", [b"G@T", b"G\xc4T", b"(GET)", b"\x00GET", b"GET:"])
def test_a_method_is_a_token(wsgiref: SimpleNamespace, method: bytes) -> None:
    refuse(wsgiref, method + b" / HTTP/1.0\r\n\r\n", 400)


@pytest.mark.parametrize("method", ["PATCH", "BREW", "get", "M-SEARCH", "!#$%&'*+-.^_`|~"])
def test_any_token_is_a_method(wsgiref: SimpleNamespace, method: str) -> None:
    assert environ_of(wsgiref, f"{method} / HTTP/1.0".encode())["REQUEST_METHOD"] == method


@pytest.mark.defect("D055b")
def test_the_request_is_not_repeated_in_the_error_page(wsgiref: SimpleNamespace) -> None:
    answer = exchange(wsgiref, Recorder(), b"GET /<script> secret HTTP/1.0\r\n\r\n")
    assert answer.status == "HTTP/1.0 400 Bad Request"
    assert b"script" not in answer.out
    assert b"secret" not in answer.out
    assert b"request line" in answer.body


def test_a_path_is_the_octets_that_were_sent(wsgiref: SimpleNamespace) -> None:
    """D055: decoded once, as a native string of PEP 3333."""
    environ = environ_of(wsgiref, b"GET /%C3%A9/\xc3\xa9/%252F HTTP/1.0")
    assert environ["PATH_INFO"].encode("latin-1") == b"/\xc3\xa9/\xc3\xa9/%2F"


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b""])
def test_a_request_line_may_end_with_lf_or_with_the_stream(
    wsgiref: SimpleNamespace, end: bytes
) -> None:
    """CPython's own tests send such requests."""
    app = Recorder()
    answer = exchange(wsgiref, app, b"GET /x HTTP/1.0" + end)
    assert answer.status == "HTTP/1.0 200 OK"
    assert app.environ["PATH_INFO"] == "/x"
