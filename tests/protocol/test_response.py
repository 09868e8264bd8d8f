"""Which status and which header fields an application may send."""

from collections.abc import Iterator
from typing import Any

import pytest

from quaich.protocol import response
from quaich.protocol.errors import Fault
from quaich.protocol.response import (
    HOP_BY_HOP,
    checked_section,
    control_fault,
    section,
    status_fault,
)


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found sound in another test is not remembered."""
    monkeypatch.setattr(response, "_sound", {})
    monkeypatch.setattr(response, "_sound_statuses", {})


# --- The status -------------------------------------------------------------------------


@pytest.mark.rule("A05")
@pytest.mark.parametrize(
    "status", ["200 OK", "200 ", "404 Not Found", "299 caf\xe9", "599 x", "600 x", "999 x"]
)
def test_a_status(status: str) -> None:
    for _ in range(2):  # the second time it is remembered
        assert status_fault(status) is None


class Text(str):
    __slots__ = ()


@pytest.mark.rule("A05")
@pytest.mark.parametrize(
    ("rule", "error", "status"),
    [
        ("A05", AssertionError, None),
        ("A05", AssertionError, 200),
        ("A05", AssertionError, b"200 OK"),
        ("A05", AssertionError, Text("200 OK")),
        ("A05", AssertionError, ""),
        ("A05", AssertionError, "200"),
        ("A05", AssertionError, "200OK"),
        ("A05", AssertionError, "20 OK"),
        ("A05", AssertionError, " 200 OK"),
        ("A05", AssertionError, "abc OK"),
        ("A06", ValueError, "200\tOK"),
        ("A05", AssertionError, "2000 OK"),
        ("A05", AssertionError, "\u0662\u0660\u0660 OK"),  # D082
        ("A05", AssertionError, "100 Continue"),  # H139
        ("A05", AssertionError, "103 Early Hints"),
        ("A05", AssertionError, "099 x"),
        ("A06", ValueError, "200 O\nK"),
        ("A06", ValueError, "200 OK\r\nEvil: 1"),
        ("A06", ValueError, "200 \x00"),
        ("A06", ValueError, "200 \x7f€"),
        ("A25", AssertionError, "200 €"),  # D080
    ],
)
def test_a_status_with_a_fault(rule: str, error: type[Exception], status: object) -> None:
    fault = status_fault(status)
    assert fault is not None
    assert fault[:2] == (rule, error)
    assert type(fault.exception()) is error


# --- Header fields ----------------------------------------------------------------------


@pytest.mark.rule("A10")
@pytest.mark.parametrize(
    ("text", "in_name", "in_value"),
    [
        ("", False, False),
        ("a b\x80\xff€", False, False),
        ("a\tb", True, False),
        ("\t\n", True, True),
        *[(f"a{chr(code)}b", True, True) for code in (0, 7, 10, 11, 12, 13, 27, 31, 127)],
    ],
)
def test_control_characters(text: str, in_name: bool, in_value: bool) -> None:
    for fault, expected in (
        (control_fault(text, name=True), in_name),
        (control_fault(text), in_value),
    ):
        assert (fault is not None) is expected
        if fault is not None:
            assert fault[:2] == ("A10", ValueError)


GOOD: list[list[tuple[str, str]]] = [
    [],
    [("A", "1")],
    [("A", "1"), ("a", "1"), ("A", "2")],
    [("!#$%&'*+-.^_`|~09az", "")],
    [("A", " \t caf\xe9\x80\xff")],
    [("Content-Length", "5"), ("Content-Type", "text/plain")],
    [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],  # H140
    [("Trailer", "x"), ("Proxy-Connection", "x")],  # D117
]


@pytest.mark.rule("A09")
@pytest.mark.parametrize("headers", GOOD)
def test_sound_headers_make_a_section(headers: list[tuple[str, str]]) -> None:
    for _ in range(2):  # the second time they are remembered
        result = checked_section(headers)
        assert not isinstance(result, Fault)
        assert result == section(headers)
        assert result[0] == headers
        assert result[0] is not headers  # D091


BAD: list[tuple[str, type[Exception], Any]] = [
    ("A08", AssertionError, ["A", "1"]),
    ("A08", AssertionError, "A1"),
    ("A08", AssertionError, ("A",)),
    ("A08", AssertionError, ("A", "1", "2")),
    ("A08", AssertionError, None),
    ("A08", AssertionError, (b"A", "1")),
    ("A08", AssertionError, ("A", b"1")),
    ("A08", AssertionError, ("A", 1)),
    ("A08", AssertionError, ("A", ["1"])),
    ("A08", AssertionError, (Text("A"), "1")),
    ("A08", AssertionError, ("A", Text("1"))),
    ("A09", AssertionError, ("A B", "1")),
    ("A09", AssertionError, ("A:", "1")),
    ("A09", AssertionError, ("é", "1")),
    ("A10", ValueError, ("A\n", "1")),
    ("A10", ValueError, ("A\t", "1")),
    ("A10", ValueError, ("A", "1\r\nEvil: 2")),
    ("A10", ValueError, ("", "\x00")),
    ("A10", ValueError, ("A", "€\n")),
    ("A11", AssertionError, ("Connection", "close")),
    ("A11", AssertionError, ("TRANSFER-encoding", "chunked")),
    ("A25", AssertionError, ("A", "€")),  # D080
    ("A37", AssertionError, ("Content-Length", "")),
    ("A37", AssertionError, ("content-length", "+5")),
    ("A37", AssertionError, ("Content-Length", "5, 5")),
    ("A37", AssertionError, ("Content-Length", "\xb2")),
]


@pytest.mark.rule("A08")
@pytest.mark.parametrize(("rule", "error", "item"), BAD)
@pytest.mark.parametrize("before", [[], [("A", "1"), ("Set-Cookie", "x")]])
def test_a_header_with_a_fault(
    rule: str, error: type[Exception], item: object, before: list[object]
) -> None:
    fault = checked_section([*before, item])
    assert isinstance(fault, Fault)
    assert fault[:2] == (rule, error)


@pytest.mark.rule("A11")
def test_every_hop_by_hop_header_is_refused() -> None:
    for name in HOP_BY_HOP:
        fault = checked_section([(name.title(), "x")])
        assert isinstance(fault, Fault)
        assert fault.rule == "A11"


@pytest.mark.rule("A37")
def test_a_second_content_length_is_refused() -> None:
    for second in ("5", "6"):
        fault = checked_section([("Content-Length", "5"), ("content-length", second)])
        assert isinstance(fault, Fault)
        assert fault.rule == "A37"


def test_a_header_without_a_name_is_left_out() -> None:
    result = checked_section([("", ""), ("A", "1"), ("", "x")])
    assert result == ([("A", "1")], None, False, False, "A: 1\r\n")


@pytest.mark.rule("S61")
@pytest.mark.parametrize("make", [checked_section, section])
def test_a_section_says_what_a_server_must_know(make: Any) -> None:
    headers = [("A", "1"), ("dAtE", "x"), ("content-LENGTH", "5"), ("server", "y"), ("A", "2")]
    text = "A: 1\r\ndAtE: x\r\ncontent-LENGTH: 5\r\nserver: y\r\nA: 2\r\n"
    for _ in range(2):
        assert make(headers) == (headers, "5", True, True, text)
        assert make([("A", "1")]) == ([("A", "1")], None, False, False, "A: 1\r\n")


def test_of_several_lengths_the_first_is_told() -> None:
    assert section([("Content-Length", "5"), ("Content-Length", "6")])[1] == "5"


class Endless:
    """More different headers than anybody sends."""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(f"X-{number}", "x") for number in range(5000)])


def test_what_is_remembered_is_bounded_and_names_nobody() -> None:
    private = [(name, "secret") for name in ("Set-Cookie", "Location", "WWW-Authenticate")]
    assert not isinstance(checked_section([*private, ("A", "x" * 1000)]), Fault)
    assert not response._sound
    assert not isinstance(checked_section(Endless()), Fault)
    for number in range(5000):
        assert status_fault(f"200 OK {number}") is None
    assert 0 < len(response._sound) <= 1024
    assert 0 < len(response._sound_statuses) <= 1024


def test_what_never_recurs_does_not_keep_out_what_does() -> None:
    assert not isinstance(checked_section(Endless()), Fault)
    assert not isinstance(checked_section([("A", "b")]), Fault)
    assert ("A", "b") in response._sound
