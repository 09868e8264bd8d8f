"""Servers that call, iterate and close wrongly, or whose callables and streams are wrong: S07,
S13, S18, S19, S22, S42, S45, S49, S51, S58. The application keeps all rules."""

import io
from collections.abc import Iterator
from typing import Any

from conformance.corpus import breaks
from conformance.gateway import Gateway, TwoThreads, gateway_with, meeting

PLAIN = [("Content-Type", "text/plain")]


def tolerant(environ: Any = None, start_response: Any = None, *more: Any, **keywords: Any) -> Any:
    """An application that takes what comes."""
    if start_response is not None:
        start_response("200 OK", PLAIN)
    return [b"content"]


# -- S07: the call --------------------------------------------------------------------------


@breaks("S07", application=tolerant)
class CallsWithKeywords(Gateway):
    def call(self, application: Any) -> Any:
        return application(environ=self.environ, start_response=self.start_response)  # guilty


@breaks("S07", application=tolerant)
class CallsWithOneKeyword(Gateway):
    def call(self, application: Any) -> Any:
        return application(self.environ, start_response=self.start_response)  # guilty


@breaks("S07", application=tolerant)
class CallsWithThree(Gateway):
    def call(self, application: Any) -> Any:
        return application(self.environ, self.start_response, None)  # guilty


@breaks("S07", application=tolerant)
class CallsWithOne(Gateway):
    def call(self, application: Any) -> Any:
        return application(self.environ)  # guilty


@breaks("S07", application=tolerant)
class CallsWithNone(Gateway):
    def call(self, application: Any) -> Any:
        return application()  # guilty


@breaks("S07", application=tolerant)
class CallsWithMore(Gateway):
    def call(self, application: Any) -> Any:
        return application(self.environ, self.start_response, more=None)  # guilty


# -- S13: start_response --------------------------------------------------------------------


@breaks("S13")
class ReturnsNoWrite(Gateway):
    def start_response(self, *args: Any) -> Any:  # guilty
        super().start_response(*args)


# -- S18, S19: close() ----------------------------------------------------------------------


class Closable:
    """A result that is no iterator."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"content"])

    def close(self) -> None:
        pass


class ClosableGenerating(Closable):
    """A result whose iterators have close() as well."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"content"


class ClosableIterator(Closable):
    """A result that is."""

    def __init__(self) -> None:
        self._blocks = iter([b"content"])

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._blocks)


class ClosableSized(Closable):
    """A result with len()."""

    def __len__(self) -> int:
        return 1


