"""How start_response is called, and when: A03, A04, A12-A16, A35."""

import functools
import io
import sys
from collections.abc import Iterator
from typing import Any

from conformance.corpus import breaks
from conformance.gateway import FileWrapper, Gateway, gateway_with, wrap_file
from conformance.odd import Proxy, Tuple

PLAIN = [("Content-Type", "text/plain")]


# -- A03: other attributes ------------------------------------------------------------------


class Talkative(Gateway):
    """Its start_response and write() have attributes."""

    def call(self, application: Any) -> Any:
        def start_response(*args: Any) -> Any:
            self.start_response(*args)
            return write

        def write(block: Any) -> None:
            self.write(block)

        start_response.has_begun = False  # type: ignore[attr-defined]  # this is the point
        write.is_open = True  # type: ignore[attr-defined]  # the same
        return application(self.environ, start_response)


@breaks("A03", gateway=Talkative)
def start_response_is_looked_at(environ: Any, start_response: Any) -> Any:
    if not start_response.has_begun:  # guilty
        start_response("200 OK", PLAIN)
    return []


@breaks("A03", gateway=Talkative)
def write_is_looked_at(environ: Any, start_response: Any) -> Any:
    write = start_response("200 OK", PLAIN)
    return [b"open" if write.is_open else b""]  # guilty


class Bound(Gateway):
    """Its start_response and write() are methods, as those of most servers."""


@breaks("A03", "of a method", gateway=Bound)
def the_object_of_start_response(environ: Any, start_response: Any) -> Any:
    start_response.__self__.environ  # guilty
    start_response("200 OK", PLAIN)
    return []


@breaks("A03", "of a method", gateway=Bound)
def the_object_of_write(environ: Any, start_response: Any) -> Any:
    write = start_response("200 OK", PLAIN)
    return [b"sent" if write.__self__.sent else b""]  # guilty


@breaks("A03", "of a function", gateway=Talkative)
def what_start_response_closes_over(environ: Any, start_response: Any) -> Any:
    start_response.__closure__  # guilty
    start_response("200 OK", PLAIN)
    return []


# -- A04: the arguments ---------------------------------------------------------------------


@breaks("A04")
def keywords(environ: Any, start_response: Any) -> Any:
    start_response(status="200 OK", headers=PLAIN)  # guilty
    return []


@breaks("A04")
def exc_info_as_a_keyword(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN, exc_info=None)  # guilty
    return []


@breaks("A04")
def one_argument(environ: Any, start_response: Any) -> Any:
    start_response("200 OK")  # guilty
    return []


@breaks("A04")
def no_argument(environ: Any, start_response: Any) -> Any:
    start_response()  # guilty
    return []


@breaks("A04")
def four_arguments(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN, None, None)  # guilty
    return []


# -- A12: exc_info --------------------------------------------------------------------------


