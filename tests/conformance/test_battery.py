"""The trials of ``quaich check``: each finds the application that does not stand it, and none
finds anything in a sound one."""

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quaich.conformance.check.battery import TRIALS, Battery, early
from quaich.conformance.check.gateway import FileWrapper, call, environ_of
from quaich.conformance.check.targets import parse_path
from quaich.conformance.findings import Finding, Report
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment

TEXT = [("Content-Type", "text/plain")]


def findings_of(application: WSGIApplication, path: str = "/") -> list[Finding]:
    report = Report()
    Battery(application, report).run(parse_path(path))
    return report.findings


def rules_of(application: WSGIApplication, path: str = "/") -> set[str]:
    return {finding.rule for finding in findings_of(application, path)}


# --- Sound applications -----------------------------------------------------------------------


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return [b"hello"]


def generator(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [*TEXT])
    yield b"one"
    yield b"two"


def reader(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    try:
        data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    except OSError:
        start_response("400 Bad Request", [*TEXT])
        return [b"no content"]
    start_response("200 OK", [*TEXT])
    return [b"%d" % len(data)]


def only_get(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start_response("405 Method Not Allowed", [*TEXT, ("Allow", "GET, HEAD")])
        return [b"no"]
    start_response("200 OK", [*TEXT])
    return [b"yes"]


@pytest.mark.parametrize("application", [plain, generator, reader, only_get])
@pytest.mark.parametrize("path", ["/", "/a%20b?x=1", "POST /form a=1"])
def test_nothing_is_found_in_a_sound_application(application: WSGIApplication, path: str) -> None:
    assert findings_of(application, path) == []


def test_each_trial_asks_for_something() -> None:
    battery = Battery(plain, Report())
    battery.run(parse_path("/"))
    assert set(battery.by_trial) == {"the request as it is", *(name for name, _ in TRIALS)}
    assert battery.asked == sum(battery.by_trial.values())


# --- Applications that do not stand a trial ---------------------------------------------------


def once() -> WSGIApplication:
    blocks = iter([b"hello"])
    calls: list[None] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        calls.append(None)
        if len(calls) == 2:
            raise RuntimeError("used up")
        start_response("200 OK", [*TEXT])
        return blocks

    return application


def one_thread() -> WSGIApplication:
    busy = threading.Lock()
    together = threading.Barrier(2)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if not busy.acquire(blocking=False):
            together.wait(10)
            raise RuntimeError("two at once")
        try:
            if threading.current_thread() is not threading.main_thread():
                try:
                    together.wait(10)  # until another is inside, so that it fails for sure
                except threading.BrokenBarrierError:
                    pass
        finally:
            busy.release()
        start_response("200 OK", [*TEXT])
        return [b""]

    return application


def needs(key: str) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ[key]
        start_response("200 OK", [*TEXT])
        return [b""]

    return application


def only_utf_8() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8")
        start_response("200 OK", [*TEXT])
        return [b""]

    return application


def no_head() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD":
            start_response("405 Method Not Allowed", [*TEXT, ("Allow", "GET")])
        else:
            start_response("200 OK", [*TEXT])
        return [b""]

    return application


def other_length() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        start_response("200 OK", [*TEXT, ("Content-Length", "0" if is_head else "5")])
        return [] if is_head else [b"hello"]

    return application


def unknown_method() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        {"GET": 1, "HEAD": 2, "POST": 3, "OPTIONS": 4}[environ["REQUEST_METHOD"]]
        start_response("200 OK", [*TEXT])
        return [b""]

    return application


def run_once() -> WSGIApplication:
    calls: list[None] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if environ["wsgi.run_once"]:
            if calls:
                raise RuntimeError("that was the end")
            calls.append(None)
        start_response("200 OK", [*TEXT])
        return [b""]

    return application


class _Fragile:
    def __init__(self) -> None:
        self.blocks = [b"one", b"two"]

    def __iter__(self) -> "_Fragile":
        return self

    def __next__(self) -> bytes:
        if not self.blocks:
            raise StopIteration
        return self.blocks.pop(0)

    def close(self) -> None:
        if self.blocks:
            raise RuntimeError("not used up")


def fragile() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> _Fragile:
        start_response("200 OK", [*TEXT])
        return _Fragile()

    return application


def one_list() -> WSGIApplication:
    headers = [*TEXT]

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", headers)
        return [b""]

    return application


def failing() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        raise LookupError("nothing there")

    return application


def one_argument() -> WSGIApplication:
    def application(environ: WSGIEnvironment) -> list[bytes]:
        return [b""]

    made: Any = application
    return made  # type: ignore[no-any-return]  # this is the point


def used_up() -> WSGIApplication:
    blocks = iter([b"hello"])

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        start_response("200 OK", [*TEXT])
        return blocks

    return application


def second_with_500() -> WSGIApplication:
    calls: list[None] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        calls.append(None)
        start_response("500 Internal Server Error" if len(calls) == 2 else "200 OK", [*TEXT])
        return [b"hello"]

    return application


def missing_at_once(key: str) -> WSGIApplication:
    """Fails with the ordinary request, and with any."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        raise KeyError(key)

    return application


def decoding_chunks() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING") == "chunked":
            int(environ["wsgi.input"].readline(), 16)
        start_response("200 OK", [*TEXT])
        return [b""]

    return application


def refusing_trailers() -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("400 No Trailers" if "HTTP_TE" in environ else "200 OK", [*TEXT])
        return [b""]

    return application


def wrapping(file: Callable[[], Any], *headers: tuple[str, str]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        start_response("200 OK", [*TEXT, *headers])
        wrapper: Any = environ.get("wsgi.file_wrapper")
        return [b""] if wrapper is None else wrapper(file())

    return application


def at_its_end() -> WSGIApplication:
    def file() -> io.BytesIO:
        stream = io.BytesIO()
        stream.write(b"hello")
        return stream

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        wrapper: Any = environ.get("wsgi.file_wrapper")
        if wrapper is None:
            start_response("200 OK", [*TEXT])
            return [b"hello"]
        start_response("200 OK", [*TEXT, ("Content-Length", "5")])
        return wrapper(file())

    return application


def left_unusable() -> WSGIApplication:
    """A result that is closed early takes what the next request needs."""
    pool = [b"hello"]

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        block = pool.pop()
        start_response("200 OK", [*TEXT])
        yield b""
        yield block
        pool.append(block)

    return application


BREAKERS: list[tuple[str, Callable[[], WSGIApplication]]] = [
    ("A01", one_argument),
    ("A02", used_up),
    ("A02", second_with_500),
    ("A29", lambda: missing_at_once("CONTENT_LENGTH")),
    ("A35", lambda: missing_at_once("key")),
    ("A35", lambda: missing_at_once("Key.of a table")),
    ("A49", lambda: missing_at_once("server.socket")),
    ("A38", decoding_chunks),
    ("A38", refusing_trailers),
    ("A45", lambda: wrapping(lambda: "logo.png")),
    ("A45", lambda: wrapping(lambda: io.StringIO("text"))),
    ("A46", at_its_end),
    ("A02", once),
    ("A02", one_thread),
    ("A29", lambda: needs("QUERY_STRING")),
    ("A29", lambda: needs("HTTP_HOST")),
    ("A29", lambda: needs("SCRIPT_NAME")),
    ("A44", lambda: needs("wsgi.file_wrapper")),
    ("A35", only_utf_8),
    ("H137", no_head),
    ("H123", other_length),
    ("A35", unknown_method),
    ("A43", run_once),
    ("A20", fragile),
    ("A47", one_list),
    ("A35", failing),
]


@pytest.mark.parametrize(("rule", "make"), BREAKERS)
def test_a_trial_finds(rule: str, make: Callable[[], WSGIApplication]) -> None:
    assert rules_of(make()) == {rule}


def test_a_result_that_is_closed_early_may_not_be_missed() -> None:
    battery, target = Battery(left_unusable(), Report()), parse_path("/")
    early(battery, target, battery.ask(battery.environ(target)))
    assert {finding.rule for finding in battery.report.findings} == {"A20"}


def test_a_request_that_does_not_return_is_told_of_and_ends_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where a lock is freed behind the last block. The test frees it."""
    monkeypatch.setattr("quaich.conformance.check.battery._TIMEOUT", 0.05)
    lock = threading.Semaphore()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        lock.acquire()
        start_response("200 OK", [*TEXT])
        yield b"one"
        yield b"two"
        lock.release()

    battery, target = Battery(application, Report()), parse_path("/")
    early(battery, target, battery.ask(battery.environ(target)))
    (finding,) = battery.report.findings
    assert (finding.rule, battery.is_stuck) == ("A20", True)
    assert "does not return" in finding.message
    asked = battery.asked
    for _ in range(20):
        lock.release()  # so that the thread ends
    battery.run(target)
    assert "headers edited" not in battery.by_trial
    assert battery.asked > asked


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [*TEXT])
    return [repr(sorted(map(str, environ))).encode()]


def counting() -> WSGIApplication:
    """Every other answer is another."""
    calls: list[None] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        calls.append(None)
        start_response("200 OK" if len(calls) % 2 else "202 Accepted", [*TEXT])
        return [b"%d" % len(calls)]

    return application


def sending_a_file(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
    wrapper: Any = environ.get("wsgi.file_wrapper", FileWrapper)
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return wrapper(io.BytesIO(b"hello"))


@pytest.mark.parametrize("application", [echo, counting(), sending_a_file])
def test_nothing_is_found_in_what_answers_otherwise_each_time(application: Any) -> None:
    assert findings_of(application) == []


@pytest.mark.parametrize("variable", ["QUERY_STRING", "HTTP_HOST"])
def test_the_variable_that_is_missed_is_named_and_the_line(variable: str) -> None:
    (finding,) = findings_of(needs(variable))
    assert variable in finding.message
    assert finding.where.file == __file__
    assert finding.where.function.endswith("application")
    assert finding.where.line > 1


# --- What is not easily borne -----------------------------------------------------------------


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, SystemExit])
def test_whatever_an_application_raises_the_check_goes_on(error: type[BaseException]) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        raise error

    assert {finding.rule for finding in findings_of(application)} == {"A35"}


def test_a_result_larger_than_memory_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quaich.conformance.check.gateway.CONTENT_MAX", 100)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [*TEXT])
        while True:
            yield b"x" * 30

    answer = call(application, environ_of())
    assert (len(answer.content), answer.cut) == (120, True)
