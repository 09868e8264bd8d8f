"""Servers that look odd and keep all rules."""

import io
import itertools
import threading
from collections.abc import Generator, Iterator
from typing import Any

from conformance.corpus import legal
from conformance.gateway import Gateway, TwoThreads, correct, gateway_with, meeting
from conformance.odd import Counted

PLAIN = [("Content-Type", "text/plain")]


def having(name: str, changes: dict[Any, Any] | None = None, *absent: str, **parts: Any) -> None:
    """A server with this in its environ."""
    legal(name, **parts)(gateway_with(changes, absent))


# -- The environ ----------------------------------------------------------------------------

having("no SCRIPT_NAME", None, "SCRIPT_NAME")
having("no PATH_INFO", {"SCRIPT_NAME": "/app"}, "PATH_INFO")
having("no QUERY_STRING", None, "QUERY_STRING")
having("neither path", None, "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")
having("an empty path", {"PATH_INFO": ""})
having("a path of slashes", {"PATH_INFO": "//"})
having("SCRIPT_NAME", {"SCRIPT_NAME": "/app", "PATH_INFO": ""})
having("OPTIONS *", {"REQUEST_METHOD": "OPTIONS", "PATH_INFO": "*"})
having("PROPFIND", {"REQUEST_METHOD": "PROPFIND"})
having("a method of marks", {"REQUEST_METHOD": "M-SEARCH!"})
having("a method in lower case", {"REQUEST_METHOD": "get"})
having("ws", {"wsgi.url_scheme": "ws"})
having("https", {"wsgi.url_scheme": "https", "HTTPS": "on"})
having("HTTP/1.0", {"SERVER_PROTOCOL": "HTTP/1.0"})
having("HTTP/2", {"SERVER_PROTOCOL": "HTTP/2"})
having("HTTP/0.9", {"SERVER_PROTOCOL": "HTTP/0.9"})
having("INCLUDED", {"SERVER_PROTOCOL": "INCLUDED"})
having("port 0", {"SERVER_PORT": "0"})
having("a name of IPv6", {"SERVER_NAME": "::1"})
having("octets in the path", {"PATH_INFO": "/\x80\xff\x00\n"})
having("octets in a field", {"HTTP_X": "\xe9\t"})
having("empty fields", {"HTTP_X": "", "HTTP_ACCEPT": ""})
having("empty content", {"CONTENT_LENGTH": "", "CONTENT_TYPE": ""})
having("no content", {"CONTENT_LENGTH": "0"})
having("a very long content", {"CONTENT_LENGTH": "9" * 40})
having("variables of the system", {"PATH": "/bin", "LC_ALL": "C", "_": "", "lower": "case"})
having("extensions", {"gateway.socket": object(), "x_y.z1.w": None, "wsgi.websocket": None})
having("numbers as flags", {"wsgi.multithread": 1, "wsgi.multiprocess": 0, "wsgi.run_once": 0})
having("None as a flag", {"wsgi.run_once": None})
having("no file wrapper to be called with more", {"wsgi.file_wrapper": lambda file, size=1: file})


class Minimal:
    """A stream with what PEP 3333 names, and no more."""

    def read(self, size: int = -1) -> bytes:
        return b""

    def readline(self) -> bytes:
        return b""

    def readlines(self, hint: int = -1) -> list[bytes]:
        return []

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def write(self, text: str) -> None:
        pass

    def writelines(self, lines: Any) -> None:
        pass

    def flush(self) -> None:
        pass


having("minimal streams", {"wsgi.input": Minimal(), "wsgi.errors": Minimal()})


class Dynamic:
    """A stream that finds its methods when they are asked for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)


having(
    "streams by __getattr__",
    {"wsgi.input": Dynamic(io.BytesIO()), "wsgi.errors": Dynamic(io.StringIO())},
)


# -- Iteration and the end ------------------------------------------------------------------


class Closable:
    """A result that is no iterator, with close()."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.blocks)

    def close(self) -> None:
        pass


class ClosableAndCounted(Closable):
    """With len() as well."""

    def __len__(self) -> int:
        return len(self.blocks)


