"""The server's own answers, to requests that never come to an application.

They say which rule was broken and nothing that the client has sent (H136 and the end of
``http1_rules``: a status line, Date, Content-Length and ``Connection: close``).
"""

from http import HTTPStatus

from quaich.protocol.errors import ProtocolError


def refusal(error: ProtocolError, origin_fields: str, *, head_only: bool = False) -> bytes:
    """The response to a request that breaks a rule."""
    return _response(error.status, f"{error}\n", origin_fields, head_only)


def failure(origin_fields: str, *, head_only: bool = False) -> bytes:
    """The response to a request for which the application failed."""
    return _response(500, "The application failed. Its log says more.\n", origin_fields, head_only)


def _response(status: int, text: str, fields: str, head_only: bool) -> bytes:
    content = f"{status} {HTTPStatus(status).phrase}\n{text}"
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{fields}"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        f"{'' if head_only else content}"
    ).encode("latin-1")
