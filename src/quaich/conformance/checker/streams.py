"""``wsgi.input`` and ``wsgi.errors`` as the application gets them: what it does with them, and
what the server's streams give back.

Everything is passed on as it is. What PEP 3333 does not name is passed on too, and noted.
"""

import copy
from collections.abc import Iterable, Iterator
from operator import index
from typing import Any, Final, Protocol

from quaich.conformance.checker import site
from quaich.conformance.findings import Breach, Where, show


class Note(Protocol):
    """Takes a breach, who is to answer for it (``inner``, who calls, or ``outer``, the server's
    side), and where it was; None: where the call comes from."""

    def __call__(self, breach: Breach, party: str, where: Where | None = None, /) -> None: ...


_UNKNOWN: Final = -1


class _Stream:
    """A stream of the server's; copies and pickles are those of the stream alone."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __copy__(self) -> Any:
        return copy.copy(self._stream)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self._stream, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self._stream,)


def _itself(stream: Any) -> Any:
    return stream


class CheckedInput(_Stream):
    """``wsgi.input``. ``length``: CONTENT_LENGTH, or -1 where it is not known or of no account,
    because the stream is known to end."""

    __slots__ = ("_asked", "_left", "_note")

    def __init__(self, stream: Any, length: int, note: Note) -> None:
        super().__init__(stream)
        self._left = length
        self._note = note
        self._asked: set[str] = set()

    def read(self, *size: Any, **keywords: Any) -> Any:
        """As the stream's (S51-S54)."""
        if keywords:
            self._named("read", keywords)
            return self._took(self._stream.read(*size, **keywords), None, "read")
        if len(size) > 1 or (size and not _is_size(size[0])):
            self._note(Breach("A31", f"wsgi.input.read() is called with {show(size)}"), "inner")
        elif size and self._left >= 0 and size[0] is not None and index(size[0]) > self._left:
            self._read_too_far(f"read({index(size[0])})")
        data = self._stream.read(*size)
        return self._took(data, size[0] if size else None, "read")

    def readline(self, *size: Any, **keywords: Any) -> Any:
        """As the stream's (S55)."""
        if keywords:
            self._named("readline", keywords)
            return self._took(self._stream.readline(*size, **keywords), None, "readline")
        if len(size) > 1 or (size and not _is_size(size[0])):
            self._note(Breach("A31", f"wsgi.input.readline() is called with {show(size)}"), "inner")
        elif size and size[0] is not None and index(size[0]) >= 0:
            what = f"wsgi.input.readline() is called with a size, {index(size[0])}"
            self._note(Breach("A34", what), "inner")
        data = self._stream.readline(*size)
        return self._took(data, size[0] if size else None, "readline")

    def readlines(self, *hint: Any, **keywords: Any) -> Any:
        """As the stream's (S56)."""
        if keywords:
            self._named("readlines", keywords)
        lines = self._stream.readlines(*hint, **keywords)
        if type(lines) is not list:
            breach = Breach("S49", f"wsgi.input.readlines() gives {show(lines)}")
            self._note(breach, "outer", site.of_server(self._stream.readlines))
            return lines
        for line in lines:
            self._took(line, None, "readlines")
        return lines

    def __iter__(self) -> Iterator[Any]:
        for line in self._stream:
            yield self._took(line, None, "__iter__")

    def __next__(self) -> Any:
        self._note(Breach("A31", "wsgi.input is used as an iterator"), "inner")
        return self._took(next(self._stream), None, "__next__")

    def __enter__(self) -> Any:
        self._stream.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> Any:
        self._note(Breach("A32", "wsgi.input is closed at the end of a with statement"), "inner")
        return self._stream.__exit__(*exc_info)

    def close(self) -> None:
        """Not the application's to do (A32)."""
        self._note(Breach("A32", "wsgi.input is closed"), "inner")
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return _other(self._stream, name, "wsgi.input", self._note, self._asked)

    def _took(self, data: Any, size: Any, method: str) -> Any:
        if type(data) is not bytes:
            breach = Breach("S58", f"wsgi.input.{method}() gives {show(data)}")
            self._note(breach, "outer", site.of_server(getattr(self._stream, method)))
            return data
        if type(size) is int and 0 <= size < len(data):
            breach = Breach("S51", f"wsgi.input.{method}({size}) gives {len(data)} bytes")
            self._note(breach, "outer", site.of_server(getattr(self._stream, method)))
        if self._left > 0:
            self._left = max(0, self._left - len(data))
        return data

    def _named(self, method: str, keywords: dict[str, Any]) -> None:
        # What the parameters are called is the server's affair; some streams take no names.
        what = f"wsgi.input.{method}() is called with keywords: {', '.join(keywords)}"
        self._note(Breach("A31", what), "inner")

    def _read_too_far(self, call: str) -> None:
        self._note(
            Breach("A30", f"wsgi.input.{call} where {self._left} bytes of CONTENT_LENGTH are left"),
            "inner",
        )
        self._left = _UNKNOWN  # once is enough


