"""The header section of a request (D033-D045, D051, D052, D055c)."""

from types import SimpleNamespace
from typing import Any

import pytest

from simple_server.client import HOST, Recorder
from support import exchange

SIZES = pytest.mark.parametrize("size", [None, 1, 7])


def environ_of(wsgiref: SimpleNamespace, fields: bytes, **attributes: Any) -> dict[str, Any]:
    app = Recorder()
    data = b"GET / HTTP/1.1\r\n" + HOST + fields + b"\r\n"
    assert exchange(wsgiref, app, data, **attributes).status == "HTTP/1.0 200 OK"
    return app.environ


def refuse(
    wsgiref: SimpleNamespace,
    fields: bytes,
    status: int = 400,
    *,
    version: bytes = b"HTTP/1.1",
    host: bytes = HOST,
    size: int | None = None,
    **attributes: Any,
) -> None:
    app = Recorder()
    data = b"POST / " + version + b"\r\n" + host + fields + b"\r\n"
    answer = exchange(wsgiref, app, data, size=size, **attributes)
    assert answer.status.startswith(f"HTTP/1.0 {status} ")
    assert app.environs == []
    assert "Traceback" not in answer.err


@pytest.mark.defect("D033")
@pytest.mark.parametrize(
    "host",
    [b"", HOST + HOST, HOST + b"host: other.test\r\n", b"Host: a b\r\n", b"Host: a/b\r\n"],
)
@SIZES
def test_http_1_1_needs_one_host(wsgiref: SimpleNamespace, host: bytes, size: int | None) -> None:
    refuse(wsgiref, b"", host=host, size=size)


def test_http_1_0_needs_no_host(wsgiref: SimpleNamespace) -> None:
    app = Recorder()
    exchange(wsgiref, app, b"GET / HTTP/1.0\r\n\r\n")
    assert "HTTP_HOST" not in app.environ


@pytest.mark.defect("D034")
@pytest.mark.parametrize("line", [b"X-A : 1\r\n", b"X-A\t: 1\r\n"])
@SIZES
def test_white_space_before_the_colon_is_refused(
    wsgiref: SimpleNamespace, line: bytes, size: int | None
) -> None:
    refuse(wsgiref, line + b"X-B: 2\r\n", size=size)


@pytest.mark.defect("D035")
@pytest.mark.parametrize(
    "line", [b"nonsense\r\n", b": value\r\n", b"X@A: 1\r\n", b"X A: 1\r\n", b"\x85X: 1\r\n"]
)
@SIZES
def test_a_malformed_field_line_is_refused(
    wsgiref: SimpleNamespace, line: bytes, size: int | None
) -> None:
    refuse(wsgiref, line + b"X-B: 2\r\n", size=size)


@pytest.mark.defect("D036")
@pytest.mark.parametrize("fold", [b"\r\n ", b"\r\n\t", b"\n "])
def test_a_folded_line_is_refused(wsgiref: SimpleNamespace, fold: bytes) -> None:
    refuse(wsgiref, b"X-A: 1" + fold + b"2\r\n")


@pytest.mark.defect("D037")
@pytest.mark.parametrize("line", [b"X-A: 1\rX-B: 2\r\n", b"X-A: 1\r\r\n", b"\rX-A: 1\r\n"])
@SIZES
def test_a_bare_cr_is_refused(wsgiref: SimpleNamespace, line: bytes, size: int | None) -> None:
    refuse(wsgiref, line, size=size)


@pytest.mark.defect("D038")
@pytest.mark.parametrize("octet", [b"\x00", b"\x01", b"\x0b", b"\x1f", b"\x7f"])
def test_control_characters_in_a_value_are_refused(wsgiref: SimpleNamespace, octet: bytes) -> None:
    refuse(wsgiref, b"X-A: a" + octet + b"b\r\n")


def test_tabs_and_other_octets_in_a_value_are_kept(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, b"X-A: \t a\tb \xc3\xa9 \t\r\nX-Empty:\r\n")
    assert environ["HTTP_X_A"].encode("latin-1") == b"a\tb \xc3\xa9"
    assert environ["HTTP_X_EMPTY"] == ""


@pytest.mark.defect("D039")
@pytest.mark.parametrize("second", [b"5", b"6"])
def test_two_content_lengths_are_refused(wsgiref: SimpleNamespace, second: bytes) -> None:
    refuse(wsgiref, b"Content-Length: 5\r\nContent-Length: " + second + b"\r\n")


@pytest.mark.defect("D040")
@pytest.mark.parametrize(
    "length",
    [b"-3", b"+5", b"1_0", b"abc", b"5, 5", b"0x5", b"5.0", b"", b"\xb2", b"1" * 21, b"1" * 5000],
)
def test_a_content_length_is_digits(wsgiref: SimpleNamespace, length: bytes) -> None:
    refuse(wsgiref, b"Content-Length: " + length + b"\r\n")


@pytest.mark.defect("D041")
@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ],
)
@SIZES
def test_transfer_encoding_beside_content_length_is_refused(
    wsgiref: SimpleNamespace, fields: bytes, size: int | None
) -> None:
    refuse(wsgiref, fields, size=size)


