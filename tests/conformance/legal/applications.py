"""Applications that look odd and keep all rules."""

import contextlib
import copy
import functools
import io
import itertools
import pickle
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from conformance.corpus import legal
from conformance.gateway import FileWrapper, Gateway, gateway_with, wrap_file
from conformance.odd import Counted, List, Proxy, Tuple

PLAIN = [("Content-Type", "text/plain")]
POST = gateway_with(method="POST", content=b"one\ntwo\n")
HEAD = gateway_with(method="HEAD")
FILES = gateway_with({"wsgi.file_wrapper": FileWrapper})
FILES_OF_A_FUNCTION = gateway_with({"wsgi.file_wrapper": wrap_file})


class Twice(Gateway):
    """Serves two requests, one within the other."""

    def serve(self, application: Any) -> None:
        result = self.call(application)
        Gateway().serve(application)
        self.iterate(result)
        self.close(result)


# -- Results --------------------------------------------------------------------------------


class Indexed:
    """Can only be indexed, as before there were iterators (S107)."""

    def __getitem__(self, index: int) -> bytes:
        return [b"con", b"tent"][index]


class Ended:
    """An iterable with close()."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.blocks)

    def close(self) -> None:
        pass


class EndedAndCounted(Ended):
    """With len() as well."""

    def __len__(self) -> int:
        return len(self.blocks)


class Queue:
    """An iterator whose len() is what is left."""

    def __init__(self) -> None:
        self.blocks = [b"con", b"tent"]

    def __iter__(self) -> Any:
        return self

    def __len__(self) -> int:
        return len(self.blocks)

    def __next__(self) -> bytes:
        if not self.blocks:
            raise StopIteration
        return self.blocks.pop(0)


class Uncountable(Ended):
    """With a len() that fails, whatever it fails with."""

    def __init__(self, error: BaseException, *blocks: bytes) -> None:
        super().__init__(*blocks)
        self.error = error

    def __len__(self) -> int:
        raise self.error


class Unclosed(Ended):
    """With close, and it is None."""

    close = None  # type: ignore[assignment]  # the point


class Lying:
    """Says that it is text."""

    __class__ = str  # type: ignore[assignment]  # the point

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"content"])


class Rude:
    """Whatever it is asked for fails, but iteration."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"content"])


class ClosedLater(Ended):
    """With a close() that comes while it is iterated over."""

    def __getattribute__(self, name: str) -> Any:
        if name == "close" and not vars(self).get("is_open"):
            raise AttributeError(name)
        return super().__getattribute__(name)

    def __iter__(self) -> Iterator[bytes]:
        self.is_open = True
        yield from self.blocks


def returning(make: Any, headers: Any = PLAIN) -> Any:
    """An application that returns what ``make`` makes."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", headers)
        return make()

    return application


SAME = [b"content"]

for name, make in {
    "an empty list": list,
    "an empty tuple": tuple,
    "a tuple": lambda: (b"con", b"tent"),
    "a subclass of list": lambda: List([b"content"]),
    "a subclass of tuple": lambda: Tuple([b"content"]),
    "empty blocks": lambda: [b"", b"", b"content", b""],
    "a set": lambda: {b"content"},
    "a frozenset": lambda: frozenset([b"con", b"tent"]),
    "keys of a dict": lambda: {b"content": 1}.keys(),
    "a dict": lambda: {b"content": 1},
    "an iterator over a list": lambda: iter([b"con", b"tent"]),
    "an empty iterator": lambda: iter(()),
    "map()": lambda: map(bytes, [b"con", b"tent"]),
    "chain()": lambda: itertools.chain([b"con"], [b"tent"]),
    "a generator expression": lambda: (each for each in [b"con", b"tent"]),
    "what can only be indexed": Indexed,
    "a file": lambda: io.BytesIO(b"one\ntwo\n"),
    "close()": lambda: Ended(b"con", b"tent"),
    "close() and no blocks": Ended,
    "len()": lambda: Counted([b"con", b"tent"], 2),
    "len() of none": lambda: Counted([], 0),
    "len() and close()": lambda: EndedAndCounted(b"con", b"tent"),
    "len() of what is left": Queue,
    "len() that fails with TypeError": lambda: Uncountable(TypeError(), b"content"),
    "len() that fails with OSError": lambda: Uncountable(OSError(), b"content"),
    "close that is None": lambda: Unclosed(b"content"),
    "a close() that comes later": lambda: ClosedLater(b"content"),
    "what lies about its class": Lying,
    "what fails when it is asked for close()": Rude,
    "a number and line ends": lambda: [b"7\r\ncontent\r\n"],
    "half a chunk": lambda: [b"8\r\ncontent\r\n", b"0\r\n\r\n"],
    "a chunk and more": lambda: iter([b"7\r\ncontent\r\n", b"more", b"0\r\n\r\n"]),
    "zeroes": lambda: [bytes(100_000)],
    "63 tiny blocks": lambda: [b"1"] * 63,
    "many blocks that are not tiny": lambda: [b"1" * 16] * 100,
    "many empty blocks": lambda: iter([b""] * 1000),
}.items():
    legal(name)(returning(make))


@legal()
def generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"con"
    yield b"tent"


@legal()
def generator_without_a_block(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield from ()


class Late:
    """start_response is called in the first step."""

    def __init__(self, start_response: Any) -> None:
        self.start_response = start_response
        self.blocks = [b"con", b"tent"]

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> bytes:
        if len(self.blocks) == 2:
            self.start_response("200 OK", PLAIN)
        if not self.blocks:
            raise StopIteration
        return self.blocks.pop(0)


@legal()
def late_in_the_first_step(environ: Any, start_response: Any) -> Any:
    return Late(start_response)


@legal()
class InstanceAsResult:
    """A class as an application."""

    def __init__(self, environ: Any, start_response: Any) -> None:
        self.start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        self.start_response("200 OK", PLAIN)
        yield b"content"


class ItsOwnResult:
    """An application that returns itself, each time anew."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"content"])

    def close(self) -> None:
        pass