class CheckedErrors(_Stream):
    """``wsgi.errors``."""

    __slots__ = ("_asked", "_note")

    def __init__(self, stream: Any, note: Note) -> None:
        super().__init__(stream)
        self._note = note
        self._asked: set[str] = set()

    def write(self, text: Any) -> Any:
        """As the stream's; takes a ``str`` (A33)."""
        self._check_text(text, "write")
        try:
            return self._stream.write(text)
        except UnicodeError as error:
            self._refused(error, "write")
            raise

    def writelines(self, lines: Any) -> None:
        """As the stream's."""
        if isinstance(lines, Iterator):
            lines = self._taken(lines)  # to be looked at, and then passed on
        for line in lines:
            self._check_text(line, "writelines")
        try:
            self._stream.writelines(lines)
        except UnicodeError as error:
            self._refused(error, "writelines")
            raise

    def _taken(self, lines: Iterable[Any]) -> list[Any]:
        taken: list[Any] = []
        try:
            taken.extend(lines)  # which keeps those before an error
        except BaseException:
            self._stream.writelines(taken)  # the lines before it arrive without a checker too
            raise
        return taken

    def _check_text(self, text: Any, method: str) -> None:
        if type(text) is not str:
            breach = Breach("A33", f"wsgi.errors.{method}() is called with {show(text)}")
            self._note(breach, "inner")
        elif "\r\n" in text:  # it may stand in what is told of
            what = f"wsgi.errors.{method}() is called with {show(text)}, with the line end \\r\\n"
            self._note(Breach("A33", what, "warning"), "inner")

    def _refused(self, error: UnicodeError, method: str) -> None:
        breach = Breach("S42", f"wsgi.errors.{method}() raises {show(error)}")
        self._note(breach, "outer", site.of_server(getattr(self._stream, method)))

    def flush(self) -> None:
        """As the stream's."""
        self._stream.flush()

    def close(self) -> None:
        """Not the application's to do (A32)."""
        self._note(Breach("A32", "wsgi.errors is closed"), "inner")
        self._stream.close()

    def __enter__(self) -> Any:
        self._stream.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> Any:
        self._note(Breach("A32", "wsgi.errors is closed at the end of a with statement"), "inner")
        return self._stream.__exit__(*exc_info)

    def __getattr__(self, name: str) -> Any:
        return _other(self._stream, name, "wsgi.errors", self._note, self._asked)


def _is_size(size: Any) -> bool:
    return size is None or type(size) is int or hasattr(type(size), "__index__")


def _other(stream: Any, name: str, variable: str, note: Note, asked: set[str]) -> Any:
    """An attribute that PEP 3333 does not name. A method is noted when it is called; and not if it
    was looked up before, without being called: that was ``hasattr()``, and whoever asks first gets
    by without it too."""
    value = getattr(stream, name)  # the AttributeError is as without a checker
    if name.startswith("__") or name in asked:
        return value
    breach = Breach("A31", f"{variable}.{name} is used")
    if not callable(value):
        note(breach, "inner")
        return value
    asked.add(name)

    def method(*args: Any, **keywords: Any) -> Any:
        note(breach, "inner")
        return value(*args, **keywords)

    return method
