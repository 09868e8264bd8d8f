"""What is remembered of headers that were found sound: nothing that can change, nothing large."""

import tracemalloc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from handlers.harness import respond, run
from quaich import handlers as our_handlers
from quaich import headers as our_headers

OURS = SimpleNamespace(handlers=our_handlers)


class Pair:
    """Neither tuple nor list, and hashable although it can be changed."""

    def __init__(self, name: Any, value: Any) -> None:
        self.fields = [name, value]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fields)


class EqualToAll(tuple[str, str]):
    """A pair that says it is any other with the same hash."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(("A", "x\ny"))


def test_a_pair_that_can_be_changed_is_checked_each_time(wsgiref: SimpleNamespace) -> None:
    pair: Any = Pair("A", "x")
    assert len(wsgiref.headers.Headers([pair])) == 1
    pair.fields[1] = b"x"
    with pytest.raises(AssertionError):
        wsgiref.headers.Headers([pair])


@pytest.mark.defect("D076", upstream="gh-143916")
def test_so_is_what_stands_in_it(wsgiref: SimpleNamespace) -> None:
    pair: Any = Pair("A", "x")
    wsgiref.headers.Headers([pair])
    pair.fields[1] = "x\r\ny"
    with pytest.raises(ValueError, match="Control characters"):
        wsgiref.headers.Headers([pair])


@pytest.mark.defect("D076", upstream="gh-143916")
def test_a_pair_cannot_vouch_for_another(wsgiref: SimpleNamespace) -> None:
    wsgiref.headers.Headers([EqualToAll(("A", "x"))])
    with pytest.raises(ValueError, match="Control characters"):
        wsgiref.headers.Headers([("A", "x\ny")])


LARGE = 1_000_000


@pytest.mark.parametrize(
    "give",
    [
        lambda text: run(OURS, respond([b"a"], status=f"200 {text}")),
        lambda text: run(OURS, respond([b"a"], headers=[(text, "x")])),
        lambda text: run(OURS, respond([b"a"], headers=[("X-A", text)])),
        lambda text: our_headers.Headers([(text, "x")]),
        lambda text: our_headers.Headers([("X-A", text)]),
    ],
    ids=[
        "status",
        "name",
        "value",
        "name in Headers",
        "value in Headers",
    ],
)
def test_nothing_large_is_remembered(give: Callable[[str], object]) -> None:
    give("x")
    tracemalloc.start()
    try:
        give("x" * LARGE)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most > LARGE
    assert kept < LARGE // 2
