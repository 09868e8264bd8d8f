"""What the application returned, as the server iterates over it.

A list or a tuple of blocks is looked at at once, and handed on as it is; so is a file wrapper of
the server's. Anything else is wrapped in an object that has ``len()`` if and only if the original
has it, ``close()`` if and only if the original has it, and calls nothing sooner than it would have
been called.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from quaich.conformance.findings import Breach, show

if TYPE_CHECKING:
    from quaich.conformance.checker.exchange import Exchange


class CheckedResult:
    """An iterable without ``len()`` and ``close()``."""

    __slots__ = ("_exchange", "_next", "_result", "blocks")

    def __init__(self, result: Any, exchange: "Exchange") -> None:
        self._result = result
        self._exchange = exchange
        self._next: Any = None
        self.blocks = 0

    def __iter__(self) -> Iterator[Any]:
        self._next = iter(self._result).__next__
        return self

    def __next__(self) -> Any:
        exchange = self._exchange
        if self._next is None:
            self._next = iter(self._result).__next__  # next() without iter(): as of an iterator
        exchange.is_iterating = True
        try:
            block = self._next()
        except StopIteration:
            exchange.is_iterating = False
            exchange.exhausted(self)
            raise
        except BaseException:
            exchange.is_iterating = False
            exchange.has_failed = True
            raise
        exchange.is_iterating = False
        self.blocks += 1
        exchange.yielded(block, self._result)
        return block

    def __getattr__(self, name: str) -> Any:
        # Whether it is there may be asked, and often is: by getattr(result, "close", None).
        value = getattr(self._result, name)
        if not name.startswith("__"):
            breach = Breach(
                "S22", f"the attribute {name} of the result {show(self._result)} is used"
            )
            self._exchange.note(breach, "outer")
        return value


class Sized(CheckedResult):
    """An iterable with ``len()``."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._result)


class Closable(CheckedResult):
    """An iterable with ``close()``."""

    __slots__ = ("_closed",)

    def __init__(self, result: Any, exchange: "Exchange") -> None:
        super().__init__(result, exchange)
        self._closed = 0

    def close(self) -> None:
        """As the result's own; is called once (S18)."""
        self._closed += 1
        if self._closed > 1:
            breach = Breach("S18", f"close() of the result {show(self._result)} is called again")
            self._exchange.note(breach, "outer")
        self._exchange.closed()
        self._result.close()

    def __del__(self) -> None:
        # Whatever ends the request: once the server has the result, it has to close it.
        if not self._closed and not sys.is_finalizing():
            breach = Breach("S18", f"close() of the result {show(self._result)} is not called")
            self._exchange.note_late(breach)


class SizedClosable(Closable):
    """An iterable with both."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._result)


def watched(result: Any, exchange: "Exchange") -> CheckedResult:
    """The wrapper that has what the result has."""
    kind = type(result)
    has_length = hasattr(kind, "__len__")
    if hasattr(result, "close"):
        return (SizedClosable if has_length else Closable)(result, exchange)
    return (Sized if has_length else CheckedResult)(result, exchange)
