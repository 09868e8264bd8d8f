"""Rules of ``validate`` for the response: status, headers, Content-Type, the returned iterable."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from validate_support import TEXT, make_app, make_environ, serve, unraisable_errors

NOT_BYTES = ["text", bytearray(b"x"), 7, None]


class Block(bytes):
    """A block of a type of its own."""


# -- What is refused: status and headers ------------------------------------------------------


@pytest.mark.parametrize("status", [b"200 OK", 200, None, "20 OK", "2000 OK", "099 Low"])
def test_a_wrong_status_is_refused(wsgiref: SimpleNamespace, status: Any) -> None:
    with pytest.raises(AssertionError):
        wsgiref.validate.check_status(status)


@pytest.mark.defect("V23")
@pytest.mark.parametrize("status", ["", " ", "abc OK"])
def test_a_status_without_a_code_is_refused(wsgiref: SimpleNamespace, status: str) -> None:
    with pytest.raises(AssertionError, match="Status code"):
        wsgiref.validate.check_status(status)


@pytest.mark.parametrize("status", ["200", "200\tOK", " 200 OK"])
def test_a_status_without_a_space_after_the_code_gives_a_warning(
    wsgiref: SimpleNamespace, status: str
) -> None:
    with pytest.warns(wsgiref.validate.WSGIWarning, match="single space"):
        wsgiref.validate.check_status(status)


def test_headers_are_a_list(wsgiref: SimpleNamespace) -> None:
    """CPython's test_simple_validation_error compares the text."""
    with pytest.raises(AssertionError) as caught:
        serve(wsgiref, make_app(headers=("Content-Type", "text/plain")))
    assert str(caught.value) == (
        "Headers (('Content-Type', 'text/plain')) must be of type list: <class 'tuple'>"
    )


@pytest.mark.parametrize(
    "header",
    [
        ["X", "list"],
        ("X",),
        ("X", "1", "2"),
        (b"X", "bytes"),
        ("X", b"bytes"),
        ("X", 1),
        ("Status", "200 OK"),
        ("sTATUS", "200 OK"),
        ("", ""),
        ("X:", "colon"),
        ("X Y", "space"),
        ("X\n", "newline"),
        ("X\x00", "control"),
        ("É", "not ASCII"),
        ("X", "a\r\nY: b"),
        ("X", "a\n"),
        ("X", "\x00"),
        ("X", "\x1f"),
    ],
)
def test_a_wrong_header_is_refused(wsgiref: SimpleNamespace, header: Any) -> None:
    with pytest.raises(AssertionError):
        wsgiref.validate.check_headers([*TEXT, header])


@pytest.mark.defect("V06")
@pytest.mark.parametrize("name", ["X.A", "!x", "1X", "X-", "X_", "_", "!#$%&'*+-.^_`|~09AZaz"])
def test_every_token_is_a_header_name(wsgiref: SimpleNamespace, name: str) -> None:
    """RFC 9110, section 5.1: field-name = token."""
    headers = [*TEXT, (name, "value")]
    assert serve(wsgiref, make_app(headers=headers)).headers == headers


@pytest.mark.defect("V07")
def test_htab_is_allowed_in_a_header_value(wsgiref: SimpleNamespace) -> None:
    """RFC 9110, section 5.5: field-content."""
    headers = [*TEXT, ("X", "a\tb")]
    assert serve(wsgiref, make_app(headers=headers)).headers == headers


# -- Content-Type -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "302 Found", "404 None", "500 Oops"])
@pytest.mark.parametrize("written", [True, False])
def test_a_response_with_content_names_its_type(
    wsgiref: SimpleNamespace, status: str, written: bool
) -> None:
    body = {"written": [b"x"], "body": []} if written else {"body": [b"", b"x"]}
    with pytest.raises(AssertionError, match="No Content-Type"):
        serve(wsgiref, make_app(status, [("X", "y")], **body))


@pytest.mark.parametrize("status", ["200 OK", "206 Part"])
def test_the_function_expects_content_after_a_status_of_success(
    wsgiref: SimpleNamespace, status: str
) -> None:
    wsgiref.validate.check_content_type(status, [("X", "y"), ("cONTENT-tYPE", "text/plain")])
    with pytest.raises(AssertionError, match="No Content-Type"):
        wsgiref.validate.check_content_type(status, [("X", "y"), ("Content-Length", "1")])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_204_and_304_need_no_content_type(wsgiref: SimpleNamespace, status: str) -> None:
    assert serve(wsgiref, make_app(status, [], [])).headers == []


@pytest.mark.defect("V03")
@pytest.mark.parametrize(
    ("method", "status", "headers", "body"),
    [
        ("GET", "302 Found", [("Location", "/x")], []),
        ("GET", "404 Not Found", [], [b""]),
        ("GET", "200 OK", [], []),
        ("GET", "200 OK", [("Content-Length", "0")], [b""]),
        ("GET", "205 Reset Content", [], []),
        ("GET", "100 Continue", [], []),
        ("HEAD", "200 OK", [("Content-Length", "9")], []),
        ("HEAD", "200 OK", [], [b"the server drops this"]),
    ],
)
def test_a_response_without_content_needs_no_content_type(
    wsgiref: SimpleNamespace, method: str, status: str, headers: Any, body: Any
) -> None:
    app = make_app(status, headers, body)
    response = serve(wsgiref, app, make_environ(REQUEST_METHOD=method))
    assert response == (status, headers, b"".join(body))


