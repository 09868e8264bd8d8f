"""What only Quaich promises: the words of messages, and where they point."""

import contextlib
import io
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quaich import validate
from validate_support import TEXT, make_app, make_environ, serve, unraisable_errors


@pytest.mark.parametrize("body", [0, 7, object()])
def test_what_is_no_iterable_is_refused_by_name(body: Any) -> None:
    with pytest.raises(AssertionError, match="must return an iterator"):
        serve(SimpleNamespace(validate=validate), make_app(body=body))


def test_a_request_has_a_path() -> None:
    """All targets but those of OPTIONS and CONNECT begin with "/" (RFC 9112, section 3.2.1)."""
    for changes in ({}, {"SCRIPT_NAME": None}):
        with pytest.raises(AssertionError, match="One of SCRIPT_NAME or PATH_INFO"):
            validate.check_environ(make_environ(PATH_INFO=None, **changes))


def test_the_url_scheme_is_required() -> None:
    with pytest.raises(AssertionError, match=r"missing required key: 'wsgi\.url_scheme'"):
        validate.check_environ(make_environ(wsgi_url_scheme=None))


def test_content_type_is_judged_by_the_headers_that_will_be_sent() -> None:
    """The last call of start_response counts, and the server's changes to the list do not."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Oops", [*TEXT], sys.exc_info())
        return [b"oops"]

    def server(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        headers.clear()

    checked: Any = validate.validator(app)
    with contextlib.closing(checked(make_environ(), server)) as result:
        assert list(result) == [b"oops"]


def test_whether_there_is_content_may_be_said() -> None:
    validate.check_content_type("200 OK", [], content=False)
    validate.check_content_type("304 Not Modified", [], content=True)
    with pytest.raises(AssertionError, match="No Content-Type"):
        validate.check_content_type("404 Not Found", [], content=True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: validate.InputWrapper(io.BytesIO()).read(), "the size"),
        (lambda: validate.InputWrapper(io.BytesIO()).readline(1, 2), "the size"),
        (lambda: validate.InputWrapper(io.BytesIO()).readlines(1, 2), "the hint"),
        (lambda: validate.ErrorWrapper(io.StringIO()).write(b"x"), "of type str"),  # type: ignore[arg-type]
    ],
)
def test_a_refusal_without_a_message_is_explained_by_its_cause(call: Any, words: str) -> None:
    with pytest.raises(AssertionError) as caught:
        call()
    printed = traceback.format_exception(caught.value)
    assert printed[-1] == "AssertionError\n"
    assert words in "".join(printed)
    assert '(PEP 3333, "Input and Error Streams")' in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("call", "section"),
    [
        (lambda: validate.validator(make_app())({}), "Specification Details"),  # type: ignore[call-arg]
        (lambda: validate.check_environ({}), "environ Variables"),
        (lambda: validate.check_input(None), "Input and Error Streams"),
        (lambda: validate.check_status("2"), "The start_response() Callable"),
        (lambda: validate.check_headers([("X:", "y")]), "The start_response() Callable"),
        (lambda: validate.check_string_type(b"", "This"), "A Note On String Types"),
        (lambda: validate.check_iterator(None), "Specification Details"),
    ],
)
def test_a_message_names_the_section_of_pep_3333(call: Any, section: str) -> None:
    with pytest.raises(AssertionError) as caught:
        call()
    assert str(caught.value).endswith(f'(PEP 3333, "{section}")')


def test_a_warning_points_at_the_faulty_caller() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200", TEXT)
        return []

    def server(status: str, headers: Any, exc_info: Any = None) -> None:
        return None

    checked: Any = validate.validator(app)
    with pytest.warns(validate.WSGIWarning) as caught:
        checked(make_environ(REQUEST_METHOD=""), server).close()
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    blamed = [source[warning.lineno - 1].strip() for warning in caught]
    assert blamed == [
        'checked(make_environ(REQUEST_METHOD=""), server).close()',
        'start_response("200", TEXT)',
    ]
    assert {warning.filename for warning in caught} == {__file__}


def test_assert_raises_what_it_is_given() -> None:
    demand = validate.assert_
    demand(True, "unused")
    with pytest.raises(AssertionError) as caught:
        demand([], "one", "two")
    assert caught.value.args == ("one", "two")


def test_the_report_of_a_missing_close_survives_without_a_stderr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with unraisable_errors() as errors:
        validate.IteratorWrapper([], None)
    assert "without being closed; who calls an application" in "".join(errors)


def test_a_wrapper_that_was_never_made_reports_nothing() -> None:
    with unraisable_errors() as errors, pytest.raises(TypeError):
        validate.IteratorWrapper()  # type: ignore[call-arg]
    assert errors == []
