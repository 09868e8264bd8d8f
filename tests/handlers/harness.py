"""What the tests of handlers share: a run over byte streams, and one in a process of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support import Answer

TEXT = [("Content-Type", "text/plain")]

GET = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.0",
}


def make_handler(
    wsgiref: SimpleNamespace,
    environ: dict[str, Any] | None = None,
    stdin: bytes = b"",
    *,
    base: str = "SimpleHandler",
    stdout: Any = None,
    **attributes: Any,
) -> Any:
    """A handler over byte streams, of a subclass of the subject's ``base``.

    ``environ`` is added to :data:`GET`; ``attributes`` become those of the subclass, whose
    ``os_environ`` is empty unless one is given.
    """
    parent: Any = getattr(wsgiref.handlers, base)
    cls = type(f"Tested{base}", (parent,), {"os_environ": {}, **attributes})
    return cls(
        io.BytesIO(stdin),
        io.BytesIO() if stdout is None else stdout,
        io.StringIO(),
        {**GET, **(environ or {})},
    )


def answer(handler: Any) -> Answer:
    """What a handler made by :func:`make_handler` has sent and logged so far."""
    return Answer(handler.stdout.getvalue(), handler.stderr.getvalue())


def run(wsgiref: SimpleNamespace, app: Any, *args: Any, **kwargs: Any) -> Answer:
    """Run ``app`` once; the other parameters are those of :func:`make_handler`."""
    handler = make_handler(wsgiref, *args, **kwargs)
    handler.run(app)
    return answer(handler)


def respond(
    result: Any, status: str = "200 OK", headers: list[tuple[str, str]] | None = None
) -> Callable[..., Any]:
    """An application that answers always the same."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(TEXT if headers is None else headers))
        return result

    return app


class Blocks:
    """An iterable of blocks that counts its ``close()``. A block that is an exception is
    raised in its place; without ``__len__``, like most iterables that come out of frameworks."""

    def __init__(self, *blocks: Any, fails_to_close: BaseException | None = None) -> None:
        self.blocks = blocks
        self.closed = 0
        self.given = 0
        self.fails_to_close = fails_to_close

    def __iter__(self) -> Iterator[Any]:
        for block in self.blocks:
            if isinstance(block, BaseException):
                raise block
            self.given += 1
            yield block

    def close(self) -> None:
        self.closed += 1
        if self.fails_to_close is not None:
            raise self.fails_to_close


class Pipe(io.BytesIO):
    """An output that notes each write, and that ``error`` breaks at the write number ``after``."""

    def __init__(self, error: BaseException | None = None, after: int = 0) -> None:
        super().__init__()
        self.error = error
        self.after = after
        self.writes: list[bytes] = []
        self.flushes = 0

    def write(self, data: Any, /) -> int:
        if self.error is not None and len(self.writes) >= self.after:
            raise self.error
        self.writes.append(bytes(data))
        return super().write(data)

    def flush(self) -> None:
        self.flushes += 1
        super().flush()


def package(wsgiref: SimpleNamespace) -> str:
    """The subject's name: ``quaich`` or ``wsgiref``."""
    return str(wsgiref.handlers.__name__).partition(".")[0]


def run_python(
    wsgiref: SimpleNamespace,
    program: str,
    *options: str,
    environ: dict[str, str] | None = None,
    stdin: bytes = b"",
) -> Answer:
    """Run a program in a process of its own; in it, ``SUBJECT`` stands for the subject's name.

    The process has the environment it needs to find the subject, and ``environ``.
    """
    needed = {name: os.environ[name] for name in ("SYSTEMROOT", "PATH") if name in os.environ}
    needed["PYTHONPATH"] = os.pathsep.join(
        str(Path(module.__file__).parents[1])
        for module in (sys.modules.get("quaich"),)
        if module is not None and module.__file__ is not None
    )
    process = subprocess.run(
        [sys.executable, *options, "-c", program.replace("SUBJECT", package(wsgiref))],
        input=stdin,
        capture_output=True,
        env={**needed, **(environ or {})},
        timeout=30,
        check=False,
    )
    return Answer(process.stdout, process.stderr.decode("utf-8", "replace"))
