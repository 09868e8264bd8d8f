"""Which decoder a request has, how a response is delimited, and whether the connection goes on."""

import dataclasses
from collections.abc import Iterator

import pytest

from protocol.wire import refusal
from quaich.protocol.body import Chunked, Length
from quaich.protocol.errors import ProtocolError
from quaich.protocol.framing import (
    body_decoder,
    expects_continue,
    implied_length,
    is_bodiless,
    known_total,
    persists,
    plan_response,
)

# --- The request's body -----------------------------------------------------------------


@pytest.mark.rule("H060")
@pytest.mark.parametrize(
    ("version", "lengths", "wanted"),
    [
        ("HTTP/1.1", [], 0),  # H061
        ("HTTP/1.0", [], 0),
        ("HTTP/1.1", ["0"], 0),
        ("HTTP/1.1", ["5"], 5),
        ("HTTP/1.0", ["5"], 5),
        ("HTTP/1.1", ["003"], 3),
        ("HTTP/1.1", ["99999999999999999999"], 99999999999999999999),  # H063
    ],
)
def test_a_body_of_a_length(version: str, lengths: list[str], wanted: int) -> None:
    decoder = body_decoder(version, [], lengths)
    assert isinstance(decoder, Length)
    assert decoder.wanted == wanted


@pytest.mark.rule("H065")
@pytest.mark.parametrize(
    "codings",
    [["chunked"], ["CHUNKED"], ["Chunked"], [" chunked\t"], [",chunked,"], ["", "chunked"]],  # H066
)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.2"])
def test_a_body_in_chunks(version: str, codings: list[str]) -> None:
    assert isinstance(body_decoder(version, codings, []), Chunked)


@pytest.mark.rule("H062")
@pytest.mark.parametrize(
    ("rule", "status", "version", "codings", "lengths"),
    [
        ("H062", 400, "HTTP/1.1", [], [""]),
        ("H062", 400, "HTTP/1.1", [], ["-1"]),
        ("H062", 400, "HTTP/1.1", [], ["-0"]),
        ("H062", 400, "HTTP/1.1", [], ["+1"]),
        ("H062", 400, "HTTP/1.1", [], ["0_1"]),
        ("H062", 400, "HTTP/1.1", [], ["0x1"]),
        ("H062", 400, "HTTP/1.1", [], ["1 1"]),
        ("H062", 400, "HTTP/1.1", [], ["\xa05"]),
        ("H062", 400, "HTTP/1.1", [], ["\xb2"]),
        ("H062", 400, "HTTP/1.1", [], ["abc"]),
        ("H062", 400, "HTTP/1.0", [], ["1.0"]),
        ("H063", 400, "HTTP/1.1", [], ["1" + "0" * 20]),
        ("H064", 400, "HTTP/1.1", [], ["5, 5"]),
        ("H064", 400, "HTTP/1.1", [], ["5", "5"]),
        ("H064", 400, "HTTP/1.1", [], ["5", "6"]),
        ("H064", 400, "HTTP/1.0", [], ["5", "x"]),
        ("H067", 501, "HTTP/1.1", ["gzip"], []),  # H074
        ("H067", 501, "HTTP/1.1", ["gzip, chunked"], []),
        ("H067", 501, "HTTP/1.1", ["gzip", "chunked"], []),
        ("H067", 501, "HTTP/1.1", ["identity"], []),  # H073
        ("H067", 501, "HTTP/1.1", ["identity, chunked"], []),
        ("H067", 501, "HTTP/1.1", ["chunkedchunked"], []),
        ("H067", 501, "HTTP/1.1", ["xchunked"], []),
        ("H067", 501, "HTTP/1.1", ["\xa0chunked"], []),
        ("H067", 501, "HTTP/1.1", ["\x0bchunked"], []),
        ("H067", 501, "HTTP/1.1", ['"chunked"'], []),
        ("H067", 501, "HTTP/1.1", ["chun ked"], []),
        ("H067", 501, "HTTP/1.1", [""], []),
        ("H068", 400, "HTTP/1.1", ["chunked, gzip"], []),
        ("H068", 400, "HTTP/1.1", ["chunked", "identity"], []),
        ("H069", 400, "HTTP/1.1", ["chunked, chunked"], []),
        ("H069", 400, "HTTP/1.1", ["chunked", "Chunked"], []),
        ("H069", 400, "HTTP/1.1", ["chunked, gzip, chunked"], []),
        ("H070", 400, "HTTP/1.1", ["chunked;q=1"], []),
        ("H070", 400, "HTTP/1.1", ["gzip ;a, chunked"], []),
        ("H071", 400, "HTTP/1.1", ["chunked"], ["5"]),
        ("H071", 400, "HTTP/1.1", ["identity"], ["5"]),
        ("H071", 400, "HTTP/1.1", [""], ["5"]),
        ("H072", 400, "HTTP/1.0", ["chunked"], []),
        ("H072", 400, "HTTP/1.0", ["identity"], ["5"]),
    ],
)
def test_framing_that_is_refused(
    rule: str, status: int, version: str, codings: list[str], lengths: list[str]
) -> None:
    with pytest.raises(ProtocolError) as info:
        body_decoder(version, codings, lengths)
    assert refusal(info.value) == (status, rule)


