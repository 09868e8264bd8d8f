"""``Headers``: the contract of ``wsgiref.headers``, the manual's words, and D109 to D116."""

import inspect
from collections.abc import Callable, MutableMapping
from email.message import Message
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from support import exchange

# --- The contract -----------------------------------------------------------------------


def test_tspecials(wsgiref: SimpleNamespace) -> None:
    found = {chr(code) for code in range(256) if wsgiref.headers.tspecials.search(chr(code))}
    assert found == set(' ()<>@,;:\\"/[]?=')


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("p",), "p"),
        (("p", None), "p"),
        (("p", ""), "p"),
        (("p", "v"), 'p="v"'),
        (("p", "v", 0), "p=v"),
        (("p", "v", False), "p=v"),
        (("p", "v w", 0), 'p="v w"'),
        (("p", 'v"w\\'), 'p="v\\"w\\\\"'),
        (("p", "v\\w", 0), 'p="v\\\\w"'),
    ],
)
def test_formatparam(wsgiref: SimpleNamespace, arguments: Any, text: str) -> None:
    assert wsgiref.headers._formatparam(*arguments) == text


def test_the_headers_are_a_list_and_empty_by_default(wsgiref: SimpleNamespace) -> None:
    for headers in (wsgiref.headers.Headers(), wsgiref.headers.Headers(None)):
        assert len(headers) == 0
        assert not headers
        assert headers.items() == headers.keys() == headers.values() == []
    first, second = wsgiref.headers.Headers(), wsgiref.headers.Headers()
    first["A"] = "1"
    assert second.items() == []


class Subclass(list[Any]):
    pass


@pytest.mark.parametrize("value", [(), "", {}, (("A", "1"),), Subclass(), iter([])])
def test_nothing_but_a_list_is_taken(wsgiref: SimpleNamespace, value: Any) -> None:
    with pytest.raises(TypeError):
        wsgiref.headers.Headers(value)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (("A",), ValueError),
        (("A", "1", "2"), ValueError),
        ((b"A", "1"), AssertionError),
        (("A", b"1"), AssertionError),
        (("A", 1), AssertionError),
        (("A", None), AssertionError),
        (None, TypeError),
    ],
)
def test_the_items_are_pairs_of_str(
    wsgiref: SimpleNamespace, item: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        wsgiref.headers.Headers([("Good", "1"), item])


def test_an_item_may_be_any_pair(wsgiref: SimpleNamespace) -> None:
    assert wsgiref.headers.Headers([["A", "1"], "BC"])["b"] == "C"


def test_the_list_is_wrapped_and_not_copied(wsgiref: SimpleNamespace) -> None:
    """D109, kept: the manual says "wraps"."""
    fields = [("A", "1")]
    headers = wsgiref.headers.Headers(fields)
    headers["B"] = "2"
    assert fields == [("A", "1"), ("B", "2")]
    fields.append(("C", "3"))
    assert headers["c"] == "3"
    del headers["A"]
    assert fields == [("B", "2"), ("C", "3")]
    headers.setdefault("D", "4")
    headers.add_header("E", "5")
    assert fields == [("B", "2"), ("C", "3"), ("D", "4"), ("E", "5")]


def test_len_counts_every_field(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "1"), ("a", "2"), ("B", "3")])
    assert len(headers) == len(headers.items()) == 3


