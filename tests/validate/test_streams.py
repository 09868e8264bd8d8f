"""Rules of ``validate`` for ``wsgi.input`` and ``wsgi.errors``."""

import io
import traceback
from types import SimpleNamespace
from typing import Any

import pytest

from validate_support import serve


@pytest.mark.parametrize("method", ["read", "readline", "readlines", "__iter__"])
def test_an_input_stream_has_four_methods(wsgiref: SimpleNamespace, method: str) -> None:
    methods = {"read", "readline", "readlines", "__iter__"}
    wsgiref.validate.check_input(SimpleNamespace(**dict.fromkeys(methods)))
    with pytest.raises(AssertionError, match=f"doesn't have the attribute {method}"):
        wsgiref.validate.check_input(SimpleNamespace(**dict.fromkeys(methods - {method})))


@pytest.mark.parametrize("method", ["flush", "write", "writelines"])
def test_an_error_stream_has_three_methods(wsgiref: SimpleNamespace, method: str) -> None:
    methods = {"flush", "write", "writelines"}
    wsgiref.validate.check_errors(SimpleNamespace(**dict.fromkeys(methods)))
    with pytest.raises(AssertionError, match=f"doesn't have the attribute {method}"):
        wsgiref.validate.check_errors(SimpleNamespace(**dict.fromkeys(methods - {method})))


def test_the_application_reads_the_servers_input(wsgiref: SimpleNamespace) -> None:
    def lines() -> Any:
        return wsgiref.validate.InputWrapper(io.BytesIO(b"one\ntwo\n"))

    assert lines().read(5) == b"one\nt"
    assert lines().readline() == b"one\n"
    assert lines().readline(2) == b"on"
    assert lines().readlines() == [b"one\n", b"two\n"]
    assert lines().readlines(1) == [b"one\n"]
    assert list(lines()) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("call", [("readline", 1, 2), ("readlines", 1, 2), ("read", 1, 2)])
def test_too_many_arguments_for_the_input_stream_are_refused(
    wsgiref: SimpleNamespace, call: Any
) -> None:
    method, *args = call
    with pytest.raises(AssertionError):
        getattr(wsgiref.validate.InputWrapper(io.BytesIO()), method)(*args)


def test_read_without_a_size_is_refused_without_a_message(wsgiref: SimpleNamespace) -> None:
    """V05, kept: CPython's test_wsgi_input compares the last line of the traceback."""
    with pytest.raises(AssertionError) as caught:
        wsgiref.validate.InputWrapper(io.BytesIO()).read()
    assert traceback.format_exception(caught.value)[-1] == "AssertionError\n"


class TextInput:
    """A stream that gives text where bytes are due."""

    def read(self, size: int = -1) -> Any:
        return "text"

    readline = read

    def readlines(self, hint: int = -1) -> Any:
        return [b"bytes", "text"]


class TupleInput(TextInput):
    def readlines(self, hint: int = -1) -> Any:
        return (b"bytes",)


class Text(bytes):
    pass


class SubclassInput(TextInput):
    """V13, kept: a subclass of bytes is not bytes."""

    def read(self, size: int = -1) -> Any:
        return Text(b"bytes")

    readline = read

    def readlines(self, hint: int = -1) -> Any:
        return [b"bytes", Text(b"bytes")]


@pytest.mark.parametrize("stream", [TextInput(), TupleInput(), SubclassInput()])
@pytest.mark.parametrize("call", [("read", 4), ("readline",), ("readlines",), ("__iter__",)])
def test_the_input_stream_gives_bytes(wsgiref: SimpleNamespace, stream: Any, call: Any) -> None:
    method, *args = call
    with pytest.raises(AssertionError):
        list(getattr(wsgiref.validate.InputWrapper(stream), method)(*args))


def test_the_application_writes_to_the_servers_errors(wsgiref: SimpleNamespace) -> None:
    class Errors(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    errors = Errors()
    wrapper = wsgiref.validate.ErrorWrapper(errors)
    wrapper.write("a")
    wrapper.writelines(["b", "c"])
    wrapper.flush()
    assert (errors.getvalue(), errors.flushed) == ("abc", 1)


@pytest.mark.parametrize("text", [b"bytes", 1, None])
def test_the_error_stream_takes_strings(wsgiref: SimpleNamespace, text: Any) -> None:
    errors = wsgiref.validate.ErrorWrapper(io.StringIO())
    with pytest.raises(AssertionError):
        errors.write(text)
    with pytest.raises(AssertionError):
        errors.writelines(["fine", text])


@pytest.mark.parametrize("key", ["wsgi.input", "wsgi.errors"])
def test_the_application_must_not_close_a_stream(wsgiref: SimpleNamespace, key: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ[key].close()
        return []

    with pytest.raises(AssertionError, match=r"close\(\) must not be called"):
        serve(wsgiref, app)