@pytest.mark.rule("H064")
@pytest.mark.parametrize("value", ["5, 5", "5,6", "5,"])
def test_a_list_of_lengths_is_refused(value: str) -> None:
    with pytest.raises(ProtocolError) as info:
        body_decoder("HTTP/1.1", [], [value])
    assert info.value.status == 400


@pytest.mark.rule("H093")
@pytest.mark.parametrize(
    ("version", "expect", "expected"),
    [
        ("HTTP/1.1", "100-continue", True),
        ("HTTP/1.1", "100-Continue", True),
        ("HTTP/1.1", "x, 100-CONTINUE", True),
        ("HTTP/1.2", "100-continue", True),
        ("HTTP/1.1", "", False),
        ("HTTP/1.1", "100-continued", False),
        ("HTTP/1.1", "200-ok", False),
        ("HTTP/1.0", "100-continue", False),  # H094
    ],
)
def test_expect_100_continue(version: str, expect: str, expected: bool) -> None:
    assert expects_continue(version, expect) is expected


# --- Persistence ------------------------------------------------------------------------


@pytest.mark.rule("H104")
@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        ("HTTP/1.1", [], True),
        ("HTTP/1.1", ["keep-alive"], True),
        ("HTTP/1.1", ["close"], False),
        ("HTTP/1.1", ["Close"], False),
        ("HTTP/1.1", ["close,foo"], False),  # H103
        ("HTTP/1.1", ["keep-alive, TE", "close"], False),
        ("HTTP/1.1", ["keep-alive, close"], False),
        ("HTTP/1.1", ["closed"], True),
        ("HTTP/1.1", ["x close"], True),
        ("HTTP/1.2", [], True),
        ("HTTP/1.0", [], False),
        ("HTTP/1.0", ["Keep-Alive"], True),
        ("HTTP/1.0", ["keep-alive, TE"], True),
        ("HTTP/1.0", ["keep-alive", "close"], False),
        ("HTTP/0.9", [], False),
        ("HTTP/0.9", ["keep-alive"], False),
    ],
)
def test_persistence(version: str, connection: list[str], expected: bool) -> None:
    assert persists(version, connection) is expected


# --- The response's body ----------------------------------------------------------------


