"""What the application returned, as the server iterates over it.

A list or a tuple of blocks is looked at at once, and handed on as it is; so is a file wrapper of
the server's. Anything else is wrapped in an object that has ``len()`` if and only if the original
has it, ``close()`` if and only if the original has it, and calls nothing sooner than it would have
been called.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from quaich.conformance.checker import site
from quaich.conformance.findings import Breach, show

if TYPE_CHECKING:
    from quaich.conformance.checker.exchange import Exchange


_ONCE: Final = (
    "Call `close()` once. `yield from result` does so by itself when it is broken off and the "
    "result is its own iterator: write `for block in result` instead."
)


class _Blocks:
    """Gives the blocks of a result; each is looked at on its way."""

    __slots__ = ("_exchange", "_next", "_result")

    def __init__(self, result: Any, exchange: "Exchange") -> None:
        self._result = result
        self._exchange = exchange
        self._next: Any = None

    def __next__(self) -> Any:
        if self._next is None:  # next() without iter(), which only an iterator has
            kind = type(self._result)
            if not hasattr(kind, "__next__"):
                raise TypeError(f"{kind.__name__!r} object is not an iterator")
            self._next = self._result.__next__
        try:
            block = self._next()
        except StopIteration:
            self._exchange.exhausted(self._result)
            raise
        except BaseException:
            self._exchange.has_failed = True
            raise
        self._exchange.yielded(block, self._result)
        return block


class CheckedIterator(_Blocks):
    """An iterator over a result that is none itself."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Any, result: Any, exchange: "Exchange") -> None:
        super().__init__(result, exchange)
        self._iterator = iterator
        self._next = iterator.__next__

    def __iter__(self) -> Iterator[Any]:
        return self

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._iterator, name)
        if name != "close":
            return value

        def close() -> Any:
            # No breach yet: the result itself may be closed as well. A generator that is closed in
            # the midst of "yield from result" calls this by itself.
            self._exchange.closed_instead = site.caller()
            return value()

        return close


class CheckedResult(_Blocks):
    """An iterable without ``len()`` and ``close()``."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        iterator: Iterator[Any] = iter(self._result)
        if iterator is self._result:
            self._next = iterator.__next__
            return self
        if self._exchange.blocks:
            return iterator  # once more from the beginning: all has been looked at
        return CheckedIterator(iterator, self._result, self._exchange)

    def __getattr__(self, name: str) -> Any:
        # Whether it is there may be asked, and often is: by getattr(result, "close", None). An
        # object may also have got its close() only now.
        value = getattr(self._result, name)
        if name != "close" and not name.startswith("__"):
            breach = Breach(
                "S22", f"the attribute {name} of the result {show(self._result)} is used"
            )
            self._exchange.note(breach, "outer")
        return value


class Sized(CheckedResult):
    """An iterable with ``len()``."""

    __slots__ = ()

    def __len__(self) -> int:
        return _length(self)


def _length(checked: CheckedResult) -> int:
    length = len(checked._result)
    if not checked._exchange.blocks:
        checked._exchange.length = length  # what the server relies on
    return length


class Closable(CheckedResult):
    """An iterable with ``close()``."""

    __slots__ = ("_call", "_closed")

    def __init__(self, result: Any, exchange: "Exchange", call: Any) -> None:
        super().__init__(result, exchange)
        self._closed = 0
        self._call = call  # site.mark() of the call of the application

    def close(self) -> None:
        """As the result's own; is called once (S18)."""
        self._closed += 1
        if self._closed > 1:
            what = f"close() of the result {show(self._result)} is called again"
            self._exchange.note(Breach("S18", what, hint=_ONCE), "outer")
        self._exchange.closed()
        self._result.close()

    def __del__(self) -> None:
        # Whatever ends the request: once the server has the result, it has to close it.
        if self._closed or sys.is_finalizing():
            return
        instead = self._exchange.closed_instead
        if instead is not None:
            what = "close() of an iterator is called, and not that of the result"
            self._exchange.note_late(Breach("S19", f"{what} {show(self._result)}"), instead)
        else:
            what = f"close() of the result {show(self._result)} is not called"
            self._exchange.note_late(Breach("S18", what), site.of_mark(self._call))


class SizedClosable(Closable):
    """An iterable with both."""

    __slots__ = ()

    def __len__(self) -> int:
        return _length(self)


def watched(result: Any, exchange: "Exchange") -> CheckedResult:
    """The wrapper that has what the result has."""
    has_length = hasattr(type(result), "__len__")
    try:
        close = getattr(result, "close", None)
    except Exception:
        close = None  # it fails when the server asks for it, and not sooner
    if close is not None:
        # The server's frame, behind this one, Exchange.returned and Checker.__call__.
        call = site.mark(3)
        return (SizedClosable if has_length else Closable)(result, exchange, call)
    return (Sized if has_length else CheckedResult)(result, exchange)
