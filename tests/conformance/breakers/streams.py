"""What an application does with wsgi.input and wsgi.errors: A30-A34."""

import contextlib
import io
import logging
from collections.abc import Callable
from typing import Any

from conformance.corpus import breaks
from conformance.gateway import Gateway, gateway_with

PLAIN = [("Content-Type", "text/plain")]
POST = gateway_with(method="POST", content=b"one\ntwo\n")


def using(key: str, use: Callable[[Any], object]) -> Any:
    """An application that uses a stream."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        use(environ[key])
        start_response("200 OK", PLAIN)
        return []

    return application


def read_too_much(stream: Any) -> None:
    stream.read(9)  # guilty


def read_on(stream: Any) -> None:
    stream.read(6)
    stream.read(3)  # guilty


def read_lines_and_on(stream: Any) -> None:
    stream.readline()
    for _ in stream:
        break
    stream.read(1)  # guilty


def read_all_lines_and_on(stream: Any) -> None:
    stream.readlines()
    stream.read(1)  # guilty


def read_without_end(stream: Any) -> None:
    while stream.read(3):  # guilty
        pass


for use in (read_too_much, read_on, read_lines_and_on, read_all_lines_and_on, read_without_end):
    breaks("A30", use.__name__, gateway=POST, guilty=use.__name__, misses=("V39",))(
        using("wsgi.input", use)
    )


def read_nothing_there(stream: Any) -> None:
    stream.read(1)  # guilty


breaks("A30", "without content", guilty="read_nothing_there", misses=("V39",))(
    using("wsgi.input", read_nothing_there)
)
breaks(
    "A30",
    "with an empty CONTENT_LENGTH",
    guilty="read_nothing_there",
    gateway=gateway_with({"CONTENT_LENGTH": ""}),
    misses=("V39",),
)(using("wsgi.input", read_nothing_there))

# -- A31: more than PEP 3333 names ----------------------------------------------------------


def read_two_sizes(stream: Any) -> None:
    stream.read(1, 2)  # guilty


def read_a_text(stream: Any) -> None:
    stream.read("1")  # guilty


def read_a_fraction(stream: Any) -> None:
    stream.read(1.0)  # guilty


def readline_of_two_sizes(stream: Any) -> None:
    stream.readline(1, 2)  # guilty


class Named(io.BytesIO):
    """Its parameters have names, as those of many servers' streams."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        return super().readline(size)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        return super().readlines(hint)


def read_by_keyword(stream: Any) -> None:
    assert stream.read(size=2) == b"on"  # guilty


def readline_by_keyword(stream: Any) -> None:
    assert stream.readline(size=2) == b"on"  # guilty


def readlines_by_keyword(stream: Any) -> None:
    assert stream.readlines(hint=2) == [b"one\n"]  # guilty


for use in (read_by_keyword, readline_by_keyword, readlines_by_keyword):

    class NamesTheParameters(Gateway):
        def make_environ(self) -> Any:
            stream = Named(b"one\ntwo\n")
            return {**super().make_environ(), "wsgi.input": stream, "CONTENT_LENGTH": "8"}

    breaks("A31", use.__name__, gateway=NamesTheParameters, guilty=use.__name__)(
        using("wsgi.input", use)
    )


def seek(stream: Any) -> None:
    stream.seek(0)  # guilty


def tell(stream: Any) -> None:
    stream.tell()  # guilty


def readinto(stream: Any) -> None:
    stream.readinto(bytearray(1))  # guilty


def closed(stream: Any) -> None:
    stream.closed  # guilty


def next_line(stream: Any) -> None:
    next(stream)  # guilty


def getvalue(stream: Any) -> None:
    stream.getvalue()  # guilty


def isatty(stream: Any) -> None:
    stream.isatty()  # guilty


def encoding(stream: Any) -> None:
    stream.encoding  # guilty


def read_errors(stream: Any) -> None:
    stream.read()  # guilty


for use in (
    read_two_sizes,
    read_a_text,
    read_a_fraction,
    readline_of_two_sizes,
    seek,
    tell,
    readinto,
    closed,
    next_line,
    getvalue,
):
    breaks("A31", use.__name__, gateway=POST, guilty=use.__name__, misses=("V39",))(
        using("wsgi.input", use)
    )