@pytest.mark.defect("V03")
def test_an_empty_block_is_no_content(wsgiref: SimpleNamespace) -> None:
    assert serve(wsgiref, make_app("200 OK", [], [b""], written=[b""])).body == b""


@pytest.mark.defect("V03")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("302 Found", [("Location", "/x")]),
        ("404 Not Found", []),
        ("205 Reset Content", []),
        ("101 Switching Protocols", []),
        ("200 OK", [("Content-Length", "0")]),
    ],
)
def test_the_function_asks_for_no_content_type_where_content_is_not_sure(
    wsgiref: SimpleNamespace, status: str, headers: Any
) -> None:
    wsgiref.validate.check_content_type(status, headers)


@pytest.mark.defect("V04")
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_204_and_304_may_have_a_content_type(wsgiref: SimpleNamespace, status: str) -> None:
    """A 304 repeats what the 200 would have said: RFC 9110, section 15.4.5."""
    assert serve(wsgiref, make_app(status, TEXT, [])).headers == TEXT


# -- The returned iterable --------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, False, "text", b"bytes"])
def test_the_application_returns_an_iterable_of_blocks(wsgiref: SimpleNamespace, body: Any) -> None:
    with pytest.raises(AssertionError):
        serve(wsgiref, make_app(body=body))


@pytest.mark.parametrize("block", NOT_BYTES)
def test_a_block_is_bytes(wsgiref: SimpleNamespace, block: Any) -> None:
    with pytest.raises(AssertionError):
        serve(wsgiref, make_app(body=[block]))
    with pytest.raises(AssertionError):
        serve(wsgiref, make_app(body=[], written=[block]))


@pytest.mark.parametrize("block", [Block(b"x"), Block()])
def test_a_block_is_of_no_subclass_of_bytes(wsgiref: SimpleNamespace, block: bytes) -> None:
    """V13, kept: the handlers refuse it too."""
    with pytest.raises(AssertionError):
        serve(wsgiref, make_app(body=[block]))
    with pytest.raises(AssertionError):
        serve(wsgiref, make_app(body=[], written=[block]))


@pytest.mark.parametrize("block", [b"x", b""])
def test_start_response_comes_before_the_first_block(
    wsgiref: SimpleNamespace, block: bytes
) -> None:
    with pytest.raises(AssertionError, match="start_response"):
        serve(wsgiref, lambda environ, start_response: [block])


def test_a_closed_iterable_is_not_read(wsgiref: SimpleNamespace) -> None:
    result = wsgiref.validate.validator(make_app())(make_environ(), lambda *args: None)
    result.close()
    with pytest.raises(AssertionError, match="after closed"):
        next(result)


def test_the_length_of_the_iterable_is_hidden(wsgiref: SimpleNamespace) -> None:
    """V12, kept: CPython's test_validated_hello wants no Content-Length from it."""
    result = wsgiref.validate.validator(make_app())(make_environ(), lambda *args: None)
    with contextlib.closing(result):
        assert not hasattr(result, "__len__")


@pytest.mark.defect("V11", upstream="3.15")
def test_the_returned_object_is_not_compared(wsgiref: SimpleNamespace) -> None:
    class Array(list[bytes]):
        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth value of an array is ambiguous")

        def __ne__(self, other: object) -> bool:
            raise ValueError("the truth value of an array is ambiguous")

    assert serve(wsgiref, make_app(body=Array([b"x"]))).body == b"x"


def test_an_iterable_never_closed_is_reported(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with unraisable_errors() as errors:
        list(wsgiref.validate.validator(make_app())(make_environ(), lambda *args: None))
    complaint = "Iterator garbage collected without being closed"
    assert complaint in capsys.readouterr().err
    assert complaint in "".join(errors)


class BrokenBody:
    """An iterable that cannot be iterated over."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        raise ZeroDivisionError

    def close(self) -> None:
        self.closed += 1


@pytest.mark.defect("V14")
def test_nothing_is_reported_of_an_iterable_the_server_never_got(
    wsgiref: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with unraisable_errors() as errors, pytest.raises(ZeroDivisionError):
        wsgiref.validate.validator(make_app(body=BrokenBody()))(make_environ(), print)
    assert errors == []
    assert capsys.readouterr().err == ""


@pytest.mark.defect("V14")
def test_an_iterable_the_server_never_got_is_closed(wsgiref: SimpleNamespace) -> None:
    """PEP 3333, "Specification Details": whoever called the application must close it."""
    body = BrokenBody()
    with unraisable_errors(), pytest.raises(ZeroDivisionError):
        wsgiref.validate.validator(make_app(body=body))(make_environ(), print)
    assert body.closed == 1