def excusing(exc_info: Any) -> Any:
    """An application that gives this as exc_info."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN, exc_info)  # guilty
        return [b"content"]

    return application


ERROR = ValueError("an error")

for name, exc_info in {
    "true": True,
    "the exception": ERROR,
    "its class": ValueError,
    "text": "an error",
    "one item": (ValueError,),
    "two items": (ValueError, ERROR),
    "four items": (ValueError, ERROR, None, None),
    "a list": [ValueError, ERROR, None],
    "a subclass of tuple": Tuple((ValueError, ERROR, None)),
    "no exception at all": (None, None, None),
    "no exception": (ValueError, None, None),
    "no class": (None, ERROR, None),
    "another class": (KeyError, ERROR, None),
    "a traceback in words": (ValueError, ERROR, "Traceback (most recent call last)"),
    "a tuple of one false": (0,),
    "an empty tuple": (),
    "false": False,
    "nothing in words": "",
}.items():
    breaks("A12", name, misses=("V30",))(excusing(exc_info))


@breaks("A12")
def exc_info_outside_of_a_handler(environ: Any, start_response: Any) -> Any:
    start_response("500 Internal Server Error", PLAIN, sys.exc_info())  # guilty
    return [b"content"]


# -- A13: what start_response raises is caught ----------------------------------------------


def _swallow(start_response: Any) -> None:
    try:
        try:
            raise ValueError("an error")
        except ValueError:
            start_response("500 Internal Server Error", PLAIN, sys.exc_info())
    except ValueError:
        pass


@breaks("A13", misses=("V30",))
def caught_and_a_block(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"content"
    _swallow(start_response)
    yield b"more"  # guilty


@breaks("A13", misses=("V30",))  # guilty
def caught_and_the_end(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"content"
    _swallow(start_response)


@breaks("A13", also=("A22",), misses=("V30",))  # guilty
def caught_and_a_list(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)(b"content")
    _swallow(start_response)
    return []


@breaks("A13", also=("A22",))  # guilty
def caught_and_an_iterator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)(b"content")
    _swallow(start_response)
    return iter([])


@breaks("A13", also=("A22",), gateway=gateway_with({"wsgi.file_wrapper": FileWrapper}))  # guilty
def caught_and_a_file(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)(b"content")
    _swallow(start_response)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"content"))


@breaks("A13")
def caught_and_start_response_again(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"content"
    _swallow(start_response)
    start_response("200 OK", PLAIN, (ValueError, ERROR, None))  # guilty


@breaks("A13", also=("A22",))
def caught_and_write(environ: Any, start_response: Any) -> list[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"content")
    _swallow(start_response)
    write(b"more")  # guilty
    raise ValueError("the end")


# -- A14, A15: again ------------------------------------------------------------------------


@breaks("A14", misses=("V29",))
def called_twice(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    start_response("404 Not Found", PLAIN)  # guilty
    return []


@breaks("A14", misses=("V29",))
def called_again_by_the_iterable(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b""
    start_response("404 Not Found", PLAIN, None)  # guilty


class Indulgent(Gateway):
    """Its start_response can be called at any time."""

    def start_response(self, *args: Any) -> Any:
        return self.write


@breaks("A14", count=2, gateway=Indulgent)
def called_thrice(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    for status in ("404 Not Found", "410 Gone"):
        start_response(status, PLAIN)  # guilty
    return []


@breaks("A14", also=("H116",))
def called_twice_with_a_code_that_is_a_warning(environ: Any, start_response: Any) -> list[bytes]:
    start_response("999 Anything", PLAIN)
    start_response("404 Not Found", PLAIN)  # guilty
    return []


class Late:
    """Calls something when it is closed."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"content"])

    def close(self) -> None:
        self._function()


@breaks("A14")
def called_by_close(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)

    def finish() -> None:
        start_response("404 Not Found", PLAIN)  # guilty

    return Late(finish)


class Refusing(Gateway):
    """Its start_response fails the first time."""

    has_refused = False

    def start_response(self, *args: Any) -> Any:
        if not self.has_refused:
            self.has_refused = True
            raise OSError("refused")
        return super().start_response(*args)


@breaks("A15", gateway=Refusing)
def called_again_after_a_failure(environ: Any, start_response: Any) -> list[bytes]:
    try:
        start_response("200 OK", PLAIN)
    except OSError:
        start_response("404 Not Found", PLAIN)  # guilty
    return []


# -- A16: not in time -----------------------------------------------------------------------


@breaks("A16", misses=("V31",))  # guilty
def never_called(environ: Any, start_response: Any) -> list[bytes]:
    return [b"content"]


@breaks("A16", misses=("V31",))  # guilty
def never_called_and_empty(environ: Any, start_response: Any) -> list[bytes]:
    return []


@breaks("A16", misses=("V31",))  # guilty
def never_called_and_a_tuple(environ: Any, start_response: Any) -> tuple[bytes, ...]:
    return ()


@breaks("A16", misses=("V31",))  # guilty
def never_called_and_an_iterator(environ: Any, start_response: Any) -> Iterator[bytes]:
    return iter(())


@breaks("A16", misses=("V31",))  # guilty
def never_called_by_a_generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield from ()