for use in (isatty, encoding, read_errors, closed, getvalue):
    breaks("A31", f"errors: {use.__name__}", guilty=use.__name__)(using("wsgi.errors", use))


@breaks("A31", "each time", count=3)
def asked_for_more(environ: Any, start_response: Any) -> list[bytes]:
    for _ in range(3):
        environ["wsgi.input"].closed  # guilty
    start_response("200 OK", PLAIN)
    return []


# -- A32: closed ----------------------------------------------------------------------------


def close(stream: Any) -> None:
    stream.close()  # guilty


def close_by_with(stream: Any) -> None:
    with stream:  # guilty
        pass


def close_by_a_wrapper(stream: Any) -> None:
    wrapper = io.TextIOWrapper(stream)
    wrapper.close()  # guilty


for key in ("wsgi.input", "wsgi.errors"):
    for use in (close, close_by_with):
        breaks("A32", f"{key}: {use.__name__}", guilty=use.__name__)(using(key, use))


def close_by_contextlib(stream: Any) -> None:
    with contextlib.closing(stream):  # guilty
        pass


breaks("A32", "by contextlib", guilty="close_by_contextlib")(
    using("wsgi.input", close_by_contextlib)
)

# The wrapper asks for all that it can get.
breaks("A32", "by TextIOWrapper", guilty="close_by_a_wrapper", also=("A31",))(
    using("wsgi.input", close_by_a_wrapper)
)

# -- A33: no text ---------------------------------------------------------------------------


def write_bytes(stream: Any) -> None:
    stream.write(b"an error\n")  # guilty


def write_none(stream: Any) -> None:
    stream.write(None)  # guilty


def write_a_list_of_bytes(stream: Any) -> None:
    stream.writelines(["an error\n", b"another\n"])  # guilty


def write_bytes_of_a_generator(stream: Any) -> None:
    stream.writelines(each for each in [b"an error\n"])  # guilty


for use in (write_bytes, write_none, write_a_list_of_bytes, write_bytes_of_a_generator):
    breaks("A33", use.__name__, guilty=use.__name__)(using("wsgi.errors", use))

# -- A33: line ends -------------------------------------------------------------------------


def write_line_ends_of_the_network(stream: Any) -> None:
    stream.write("an error\r\n")  # guilty


def write_lines_of_the_network(stream: Any) -> None:
    stream.writelines(["an error\n", "another\r\n"])  # guilty


def print_with_line_ends_of_the_network(stream: Any) -> None:
    print("an error", file=stream, end="\r\n")  # guilty


def log_with_line_ends_of_the_network(stream: Any) -> None:
    handler = logging.StreamHandler(stream)
    handler.terminator = "\r\n"
    handler.emit(logging.makeLogRecord({"msg": "an error"}))  # guilty


for use in (
    log_with_line_ends_of_the_network,
    write_line_ends_of_the_network,
    write_lines_of_the_network,
    print_with_line_ends_of_the_network,
):
    breaks("A33", use.__name__, guilty=use.__name__, severity="warning")(using("wsgi.errors", use))

# -- A34: what a server may leave out -------------------------------------------------------


def readline_with_a_size(stream: Any) -> None:
    stream.readline(2)  # guilty


breaks("A34", gateway=POST, guilty="readline_with_a_size")(
    using("wsgi.input", readline_with_a_size)
)


class Size:
    """A number by ``__index__`` alone."""

    def __index__(self) -> int:
        return 9


def read_a_size_of_another_type(stream: Any) -> None:
    stream.read(Size())  # guilty


def readline_with_a_size_of_another_type(stream: Any) -> None:
    stream.readline(Size())  # guilty


breaks("A30", "another type", gateway=POST, guilty="read_a_size_of_another_type")(
    using("wsgi.input", read_a_size_of_another_type)
)
breaks("A34", "another type", gateway=POST, guilty="readline_with_a_size_of_another_type")(
    using("wsgi.input", readline_with_a_size_of_another_type)
)
