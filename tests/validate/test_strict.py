"""``validator(application, strict=True)``: the checker of quaich.conformance under the old name."""

from typing import Any

import pytest

from quaich.types import WSGIApplication
from quaich.validate import validator
from validate_support import make_environ


def call(application: WSGIApplication) -> Any:
    return application(make_environ(), lambda status, headers, exc_info=None: lambda block: None)


@pytest.mark.parametrize(
    ("rule", "status", "headers"),
    [
        ("A06", "200 OK\r\nX: y", []),  # V20
        ("A05", "200  OK", []),  # V21
        ("A25", "200 caf\u0119", []),  # V24
        ("A11", "200 OK", [("Connection", "close")]),  # V26
        ("A37", "200 OK", [("Content-Length", "-1")]),  # V27
        ("A37", "200 OK", [("Content-Length", "1"), ("content-length", "1")]),
    ],
)
def test_strict_sees_what_the_standard_library_overlooks(
    rule: str, status: str, headers: list[tuple[str, str]]
) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return [b""]

    with pytest.raises(AssertionError, match=rf"^{rule}: "):
        call(validator(application, strict=True))


def test_strict_refuses_nothing_that_is_legal_and_hides_nothing() -> None:
    blocks = [b"one", b"two"]

    def application(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()  # V05
        start_response("302 Found", [("Location", "/"), ("X.A", "1"), ("1X", "a\tb")])  # V03-V07
        return blocks

    assert call(validator(application, strict=True)) is blocks  # V12
