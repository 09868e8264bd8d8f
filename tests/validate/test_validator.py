"""Rules of ``validate``: what passes from side to side, how calls are made, which names it has."""

import ast
import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from validate_support import TEXT, make_app, make_environ, serve

NAMES = """
    validator WSGIWarning InputWrapper ErrorWrapper WriteWrapper PartialIteratorWrapper
    IteratorWrapper assert_ check_string_type check_environ check_input check_errors check_status
    check_headers check_content_type check_exc_info check_iterator header_re bad_header_value_re
    re sys warnings
"""


# -- What passes ------------------------------------------------------------------------------


def test_a_correct_exchange_passes_unchanged(wsgiref: SimpleNamespace) -> None:
    headers = [*TEXT, ("Content-Length", "8")]
    response = serve(wsgiref, make_app("200 OK", headers, [b"12", b"", b"34"], [b"ab", b"cd"]))
    assert response == ("200 OK", headers, b"abcd1234")


def test_exc_info_is_passed_on(wsgiref: SimpleNamespace) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oops", TEXT, sys.exc_info())
        return []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append(exc_info[0])
        return lambda block: None

    wsgiref.validate.validator(app)(make_environ(), start_response).close()
    assert seen == [ZeroDivisionError]


def test_a_start_response_of_two_parameters_that_returns_nothing_will_do(
    wsgiref: SimpleNamespace,
) -> None:
    """Test suites have such ones; only what the application passes is passed on."""
    result = wsgiref.validate.validator(make_app())(make_environ(), lambda status, headers: None)
    with contextlib.closing(result):
        assert list(result) == [b"body"]


def test_start_response_may_come_with_the_first_block(wsgiref: SimpleNamespace) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"late"

    assert serve(wsgiref, app).body == b"late"


def test_a_sequence_of_the_old_protocol_is_an_iterable(wsgiref: SimpleNamespace) -> None:
    class Sequence:
        def __getitem__(self, index: int) -> bytes:
            return [b"a", b"b"][index]

    assert serve(wsgiref, make_app(body=Sequence())).body == b"ab"


def test_close_is_passed_on(wsgiref: SimpleNamespace) -> None:
    closed = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    serve(wsgiref, make_app(body=Body([b"x"])))
    assert closed == [True]


def test_names_and_attributes_are_those_of_wsgiref(wsgiref: SimpleNamespace) -> None:
    module = wsgiref.validate
    assert module.__all__ == ["validator"]
    for name in NAMES.split():
        assert hasattr(module, name), name
    stream = io.BytesIO()
    body = [b"x"]
    wrapper = module.IteratorWrapper(body, [1])
    assert wrapper.original_iterator is body
    assert wrapper.check_start_response == [1]
    assert iter(wrapper) is wrapper
    assert wrapper.closed is False
    wrapper.close()
    assert wrapper.closed is True
    assert module.InputWrapper(stream).input is stream
    assert module.ErrorWrapper(stream).errors is stream
    assert module.WriteWrapper(print).writer is print
    assert issubclass(module.WSGIWarning, Warning)


def test_a_partial_iterator_wrapper_wraps_when_iterated(wsgiref: SimpleNamespace) -> None:
    partial = wsgiref.validate.PartialIteratorWrapper([b"x"])
    with contextlib.closing(iter(partial)) as wrapper:
        assert isinstance(wrapper, wsgiref.validate.IteratorWrapper)
        assert list(wrapper) == [b"x"]


def test_the_assert_statement_is_not_used(wsgiref: SimpleNamespace) -> None:
    """It would be gone under python -O."""
    door = Path(wsgiref.validate.__file__)
    for file in door.parent.glob("*.py") if door.name == "__init__.py" else [door]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)], file


# -- What is refused: the calls ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "Two arguments"),
        ((make_environ(),), {}, "Two arguments"),
        ((make_environ(), print, 3), {}, "Two arguments"),
        ((make_environ(), print), {"more": 1}, "No keyword arguments"),
    ],
)
def test_an_application_takes_two_positional_arguments(
    wsgiref: SimpleNamespace, args: Any, kwargs: Any, words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        wsgiref.validate.validator(make_app())(*args, **kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("200 OK",), {}),
        (("200 OK", TEXT, None, 4), {}),
        (("200 OK",), {"headers": TEXT}),
        (("200 OK", TEXT), {"exc_info": None}),
    ],
)
def test_start_response_takes_two_or_three_positional_arguments(
    wsgiref: SimpleNamespace, args: Any, kwargs: Any
) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(*args, **kwargs)
        return []

    with pytest.raises(AssertionError):
        serve(wsgiref, app)


def test_exc_info_is_a_tuple_or_none(wsgiref: SimpleNamespace) -> None:
    wsgiref.validate.check_exc_info(None)
    wsgiref.validate.check_exc_info((None, None, None))
    with pytest.raises(AssertionError):
        wsgiref.validate.check_exc_info([None, None, None])