@breaks("A16")
def called_after_the_first_block(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield b"content"  # guilty
    start_response("200 OK", PLAIN)
    yield b"more"


@breaks("A16")
def called_after_an_empty_block(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield b""  # guilty
    start_response("200 OK", PLAIN)


for name, wrapper in {"class": FileWrapper, "function": wrap_file}.items():

    @breaks("A16", name, gateway=gateway_with({"wsgi.file_wrapper": wrapper}))  # guilty
    def never_called_and_a_file(environ: Any, start_response: Any) -> Any:
        return environ["wsgi.file_wrapper"](io.BytesIO(b"content"))


# -- Where an application is that is no plain function --------------------------------------


class Methodical:
    """Applications of all kinds; none calls start_response."""

    def method(self, environ: Any, start_response: Any) -> list[bytes]:  # guilty
        return []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:  # guilty
        return []

    @classmethod  # guilty
    def of_the_class(cls, environ: Any, start_response: Any) -> list[bytes]:
        return []

    @staticmethod  # guilty
    def static(environ: Any, start_response: Any) -> list[bytes]:
        return []


def _three(extra: int, environ: Any, start_response: Any) -> list[bytes]:  # guilty
    return []


class Instance:
    """A class as an application: its instance is the result."""

    def __init__(self, environ: Any, start_response: Any) -> None:
        pass

    def __iter__(self) -> Iterator[bytes]:  # guilty
        return iter([])


breaks("A16", "a method", guilty="Methodical.method")(Methodical().method)
breaks("A16", "an object", guilty="Methodical.__call__")(Methodical())
breaks("A16", "a class method", guilty="Methodical.of_the_class")(Methodical.of_the_class)
breaks("A16", "a static method", guilty="Methodical.static")(Methodical.static)
breaks("A16", "a partial", guilty="_three")(functools.partial(_three, 3))
breaks("A16", "a partial of a partial of a method", guilty="Methodical.method")(
    functools.partial(functools.partial(Methodical().method))
)
breaks("A16", "a class", guilty="Instance")(Instance)
breaks("A16", "a proxy", guilty="Proxy")(Proxy(never_called))

# -- A47: the headers -----------------------------------------------------------------------


@breaks("A47")  # guilty
def changes_the_headers(environ: Any, start_response: Any) -> list[bytes]:
    headers = [("Content-Type", "text/plain")]
    start_response("200 OK", headers)
    headers.append(("X", "1"))
    return [b"content"]


@breaks("A47")  # guilty
def empties_the_headers(environ: Any, start_response: Any) -> Iterator[bytes]:
    headers = [("Content-Type", "text/plain")]
    start_response("200 OK", headers)
    headers.clear()
    return iter([b"content"])


@breaks("A47", gateway=gateway_with({"wsgi.file_wrapper": FileWrapper}))  # guilty
def changes_the_headers_of_a_file(environ: Any, start_response: Any) -> Any:
    headers = [("Content-Type", "text/plain")]
    start_response("200 OK", headers)
    headers[0] = ("Content-Type", "text/html")
    return environ["wsgi.file_wrapper"](io.BytesIO(b"content"))


@breaks("A47")
def changes_the_headers_before_the_first_block(
    environ: Any, start_response: Any
) -> Iterator[bytes]:
    headers = [("Content-Type", "text/plain")]
    start_response("200 OK", headers)
    headers.append(("X", "1"))
    yield b"content"  # guilty


@breaks("A47")  # guilty
def changes_the_headers_and_gives_nothing(environ: Any, start_response: Any) -> Iterator[bytes]:
    headers = [("Content-Type", "text/plain")]
    start_response("200 OK", headers)
    headers.append(("X", "1"))
    yield from ()


@breaks("A47", also=("A22",))
def changes_the_headers_before_write(environ: Any, start_response: Any) -> list[bytes]:
    headers = [("Content-Type", "text/plain")]
    write = start_response("200 OK", headers)
    headers.append(("X", "1"))
    write(b"content")  # guilty
    return []


# -- A35: an error without exc_info ---------------------------------------------------------


@breaks("A35")
def an_error_without_exc_info(environ: Any, start_response: Any) -> list[bytes]:
    try:
        raise ValueError("an error")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN)  # guilty
    return [b"sorry"]


@breaks("A35")
def an_error_without_exc_info_in_a_generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    try:
        raise ValueError("an error")
    except ValueError:
        start_response("503 Service Unavailable", PLAIN)  # guilty
    yield b"sorry"