legal("twice", gateway=Twice)(ItsOwnResult())
legal("twice the same list", gateway=Twice)(returning(lambda: SAME))


@legal()
def started_by_another_thread(environ: Any, start_response: Any) -> list[bytes]:
    thread = threading.Thread(target=start_response, args=("200 OK", PLAIN))
    thread.start()
    thread.join()
    return [b"content"]


class Applications:
    """Applications that are no functions."""

    def method(self, environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        return [b"content"]

    __call__ = method


legal("a method")(Applications().method)
legal("an object")(Applications())
legal("a partial")(functools.partial(Applications.method, Applications()))
legal("a proxy")(Proxy(generator))
legal("a lambda")(lambda environ, start_response: start_response("200 OK", []) and [b"content"])


# -- start_response and write() -------------------------------------------------------------


def answering(status: str, headers: Any, *blocks: bytes) -> Any:
    """An application with this status and these headers."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        return list(blocks)

    return application


for status in (
    "200 O",
    "200 OK then",
    "200 200 OK",
    "204 No Content",
    "226 IM Used",
    "299 Anything",
    "404 Not Found",
    "418 I'm a teapot",
    "451 Unavailable For Legal Reasons",
    "500 Internal Server Error",
    "599 Nobody Knows",
    "200 \xc4rger",
    "200 \xff",
    "200 \x80",
    "200 ü  ü",
):
    legal(status)(answering(status, []))

for name, status, headers, blocks in (
    ("several Set-Cookie", "200 OK", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")], ()),
    ("no headers", "200 OK", [], (b"content",)),
    ("an empty value", "200 OK", [("X", "")], ()),
    ("a tab in a value", "200 OK", [("X", "a\tb")], ()),
    ("spaces around a value", "200 OK", [("X", "  a  ")], ()),
    ("obs-text in a value", "200 OK", [("X", "\x80\xe9\xff")], ()),
    ("a long value", "200 OK", [("X", "x" * 100_000)], ()),
    ("a dot in a name", "200 OK", [("X.A", "1")], ()),
    ("a mark as a name", "200 OK", [("!x", "1")], ()),
    ("all marks as a name", "200 OK", [("!#$%&'*+-.^_`|~", "1")], ()),
    ("a digit in front", "200 OK", [("1X", "1")], ()),
    ("a hyphen behind", "200 OK", [("X-", "1")], ()),
    ("an underscore", "200 OK", [("X_A", "1")], ()),
    ("one letter", "200 OK", [("x", "1")], ()),
    ("a Status header", "200 OK", [("Status", "404 Not Found")], ()),
    ("Date", "200 OK", [("Date", "Mon, 05 Jun 2006 18:49:54 GMT")], ()),
    ("Expires of 0", "200 OK", [("Expires", "0")], ()),
    ("Server", "200 OK", [("Server", "other/1.0")], ()),
    ("Content-Length", "200 OK", [("Content-Length", "7")], (b"con", b"", b"tent")),
    ("CONTENT-LENGTH", "200 OK", [("CONTENT-LENGTH", "7")], (b"content",)),
    ("Content-Length with zeroes", "200 OK", [("Content-Length", "007")], (b"content",)),
    ("Content-Length in spaces", "200 OK", [("Content-Length", " 7 ")], (b"content",)),
    ("Content-Length of 0", "200 OK", [("Content-Length", "0")], (b"",)),
    ("204 with Content-Type", "204 No Content", PLAIN, (b"",)),
    ("205 with Content-Length", "205 Reset Content", [("Content-Length", "0")], ()),
    ("302 without Content-Type", "302 Found", [("Location", "/")], ()),
    ("304 with Content-Type", "304 Not Modified", PLAIN, ()),
    ("304 with Content-Length", "304 Not Modified", [("Content-Length", "1234")], ()),
    ("304 with an empty block", "304 Not Modified", [("ETag", '"1"')], (b"",)),
    ("401", "401 Unauthorized", [("WWW-Authenticate", "Basic")], ()),
    ("405 without a method", "405 Method Not Allowed", [("allow", "")], ()),
):
    legal(name)(answering(status, headers, *blocks))

legal("HEAD with Content-Length and content", gateway=HEAD)(
    answering("200 OK", [("Content-Length", "7")], b"content")
)
legal("HEAD with Content-Length and no content", gateway=HEAD)(
    answering("200 OK", [("Content-Length", "7")])
)
legal("HEAD with Content-Length and other content", gateway=HEAD)(
    answering("200 OK", [("Content-Length", "7")], b"more than that")
)


@legal(warnings=("A22",))
def written_and_an_empty_list(environ: Any, start_response: Any) -> list[bytes]:
    write = start_response("200 OK", [("Content-Length", "7")])
    write(b"con")
    write(b"tent")
    return []


@legal(warnings=("A22",))
def written_and_returned(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "7")])(b"con")
    return [b"tent"]


@legal()
def none_as_exc_info(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN, None)
    return [b"content"]


@legal()
def replaced_before_the_first_block(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "7")])
    yield b""
    try:
        raise ValueError("an error")
    except ValueError:
        start_response("500 Internal Server Error", [("Content-Length", "5")], sys.exc_info())
    yield b"sorry"


@legal()
def replaced_before_the_list(environ: Any, start_response: Any) -> list[bytes]:
    try:
        start_response("204 No Content", [])
        raise ValueError("an error")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN, sys.exc_info())
    return [b"sorry"]


@legal()
def an_error_after_which_all_is_well(environ: Any, start_response: Any) -> list[bytes]:
    try:
        raise ValueError("an error")
    except ValueError:
        start_response("200 OK", PLAIN)
    return [b"content"]


@legal()
def raised_again_after_the_first_block(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "7")])
    yield b"con"
    try:
        raise ValueError("an error")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN, sys.exc_info())
    yield b"never"


@legal()
def an_error_in_the_midst(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "7")])
    yield b"con"
    raise ValueError("an error")


@legal()
def an_error_before_anything(environ: Any, start_response: Any) -> list[bytes]:
    raise ValueError("an error")


class ClosingFails(Ended):
    """An error in the last moment."""

    def close(self) -> None:
        raise ValueError("an error")


legal("an error in close()")(returning(lambda: ClosingFails(b"content")))


@legal()
def edited_afterwards(environ: Any, start_response: Any) -> list[bytes]:
    environ.clear()
    start_response("200 OK", PLAIN)
    return [b"content"]


# -- Streams --------------------------------------------------------------------------------


@legal(gateway=POST)
def reads_all(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read()]


@legal(gateway=POST)
def reads_in_every_way(environ: Any, start_response: Any) -> list[bytes]:
    stream = environ["wsgi.input"]
    blocks = [stream.read(1), stream.read(0), stream.readline(), *stream.readlines(), stream.read()]
    blocks += [stream.readline(), *stream, *stream.readlines(10)]
    start_response("200 OK", PLAIN)
    return blocks


@legal(gateway=POST)
def reads_line_by_line(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield from environ["wsgi.input"]


@legal(gateway=POST)
def reads_a_negative_size(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(-1), environ["wsgi.input"].read(None)]


class Size(int):
    """A number of its own kind, as those of NumPy and of enums are."""


@legal(gateway=POST)
def reads_a_size_of_another_type(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(Size(2))]


class Index:
    """A number by ``__index__`` alone."""

    def __index__(self) -> int:
        return 2


@legal(gateway=POST)
def reads_a_size_that_is_no_int(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(Index())]


@legal(gateway=POST)
def copies_the_streams(environ: Any, start_response: Any) -> list[bytes]:
    same = copy.deepcopy({key: value for key, value in environ.items() if key != "wsgi.errors"})
    blocks = [same["wsgi.input"].read(), copy.copy(environ["wsgi.input"]).read()]
    blocks.append(pickle.loads(pickle.dumps(environ["wsgi.input"])).read())
    copy.copy(environ["wsgi.errors"]).write("an error\n")
    copy.deepcopy([start_response, start_response("200 OK", PLAIN)])
    return blocks


@legal(gateway=FILES_OF_A_FUNCTION)
def copies_the_environ(environ: Any, start_response: Any) -> list[bytes]:
    copied = copy.deepcopy(environ)
    start_response("200 OK", PLAIN)
    return [*copied["wsgi.file_wrapper"](io.BytesIO(b"content"))]


@legal(gateway=gateway_with({"wsgi.input_terminated": True}))
def reads_on_because_it_ends(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(100)]


@legal()
def reads_the_nothing_that_is_there(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read()]


@legal()
def asks_what_the_streams_have(environ: Any, start_response: Any) -> list[bytes]:
    for stream in (environ["wsgi.input"], environ["wsgi.errors"]):
        hasattr(stream, "fileno")
        hasattr(stream, "seek")
        hasattr(stream, "nothing_of_the_kind")
        hasattr(stream, "close")
    start_response("200 OK", PLAIN)
    return [b"content"]


@legal(gateway=POST)
def uses_what_it_has_found_to_be_there(environ: Any, start_response: Any) -> list[bytes]:
    stream = environ["wsgi.input"]
    if hasattr(stream, "readinto"):
        stream.readinto(bytearray(4))
    start_response("200 OK", PLAIN)
    return [b"content"]


def failing_lines() -> Iterator[str]:
    yield "seven\n"
    raise ValueError("no more lines")


@legal()
def writes_errors_in_every_way(environ: Any, start_response: Any) -> list[bytes]:
    errors = environ["wsgi.errors"]
    errors.write("one\n")
    errors.writelines(["two\n", "three\n"])
    errors.writelines(each for each in ("four\n", "\U0001f600"))
    errors.flush()
    print("five", file=errors, flush=True)
    errors.write("six\r")
    with contextlib.suppress(ValueError):
        errors.writelines(failing_lines())
    start_response("200 OK", PLAIN)
    return [b"content"]


# -- Files ----------------------------------------------------------------------------------


class ReadAlone:
    """A file with read() alone."""

    def read(self, size: int = -1) -> bytes:
        return b""


def wrapping(make: Any, *size: int) -> Any:
    """An application that returns a file."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](make(), *size)

    return application


for name, gateway in {"of a class": FILES, "of a function": FILES_OF_A_FUNCTION}.items():
    legal(f"in memory, {name}", gateway=gateway)(wrapping(lambda: io.BytesIO(b"content")))
    legal(f"with a size, {name}", gateway=gateway)(wrapping(lambda: io.BytesIO(b"content"), 2))
    legal(f"with read() alone, {name}", gateway=gateway)(wrapping(ReadAlone))
    legal(f"of the system, {name}", gateway=gateway)(wrapping(tempfile.TemporaryFile))


@legal(gateway=FILES_OF_A_FUNCTION)
def a_wrapper_that_is_not_returned(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.file_wrapper"](io.BytesIO(b"content"))
    start_response("200 OK", PLAIN)
    return [b"other"]


@legal(gateway=FILES)
def a_wrapper_in_a_generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield from environ["wsgi.file_wrapper"](io.BytesIO(b"content"))


# -- Inside others --------------------------------------------------------------------------


class CallsInside(Gateway):
    """Calls the application where an exception is being handled, as a cache does that misses."""

    def call(self, application: Any) -> Any:
        try:
            return self.environ["gateway.cached"]
        except KeyError:
            return application(self.environ, self.start_response)


legal("503 of its own accord", gateway=CallsInside)(answering("503 Service Unavailable", PLAIN))
legal("chunks, of a length", gateway=Gateway)(
    answering("200 OK", [("Content-Length", "12")], b"2\r\nco\r\n", b"0\r\n\r\n")
)
legal("what fails when it is asked for close(), and file wrappers", gateway=FILES)(returning(Rude))