def test_keys_values_and_items_are_new_lists_in_order(wsgiref: SimpleNamespace) -> None:
    fields = [("B", "1"), ("A", "2"), ("b", "3")]
    headers = wsgiref.headers.Headers(fields)
    assert headers.keys() == ["B", "A", "b"]
    assert headers.values() == ["1", "2", "3"]
    assert headers.items() == fields
    for copy in (headers.keys(), headers.values(), headers.items()):
        copy.clear()
    assert len(headers) == 3
    assert dict(headers) == {"B": "1", "A": "2", "b": "1"}


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
def test_names_are_case_insensitive_and_the_first_value_counts(
    wsgiref: SimpleNamespace, name: str
) -> None:
    headers = wsgiref.headers.Headers([("X", ""), ("Content-Type", "a"), ("content-TYPE", "b")])
    assert headers[name] == headers.get(name) == headers.get(name, "x") == "a"
    assert name in headers
    assert headers.get_all(name) == ["a", "b"]
    assert headers.setdefault(name, "c") == "a"
    headers[name] = "d"
    assert headers.items() == [("X", ""), (name, "d")]
    del headers[name]
    assert headers.items() == [("X", "")]


def test_a_missing_header_is_none_and_no_error(wsgiref: SimpleNamespace) -> None:
    """D116, kept: it is the contract."""
    headers = wsgiref.headers.Headers([("A", "1")])
    assert headers["B"] is None
    assert headers.get("B") is None
    assert headers.get("B", "x") == "x"
    assert headers.get(name="B", default="x") == "x"
    assert headers.get_all("B") == []
    assert "B" not in headers
    del headers["B"]
    assert headers.items() == [("A", "1")]


def test_an_empty_value_is_a_value(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "")])
    assert headers["A"] == headers.get("A", "x") == headers.setdefault("a", "x") == ""
    assert "A" in headers


def test_setting_removes_every_field_and_appends_one(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")])
    headers["A"] = "5"
    assert headers.items() == [("B", "2"), ("C", "4"), ("A", "5")]


def test_setdefault_appends_what_is_missing(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "1")])
    assert headers.setdefault("B", "2") == "2"
    assert headers.items() == [("A", "1"), ("B", "2")]


def test_get_all_keeps_order_and_repetitions(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "2"), ("B", "x"), ("a", "1"), ("A", "2")])
    assert headers.get_all("A") == ["2", "1", "2"]
    value = headers["A"]
    del headers["A"]
    headers["A"] = value
    assert headers.items() == [("B", "x"), ("A", "2")]


@pytest.mark.parametrize("bad", [None, 1, b"x"])
def test_names_and_values_are_str(wsgiref: SimpleNamespace, bad: Any) -> None:
    headers = wsgiref.headers.Headers()
    acts: list[Callable[[], object]] = [
        lambda: headers.__setitem__("A", bad),
        lambda: headers.setdefault("A", bad),
        lambda: headers.add_header("A", bad if bad is not None else 1),
        lambda: headers.add_header("A", "b", c=bad if bad is not None else 1),
    ]
    for act in acts:
        with pytest.raises(AssertionError):
            act()
    # Of what is not even text, the standard library says that it has no lower().
    expected = AssertionError if isinstance(bad, bytes) else (AttributeError, AssertionError)
    acts_of_names: list[Callable[[], object]] = [
        lambda: headers[bad],
        lambda: headers.get(bad),
        lambda: headers.get_all(bad),
        lambda: bad in headers,
        lambda: headers.__delitem__(bad),
        lambda: headers.__setitem__(bad, "x"),
        lambda: headers.setdefault(bad, "x"),
    ]
    for act in acts_of_names:
        with pytest.raises(expected):
            act()
    with pytest.raises(AssertionError):
        headers.add_header(bad, "x")
    assert headers.items() == []


class Text(str):
    __slots__ = ()


def test_a_subclass_of_str_is_a_key_and_no_field(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "1")])
    assert headers[Text("a")] == "1"
    assert Text("a") in headers
    for name, value in ((Text("B"), "1"), ("B", Text("1"))):
        with pytest.raises(AssertionError):
            headers[name] = value


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "\r\n"),
        ([("A", "1")], "A: 1\r\n\r\n"),
        ([("A", "1"), ("b", ""), ("A", "2, 3")], "A: 1\r\nb: \r\nA: 2, 3\r\n\r\n"),
    ],
)
def test_the_text_is_ready_to_be_sent(
    wsgiref: SimpleNamespace, fields: list[tuple[str, str]], text: str
) -> None:
    headers = wsgiref.headers.Headers(fields)
    assert str(headers) == text
    assert bytes(headers) == text.encode()


