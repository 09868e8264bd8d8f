"""Blocks: from the iterable and from write(), and how they go out (D084, D094, D104)."""

import io
import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import TEXT, Blocks, Pipe, answer, make_handler, respond, run
from quaich import handlers as our_handlers

OURS = SimpleNamespace(handlers=our_handlers)


# -- When the head goes out ---------------------------------------------------------------


@pytest.mark.defect("D084")
@pytest.mark.parametrize("empty", [1, 3])
def test_an_empty_block_sends_no_headers(wsgiref: SimpleNamespace, empty: int) -> None:
    """S66, M27: until the first block that is not empty, exc_info may change the status."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])
        for _ in range(empty):
            yield b""
        assert handler.stdout.getvalue() == b""
        start_response("503 Later", TEXT[:], (ValueError, ValueError(), None))
        yield b"body"

    handler = make_handler(wsgiref)
    handler.run(app)
    assert answer(handler).status == "HTTP/1.0 503 Later"
    assert answer(handler).body == b"body"


def test_the_first_block_sends_the_headers(wsgiref: SimpleNamespace) -> None:
    """S66."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])
        assert handler.stdout.getvalue() == b""
        yield b"a"
        assert handler.stdout.getvalue().endswith(b"\r\n\r\na")
        yield b"b"

    handler = make_handler(wsgiref)
    handler.run(app)
    assert answer(handler).body == b"ab"


@pytest.mark.parametrize("data", [b"", b"a"])
def test_the_first_write_sends_the_headers(wsgiref: SimpleNamespace, data: bytes) -> None:
    """S66: an empty one too, and without a Content-Length (the rest is to come)."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", TEXT[:])
        write(data)
        assert handler.stdout.getvalue().endswith(b"\r\n\r\n" + data)
        write(b"bcd")
        return []

    handler = make_handler(wsgiref)
    handler.run(app)
    assert answer(handler).body == data + b"bcd"
    assert answer(handler).field("Content-Length") is None


def test_a_generator_may_call_start_response_at_its_first_step(wsgiref: SimpleNamespace) -> None:
    """S21, A16."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])
        yield b"body"

    assert run(wsgiref, app).body == b"body"


# -- The order, and that nothing waits ----------------------------------------------------


def test_each_block_is_out_before_the_next_is_asked_for(wsgiref: SimpleNamespace) -> None:
    """S14, S81-S83: written and flushed."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", TEXT[:])
        for number, block in enumerate((b"1", b"2")):
            write(block)
            assert handler.stdout.getvalue().endswith(block)
            assert handler.stdout.flushes > number
        return blocks()

    def blocks() -> Any:
        for block in (b"3", b"4"):
            flushes = handler.stdout.flushes
            yield block
            assert handler.stdout.getvalue().endswith(block)
            assert handler.stdout.flushes > flushes

    handler = make_handler(wsgiref, stdout=Pipe())
    handler.run(app)
    assert answer(handler).err == ""
    assert answer(handler).body == b"1234"


def test_what_is_written_precedes_what_is_returned(wsgiref: SimpleNamespace) -> None:
    """S84, S85."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT[:])(b"first ")
        return [b"second"]

    result = run(wsgiref, app)
    assert result.body == b"first second"
    assert result.field("Content-Length") is None


def test_bytes_are_not_looked_into(wsgiref: SimpleNamespace) -> None:
    """S15."""
    every = bytes(range(256)) + b"\r\n\n\r\r\n.\r\n"
    assert run(wsgiref, respond(Blocks(every, b"\n", every))).body == every + b"\n" + every


def test_a_sequence_without_iter_is_iterated_over(wsgiref: SimpleNamespace) -> None:
    """S107: plain for-loop semantics."""

    class Sequence:
        def __getitem__(self, index: int) -> bytes:
            return [b"a", b"b"][index]

    assert run(wsgiref, respond(Sequence())).body == b"ab"


def test_nothing_else_of_the_result_is_used(wsgiref: SimpleNamespace) -> None:
    """S22: ``__iter__``, ``__len__`` and ``close`` are all that PEP 3333 knows."""
    asked: set[str] = set()

    class Trap:
        def __iter__(self) -> Any:
            return iter([b"a", b"b"])

        def __getattr__(self, name: str) -> Any:
            asked.add(name)
            raise AttributeError(name)

    assert run(wsgiref, respond(Trap())).body == b"ab"
    assert asked <= {"close"}