@pytest.mark.defect("D042")
@pytest.mark.parametrize(
    ("version", "coding", "status"),
    [
        (b"HTTP/1.0", b"chunked", 400),
        (b"HTTP/1.1", b"chunked, gzip", 400),
        (b"HTTP/1.1", b"chunked, chunked", 400),
        (b"HTTP/1.1", b"chunked;q=1", 400),
        (b"HTTP/1.1", b"gzip, chunked", 501),
        (b"HTTP/1.1", b"xchunked", 501),
        (b"HTTP/1.1", b"identity", 501),
        (b"HTTP/1.1", b"chunked\r\nTransfer-Encoding: chunked", 400),
        (b"HTTP/1.1", b"\x0bchunked", 400),
    ],
)
def test_a_transfer_coding_that_is_not_chunked_is_refused(
    wsgiref: SimpleNamespace, version: bytes, coding: bytes, status: int
) -> None:
    refuse(wsgiref, b"Transfer-Encoding: " + coding + b"\r\n", status, version=version)


@pytest.mark.defect("D043")
def test_names_with_an_underscore_are_dropped(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, b"X_A: 1\r\nX-A: 2\r\nX_B: 3\r\nContent_Length: 9\r\n")
    assert environ["HTTP_X_A"] == "2"
    assert "HTTP_X_B" not in environ
    assert "HTTP_CONTENT_LENGTH" not in environ
    assert environ["CONTENT_LENGTH"] == ""


@pytest.mark.defect("D043")
def test_names_with_an_underscore_can_be_refused(wsgiref: SimpleNamespace) -> None:
    refuse(wsgiref, b"X_A: 1\r\n", header_map="refuse")


def test_names_with_an_underscore_can_be_allowed(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, b"X_A: 1\r\nX-A: 2\r\n", header_map="dangerous")
    assert environ["HTTP_X_A"] == "1,2"


@pytest.mark.defect("D044")
def test_cookie_lines_are_joined_with_a_semicolon(wsgiref: SimpleNamespace) -> None:
    environ = environ_of(wsgiref, b"Cookie: a=1\r\nX: y\r\ncookie: b=2\r\nCookie: c\r\n")
    assert environ["HTTP_COOKIE"] == "a=1; b=2; c"


@pytest.mark.defect("D045")
@pytest.mark.parametrize("name", [b"Content-Type", b"Authorization", b"Referer", b"user-agent"])
def test_a_second_line_of_a_field_with_one_value_is_refused(
    wsgiref: SimpleNamespace, name: bytes
) -> None:
    refuse(wsgiref, name + b": a\r\n" + name + b": a\r\n")


def test_repeated_fields_are_joined_with_a_comma(wsgiref: SimpleNamespace) -> None:
    """D045, kept: without a space, as CPython's test_environ has it."""
    environ = environ_of(wsgiref, b"X-A: 1\r\nAccept: a\r\nx-a: 2 \r\nX-a: 3\r\n")
    assert environ["HTTP_X_A"] == "1,2,3"


@pytest.mark.defect("D051")
def test_fields_named_like_cgi_variables_are_fields(wsgiref: SimpleNamespace) -> None:
    fields = b"Server-Name: evil\r\nRemote-Addr: 6.6.6.6\r\nScript-Name: /evil\r\n"
    environ = environ_of(wsgiref, fields + b"Path-Info: /evil\r\nWsgi.Input: x\r\n")
    assert environ["HTTP_SERVER_NAME"] == "evil"
    assert environ["HTTP_REMOTE_ADDR"] == "6.6.6.6"
    assert environ["HTTP_SCRIPT_NAME"] == environ["HTTP_PATH_INFO"] == "/evil"
    assert environ["SERVER_NAME"] == environ["REMOTE_ADDR"] == "127.0.0.1"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/")


@pytest.mark.defect("D061")
def test_the_field_proxy_is_dropped(wsgiref: SimpleNamespace) -> None:
    assert "HTTP_PROXY" not in environ_of(wsgiref, b"Proxy: http://evil.test\r\n")


@pytest.mark.defect("D052")
def test_a_header_section_of_more_than_256_kib_is_431(wsgiref: SimpleNamespace) -> None:
    line = b"X-%d: " + b"a" * 60_000 + b"\r\n"
    refuse(wsgiref, b"".join(line % number for number in range(5)), 431)


@pytest.mark.parametrize(
    "fields", [b"X: " + b"a" * 70_000 + b"\r\n", b"X: 1\r\n" * 101, b"X" * 70_000]
)
@pytest.mark.parametrize("size", [None, 4096])
def test_a_long_line_and_many_lines_are_431(
    wsgiref: SimpleNamespace, fields: bytes, size: int | None
) -> None:
    refuse(wsgiref, fields, 431, size=size)


@pytest.mark.defect("D055c")
@pytest.mark.parametrize("line", [b" X-A: 1\r\n", b"\tX-A: 1\r\n"])
def test_white_space_before_the_first_field_line_is_refused(
    wsgiref: SimpleNamespace, line: bytes
) -> None:
    refuse(wsgiref, line + b"X-B: 1\r\n", host=b"", version=b"HTTP/1.0")


def test_a_header_section_may_end_with_the_stream(wsgiref: SimpleNamespace) -> None:
    """D055c, kept: Django's test_basehttp sends such a request."""
    app = Recorder()
    answer = exchange(wsgiref, app, b"GET / HTTP/1.0\r\nX-A: 1\r\n")
    assert answer.status == "HTTP/1.0 200 OK"
    assert app.environ["HTTP_X_A"] == "1"
