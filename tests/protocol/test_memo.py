"""Remembering what has been found sound."""

from quaich import headers
from quaich.protocol.memo import ENTRIES_MAX, ENTRY_MAX, PRIVATE, remember


def test_a_memo_is_emptied_when_it_is_full() -> None:
    memo: dict[int, str] = {}
    for number in range(ENTRIES_MAX):
        remember(memo, number, "x")
    assert len(memo) == ENTRIES_MAX
    remember(memo, -1, "y")
    assert memo == {-1: "y"}


def test_headers_remember_nothing_private_and_nothing_long() -> None:
    headers._sound.clear()
    headers.Headers([(name.title(), "secret") for name in PRIVATE])
    headers.Headers([("A", "x" * ENTRY_MAX), ("A" * ENTRY_MAX, "x")])
    assert headers._sound == {}
    headers.Headers([("A", "x" * (ENTRY_MAX - 1))])
    assert len(headers._sound) == 1