# -- What a block may be ------------------------------------------------------------------


@pytest.mark.parametrize(
    "block", ["text", bytearray(b"x"), memoryview(b"x"), 120, None, 0, "", False]
)
def test_what_is_not_bytes_is_refused_before_the_headers(
    wsgiref: SimpleNamespace, block: Any
) -> None:
    """S88, A18: also what is empty or false; then there is still room for an error page."""
    result = run(wsgiref, respond(Blocks(block)))
    assert result.status == "HTTP/1.0 500 Internal Server Error"
    assert "AssertionError: write() argument must be a bytes instance" in result.err


def test_a_subclass_of_bytes_is_refused(wsgiref: SimpleNamespace) -> None:
    """S88: exactly ``bytes``."""

    class Data(bytes):
        __slots__ = ()

    assert "500" in run(wsgiref, respond([Data(b"x")])).status
    assert "500" in run(wsgiref, respond(Blocks(Data(b"x")))).status


@pytest.mark.defect("D104")
def test_write_after_the_end_says_so(wsgiref: SimpleNamespace) -> None:
    """It is not that start_response was forgotten."""
    writers: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        writers.append(start_response("200 OK", TEXT[:]))
        return [b"all"]

    handler = make_handler(wsgiref)
    handler.run(app)
    with pytest.raises(AssertionError, match="after the response was finished"):
        writers[0](b"late")
    assert answer(handler).body == b"all"


def test_write_before_start_response_is_refused(wsgiref: SimpleNamespace) -> None:
    handler = make_handler(wsgiref)
    for _ in range(2):  # before the request, and in it
        with pytest.raises(AssertionError, match=r"write\(\) before start_response\(\)"):
            handler.write(b"early")
        handler.setup_environ()


# -- How many writes ----------------------------------------------------------------------


@pytest.mark.defect("D094")
@pytest.mark.parametrize("blocks", [[b"body"], [], [b"a", b"b"], [b"x" * 8192]])
def test_the_head_and_the_first_block_are_one_write(
    wsgiref: SimpleNamespace, blocks: list[bytes]
) -> None:
    """Each write to a socket without delay is a packet."""
    pipe = Pipe()
    make_handler(wsgiref, stdout=pipe, server_software="S").run(respond(blocks))
    assert len(pipe.writes) == max(1, len(blocks))
    assert pipe.getvalue().endswith(b"\r\n\r\n" + b"".join(blocks))


def test_a_large_block_is_not_copied_behind_the_head() -> None:
    """D094: two writes then."""
    pipe, block = Pipe(), b"x" * 1_000_000
    make_handler(OURS, stdout=pipe).run(respond([block]))
    assert len(pipe.writes) == 2
    assert pipe.writes[1] == block


# -- An output that takes only a part -----------------------------------------------------


class Partial(io.RawIOBase):
    """Takes so many bytes at a time; None: all of it, without saying how many."""

    def __init__(self, *sizes: int | None) -> None:
        self.sizes = itertools.cycle(sizes)
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int | None:
        size = next(self.sizes)
        self.data += data if size is None else data[:size]
        return None if size is None else min(size, len(data))


@pytest.mark.parametrize("sizes", [(1,), (7,), (3, 40)])
def test_partial_writes_lose_nothing(wsgiref: SimpleNamespace, sizes: tuple[int, ...]) -> None:
    """CPython's testPartialWrite."""
    pipe = Partial(*sizes)
    handler = make_handler(wsgiref, stdout=pipe)
    with pytest.warns(DeprecationWarning, match="should not do partial writes"):
        handler.run(respond([b"Hello, world!"]))
    assert pipe.data.endswith(b"\r\nContent-Length: 13\r\n\r\nHello, world!")


def test_none_means_all_was_taken_also_after_a_part() -> None:
    """In wsgiref, a write that says None after a partial one is repeated for ever."""
    pipe = Partial(5, None)
    with pytest.warns(DeprecationWarning, match="should not do partial writes"):
        make_handler(OURS, stdout=pipe).run(respond([b"Hello, world!"]))
    assert pipe.data.count(b"Hello, world!") == 1


def test_an_output_that_does_not_say_how_much_it_took(wsgiref: SimpleNamespace) -> None:
    """None from write() is "all of it": plain files of old, and many stubs."""
    pipe = Partial(None)
    make_handler(wsgiref, stdout=pipe).run(respond([b"a", b"b"]))
    assert pipe.data.endswith(b"ab")
