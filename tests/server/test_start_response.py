"""start_response: when it may be called, with what, and that nothing goes out before its time."""

import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from server.applications import PLAIN, Environ
from server.conftest import Connect, Errors, Serve
from server.wire import Client, get

pytestmark = pytest.mark.live


class Calling:
    """Calls start_response with these arguments and keeps what it raised; then answers as if
    nothing had been."""

    def __init__(self, *calls: tuple[Any, ...]) -> None:
        self._calls = calls
        self.raised: list[BaseException | None] = []

    def __call__(self, environ: Environ, start_response: Any) -> list[bytes]:
        for arguments in self._calls:
            try:
                start_response(*arguments)
            except BaseException as error:
                self.raised.append(error)
            else:
                self.raised.append(None)
        return [b"content"]


def exc_info(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


# --- What it takes and gives ------------------------------------------------------------------


@pytest.mark.rule("S12")
@pytest.mark.rule("S59")
@pytest.mark.rule("S72")
@pytest.mark.parametrize(
    "arguments",
    [("200 OK", PLAIN), ("200 OK", PLAIN, None), ("200 OK", PLAIN, exc_info(KeyError()))],
    ids=["two", "None", "exc_info"],
)
def test_two_arguments_or_three(serve: Serve, connect: Connect, arguments: Any) -> None:
    response = connect(serve(Calling(arguments))).exchange(get())
    assert (response.status, response.content) == (200, b"content")


@pytest.mark.rule("S13")
def test_it_returns_write(serve: Serve, connect: Connect) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        assert write(b"written") is None
        return []

    assert connect(serve(app)).exchange(get()).content == b"written"


@pytest.mark.rule("S60")
def test_the_list_is_left_alone_and_copied(serve: Serve, connect: Connect) -> None:
    headers = [("X-One", "1")]

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", headers)
        assert headers == [("X-One", "1")]
        headers.append(("X-Two", "2"))
        yield b"content"

    response = connect(serve(app)).exchange(get())
    assert response.field("X-One") == "1"
    assert response.field("X-Two") is None


@pytest.mark.rule("S64")
@pytest.mark.rule("S63")
@pytest.mark.rule("S87")
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (b"200 OK", []),
        ("200", []),
        ("OK", []),
        ("200OK", []),
        ("2x0 OK", []),
        ("100 Continue", []),
        ("103 Early Hints", []),
        ("200 OK\r\nX: 1", []),
        ("200 OK\n", []),
        ("200 \u20ac", []),
        (200, []),
        ("200 OK", ()),
        ("200 OK", None),
        ("200 OK", {"X": "1"}),
        ("200 OK", [["X", "1"]]),
        ("200 OK", [("X",)]),
        ("200 OK", [("X", "1", "2")]),
        ("200 OK", [("X", 1)]),
        ("200 OK", [("X", b"1")]),
        ("200 OK", [(b"X", "1")]),
        ("200 OK", [("X:", "1")]),
        ("200 OK", [("X Y", "1")]),
        ("200 OK", [("X\n", "1")]),
        ("200 OK", [("X", "1\r\nY: 2")]),
        ("200 OK", [("X", "1\n")]),
        ("200 OK", [("X", "\0")]),
        ("200 OK", [("X", "\u20ac")]),
        ("200 OK", [("Content-Length", "x")]),
        ("200 OK", [("Content-Length", "-1")]),
        ("200 OK", [("Content-Length", "5"), ("content-length", "5")]),
        *[
            ("200 OK", [(name, "x")])
            for name in (
                "Connection", "keep-alive", "TRANSFER-ENCODING", "Te", "Upgrade",
                "Proxy-Authenticate", "Proxy-Authorization",
            )
        ],
    ],
)  # fmt: skip
def test_what_must_not_go_out_raises_at_once(
    serve: Serve, connect: Connect, errors: Errors, status: Any, headers: Any
) -> None:
    app = Calling((status, headers))
    client = connect(serve(app))
    assert client.exchange(get()).status == 500  # for it went on without a status
    assert isinstance(app.raised[0], (AssertionError, TypeError, ValueError))
    assert len(errors()) == 1


