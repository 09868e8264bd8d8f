"""``wsgi.input`` and ``wsgi.errors`` as the application gets them: what it does with them, and
what the server's streams give back.

Everything is passed on as it is. What PEP 3333 does not name is passed on too, and noted.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from quaich.conformance.findings import Breach, show

Note = Callable[[Breach, str], None]
"""Takes a breach and who is to answer for it: ``inner``, who calls, or ``outer``, the server's
side."""

_UNKNOWN: Final = -1


class CheckedInput:
    """``wsgi.input``. ``length``: CONTENT_LENGTH, or -1 where it is not known or of no account,
    because the stream is known to end."""

    __slots__ = ("_left", "_note", "_stream")

    def __init__(self, stream: Any, length: int, note: Note) -> None:
        self._stream = stream
        self._left = length
        self._note = note

    def read(self, *size: Any) -> Any:
        """As the stream's (S51-S54)."""
        if len(size) > 1 or (size and size[0] is not None and type(size[0]) is not int):
            self._note(Breach("A31", f"wsgi.input.read() is called with {show(size)}"), "inner")
        elif size and self._left >= 0 and (size[0] or 0) > self._left:
            self._read_too_far(f"read({size[0]})")
        data = self._stream.read(*size)
        return self._took(data, size[0] if size else None, "read")

    def readline(self, *size: Any) -> Any:
        """As the stream's (S55)."""
        if len(size) > 1:
            self._note(Breach("A31", f"wsgi.input.readline() is called with {show(size)}"), "inner")
        data = self._stream.readline(*size)
        return self._took(data, size[0] if size else None, "readline")

    def readlines(self, *hint: Any) -> Any:
        """As the stream's (S56)."""
        lines = self._stream.readlines(*hint)
        if type(lines) is not list:
            self._note(Breach("S49", f"wsgi.input.readlines() gives {show(lines)}"), "outer")
            return lines
        for line in lines:
            self._took(line, None, "readlines")
        return lines

    def __iter__(self) -> Iterator[Any]:
        for line in self._stream:
            yield self._took(line, None, "__iter__")

    def close(self) -> None:
        """Not the application's to do (A32)."""
        self._note(Breach("A32", "wsgi.input is closed"), "inner")
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return _other(self._stream, name, "wsgi.input", self._note)

    def _took(self, data: Any, size: Any, method: str) -> Any:
        if type(data) is not bytes:
            self._note(Breach("S58", f"wsgi.input.{method}() gives {show(data)}"), "outer")
            return data
        if type(size) is int and 0 <= size < len(data):
            self._note(
                Breach("S51", f"wsgi.input.{method}({size}) gives {len(data)} bytes"), "outer"
            )
        if self._left > 0:
            self._left = max(0, self._left - len(data))
        return data

    def _read_too_far(self, call: str) -> None:
        self._note(
            Breach("A30", f"wsgi.input.{call} where {self._left} bytes of CONTENT_LENGTH are left"),
            "inner",
        )
        self._left = _UNKNOWN  # once is enough


class CheckedErrors:
    """``wsgi.errors``."""

    __slots__ = ("_note", "_stream")

    def __init__(self, stream: Any, note: Note) -> None:
        self._stream = stream
        self._note = note

    def write(self, text: Any) -> Any:
        """As the stream's; takes a ``str`` (A33)."""
        if type(text) is not str:
            self._note(Breach("A33", f"wsgi.errors.write() is called with {show(text)}"), "inner")
        try:
            return self._stream.write(text)
        except UnicodeError as error:
            self._note(Breach("S42", f"wsgi.errors.write() raises {show(error)}"), "outer")
            raise

    def writelines(self, lines: Any) -> None:
        """As the stream's."""
        self._stream.writelines(lines)

    def flush(self) -> None:
        """As the stream's."""
        self._stream.flush()

    def close(self) -> None:
        """Not the application's to do (A32)."""
        self._note(Breach("A32", "wsgi.errors is closed"), "inner")
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return _other(self._stream, name, "wsgi.errors", self._note)


def _other(stream: Any, name: str, variable: str, note: Note) -> Any:
    """An attribute that PEP 3333 does not name. To ask whether there is one is no harm; so a
    method is noted when it is called."""
    value = getattr(stream, name)  # the AttributeError is as without a checker
    if name.startswith("__"):
        return value
    breach = Breach("A31", f"{variable}.{name} is used")
    if not callable(value):
        note(breach, "inner")
        return value

    def method(*args: Any, **keywords: Any) -> Any:
        note(breach, "inner")
        return value(*args, **keywords)

    return method