def test_the_bytes_are_iso_8859_1(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "caf\xe9")])
    assert bytes(headers) == b"A: caf\xe9\r\n\r\n"
    headers["A"] = "€"
    with pytest.raises(UnicodeEncodeError):
        bytes(headers)


def test_repr(wsgiref: SimpleNamespace) -> None:
    class Mine(wsgiref.headers.Headers):  # type: ignore[misc,name-defined]
        pass

    assert repr(wsgiref.headers.Headers([("A", "1")])) == "Headers([('A', '1')])"
    assert repr(Mine()) == "Mine([])"


@pytest.mark.parametrize(
    ("value", "params", "text"),
    [
        ("x", {}, "x"),
        ("", {}, ""),
        (None, {}, ""),
        ("attachment", {"filename": "bud.gif"}, 'attachment; filename="bud.gif"'),
        (None, {"a": "b"}, 'a="b"'),
        ("", {"a": "b"}, '; a="b"'),
        ("x", {"a": None}, "x; a"),
        (None, {"a": None, "b": "c"}, 'a; b="c"'),
        ("x", {"a_b_c": "d_e"}, 'x; a-b-c="d_e"'),
        ("x", {"a_b": None}, "x; a-b"),
        ("x", {"a": 'b"c\\d'}, 'x; a="b\\"c\\\\d"'),
        ("x", {"a": "b c;d"}, 'x; a="b c;d"'),
        ("caf\xe9", {"a": "b"}, 'caf\xe9; a="b"'),
    ],
)
def test_add_header(
    wsgiref: SimpleNamespace, value: str | None, params: dict[str, Any], text: str
) -> None:
    headers = wsgiref.headers.Headers([("a", "1")])
    headers.add_header("A", value, **params)
    assert headers.items() == [("a", "1"), ("A", text)]


def test_an_empty_name_passes(wsgiref: SimpleNamespace) -> None:
    """D113, kept here: prometheus_client sends one. start_response drops it."""
    headers = wsgiref.headers.Headers([("", "")])
    assert headers.items() == [("", "")]
    headers[""] = "x"
    assert headers[""] == "x"


@pytest.mark.parametrize("name", ["a b", "a:b", "(", "é", "€"])
def test_names_are_not_checked_here(wsgiref: SimpleNamespace, name: str) -> None:
    """D113, kept here."""
    assert wsgiref.headers.Headers([(name, "€")]).items() == [(name, "€")]


# --- D076: control characters -----------------------------------------------------------

CONTROLS = ["\x00", "\r", "\n", "\r\n", "\x1b", "\x7f"]


@pytest.mark.defect("D076", upstream="gh-143916")
@pytest.mark.parametrize("control", CONTROLS)
def test_no_control_character_in_a_value(wsgiref: SimpleNamespace, control: str) -> None:
    headers = wsgiref.headers.Headers()
    bad = f"a{control}b"
    acts: list[Callable[[], object]] = [
        lambda: wsgiref.headers.Headers([("A", bad)]),
        lambda: headers.__setitem__("A", bad),
        lambda: headers.setdefault("A", bad),
        lambda: headers.add_header("A", bad),
        lambda: headers.add_header("A", "x", p=bad),
    ]
    for act in acts:
        with pytest.raises(ValueError, match=r"[Cc]ontrol"):
            act()
    assert headers.items() == []


