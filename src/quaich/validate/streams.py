"""``wsgi.input``, ``wsgi.errors`` and ``write()`` as the application sees them."""

from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from quaich.types import ErrorStream, InputStream
from quaich.validate.base import STREAMS, check_bytes, refuse, refuse_barely


class InputWrapper:
    """``wsgi.input`` as the application sees it: four methods, and every call checked.

    The server's stream is the attribute ``input``. A number of arguments that PEP 3333, "Input
    and Error Streams", does not promise, a ``close()``, and a result that is not bytes raise
    AssertionError.
    """

    def __init__(self, wsgi_input: InputStream) -> None:
        self.input = wsgi_input

    def read(self, *args: int) -> bytes:
        """Read up to a number of bytes. The number must be given.

        Kept: a server should allow ``read()``, says PEP 3333, but it need not, so a portable
        application does without. CPython's test_wsgi_input demands the refusal.
        """
        if len(args) != 1:
            fault = f"wsgi.input.read() takes one argument, the size (got {len(args)})"
            refuse_barely(f"{fault}; pass what is left of CONTENT_LENGTH", STREAMS)
        return check_bytes(self.input.read(*args), "The result of wsgi.input.read()")

    def readline(self, *args: int) -> bytes:
        """Read a line, or its beginning up to a number of bytes."""
        if len(args) > 1:
            fault = f"wsgi.input.readline() takes one argument at most (got {len(args)})"
            refuse_barely(f"{fault}, the size", STREAMS)
        return check_bytes(self.input.readline(*args), "The result of wsgi.input.readline()")

    def readlines(self, *args: int) -> list[bytes]:
        """Read the lines that are left, or until a hint's number of bytes is reached."""
        if len(args) > 1:
            fault = f"wsgi.input.readlines() takes one argument at most (got {len(args)})"
            refuse_barely(f"{fault}, the hint", STREAMS)
        lines = self.input.readlines(*args)
        if not isinstance(lines, list):
            refuse(f"wsgi.input.readlines() must return a list (got {lines!r})", STREAMS)
        for line in lines:
            check_bytes(line, "Each line of wsgi.input.readlines()")
        return lines

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def close(self) -> NoReturn:
        """Raise AssertionError: the stream belongs to the server."""
        refuse("input.close() must not be called: the stream is the server's", STREAMS)


class ErrorWrapper:
    """``wsgi.errors`` as the application sees it: three methods, and every call checked.

    The server's stream is the attribute ``errors``. A text that is not exactly ``str`` and a
    ``close()`` raise AssertionError. PEP 3333, "Input and Error Streams".
    """

    def __init__(self, wsgi_errors: ErrorStream) -> None:
        self.errors = wsgi_errors

    def write(self, s: str) -> None:
        """Write a text."""
        if type(s) is not str:
            refuse_barely(f"wsgi.errors takes text of type str (got {s!r})", STREAMS)
        self.errors.write(s)

    def flush(self) -> None:
        """Flush the server's stream."""
        self.errors.flush()

    def writelines(self, seq: Iterable[str]) -> None:
        """Write one text after the other."""
        for line in seq:
            self.write(line)

    def close(self) -> NoReturn:
        """Raise AssertionError: the stream belongs to the server."""
        refuse("errors.close() must not be called: the stream is the server's", STREAMS)


class WriteWrapper:
    """The ``write()`` callable as the application sees it (PEP 3333, "The write() Callable").

    The server's callable is the attribute ``writer``. `check_content` is called before each
    block that is not empty.
    """

    def __init__(
        self,
        wsgi_writer: Callable[[bytes], object],
        check_content: Callable[[], None] | None = None,
    ) -> None:
        self.writer = wsgi_writer
        self.check_content = check_content

    def __call__(self, s: bytes) -> None:
        """Pass the block `s` on; AssertionError if it is not bytes."""
        check_bytes(s, "The argument of write()")
        if s and self.check_content is not None:
            self.check_content()
        self.writer(s)
