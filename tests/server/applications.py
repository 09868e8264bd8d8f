"""Applications for the tests of the server."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from server.wire import Gate

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

PLAIN = [("Content-Type", "text/plain")]


def hello(environ: Environ, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    return [b"hello"]


def echo(environ: Environ, start_response: Any) -> list[bytes]:
    """The request's content, and its path in a field."""
    content = environ["wsgi.input"].read()
    start_response("200 OK", [*PLAIN, ("X-Path", environ["PATH_INFO"])])
    return [content]


def path(environ: Environ, start_response: Any) -> list[bytes]:
    """The path, as content."""
    start_response("200 OK", PLAIN)
    return [environ["PATH_INFO"].encode("latin-1")]


def answering(
    result: Any, status: str = "200 OK", headers: list[tuple[str, str]] | None = None
) -> Application:
    """An application with always the same answer; ``result`` may be a function that makes it."""

    def application(environ: Environ, start_response: Any) -> Any:
        start_response(status, list(PLAIN if headers is None else headers))
        return result() if callable(result) else result

    return application


class Recorder:
    """Keeps each environ, and answers ``ok``."""

    def __init__(self) -> None:
        self.environs: list[Environ] = []

    @property
    def environ(self) -> Environ:
        assert self.environs, "the application was not called"
        return self.environs[-1]

    def __call__(self, environ: Environ, start_response: Any) -> list[bytes]:
        self.environs.append(dict(environ))
        start_response("200 OK", PLAIN)
        return [b"ok"]


class Blocks:
    """An iterable of blocks that counts what is done with it. A block that is an exception is
    raised, one that is callable is called: for its value, if that is bytes."""

    def __init__(self, *blocks: Any) -> None:
        self._blocks = blocks
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.taken += 1
            if isinstance(block, BaseException):
                raise block
            if callable(block):
                block = block()
                if block is None:
                    continue
            yield block

    def close(self) -> None:
        self.closed += 1


class Held:
    """An application that waits in each call whose path begins with ``/wait`` until its gate
    opens; others are answered at once. Counts calls, and how many are inside at once."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.calls: list[str] = []

    def __call__(self, environ: Environ, start_response: Any) -> list[bytes]:
        name = environ["PATH_INFO"]
        with self.lock:
            self.calls.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            if name.startswith("/wait"):
                self.gate.wait()
        finally:
            with self.lock:
                self.inside -= 1
        start_response("200 OK", PLAIN)
        return [name.encode("latin-1")]
