"""WSGI servers that break rules, each with the rules that it breaks."""

import contextlib
import io
from collections import ChainMap
from collections.abc import Iterator
from typing import Any

from conformance.wsgi_toy import Exchange, Input, Wrapper, serve
from quaich.conformance.probe import application

BROKEN: list[tuple[type[Exchange], str, tuple[str, ...]]] = []


def breaks(*rules: str) -> Any:
    """A server that breaks these rules, and what the details have to contain, behind a bar."""

    def register(kind: type[Exchange]) -> type[Exchange]:
        for rule in rules:
            name, _, words = rule.partition("|")
            BROKEN.append((kind, name, tuple(words.split("|")) if words else ()))
        return kind

    return register


@breaks("S03", "S36")
class BytesInEnviron(Exchange):
    def environ(self) -> Any:
        return {**super().environ(), "SERVER_NAME": b"toy"}


@breaks("S04|PATH_INFO", "S86|PATH_INFO")
class PathsInUnicode(Exchange):
    def decoded(self, path: str) -> str:
        return super().decoded(path).encode("latin-1").decode("utf-8", "replace")


@breaks("S05|on the same connection")
class KeepsNothing(Exchange):
    """The second request on a connection is an error."""

    def run(self) -> bool:
        kept = super().run()
        if kept and self.read():
            self.is_sent = False
            self.left = None
            self.fail()
        return False


@breaks("S09")
class OneEnvironForAll(Exchange):
    shared: dict[Any, Any] = {}

    def environ(self) -> Any:
        fresh = super().environ()
        for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "wsgi.input"):
            self.shared[name] = fresh[name]
        for name, value in fresh.items():
            self.shared.setdefault(name, value)
        return self.shared


@breaks("S06|2 times")
class CallsAgain(Exchange):
    def call(self, environ: Any) -> Any:
        with contextlib.suppress(application.ProbeError):
            return super().call(environ)
        return super().call(environ)


@breaks("S07|keywords")
class CallsWithKeywords(Exchange):
    def call(self, environ: Any) -> Any:
        return serve(environ=environ, start_response=self.start_response)


@breaks("S08|ChainMap")
class OtherMapping(Exchange):
    def environ(self) -> Any:
        return ChainMap(super().environ(), {})


@breaks("S09|emptied")
class NeedsItsEnviron(Exchange):
    def call(self, environ: Any) -> Any:
        result = super().call(environ)
        self.method = environ["REQUEST_METHOD"]
        return result


@breaks("S10|wsgi.run_once", "S40|no wsgi.input")
class LeavesOut(Exchange):
    def environ(self) -> Any:
        environ = super().environ()
        del environ["wsgi.run_once"], environ["wsgi.input"]
        return environ


@breaks("S11|REQUEST_ID", "S48|Toy.Socket", "S31|HTTP_X_ADDED", "S35|REMOTE_USER", "S106")
class Adds(Exchange):
    def environ(self) -> Any:
        more = {"REQUEST_ID": "1", "Toy.Socket": 1, "HTTP_X_ADDED": "1", "REMOTE_USER": ""}
        return {**super().environ(), **more, "SERVER_NAME": "::1"}


@breaks("S12", "S13|write()")
class StrictStart(Exchange):
    def call(self, environ: Any) -> Any:
        def start(status: Any, headers: Any) -> None:
            self.start_response(status, headers)

        return serve(environ, start)


@breaks("S14|arrives together", "S81|arrives together", "S82")
class Buffers(Exchange):
    def send_result(self, result: Any) -> None:
        self.send(b"".join(result))


@breaks("S15|all octets")
class ChangesLines(Exchange):
    def send(self, data: Any, size: int | None = None) -> None:
        super().send(data.replace(b"\n", b"\r\n"), None)


@breaks("S18|0 times", "S19", "S118")
class ClosesNothing(Exchange):
    def close(self, result: Any) -> None:
        pass


@breaks("S18|2 times")
class ClosesTwice(Exchange):
    def close(self, result: Any) -> None:
        super().close(result)
        super().close(result)


@breaks("S18|first block raises is called 0 times")
class ClosesAtTheEndOnly(Exchange):
    def run(self) -> bool:
        if not self.read():
            return False
        try:
            result = self.call(self.environ())
            self.send_result(result)
            self.close(result)
            self.end()
        except Exception:
            self.fail()
        return self.keeps


