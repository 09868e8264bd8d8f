"""The head of a response: its bytes, and headers of another class (S61, S62)."""

from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, Blocks, make_handler, respond, run


@pytest.mark.parametrize(
    ("base", "headers", "head"),
    [
        (
            "SimpleHandler",
            [("X", "1"), ("Date", "now"), ("X", "2")],
            b"HTTP/1.0 200 OK\r\nServer: S/1\r\nX: 1\r\nDate: now\r\nX: 2\r\n"
            b"Content-Length: 4\r\n\r\n",
        ),
        (
            "SimpleHandler",
            [("sERVER", "mine"), ("dATE", "now")],
            b"HTTP/1.0 200 OK\r\nsERVER: mine\r\ndATE: now\r\nContent-Length: 4\r\n\r\n",
        ),
        ("BaseCGIHandler", [("X", "1")], b"Status: 200 OK\r\nX: 1\r\nContent-Length: 4\r\n\r\n"),
    ],
    ids=["origin", "own Server", "gateway"],
)
def test_the_layout_of_the_head(
    wsgiref: SimpleNamespace, base: str, headers: Any, head: bytes
) -> None:
    """S61, S62: the server's fields in front, the application's in their order, the length last."""
    out = run(wsgiref, respond([b"body"], headers=headers), base=base, server_software="S/1").out
    assert out == head + b"body"


def test_date_and_server_are_filled_in(wsgiref: SimpleNamespace) -> None:
    """S61."""
    lines = run(wsgiref, respond([], headers=[]), server_software="S/1").head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.0 200 OK"
    assert lines[1].startswith(b"Date: ")
    assert lines[1].endswith(b" GMT")
    assert lines[2:] == [b"Server: S/1", b"Content-Length: 0"]


def test_http_version_is_what_the_class_says(wsgiref: SimpleNamespace) -> None:
    assert run(wsgiref, respond([]), http_version="1.1").status == "HTTP/1.1 200 OK"


# -- Headers of another class -------------------------------------------------------------


class SixMethods:
    """All that wsgiref asks of ``headers_class``."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self.fields = dict(headers)

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    def __setitem__(self, name: str, value: str) -> None:
        self.fields[name] = value

    def setdefault(self, name: str, value: str) -> str:
        return self.fields.setdefault(name, value)

    def __bytes__(self) -> bytes:
        lines = [f"{name}: {value}\r\n" for name, value in self.fields.items()]
        return "".join([*lines, "\r\n"]).encode("iso-8859-1")


@pytest.mark.parametrize("result", [[b"a"], Blocks(b"a", b"b"), []], ids=["list", "blocks", "none"])
def test_headers_class_needs_six_methods(wsgiref: SimpleNamespace, result: Any) -> None:
    app = respond(result, headers=[("Date", "now"), ("X", "1")])
    for base in ("SimpleHandler", "BaseCGIHandler"):
        out = run(wsgiref, app, base=base, headers_class=SixMethods).out
        assert out == run(wsgiref, app, base=base).out


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content", "304 Not Modified"])
@pytest.mark.parametrize("headers", [TEXT, [("Content-Length", "0")]], ids=["no length", "length"])
def test_nor_does_it_for_a_status_without_body(
    wsgiref: SimpleNamespace, status: str, headers: Any
) -> None:
    """D089: it cannot delete a field; then the application's own stays."""
    answer = run(wsgiref, respond([], status, headers), headers_class=SixMethods)
    assert answer.status == f"HTTP/1.0 {status}"
    assert answer.body == b""
    assert answer.err == ""


def test_a_subclass_of_headers_is_asked_for_everything(wsgiref: SimpleNamespace) -> None:
    class Shouting(wsgiref.headers.Headers):  # type: ignore[misc,name-defined]
        def __bytes__(self) -> bytes:
            return bytes(super().__bytes__().upper())

    out = run(wsgiref, respond([b"a"], headers=[("x", "y"), *TEXT]), headers_class=Shouting).out
    assert out.endswith(b"\r\nX: Y\r\nCONTENT-TYPE: TEXT/PLAIN\r\nCONTENT-LENGTH: 1\r\n\r\na")


def test_a_preamble_asked_for_by_itself(wsgiref: SimpleNamespace) -> None:
    """Nothing, for a client that knows none."""
    for version, sent in (("HTTP/1.0", b"HTTP/1.0 200 OK\r\n"), ("HTTP/0.9", b"")):
        handler = make_handler(wsgiref, {"SERVER_PROTOCOL": version})
        handler.setup_environ()
        handler.start_response("200 OK", [("Date", "now")])
        handler.send_preamble()
        assert handler.stdout.getvalue() == sent


def test_a_request_without_a_version(wsgiref: SimpleNamespace) -> None:
    """A gateway need not say it; an origin server must, and an application's help counts."""
    handler = make_handler(wsgiref, base="BaseCGIHandler")
    del handler.base_env["SERVER_PROTOCOL"]
    handler.run(respond([b"a"]))
    assert handler.stdout.getvalue().endswith(b"a")

    def app(environ: Any, start_response: Any) -> Any:
        environ["SERVER_PROTOCOL"] = "HTTP/0.9"
        return respond([b"a"])(environ, start_response)

    handler = make_handler(wsgiref)
    del handler.base_env["SERVER_PROTOCOL"]
    handler.run(app)
    assert handler.stdout.getvalue() == b"a"


def test_format_date_time(wsgiref: SimpleNamespace) -> None:
    """Not in the manual, and used by many."""
    date = wsgiref.handlers.format_date_time
    assert date(1149547794) == date(1149547794.9) == "Mon, 05 Jun 2006 22:49:54 GMT"
    assert date(None).endswith(" GMT")