def closable(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Length", "7")])
    return Closable(b"con", b"tent")


def closable_and_counted(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Length", "7")])
    return ClosableAndCounted(b"con", b"tent")


def counted(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Length", "7")])
    return Counted([b"con", b"tent"], 2)


def generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "7")])
    yield b"con"
    yield b"tent"


for application in (correct, closable, closable_and_counted, counted, generator):
    name = application.__name__

    for stop in (0, 1, 2):
        legal(f"{name}, closed after {stop}", application=application)(
            gateway_with(stop_after=stop)
        )

    @legal(name, application=application)
    class PeeksAtTheFirstBlock(Gateway):
        """The first block decides about the headers; the others follow."""

        def iterate(self, result: Any) -> None:
            iterator = iter(result)
            first = next(iterator, b"")
            for block in itertools.chain([first], iterator):
                self.write(block)

    @legal(name, application=application)
    class GoesOnWithTheIterator(Gateway):
        def iterate(self, result: Any) -> None:
            iterator = iter(result)
            for _ in range(2):
                for block in iterator:
                    self.write(block)
                    break

    @legal(name, application=application)
    class AsksAfterTheEnd(Gateway):
        def iterate(self, result: Any) -> None:
            iterator = iter(result)
            self.blocks += iterator
            for _ in range(3):
                next(iterator, None)

    @legal(name, application=application)
    class AsksForLenAndClose(Gateway):
        def iterate(self, result: Any) -> None:
            try:
                self.length = len(result)
            except TypeError:
                pass
            getattr(result, "close", None)
            hasattr(result, "fileno")
            isinstance(result, io.IOBase)
            super().iterate(result)

    @legal(name, application=application)
    class IteratesInAnotherThread(Gateway):
        def iterate(self, result: Any) -> None:
            thread = threading.Thread(target=self.blocks.extend, args=(result,))
            thread.start()
            thread.join()

    @legal(name, application=application)
    class Fails(Gateway):
        """The client has gone."""

        def write(self, block: Any, /) -> None:
            raise BrokenPipeError


class ClosableGenerating(Closable):
    """Each iterator over it has close() as well."""

    def __iter__(self) -> Iterator[bytes]:
        yield from self.blocks


def closable_generating(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return ClosableGenerating(b"con", b"tent")


@legal(application=closable_generating)
class ClosesTheIteratorToo(Gateway):
    """A generator does, that is closed in the midst of "yield from"."""

    def iterate(self, result: Any) -> None:
        def blocks() -> Generator[bytes, None, None]:
            yield from result

        passed = blocks()
        self.write(next(passed))
        passed.close()


@legal()
class EditsTheHeaders(Gateway):
    """A server may (S60)."""

    def start_response(self, status: Any, headers: Any, *more: Any) -> Any:
        write = super().start_response(status, headers, *more)
        headers.append(("Server", "gateway/1.0"))
        headers.reverse()
        return write


@legal(application=generator)
class EditsTheHeadersBehindTheFirstBlock(Gateway):
    """When it sends the head, as wsgiref does."""

    def write(self, block: Any, /) -> None:
        super().write(block)
        self.headers.append(("Server", "gateway/1.0"))


@legal()
class OtherCallables(Gateway):
    """start_response and write() are objects."""

    def call(self, application: Any) -> Any:
        gateway = self

        class Write:
            def __call__(self, block: Any) -> None:
                gateway.write(block)

        class StartResponse:
            def __call__(self, *args: Any) -> Any:
                gateway.start_response(*args)
                return Write()

        return application(self.environ, StartResponse())


@legal(application=meeting)
class CallsByTwoThreads(TwoThreads):
    """As it says that it does."""

    changes = {"wsgi.multithread": True}


class Calling:
    """An application that calls itself, as one does for an error page."""

    checked: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/":
            return environ["gateway.self"]({**environ, "PATH_INFO": "/page"}, start_response)
        return correct(environ, start_response)


@legal(application=Calling())
class CallsWhatCallsItself(Gateway):
    def call(self, application: Any) -> Any:
        self.environ["gateway.self"] = application
        return super().call(application)