def closable(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return Closable()


def closable_iterator(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return ClosableIterator()


def closable_sized(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return ClosableSized()


def closable_generating(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return ClosableGenerating()


def generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"content"


def failing(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"content"
    raise ValueError("an error")


for application in (closable, closable_iterator, closable_sized, generator, failing):
    name = application.__name__

    @breaks("S18", name, application=application, misses=("V34",))
    class ClosesTwice(Gateway):
        def close(self, result: Any) -> None:
            result.close()
            result.close()  # guilty

    # There is no step to name: the place is where the server called the application.
    @breaks("S18", name, application=application, guilty="Gateway.call", late=True, misses=("V34",))
    class NeverCloses(Gateway):
        def close(self, result: Any) -> None:
            pass


@breaks("S18", "unstarted", application=generator, guilty="Gateway.call", late=True)
@breaks("S18", application=closable, guilty="Gateway.call", late=True, misses=("V34",))
class TakesNothingAndNeverCloses(Gateway):
    stop_after = 0

    def close(self, result: Any) -> None:
        pass


@breaks("S18", "thrice", application=closable, count=2, misses=("V34",))
class ClosesThrice(Gateway):
    def close(self, result: Any) -> None:
        result.close()
        for _ in range(2):
            result.close()  # guilty


@breaks("S19", application=closable_generating, late=True)
class ClosesTheIterator(Gateway):
    """And not the result."""

    def iterate(self, result: Any) -> None:
        iterator = iter(result)
        self.blocks += iterator
        iterator.close()  # guilty

    def close(self, result: Any) -> None:
        pass


# -- S22: other attributes ------------------------------------------------------------------


class Attributed(Closable):
    """A result with attributes."""

    length = 7

    def fileno(self) -> int:
        return 0


def attributed(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return Attributed()


@breaks("S22", application=attributed)
class UsesAnAttribute(Gateway):
    def iterate(self, result: Any) -> None:
        if result.length:  # guilty
            super().iterate(result)


@breaks("S22", application=attributed)
class UsesAMethod(Gateway):
    def iterate(self, result: Any) -> None:
        result.fileno()  # guilty
        super().iterate(result)


@breaks("S22", application=generator)
class SendsToTheGenerator(Gateway):
    def iterate(self, result: Any) -> None:
        for block in result:
            self.write(block)
            break
        try:
            result.send(None)  # guilty
        except StopIteration:
            pass


# -- S42, S49, S51, S58: streams ------------------------------------------------------------


class Content(io.BytesIO):
    """Gives of each method what it is told."""

    def __init__(self, **gives: Any) -> None:
        super().__init__(b"one\ntwo\n")
        self.gives = gives

    def read(self, *size: Any) -> Any:  # guilty
        return self.gives.get("read", super().read(*size))

    def readline(self, *size: Any) -> Any:  # guilty
        return self.gives.get("readline", super().readline(*size))

    def readlines(self, *hint: Any) -> Any:  # guilty
        return self.gives.get("readlines", super().readlines(*hint))

    def __iter__(self) -> Any:  # guilty
        return iter(self.gives.get("iter", [b"one\n", b"two\n"]))


def reading(environ: Any, start_response: Any) -> list[bytes]:
    stream = environ["wsgi.input"]
    start_response("200 OK", PLAIN)
    stream.read(2)
    stream.readline()
    stream.readlines()
    for _ in stream:
        pass
    return []


def giving(rule: str, method: str, what: str, data: Any, **parts: Any) -> None:
    """A server whose wsgi.input gives this."""

    def make_environ(self: Any) -> Any:
        stream = Content(**{method.strip("_"): data})
        return {**Gateway.make_environ(self), "wsgi.input": stream, "CONTENT_LENGTH": "8"}

    gateway = gateway_with(make_environ=make_environ)
    parts.setdefault("application", reading)
    breaks(rule, f"{method} gives {what}", guilty=f"Content.{method}", **parts)(gateway)


for what, data in {
    "text": "on",
    "nothing in words": "",
    "a bytearray": bytearray(b"on"),
    "None": None,
}.items():
    giving("S58", "read", what, data)
    giving("S58", "readline", what, data)
    giving("S58", "readlines", f"a list of {what}", [b"one\n", data])
    giving("S58", "__iter__", what, [b"one\n", data])

giving("S51", "read", "too much", b"one")
giving("S49", "readlines", "a tuple", (b"one\n",))
giving("S49", "readlines", "None", None)


def reading_a_part_of_a_line(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", PLAIN)
    environ["wsgi.input"].readline(2)
    return []


giving("S51", "readline", "too much", b"one\n", application=reading_a_part_of_a_line, also=("A34",))


class Narrow(io.StringIO):
    """Takes ASCII only."""

    def write(self, text: str) -> int:  # guilty
        text.encode("ascii")
        return super().write(text)

    def writelines(self, lines: Any) -> None:  # guilty
        for line in lines:
            self.write(line)


def smiling(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.errors"].write("\U0001f600")
    return []


def smiling_in_lines(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.errors"].writelines(["one", "\U0001f600"])
    return []


for application, method in ((smiling, "write"), (smiling_in_lines, "writelines")):
    breaks("S42", method, application=application, guilty=f"Narrow.{method}")(
        gateway_with({"wsgi.errors": Narrow()})
    )


# -- S45: two threads -----------------------------------------------------------------------


breaks("S45", "two threads", application=meeting, guilty="Gateway.call")(TwoThreads)