@pytest.mark.defect("D076", upstream="gh-143916")
@pytest.mark.parametrize("control", [*CONTROLS, "\t"])
def test_no_control_character_in_a_name(wsgiref: SimpleNamespace, control: str) -> None:
    headers = wsgiref.headers.Headers()
    bad = f"a{control}b"
    acts: list[Callable[[], object]] = [
        lambda: wsgiref.headers.Headers([(bad, "1")]),
        lambda: headers.__setitem__(bad, "1"),
        lambda: headers.setdefault(bad, "1"),
        lambda: headers.add_header(bad, "1"),
        lambda: headers.add_header("A", "x", **{bad: "1"}),
        lambda: headers.add_header("A", "x", **{bad: None}),
    ]
    for act in acts:
        with pytest.raises(ValueError, match=r"[Cc]ontrol"):
            act()
    assert headers.items() == []


def test_a_value_may_hold_a_tab_and_all_else(wsgiref: SimpleNamespace) -> None:
    value = "a\tb\x80\xa0\xad"
    headers = wsgiref.headers.Headers([("A", value)])
    headers["B"] = value
    headers.setdefault("C", value)
    headers.add_header("D", value)
    assert headers.values() == [value] * 4


# --- The defects ------------------------------------------------------------------------


@pytest.mark.defect("D110")
@pytest.mark.parametrize("bad", [b"2", 2, None])
def test_a_bad_value_does_not_lose_the_old_one(wsgiref: SimpleNamespace, bad: Any) -> None:
    headers = wsgiref.headers.Headers([("A", "1"), ("B", "2")])
    with pytest.raises(AssertionError):
        headers["A"] = bad
    assert headers.items() == [("A", "1"), ("B", "2")]


@pytest.mark.defect("D111", raises=AttributeError)
def test_iteration_gives_the_names(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers([("A", "1"), ("B", "2"), ("a", "3")])
    assert list(headers) == ["A", "B", "a"]


@pytest.mark.defect("D111")
def test_it_is_a_mutable_mapping(wsgiref: SimpleNamespace) -> None:
    assert isinstance(wsgiref.headers.Headers(), MutableMapping)


@pytest.mark.defect("D111")
def test_equality_is_that_of_the_fields(wsgiref: SimpleNamespace) -> None:
    make = wsgiref.headers.Headers
    assert make([("A", "1"), ("B", "2")]) == make([("a", "1"), ("B", "2")])
    assert make([("A", "1")]) != make([("A", "2")])
    assert make([("A", "1"), ("B", "2")]) != make([("B", "2"), ("A", "1")])
    assert make([("A", "x")]) != make([("A", "X")])
    assert make() != []


@pytest.mark.defect("D111")
def test_it_is_not_hashable(wsgiref: SimpleNamespace) -> None:
    with pytest.raises(TypeError):
        hash(wsgiref.headers.Headers())


@pytest.mark.defect("D111", feature=True)
def test_pop_and_popitem_and_clear(wsgiref: SimpleNamespace) -> None:
    fields = [("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")]
    headers = wsgiref.headers.Headers(fields)
    assert headers.pop("a") == "1"
    assert headers.pop("A") is None
    assert headers.pop("A", "x") == "x"
    assert headers.popitem() == ("C", "4")
    assert fields == [("B", "2")]
    headers.clear()
    assert fields == []
    with pytest.raises(KeyError):
        headers.popitem()


def _message() -> Message:
    message = Message()
    message["a"] = "3"
    message["A"] = "4"
    return message


@pytest.mark.defect("D111", feature=True)
@pytest.mark.parametrize(
    ("other", "fields"),
    [
        ([("a", "3"), ("A", "4")], [("B", "2"), ("a", "3"), ("A", "4")]),
        ({"a": "3", "C": "4"}, [("B", "2"), ("a", "3"), ("C", "4")]),
        (_message(), [("B", "2"), ("a", "3"), ("A", "4")]),
        (iter([("C", "3")]), [("A", "1"), ("B", "2"), ("C", "3")]),
        ((), [("A", "1"), ("B", "2")]),
    ],
    ids=["pairs", "dict", "message", "iterator", "nothing"],
)
def test_update(wsgiref: SimpleNamespace, other: Any, fields: list[tuple[str, str]]) -> None:
    headers = wsgiref.headers.Headers([("A", "1"), ("B", "2")])
    headers.update(other)
    assert headers.items() == fields
    headers.update(wsgiref.headers.Headers(fields[:]), D="5")
    assert headers.items() == [*fields, ("D", "5")]


@pytest.mark.defect("D111", feature=True)
@pytest.mark.parametrize("bad", [b"x", "a\nb"])
def test_an_update_with_a_bad_value_changes_nothing(wsgiref: SimpleNamespace, bad: Any) -> None:
    headers = wsgiref.headers.Headers([("A", "1")])
    with pytest.raises((AssertionError, ValueError)):
        headers.update([("A", "2"), ("B", bad)])
    assert headers.items() == [("A", "1")]


@pytest.mark.defect("D112")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("naïve.txt", "filename*=UTF-8''na%C3%AFve.txt"),
        ("€ \"'%*();\\/", "filename*=UTF-8''%E2%82%AC%20%22%27%25%2A%28%29%3B%5C%2F"),
        ("é!#$&+-.^_`|~09azAZ", "filename*=UTF-8''%C3%A9!#$&+-.^_`|~09azAZ"),
    ],
)
def test_a_parameter_outside_ascii(wsgiref: SimpleNamespace, value: str, text: str) -> None:
    headers = wsgiref.headers.Headers()
    headers.add_header("Content-Disposition", "attachment", filename=value)
    assert headers["Content-Disposition"] == f"attachment; {text}"


