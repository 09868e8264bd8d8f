"""Which header list start_response accepts (S60, S63, S64; D076-D081, D087, D091)."""

from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, make_handler, respond, run


def refusal(wsgiref: SimpleNamespace, headers: Any) -> BaseException:
    """The exception that start_response raises for this list; nothing was sent (S64)."""
    handler = make_handler(wsgiref)
    handler.setup_environ()
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the caller looks at its type
        handler.start_response("200 OK", headers)
    assert handler.stdout.getvalue() == b""
    return caught.value


@pytest.mark.defect("D076", upstream="gh-143916")
@pytest.mark.parametrize(
    "header",
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\n b"),
        ("X", "\x00"),
        ("X", "\x7f"),
        ("X\r\nY", "a"),
        ("X\x00", "a"),
        ("X\t", "a"),
    ],
)
def test_control_characters_in_a_header_are_refused(
    wsgiref: SimpleNamespace, header: tuple[str, str]
) -> None:
    """A10: with them, whoever has a value makes the next header, or the body."""
    error = refusal(wsgiref, [header])
    assert type(error) is ValueError
    assert "ontrol characters" in str(error)


@pytest.mark.defect("D113")
@pytest.mark.parametrize("name", ["", "a b", "a:", "(a)", "\u00e9", "a,b"])
def test_a_name_that_is_no_token_is_not_sent(wsgiref: SimpleNamespace, name: str) -> None:
    """A09: refused; but an empty one, which ``prometheus_client`` gives, is left out (D113)."""
    if name:
        error = refusal(wsgiref, [(name, "x")])
        assert type(error) is AssertionError
        assert "is not a token" in str(error)
    else:
        out = run(wsgiref, respond([b"a"], headers=[("", ""), *TEXT])).out
        assert b"\r\n: " not in out
        assert b"\r\nContent-Type: text/plain\r\n" in out


@pytest.mark.defect("D081")
@pytest.mark.parametrize("header", [["X", "list"], {"X": "1", "Y": "2"}, "ab"])
def test_a_header_is_a_tuple(wsgiref: SimpleNamespace, header: Any) -> None:
    """A08: a list would do for the checks, and break the response when it is sent."""
    error = refusal(wsgiref, [header])
    assert type(error) is AssertionError
    assert "must be a tuple (name, value)" in str(error)


@pytest.mark.parametrize(
    "header", [("X",), ("X", "1", "2"), (), (b"X", "1"), ("X", b"1"), ("X", 1), (None, "1"), 5]
)
def test_a_header_is_two_strings(wsgiref: SimpleNamespace, header: Any) -> None:
    """A08, S03. (In wsgiref a wrong number is a ValueError.)"""
    assert isinstance(refusal(wsgiref, [header]), (AssertionError, ValueError, TypeError))


@pytest.mark.parametrize("headers", [(), (("X", "1"),), {"X": "1"}, iter([]), "X: 1", 0])
def test_the_headers_are_a_list(wsgiref: SimpleNamespace, headers: Any) -> None:
    """A07."""
    error = refusal(wsgiref, headers)
    assert type(error) is TypeError
    assert str(error).startswith("Headers must be a list of name/value tuples")


def test_a_subclass_of_list_is_refused(wsgiref: SimpleNamespace) -> None:
    """A07: exactly a list, so that it can be copied and changed."""

    class Pairs(list[tuple[str, str]]):
        pass

    assert type(refusal(wsgiref, Pairs())) is TypeError


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "keep-alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailers",
        "TRANSFER-encoding",
        "Upgrade",
    ],
)
def test_hop_by_hop_headers_are_refused(wsgiref: SimpleNamespace, name: str) -> None:
    """S63, A11: the connection is the server's."""
    error = refusal(wsgiref, [(name, "x")])
    assert type(error) is AssertionError
    assert str(error) == f"Hop-by-hop header, '{name}: x', not allowed"


@pytest.mark.defect("D087")
@pytest.mark.parametrize(
    "lengths",
    [
        ["x"],
        [""],
        ["-1"],
        ["+1"],
        [" 1"],
        ["1 "],
        ["1_0"],
        ["\u00b9"],
        ["1.0"],
        ["1", "1"],
        ["1, 1"],
    ],
)
def test_content_length_is_one_number(wsgiref: SimpleNamespace, lengths: list[str]) -> None:
    """A37: anything else, and two that say the same, tell client and proxy different things."""
    error = refusal(wsgiref, [("content-LENGTH", length) for length in lengths])
    assert type(error) is AssertionError
    assert "Content-Length" in str(error)


@pytest.mark.parametrize("again", range(3))
def test_a_header_is_judged_alike_however_often_it_is_given(
    wsgiref: SimpleNamespace, again: int
) -> None:
    """What was found sound may be remembered; what was not, may not."""
    for _ in range(2):
        assert type(refusal(wsgiref, [("X", "1"), ("Upgrade", "x")])) is AssertionError
        assert run(wsgiref, respond([b"a"], headers=[("X", "1")])).field("X") == "1"
    assert type(refusal(wsgiref, [("X", "1"), ("X", 1)])) is AssertionError


def test_what_is_equal_to_a_sound_header_is_not_sound_for_that(wsgiref: SimpleNamespace) -> None:
    """S03: a subclass of ``str`` can be equal to a header that was accepted before."""

    class Text(str):
        __slots__ = ()

    run(wsgiref, respond([b"a"], headers=[("X-Known", "1")]))
    assert type(refusal(wsgiref, [("X-Known", Text("1"))])) is AssertionError
    assert type(refusal(wsgiref, [(Text("X-Known"), "1")])) is AssertionError


# -- The list is the application's --------------------------------------------------------


@pytest.mark.defect("D091")
def test_the_applications_list_is_not_changed(wsgiref: SimpleNamespace) -> None:
    """S60, A47: a list in a module, used again, would carry the first response's length."""
    headers = [("Content-Type", "text/plain")]
    app_three, app_five = ([b"abc"], [b"abcde"])
    for result in (app_three, app_five):

        def app(environ: Any, start_response: Any, result: Any = result) -> Any:
            start_response("200 OK", headers)
            return result

        answer = run(wsgiref, app)
        assert answer.field("Content-Length") == str(len(answer.body))
    assert headers == [("Content-Type", "text/plain")]


@pytest.mark.defect("D091")
def test_nor_can_the_application_change_it_later(wsgiref: SimpleNamespace) -> None:
    """S64: what is sent is what was checked."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        headers = [("X", "1")]
        start_response("200 OK", headers)
        headers.append(("Y", "2\r\nZ: 3"))
        return [b"a"]

    answer = run(wsgiref, app)
    assert answer.field("X") == "1"
    assert answer.field("Y") is None


def test_every_header_is_sent_in_its_order(wsgiref: SimpleNamespace) -> None:
    """S15, S62: repeated ones, and names as they were written."""
    headers = [("dAtE", "today"), ("Set-Cookie", "a"), ("x", ""), ("Set-Cookie", "b")]
    out = run(wsgiref, respond([], headers=headers)).out
    assert b"\r\ndAtE: today\r\nSet-Cookie: a\r\nx: \r\nSet-Cookie: b\r\n" in out
    assert out.lower().count(b"\r\ndate:") == 1


def test_error_headers_are_not_changed(wsgiref: SimpleNamespace) -> None:
    """They are one list for all handlers."""

    def fail(environ: Any, start_response: Any) -> Any:
        raise ValueError

    run(wsgiref, fail)
    assert wsgiref.handlers.BaseHandler.error_headers == [("Content-Type", "text/plain")]
