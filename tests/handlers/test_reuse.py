"""A handler that is used for several requests: none leaves anything to the next."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import Blocks, answer, make_handler, respond
from quaich import handlers as our_handlers

OURS = SimpleNamespace(handlers=our_handlers)


def failing(environ: Any, start_response: Any) -> Any:
    raise ValueError


@pytest.mark.parametrize(
    "first",
    [
        respond([b"first"], headers=[("X-First", "1")]),
        failing,
        respond(Blocks(ValueError())),
        respond(Blocks(b"", b"a")),
    ],
    ids=["answered", "failed", "failed at the first step", "empty block"],
)
def test_a_handler_can_be_used_again(wsgiref: SimpleNamespace, first: Any) -> None:
    """Nothing of the request before is left in it."""
    handler = make_handler(wsgiref)
    handler.run(first)
    handler.stdout.seek(0)
    handler.stdout.truncate()
    handler.run(respond([b"second"]))
    assert answer(handler).status == "HTTP/1.0 200 OK"
    assert answer(handler).field("X-First") is None
    assert answer(handler).field("Content-Length") == "6"
    assert answer(handler).body == b"second"


@pytest.mark.parametrize(
    "first",
    [
        respond(Blocks(b"partial", ValueError())),
        respond([b"x"], headers=[("Content-Length", "5")]),
        respond([b"12345"], headers=[("Content-Length", "1")]),
        respond(Blocks(b"a", KeyboardInterrupt())),
    ],
    ids=["failed midway", "too short", "too long", "interrupted"],
)
def test_so_it_can_after_a_response_that_was_broken_off(first: Any) -> None:
    """In wsgiref the state is kept for good then."""
    handler = make_handler(OURS)
    try:
        handler.run(first)
    except KeyboardInterrupt:
        pass
    handler.stdout.seek(0)
    handler.stdout.truncate()
    handler.run(respond(Blocks(b"sec", b"ond")))
    assert answer(handler).body == b"second"
    assert answer(handler).field("Content-Length") is None
    assert handler.aborted is False


def test_a_request_leaves_no_reference_behind(wsgiref: SimpleNamespace) -> None:
    """D108: what the application made is freed with the request, without the collector."""

    class Result(list[bytes]):
        pass

    alive: list[weakref.ref[Result]] = []

    def app(environ: Any, start_response: Any) -> Result:
        start_response("200 OK", [])
        result = Result([b"a"])
        alive.append(weakref.ref(result))
        return result

    handler = make_handler(wsgiref)
    gc.collect()
    gc.disable()
    try:
        handler.run(app)
        assert alive[0]() is None
    finally:
        gc.enable()
