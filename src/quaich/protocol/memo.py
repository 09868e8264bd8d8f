"""Remembering what has been found sound: the same few values recur in every message.

A memo is a plain ``dict`` at module level, read with ``get`` or ``in`` and written through
:func:`remember`. It is bounded, and emptied when it is full: values that never recur (request
ids) must not keep out those that do. Long values, and fields that say who somebody is, are not
for it. Single dictionary operations only, so it needs no lock, with or without the GIL.
"""

from typing import Final, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

ENTRIES_MAX: Final = 1024
ENTRY_MAX: Final = 512
"""The longest text that is remembered (a status, or a field's name and value), characters."""

PRIVATE: Final = frozenset({"authentication-info", "location", "set-cookie", "www-authenticate"})
"""Fields that are not remembered, in lower case: their values can be secrets."""


def remember(memo: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Put an entry into the memo."""
    if len(memo) >= ENTRIES_MAX:
        memo.clear()
    memo[key] = value
