"""With and without the checker: applications and servers made up at random, which keep all rules,
do the same things in the same order, and come to the same end."""

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conformance.gateway import Gateway
from quaich.conformance import Report, checker

PLAIN = [("Content-Type", "text/plain")]


@dataclass(frozen=True)
class Program:
    """An application, which keeps all rules, and a server, which does too."""

    kind: str
    blocks: list[bytes]
    written: list[bytes]
    has_length: bool  # Content-Length
    replaces: bool  # start_response is called again, with exc_info
    fails_at: int | None  # block
    close_fails: bool
    reads: list[tuple[str, tuple[int, ...]]]
    # The server:
    method: str
    content: bytes
    stop_after: int | None
    asks: bool  # for len()
    peeks: bool  # at the first block


KINDS = ("list", "tuple", "generator", "iterator", "iterable", "closable", "sized", "both", "index")

blocks = st.lists(st.binary(max_size=20), max_size=4)
sizes = st.lists(st.integers(-1, 12), max_size=1).map(tuple)
programs = st.builds(
    Program,
    kind=st.sampled_from(KINDS),
    blocks=blocks,
    written=st.just([]) | blocks,
    has_length=st.booleans(),
    replaces=st.booleans(),
    fails_at=st.none() | st.integers(0, 4),
    close_fails=st.booleans(),
    reads=st.lists(
        st.tuples(st.sampled_from(["read", "readline", "readlines"]), sizes), max_size=3
    ),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    content=st.binary(max_size=10) | st.just(b"one\ntwo\n"),
    stop_after=st.none() | st.integers(0, 4),
    asks=st.booleans(),
    peeks=st.booleans(),
)


class Running:
    """A program, and all that happens while it runs, in order."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.events: list[Any] = []

    def application(self, environ: Any, start_response: Any) -> Any:
        program = self.program
        self.events.append("application is called")
        if program.kind == "generator":
            return self.generate(environ, start_response)
        self.begin(environ, start_response, program.written)
        results: dict[str, Any] = {
            "list": list,
            "tuple": tuple,
            "iterator": lambda blocks: Steps(self),
            "iterable": lambda blocks: Iterable(self),
            "closable": lambda blocks: Ended(self),
            "sized": lambda blocks: Sized(self),
            "both": lambda blocks: Both(self),
            "index": lambda blocks: Indexed(self),
        }
        return results[program.kind](program.blocks)

    def begin(self, environ: Any, start_response: Any, written: list[bytes]) -> None:
        program = self.program
        for method, sizes in program.reads:
            self.events.append((method, getattr(environ["wsgi.input"], method)(*sizes)))
        total = sum(map(len, program.blocks + written))
        headers = [*PLAIN, *([("Content-Length", str(total))] if program.has_length else [])]
        write = start_response("200 OK", headers)
        if program.replaces:
            try:
                raise ValueError("an error")
            except ValueError:
                write = start_response("500 Internal Server Error", headers, sys.exc_info())
        for block in written:
            self.events.append(("write", block, write(block)))

    def generate(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        self.events.append("generator is started")
        try:
            self.begin(environ, start_response, [])
            for number, block in enumerate(self.program.blocks):
                self.step(number)
                yield block
        finally:
            self.events.append("generator is ended")

    def step(self, number: int) -> None:
        self.events.append(("step", number))
        if number == self.program.fails_at:
            raise ValueError("an error")

    def serve(self, application: Any) -> list[Any]:
        gateway = Server(self)
        try:
            gateway.serve(application)
        except Exception as error:
            self.events.append(("raised", repr(error)))
        return [*self.events, gateway.status, gateway.headers, gateway.blocks, gateway.sent]


class Iterable:
    """A result that is no iterator."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def __iter__(self) -> Any:
        self.running.events.append("iter")
        return Steps(self.running)


class Ended(Iterable):
    """With close()."""

    def close(self) -> None:
        self.running.events.append("close")
        if self.running.program.close_fails:
            raise OSError("no end")


class Sized(Iterable):
    """With len()."""

    def __len__(self) -> int:
        return len(self.running.program.blocks)


class Both(Ended, Sized):
    """With both."""


class Steps:
    """An iterator."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.number = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> bytes:
        self.running.step(self.number)
        if self.number == len(self.running.program.blocks):
            raise StopIteration
        self.number += 1
        return self.running.program.blocks[self.number - 1]


class Indexed:
    """Can only be indexed."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def __getitem__(self, index: int) -> bytes:
        self.running.step(index)
        return self.running.program.blocks[index]


class Server(Gateway):
    """Does what the program says."""

    def __init__(self, running: Running) -> None:
        self.running = running
        super().__init__()

    def make_environ(self) -> Any:
        program = self.running.program
        changes = {
            "REQUEST_METHOD": program.method,
            "CONTENT_LENGTH": str(len(program.content)),
            "wsgi.input": io.BytesIO(program.content),
        }
        return {**super().make_environ(), **changes}

    def start_response(self, status: Any, headers: Any, *more: Any) -> Any:
        self.running.events.append(("start_response", status, headers, len(more)))
        return super().start_response(status, headers, *more)

    def write(self, block: Any, /) -> None:
        self.running.events.append(("block", block))
        super().write(block)

    def iterate(self, result: Any) -> None:
        program = self.running.program
        if program.asks:
            try:
                self.running.events.append(("len", len(result)))
            except TypeError:
                self.running.events.append("no len")
        if program.stop_after == 0:
            return
        iterator = iter(result)
        count = 0
        if program.peeks:
            for first in iterator:
                self.write(first)
                count = 1
                break
        for block in () if count == program.stop_after else iterator:
            self.write(block)
            count += 1
            if count == program.stop_after:
                break

    def close(self, result: Any) -> None:
        self.running.events.append(("close", hasattr(result, "close")))
        super().close(result)


@given(programs)
def test_all_happens_as_it_does_without_the_checker(program: Program) -> None:
    bare, watched = Running(program), Running(program)
    report = Report()
    expected = bare.serve(bare.application)
    assert watched.serve(checker(watched.application, report)) == expected
    assert report.errors == []


@given(programs)
def test_two_checkers_are_as_one(program: Program) -> None:
    """As around a middleware and within it."""
    bare, watched = Running(program), Running(program)
    inner, outer = Report(), Report()
    expected = bare.serve(bare.application)
    assert watched.serve(checker(checker(watched.application, inner), outer)) == expected
    assert inner.errors == outer.errors == []