@pytest.mark.rule("H120")
@pytest.mark.rule("H122")
@pytest.mark.rule("H123")
@pytest.mark.rule("H124")
@pytest.mark.rule("H126")
@pytest.mark.rule("H129")
@pytest.mark.parametrize(
    ("method", "code", "length", "has_body", "planned", "chunked", "drop_length"),
    [
        ("GET", "200", None, True, None, True, False),
        ("GET", "200", "5", True, 5, False, False),
        ("GET", "200", "0", True, 0, False, False),
        ("GET", "200", "x", True, None, True, False),
        ("GET", "404", "5", True, 5, False, False),
        ("POST", "500", None, True, None, True, False),
        ("HEAD", "200", None, False, 0, False, False),
        ("HEAD", "200", "5", False, 0, False, False),  # H123: it may stay
        ("HEAD", "404", "5", False, 0, False, False),
        ("GET", "304", "5", False, 0, False, False),
        ("GET", "204", "5", False, 0, False, True),  # H121
        ("HEAD", "204", "0", False, 0, False, True),
        ("GET", "103", None, False, 0, False, True),
        ("GET", "101", "5", False, 0, False, True),
        ("GET", "205", None, False, 0, False, False),  # H124
        ("CONNECT", "200", "5", False, 0, False, True),
        ("CONNECT", "404", "5", True, 5, False, False),
    ],
)
def test_the_plan_of_a_response(
    method: str,
    code: str,
    length: str | None,
    has_body: bool,
    planned: int | None,
    chunked: bool,
    drop_length: bool,
) -> None:
    plan = plan_response(method, code, length, may_chunk=True)
    assert dataclasses.astuple(plan) == (has_body, planned, chunked, drop_length)
    assert not plan.ends_with_connection


@pytest.mark.rule("H127")
@pytest.mark.rule("H130")
def test_without_length_and_chunks_the_end_of_the_connection_ends_the_body() -> None:
    plan = plan_response("GET", "200", None, may_chunk=False)
    assert dataclasses.astuple(plan) == (True, None, False, False)
    assert plan.ends_with_connection


@pytest.mark.rule("H121")
@pytest.mark.parametrize("method", ["GET", "HEAD", "CONNECT"])
@pytest.mark.parametrize("code", ["100", "103", "200", "204", "205", "299", "304", "404", "999"])
def test_bodiless(method: str, code: str) -> None:
    expected = (
        code < "200" or code == "204" or (method == "CONNECT" and code in ("200", "205", "299"))
    )
    assert is_bodiless(method, code) is expected


@pytest.mark.rule("H128")
@pytest.mark.parametrize(
    ("method", "code", "total", "implied"),
    [
        ("GET", "200", 5, 5),
        ("GET", "200", 0, 0),
        ("GET", "200", None, None),
        ("POST", "404", 0, 0),
        ("HEAD", "200", 5, 5),
        ("HEAD", "200", 0, None),  # H123
        ("HEAD", "404", 0, None),
        ("HEAD", "404", 7, 7),
        ("HEAD", "200", None, None),
        ("GET", "304", 0, None),
        ("GET", "304", 5, None),
        ("GET", "204", 0, None),
        ("GET", "103", 0, None),
        ("GET", "205", None, 0),  # H124
        ("GET", "205", 5, 0),
        ("CONNECT", "200", 0, None),
        ("CONNECT", "200", 5, None),
        ("CONNECT", "403", 5, 5),
    ],
)
def test_the_length_that_is_implied(
    method: str, code: str, total: int | None, implied: int | None
) -> None:
    assert implied_length(method, code, total) == implied


class Sized:
    """An iterable whose ``len()`` is what it is told."""

    def __init__(self, length: object) -> None:
        self._length = length

    def __len__(self) -> int:
        if isinstance(self._length, BaseException):
            raise self._length
        assert isinstance(self._length, int)
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"x"])


@pytest.mark.rule("H128")
@pytest.mark.parametrize(
    ("result", "first", "total"),
    [
        ([], None, 0),
        ((), None, 0),
        ([b"hello"], 5, 5),
        ([b"a", b"bc"], 1, 3),
        ((b"", b"bc"), 2, 2),
        ([b""], None, None),  # it may be that no block has come yet
        ([b"", b""], None, 0),
        ([b"a", "b"], 1, None),
        ([b"a", bytearray(b"b")], 1, None),
        (iter([b"a"]), 1, None),
        (Sized(1), 5, 5),  # S17
        (Sized(2), 5, None),
        (Sized(0), None, None),
        (Sized(TypeError()), 5, None),  # D092
        (Sized(ZeroDivisionError()), 5, None),
        (Sized(-1), 5, None),
        (None, None, None),
    ],
)
def test_the_total_that_is_known(result: object, first: int | None, total: int | None) -> None:
    assert known_total(result, first) == total
