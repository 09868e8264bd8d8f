"""The server's own answers, as bytes."""

import pytest

from quaich.protocol.errors import ProtocolError
from quaich.server.connections.refusal import failure, refusal

FIELDS = "Server: quaich\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
ERROR = ProtocolError("H045", 400, "white space stands between a field name and its colon")


@pytest.mark.rule("H109")
def test_a_refusal() -> None:
    assert refusal(ERROR, FIELDS) == (
        b"HTTP/1.1 400 Bad Request\r\n"
        b"Server: quaich\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 77\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b"400 Bad Request\n"
        b"white space stands between a field name and its colon (H045)\n"
    )


@pytest.mark.rule("H120")
def test_to_head_it_has_the_same_head_and_no_content() -> None:
    head, _, content = refusal(ERROR, FIELDS).partition(b"\r\n\r\n")
    assert content
    assert refusal(ERROR, FIELDS, head_only=True) == head + b"\r\n\r\n"
    assert failure(FIELDS, head_only=True).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("response", [refusal(ERROR, ""), failure("")])
def test_the_length_is_that_of_the_content(response: bytes) -> None:
    head, _, content = response.partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(content) in head
    assert head.endswith(b"Connection: close")


def test_a_failure_tells_no_more_than_that() -> None:
    assert failure("").startswith(b"HTTP/1.1 500 Internal Server Error\r\n")


@pytest.mark.parametrize("status", [400, 408, 413, 414, 417, 431, 500, 501, 503, 505])
def test_every_status_has_a_reason(status: int) -> None:
    line = refusal(ProtocolError("H001", status, "text"), "").partition(b"\r\n")[0]
    assert line.startswith(b"HTTP/1.1 %d " % status)
    assert len(line) > len("HTTP/1.1 400 ")
