"""What an application gives: A17-A19, A21-A24, A37, H120, H124."""

import itertools
from collections.abc import Iterator
from typing import Any

from conformance.corpus import breaks
from conformance.gateway import Gateway
from conformance.odd import Bytes, Counted, Str, Unspeakable

PLAIN = [("Content-Type", "text/plain")]
FIVE = [("Content-Length", "5")]


def returning(make: Any, status: str = "200 OK", headers: Any = PLAIN) -> Any:
    """An application that returns what ``make`` makes."""

    def application(environ: Any, start_response: Any) -> Any:  # guilty
        start_response(status, headers)
        return make()

    return application


def yielding(*blocks: Any, status: str = "200 OK", headers: Any = PLAIN) -> Any:
    """A generator that gives these blocks."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        yield from blocks  # guilty

    return application


def ending(*blocks: Any) -> Any:
    """A generator that gives these blocks, of which only the end tells."""

    def application(environ: Any, start_response: Any) -> Any:  # guilty
        start_response("200 OK", PLAIN)
        yield from blocks

    return application


def writing(*blocks: Any, status: str = "200 OK", headers: Any = PLAIN) -> Any:
    """An application that gives these blocks to write()."""

    def application(environ: Any, start_response: Any) -> Any:  # guilty
        write = start_response(status, headers)
        for block in blocks:
            write(block)  # guilty
        return []

    return application


class Blocks:
    """An iterator of its own kind."""

    def __init__(self, *blocks: Any) -> None:
        self._blocks = iter(blocks)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:  # guilty
        return next(self._blocks)


# -- A17: no iterable -----------------------------------------------------------------------


class Bare:
    """Nothing that can be iterated over."""


async def _later() -> Any:  # an async generator
    yield b"content"


class Awaitable:
    """What a coroutine is, but that Python warns of one that is never awaited."""

    def __await__(self) -> Any:
        return iter(())


for name, make in {
    "None": lambda: None,
    "text": lambda: "content",
    "nothing in words": lambda: "",
    "bytes": lambda: b"content",
    "a subclass of str": lambda: Str("content"),
    "a subclass of bytes": lambda: Bytes(b"content"),
    "an int": lambda: 7,
    "true": lambda: True,
    "an object": Bare,
    "a function": lambda: _later,
    "an async generator": _later,
    "an awaitable": Awaitable,
    "an object whose repr fails": Unspeakable,
}.items():
    breaks("A17", name)(returning(make))

# -- A18: no bytes --------------------------------------------------------------------------

NO_BYTES: dict[str, Any] = {
    "text": "content",
    "nothing in words": "",
    "a bytearray": bytearray(b"content"),
    "a memoryview": memoryview(b"content"),
    "a subclass of bytes": Bytes(b"content"),
    "an int": 7,
    "None": None,
    "a list of bytes": [b"content"],
    "an object whose repr fails": Unspeakable(),
}
for name, block in NO_BYTES.items():
    breaks("A18", f"{name}, in a list")(returning(lambda block=block: [b"", block]))
    breaks("A18", f"{name}, yielded")(yielding(b"content", block))
    breaks("A18", f"{name}, written", also=("A22",))(writing(block))

breaks("A18", "in a tuple")(returning(lambda: ("content",)))
breaks("A18", "two in a list", count=2)(returning(lambda: ["content", b"", None]))
breaks("A18", "three yielded", count=3)(yielding("content", None, b"", 7))
breaks("A18", "a bytearray as the result", count=2)(returning(lambda: bytearray(b"ab")))
breaks("A18", "of an iterator of its own kind", guilty="Blocks")(
    returning(lambda: Blocks("content"))
)
breaks("A18", "of an object with len()", guilty="Counted")(
    returning(lambda: Counted(["content"], 1))
)
# What the standard library iterates with is not at fault.
breaks("A18", "of map()")(returning(lambda: map(str, [1])))
breaks("A18", "of an iterator over a list")(returning(lambda: iter(["content"])))
breaks("A18", "of chain()")(returning(lambda: itertools.chain([b"content"], ["more"])))
breaks("A18", "of a dict")(returning(lambda: {"content": 1}))

# -- A19: len() -----------------------------------------------------------------------------


class Asking(Gateway):
    """Asks for len() first."""

    def iterate(self, result: Any) -> None:
        try:
            len(result)
        except TypeError:
            pass
        super().iterate(result)


for length in (0, 1, 3):
    breaks("A19", f"{length} of 2", misses=("V33",), guilty="Counted", gateway=Asking)(
        returning(lambda length=length: Counted([b"con", b"tent"], length))
    )

# Another server may ask.
for length in (1, 3):
    breaks("A19", f"{length} of 2, unasked", misses=("V33",), guilty="Counted")(
        returning(lambda length=length: Counted([b"con", b"tent"], length))
    )

breaks("A19", "1 of none", misses=("V33",), guilty="Counted")(returning(lambda: Counted([], 1)))


class CountedAndClosed(Counted):
    """With close() as well."""

    def close(self) -> None:
        pass


breaks("A19", "with close()", misses=("V33",), guilty="CountedAndClosed")(
    returning(lambda: CountedAndClosed([b"con", b"tent"], 1))
)

# -- A21, A22: habits -----------------------------------------------------------------------

breaks("A21", "yielded")(yielding(*[b"tiny"] * 64))
breaks("A21", "in a list")(returning(lambda: [b"123456789012345"] * 100))
breaks("A21", "written", also=("A22",))(writing(*[b"1"] * 64))
breaks("A22")(writing(b"content"))
breaks("A22", "thrice", count=3)(writing(b"con", b"", b"tent"))

# -- A23: write() too late ------------------------------------------------------------------


@breaks("A23", also=("A22",), misses=("V32",))
def written_by_a_generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"content")  # guilty
    yield b"more"


class Writing:
    """A result that writes in the steps that it is told."""

    def __init__(self, write: Any, *steps: str) -> None:
        self._write = write
        self._steps = steps
        self._blocks = [b"content"]

    def __iter__(self) -> Any:
        if "iter" in self._steps:
            self._write(b"more")  # guilty
        return self

    def __next__(self) -> bytes:
        if not self._blocks:
            raise StopIteration
        if "next" in self._steps:
            self._write(b"more")  # guilty
        return self._blocks.pop()

    def close(self) -> None:
        if "close" in self._steps:
            self._write(b"more")  # guilty


for step in ("iter", "next", "close"):

    @breaks(
        "A23",
        f"by {step}",
        also=("A22",),
        misses=("V32",),
        guilty=f"Writing.{'__' * (step != 'close')}{step}{'__' * (step != 'close')}",
    )
    def written_by_the_result(environ: Any, start_response: Any, step: str = step) -> Any:
        return Writing(start_response("200 OK", PLAIN), step)


class Written:
    """A list as result, and write() called in the next request."""

    write: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        before, self.write = self.write, None
        if before is not None:
            before(b"more")  # guilty
        write = start_response("200 OK", PLAIN)
        if before is None:
            self.write = write
        return [b"content"]


class ServingTwice(Gateway):
    """Serves two requests."""

    def serve(self, application: Any) -> None:
        Gateway().serve(application)
        super().serve(application)


breaks(
    "A23",
    "by the next request",
    also=("A22",),
    misses=("V32",),
    guilty="Written.__call__",
    gateway=ServingTwice,
)(Written())

# -- A24: the arguments of write() ----------------------------------------------------------


@breaks("A24")
def written_without_a_block(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)()  # guilty


@breaks("A24")
def two_blocks_written(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)(b"con", b"tent")  # guilty


@breaks("A24")
def written_by_keyword(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)(block=b"content")  # guilty


# -- A37: more or less than Content-Length --------------------------------------------------

for blocks in ((), (b"",), (b"1234",), (b"12", b"34"), (b"123456",), (b"12", b"345", b"6", b"7")):
    name = "+".join(str(len(each)) for each in blocks) or "nothing"
    breaks("A37", f"{name} of 5 in a list", misses=("V27",))(
        returning(lambda blocks=blocks: list(blocks), headers=FIVE)
    )
    breaks("A37", f"{name} of 5 in a tuple", misses=("V27",))(
        returning(lambda blocks=blocks: blocks, headers=FIVE)
    )
    breaks("A37", f"{name} of 5 written", misses=("V27",), also=("A22",))(
        writing(*blocks, headers=FIVE)
    )

breaks("A37", "6 of 5 yielded", misses=("V27",))(yielding(b"12345", b"6", headers=FIVE))
breaks("A37", "6 of 5 at once", misses=("V27",))(yielding(b"123456", headers=FIVE))
breaks("A37", "6 of 5, with space around", misses=("V27",))(
    yielding(b"123456", headers=[("Content-Length", " 5\t")])
)
breaks("A37", "4 of 5 by an iterator of its own kind", misses=("V27",), guilty="Blocks")(
    returning(lambda: Blocks(b"12", b"34"), headers=FIVE)
)
breaks("A37", "1 of 0", misses=("V27",))(yielding(b"1", headers=[("Content-Length", "0")]))
breaks("A37", "less than a great many", misses=("V27",))(
    returning(lambda: [b"12345"], headers=[("Content-Length", "9" * 30)])
)


@breaks("A37", misses=("V27",))  # guilty
def fewer_yielded(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", FIVE)
    yield b"1234"


@breaks("A37", also=("A22",), misses=("V27",))  # guilty
def written_and_yielded(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", FIVE)(b"123")
    return [b"456"]


@breaks("A37", misses=("V27",))
def more_than_the_second_length(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "100")])
    yield b""
    try:
        raise ValueError("an error")
    except ValueError as error:
        exc_info = (ValueError, error, error.__traceback__)
        start_response("500 Internal Server Error", FIVE, exc_info)
    yield b"123456"  # guilty


# -- H120, H124: content where there is none ------------------------------------------------

for status, rule in {
    "204 No Content": "H120",
    "304 Not Modified": "H120",
    "205 Reset Content": "H124",
}.items():
    misses = ("V28",) if rule == "H120" else ()
    breaks(rule, f"{status}, a list", misses=misses)(
        returning(lambda: [b"", b"content", b"more"], status, [])
    )
    breaks(rule, f"{status}, yielded", misses=misses)(
        yielding(b"content", b"more", status=status, headers=[])
    )
    breaks(rule, f"{status}, written", misses=misses, also=("A22",))(
        writing(b"content", b"more", status=status, headers=[])
    )

# -- A36: chunks made by hand ---------------------------------------------------------------

CHUNKS: dict[str, tuple[bytes, ...]] = {
    "each a block": (b"7\r\ncontent\r\n", b"4\r\nmore\r\n", b"0\r\n\r\n"),
    "in one block": (b"7\r\ncontent\r\n0\r\n\r\n",),
    "with an extension and empty blocks": (b"", b"07;a=b\r\ncontent\r\n", b"", b"0\r\n\r\n"),
    "with line ends in them": (b"A\r\n" + 6 * b"\r\n", b"0\r\n\r\n"),
}
for name, chunks in CHUNKS.items():
    breaks("A36", f"chunks, {name}", severity="warning")(ending(*chunks))
    breaks("A36", f"chunks, {name}, in a list", severity="warning")(
        returning(lambda chunks=chunks: list(chunks))
    )