@breaks("S19|that of its iterator instead")
class ClosesTheIterator(Exchange):
    def call(self, environ: Any) -> Any:
        return iter(super().call(environ))


@breaks("S21", "S66|empty block")
class HeadFirst(Exchange):
    def send_result(self, result: Any) -> None:
        self.send(b"")
        super().send_result(result)


@breaks("S22|fileno")
class AsksForFiles(Exchange):
    def send_result(self, result: Any) -> None:
        if not hasattr(result, "fileno"):
            super().send_result(result)


@breaks("S23|REPORT", "S30|HTTP/1.0", "S39|https", "S38", "S29|SERVER_PORT", "S32|REMOTE_ADDR")
class Assumes(Exchange):
    def environ(self) -> Any:
        environ = super().environ()
        if self.method == "REPORT":
            environ["REQUEST_METHOD"] = "GET"
        environ["SERVER_PROTOCOL"] = "HTTP/1.1"
        environ.update({"wsgi.url_scheme": "https", "wsgi.version": [1, 0], "SERVER_PORT": 80})
        environ["REMOTE_ADDR"] += ":1234"
        return environ


@breaks("S24|without a slash")
class Mounted(Exchange):
    def environ(self) -> Any:
        environ = super().environ()
        return {**environ, "SCRIPT_NAME": "cup", "PATH_INFO": environ["PATH_INFO"]}


@breaks("S25|%20")
class DecodesNoPath(Exchange):
    def decoded(self, path: str) -> str:
        return path


@breaks("S26", "S27|text/plain", "S28|''")
class Alters(Exchange):
    def environ(self) -> Any:
        environ = {"CONTENT_TYPE": "text/plain", **super().environ()}
        query = environ["QUERY_STRING"]
        environ.update(QUERY_STRING=query.replace("%20", "+"), CONTENT_LENGTH="")
        return environ


@breaks("S31|process")
class Leaks(Exchange):
    def environ(self) -> Any:
        return {"HTTP_X_QUAICH_TEST": "leaked", **super().environ()}


class _Errors:
    def write(self, text: str) -> None:
        text.encode("ascii")
        if text.count("\n") > 1:
            raise ValueError("one line only")


@breaks("S41|one line only", "S42|UnicodeEncodeError", "S50|writelines")
class PoorErrors(Exchange):
    def errors(self) -> Any:
        return _Errors()


@breaks("S45")
class SaysOneThread(Exchange):
    def environ(self) -> Any:
        return {**super().environ(), "wsgi.multithread": False}


@breaks("S46")
class ManyProcesses(Exchange):
    def call(self, environ: Any) -> Any:
        result = super().call(environ)
        return [
            each.replace(b'"pid": ', b'"pid": %d' % self.sock.getpeername()[1]) for each in result
        ]

    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        return super().start_response(
            status, [each for each in headers if each[0] != "Content-Length"]
        )


@breaks("S47")
class SaysOnce(Exchange):
    def environ(self) -> Any:
        return {**super().environ(), "wsgi.run_once": True}


@breaks("S40", "S49", "S58|bytearray", "S88|str")
class TextInput(Exchange):
    class _Stream:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def read(self, size: int = -1) -> Any:
            return bytearray(self.stream.read(size)[:4])

    def input(self) -> Any:
        return self._Stream(super().input())

    def send(self, data: Any, size: int | None = None) -> None:
        super().send(data.encode() if isinstance(data, str) else bytes(data), size)


class _Lines(io.BufferedReader):
    def readline(self, size: Any = -1) -> bytes:
        return super().readline().rstrip(b"\n")


@breaks("S51|readline()", "S55|readline(3)")
class CutsLines(Exchange):
    def input(self) -> Any:
        return _Lines(Input(self))


@breaks("S52|wait", "S53|wait", "S54|wait", "S96")
class RawInput(Exchange):
    def input(self) -> Any:
        return self.file


@breaks("S61|Date")
class NoDate(Exchange):
    def send_head(self, size: int | None = None) -> None:
        if self.head:
            self.head[1].append(("Date", ""))
        super().send_head(size)