@pytest.mark.parametrize("status", ["200 OK", "299 ", "404 N\xf6", "599 Odd  Spaces", "999 Own"])
def test_any_status_goes_out_as_it_is(serve: Serve, connect: Connect, status: str) -> None:
    response = connect(serve(Calling((status, PLAIN)))).exchange(get())
    assert f"{response.status} {response.reason}" == status


@pytest.mark.rule("H140")
def test_fields_go_out_in_their_order_and_apart(serve: Serve, connect: Connect) -> None:
    headers = [("Set-Cookie", "a=1"), ("X", "gr\xfc\xdf"), ("set-cookie", "b=2"), ("X", "")]
    response = connect(serve(Calling(("200 OK", headers)))).exchange(get())
    assert response.fields[:4] == headers


# --- When -------------------------------------------------------------------------------------


@pytest.mark.rule("S68")
def test_with_exc_info_it_replaces_status_and_headers(serve: Serve, connect: Connect) -> None:
    app = Calling(
        ("200 OK", [("X-One", "1"), ("Content-Length", "1")]),
        ("500 Oh", [("X-Two", "2")], exc_info(KeyError())),
    )
    response = connect(serve(app)).exchange(get())
    assert (response.status, response.reason, response.content) == (500, "Oh", b"content")
    assert response.field("X-One") is None
    assert response.field("X-Two") == "2"
    assert app.raised == [None, None]


@pytest.mark.rule("S66")
@pytest.mark.rule("S68")
def test_with_exc_info_also_behind_empty_blocks(serve: Serve, connect: Connect) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b""
        start_response("503 Later", PLAIN, exc_info(KeyError()))
        yield b"content"

    assert connect(serve(app)).exchange(get()).status == 503


@pytest.mark.rule("S69")
def test_with_exc_info_behind_the_head_it_raises_that(serve: Serve, connect: Connect) -> None:
    raised: list[BaseException] = []
    error = KeyError("its own")

    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"one"
        try:
            start_response("500 Oh", PLAIN, exc_info(error))
        except KeyError as caught:
            raised.append(caught)
        yield b"two"

    assert connect(serve(app)).exchange(get()).content == b"onetwo"
    assert raised == [error]


@pytest.mark.rule("S70")
@pytest.mark.parametrize(
    "first", [("200 OK", PLAIN), ("200 OK", ()), ("nonsense", [])], ids=["sound", "list", "status"]
)
def test_a_second_time_without_exc_info_raises(
    serve: Serve, connect: Connect, errors: Errors, first: Any
) -> None:
    app = Calling(first, ("201 Created", PLAIN))
    response = connect(serve(app)).exchange(get())
    assert isinstance(app.raised[1], AssertionError)
    assert response.status == (200 if first == ("200 OK", PLAIN) else 500)
    assert len(errors()) == (response.status == 500)


@pytest.mark.rule("S71")
def test_nothing_keeps_exc_info(serve: Serve, connect: Connect) -> None:
    class Thing:
        pass

    references: list[Any] = []

    def failing() -> None:
        thing = Thing()
        references.append(weakref.ref(thing))
        raise KeyError

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        try:
            failing()
        except KeyError:
            start_response("500 Oh", PLAIN, sys.exc_info())
        # Without the garbage collector: there is no cycle.
        references.append(references[0]() is None)
        return [b"content"]

    assert connect(serve(app)).exchange(get()).status == 500
    assert references[1] is True


def test_each_call_has_its_own(serve: Serve, connect: Connect, errors: Errors) -> None:
    """One that was kept from an earlier request does not disturb a later one."""
    kept: list[Any] = []

    def app(environ: Environ, start_response: Any) -> list[bytes]:
        if kept:
            with pytest.raises(AssertionError):
                kept[0]("500 Oh", [])
        kept.append(start_response)
        start_response("200 OK", PLAIN)
        return [b"fine"]

    client: Client = connect(serve(app))
    for _ in range(3):
        assert client.exchange(get()).content == b"fine"
    assert errors() == []
