"""Rules of ``validate`` for the environ that the server hands over."""

from types import SimpleNamespace
from typing import Any

import pytest

from validate_support import make_app, make_environ, serve


class Scheme(str):
    """A str that is not exactly one; the standard library lets it pass."""

    __slots__ = ()


def test_environ_is_a_dict_and_no_subclass(wsgiref: SimpleNamespace) -> None:
    class Environ(dict[str, Any]):
        pass

    with pytest.raises(AssertionError):
        wsgiref.validate.check_environ(Environ(make_environ()))


@pytest.mark.parametrize(
    "key",
    [
        "REQUEST_METHOD",
        "SERVER_NAME",
        "SERVER_PORT",
        "wsgi.version",
        "wsgi.input",
        "wsgi.errors",
        "wsgi.multithread",
        "wsgi.multiprocess",
        "wsgi.run_once",
    ],
)
def test_a_required_key_is_there(wsgiref: SimpleNamespace, key: str) -> None:
    environ = make_environ()
    del environ[key]
    with pytest.raises(AssertionError, match=f"missing required key: '{key}'"):
        wsgiref.validate.check_environ(environ)


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_CONTENT_TYPE": "text/plain"},
        {"HTTP_CONTENT_LENGTH": "1"},
        {"SERVER_PORT": 80},
        {"HTTP_X": b"bytes"},
        {"wsgi_version": [1, 0]},
        {"wsgi_url_scheme": ""},
        {"wsgi_url_scheme": "http://"},
        {"wsgi_url_scheme": "HTTP"},
        {"wsgi_url_scheme": b"http"},
        {"wsgi_input": object()},
        {"wsgi_errors": object()},
        {"SCRIPT_NAME": "app"},
        {"SCRIPT_NAME": "/"},
        {"PATH_INFO": "x"},
        {"PATH_INFO": "*"},
        {"PATH_INFO": "*", "SCRIPT_NAME": "/app", "REQUEST_METHOD": "OPTIONS"},
        {"CONTENT_LENGTH": "-1"},
    ],
)
def test_a_wrong_variable_is_refused(wsgiref: SimpleNamespace, changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        wsgiref.validate.check_environ(make_environ(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"SCRIPT_NAME": "/app", "PATH_INFO": ""},
        {"SCRIPT_NAME": "", "PATH_INFO": ""},
        {"CONTENT_LENGTH": "", "CONTENT_TYPE": ""},
        {"CONTENT_LENGTH": "0"},
        {"wsgi_url_scheme": "https"},
        {"wsgi_url_scheme": Scheme("http")},
        {"wsgi_x": object()},
    ],
)
def test_a_right_variable_passes(wsgiref: SimpleNamespace, changes: dict[str, Any]) -> None:
    wsgiref.validate.check_environ(make_environ(**changes))


@pytest.mark.parametrize("method", ["", "G T", "GET\r\n", "GÉT"])
def test_a_method_that_cannot_be_one_gives_a_warning(wsgiref: SimpleNamespace, method: str) -> None:
    with pytest.warns(wsgiref.validate.WSGIWarning, match="REQUEST_METHOD"):
        wsgiref.validate.check_environ(make_environ(REQUEST_METHOD=method))


@pytest.mark.defect("V01")
def test_script_name_may_be_absent(wsgiref: SimpleNamespace) -> None:
    """PEP 3333, "environ Variables": a variable may be omitted where it would be empty."""
    assert serve(wsgiref, make_app(), make_environ(SCRIPT_NAME=None)).body == b"body"


@pytest.mark.defect("V02")
def test_path_info_may_be_absent_beside_a_script_name(wsgiref: SimpleNamespace) -> None:
    environ = make_environ(SCRIPT_NAME="/app", PATH_INFO=None)
    assert serve(wsgiref, make_app(), environ).body == b"body"


@pytest.mark.defect("V08")
@pytest.mark.parametrize("method", ["GET", "CONNECT", "PROPFIND", "M-SEARCH", "X!"])
def test_no_warning_for_an_absent_query_string_nor_for_any_method(
    wsgiref: SimpleNamespace, method: str
) -> None:
    """Warnings are errors here, so that one would fail the call."""
    environ = make_environ(REQUEST_METHOD=method)
    if method == "GET":
        del environ["QUERY_STRING"]
    assert serve(wsgiref, make_app(), environ).body == b"body"


@pytest.mark.defect("V09")
@pytest.mark.parametrize("scheme", ["ws", "coap+tcp", "x-1.0"])
def test_url_scheme_is_any_scheme(wsgiref: SimpleNamespace, scheme: str) -> None:
    assert serve(wsgiref, make_app(), make_environ(wsgi_url_scheme=scheme)).body == b"body"


@pytest.mark.defect("V10")
@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST_METHOD": "OPTIONS", "PATH_INFO": "*"},
        {"REQUEST_METHOD": "OPTIONS", "PATH_INFO": "*", "SCRIPT_NAME": None},
        {"REQUEST_METHOD": "OPTIONS", "PATH_INFO": None},
        {"REQUEST_METHOD": "CONNECT", "PATH_INFO": None},
    ],
)
def test_a_target_without_a_path_passes(wsgiref: SimpleNamespace, changes: Any) -> None:
    """RFC 9112, sections 3.2.3 and 3.2.4: those of CONNECT and of "OPTIONS *" have none."""
    assert serve(wsgiref, make_app(), make_environ(**changes)).body == b"body"


@pytest.mark.defect("V37")
@pytest.mark.parametrize("length", ["abc", "1.5", " "])
def test_a_content_length_that_is_no_number_is_refused(
    wsgiref: SimpleNamespace, length: str
) -> None:
    with pytest.raises(AssertionError, match="Invalid CONTENT_LENGTH"):
        wsgiref.validate.check_environ(make_environ(CONTENT_LENGTH=length))


@pytest.mark.defect("V38")
@pytest.mark.parametrize("key", [7, b"HTTP_X", None])
def test_a_key_that_is_no_string_is_refused(wsgiref: SimpleNamespace, key: Any) -> None:
    with pytest.raises(AssertionError, match="named by"):
        wsgiref.validate.check_environ({**make_environ(), key: "value"})