@breaks("S62|twice")
class LooksAtCase(Exchange):
    def send_head(self, size: int | None = None) -> None:
        if self.head and "Date" not in dict(self.head[1]):
            self.head[1].append(("Date", "now"))
        super().send_head(size)


@breaks("S63|Connection", "S64", "S87|euro")
class ChecksNothing(Exchange):
    def check(self, status: Any, headers: Any) -> None:
        pass


@breaks("S65")
class StartSends(Exchange):
    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        super().start_response(status, headers, exc_info)
        self.send(b"")
        return self.write


@breaks("S68|first call", "S69|does not raise", "S70", "S72", "S71|referred to")
class StartIsSimple(Exchange):
    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        self.kept = exc_info
        self.head = (status, [*headers, *(self.head[1] if self.head else [])])
        return self.write


@breaks("S69|is lost")
class RaisesAnother(Exchange):
    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        if self.is_sent:
            raise RuntimeError("No active exception to reraise")
        return super().start_response(status, headers, exc_info)


@breaks("S70|one that raised")
class JudgesByHeaders(Exchange):
    def start_response(self, status: Any, headers: Any, exc_info: Any = None) -> Any:
        self.was_called = self.head is not None
        return super().start_response(status, headers, exc_info)


@breaks("S73", "S74|asked for more", "S75", "S76|stays open")
class CountsNothing(Exchange):
    def count(self, data: bytes) -> None:
        pass

    def send_head(self, size: int | None = None) -> None:
        super().send_head(size)
        if not self.sends_chunks:
            self.left = None

    def end(self) -> None:
        if self.sends_chunks:
            super().end()


@breaks("S77|stays open", "S61|stays open")
class NeverEnds(Exchange):
    def send_head(self, size: int | None = None) -> None:
        keeps, self.protocol = self.keeps, "HTTP/1.0"
        super().send_head()
        self.keeps = keeps or self.left is None


@breaks("S78|two blocks", "S80", "S91|all of its length")
class LengthOfTheFirst(Exchange):
    def send(self, data: Any, size: int | None = None) -> None:
        super().send(data, size if self.is_sent else len(data))

    def fail(self) -> None:
        super().fail()
        if self.left:
            self.sock.sendall(b" " * self.left)


@breaks("S80")
class EmptyChunks(Exchange):
    def send_result(self, result: Any) -> None:
        for block in result:
            self.send(block)
            if not block and self.sends_chunks:
                self.sock.sendall(b"0\r\n\r\n")


@breaks("S83|data of write()", "S84", "S85")
class WritesLate(Exchange):
    def write(self, data: Any) -> None:
        self.late = [*getattr(self, "late", []), data]

    def send_result(self, result: Any) -> None:
        self.send(b"".join([*result, *getattr(self, "late", [])]))


@breaks("S89", "S91")
class NoAnswer(Exchange):
    def fail(self) -> None:
        self.keeps = False
        if self.sends_chunks:
            self.sock.sendall(b"0\r\n\r\n")


@breaks("S92|no 100")
class NeverContinues(Exchange):
    def continue_if_expected(self) -> None:
        pass


@breaks("S93")
class DoesNotWait(Exchange):
    def continue_if_expected(self) -> None:
        if self.expects:
            super().continue_if_expected()
            self.length = 0

    def input(self) -> Any:
        self.continue_if_expected()
        return super().input()


@breaks("S94|100")
class AlwaysContinues(Exchange):
    def read(self) -> bool:
        came = super().read()
        self.expects = came and "expect" in self.fields
        return came


@breaks("S107")
class AsksForIter(Exchange):
    def send_result(self, result: Any) -> None:
        super().send_result(result.__iter__())


class _BadWrapper(Wrapper):
    def __init__(self, file: Any, size: int) -> None:
        file.seek(0)
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter([])


@breaks("S109", "S110", "S112", "S114", "S115", "S117", "S118")
class PoorWrapper(Exchange):
    def environ(self) -> Any:
        return {**super().environ(), "wsgi.file_wrapper": _BadWrapper}


@breaks("S111", "S112|0 times", "S118|0 times")
class WrapperSends(Exchange):
    def environ(self) -> Any:
        def wrap(file: Any, size: int = 8192) -> Any:
            self.send(file.read())
            return []

        return {**super().environ(), "wsgi.file_wrapper": wrap}