@pytest.mark.defect("D112")
def test_a_parameter_of_nothing_is_not_a_bare_name(wsgiref: SimpleNamespace) -> None:
    headers = wsgiref.headers.Headers()
    headers.add_header("A", "x", p="", q_r="")
    assert headers["A"] == 'x; p=""; q-r=""'


def _start(wsgiref: SimpleNamespace, headers: list[tuple[str, str]]) -> tuple[Any, bytes]:
    """What start_response raises for these headers, and the head that is sent."""
    raised: list[Exception] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", headers)
        except (AssertionError, ValueError) as error:
            raised.append(error)
            start_response("500 Caught", [], (type(error), error, error.__traceback__))
        return [b"x"]

    answer = exchange(wsgiref, app)
    return (raised[0] if raised else None), answer.head


@pytest.mark.defect("D113")
@pytest.mark.parametrize(
    "item", [("a b", "x"), ("a:", "x"), ("é", "x"), ("A", "€")], ids=lambda item: item[0]
)
def test_start_response_checks_names_and_values(
    wsgiref: SimpleNamespace, item: tuple[str, str]
) -> None:
    error, head = _start(wsgiref, [item])
    assert isinstance(error, AssertionError)
    assert b" 500 Caught" in head


@pytest.mark.defect("D113")
def test_start_response_drops_a_header_without_a_name(wsgiref: SimpleNamespace) -> None:
    error, head = _start(wsgiref, [("", ""), ("A", "1")])
    assert error is None
    assert b"\r\nA: 1" in head
    assert b"\r\n: " not in head


@pytest.mark.defect("D114")
def test_no_docstring_names_a_method_that_is_not_there(wsgiref: SimpleNamespace) -> None:
    texts = [
        inspect.getdoc(member) or "" for _, member in inspect.getmembers(wsgiref.headers.Headers)
    ]
    assert not any("getall(" in text for text in texts)


@pytest.mark.defect("D115")
@pytest.mark.parametrize("item", [("A",), ("A", "1", "2"), ("A", b"1"), (1, "A")])
def test_the_constructor_checks_under_optimization_too(wsgiref: SimpleNamespace, item: Any) -> None:
    source = inspect.getsource(wsgiref.headers)
    module = ModuleType("optimized_headers")
    exec(compile(source, "headers.py", "exec", optimize=1), module.__dict__)
    with pytest.raises((ValueError, AssertionError)):
        module.Headers([item])
