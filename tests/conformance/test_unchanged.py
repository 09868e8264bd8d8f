"""What a correct application and a correct server do with each other, the checker leaves as it
is: the same objects, the same calls, in the same order."""

import _thread
import copy
import gc
import io
import pickle
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.corpus import LEGAL, Case, load
from conformance.gateway import (
    FileWrapper,
    Gateway,
    TwoThreads,
    correct,
    gateway_with,
    meeting,
    wrap_file,
)
from conformance.odd import Counted
from quaich.conformance import Report, Violation, checker
from quaich.conformance.findings import NOWHERE, Breach
from server.wire import wait_until

load()

PLAIN = [("Content-Type", "text/plain")]


def returning(result: Any) -> Any:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return result

    return application


def returned(result: Any, gateway: Any = Gateway) -> Any:
    """What the server gets for this result."""
    one = gateway()
    return one.call(checker(returning(result)))


class Closable:
    """Tells what is done with it."""

    def __init__(self, *blocks: bytes, error: BaseException | None = None) -> None:
        self.blocks = blocks
        self.events: list[str] = []
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        self.events.append("iter")
        return iter(self.blocks)

    def close(self) -> str:
        self.events.append("close")
        if self.error is not None:
            raise self.error
        return "closed"


# -- The result -----------------------------------------------------------------------------


@pytest.mark.parametrize("result", [[], [b"content"], (), (b"con", b"tent")], ids=str)
def test_lists_and_tuples_are_handed_on_as_they_are(result: Any) -> None:
    assert returned(result) is result


@pytest.mark.parametrize("wrapper", [FileWrapper, wrap_file])
def test_file_wrappers_are_handed_on_as_they_are(wrapper: Any) -> None:
    """So the server knows its own type, and can have the system send the file."""
    made = []

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        made.append(environ["wsgi.file_wrapper"](io.BytesIO(b"content"), 4))
        return made[0]

    gateway = gateway_with({"wsgi.file_wrapper": wrapper})()
    result = gateway.call(checker(application))
    assert result is made[0]
    assert type(result) is FileWrapper
    assert result.size == 4


def test_a_subclass_of_the_servers_file_wrapper_is_one() -> None:
    class Own(FileWrapper):
        pass

    result = Own(io.BytesIO())
    assert returned(result, gateway_with({"wsgi.file_wrapper": FileWrapper})) is result


def test_a_file_wrapper_gets_its_arguments_as_they_are() -> None:
    calls = []

    def wrapper(*args: Any, **keywords: Any) -> Any:
        calls.append((args, keywords))
        return iter(())

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](7, size=8)

    gateway_with({"wsgi.file_wrapper": wrapper})().serve(checker(application))
    assert calls == [((7,), {"size": 8})]


@pytest.mark.parametrize("length", [0, 1, 2])
def test_len_is_there_if_it_was_and_is_the_same(length: int) -> None:
    assert len(returned(Counted([b"content"] * length, length))) == length


def test_a_len_that_fails_fails_in_the_same_way() -> None:
    error = OSError("no length")

    class Failing(Closable):
        def __len__(self) -> int:
            raise error

    with pytest.raises(OSError, match="no length") as caught:
        len(returned(Failing()))
    assert caught.value is error


@pytest.mark.parametrize("result", [Closable(), iter([]), map(bytes, [])])
def test_there_is_no_len_where_there_was_none(result: Any) -> None:
    with pytest.raises(TypeError):
        len(returned(result))
    assert not hasattr(returned(result), "__len__")


@pytest.mark.parametrize("result", [Counted([], 0), iter([]), {b"content": 1}, {b"content"}])
def test_there_is_no_close_where_there_was_none(result: Any) -> None:
    assert not hasattr(returned(result), "close")


def test_close_is_called_when_the_server_calls_it_and_only_then() -> None:
    result = Closable(b"content")
    checked = returned(result)
    assert list(checked) == [b"content"]
    assert result.events == ["iter"]
    checked.close()
    assert result.events == ["iter", "close"]


def test_what_close_raises_is_raised() -> None:
    error = OSError("no end")
    checked = returned(Closable(error=error))
    with pytest.raises(OSError, match="no end") as caught:
        checked.close()
    assert caught.value is error


def test_nothing_is_iterated_over_before_the_server_does() -> None:
    events = []

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        events.append("called")
        start_response("200 OK", PLAIN)
        yield b"con"
        events.append("second")
        yield b"tent"
        events.append("end")

    result = Gateway().call(checker(application))
    assert events == []
    iterator = iter(result)
    assert events == []
    assert next(iterator) == b"con"
    assert events == ["called"]
    assert next(iterator) == b"tent"
    assert events == ["called", "second"]
    result.close()
    assert events == ["called", "second"]


def test_iter_is_called_once_for_each_time_that_the_server_calls_it() -> None:
    result = Closable(b"con", b"tent")
    checked = returned(result)
    assert result.events == []
    iterator = iter(checked)
    assert next(iterator) == b"con"
    assert list(iterator) == [b"tent"]  # list() calls iter() of the iterator
    assert result.events == ["iter"]
    assert list(checked) == [b"con", b"tent"]
    assert result.events == ["iter", "iter"]
    checked.close()


def test_what_is_no_iterator_is_none() -> None:
    """A server that takes one for the other is to fail as it would without a checker."""
    checked = returned(Closable(b"content"))
    with pytest.raises(TypeError, match="'Closable' object is not an iterator"):
        next(checked)
    assert next(iter(checked)) == b"content"
    checked.close()


def test_an_iterator_may_be_asked_at_once() -> None:
    checked = returned(iter([b"con", b"tent"]))
    assert [next(checked), next(checked), next(checked, None)] == [b"con", b"tent", None]


def test_what_the_iterable_raises_is_raised() -> None:
    error = ValueError("an error")

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"content"
        raise error

    with pytest.raises(ValueError, match="an error") as caught:
        Gateway().serve(checker(application))
    assert caught.value is error


# -- start_response and write() -------------------------------------------------------------


class Recording(Gateway):
    """Keeps what start_response and write() get, and gives what it is told."""

    error: BaseException | None = None

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.written: list[Any] = []

    def start_response(self, *args: Any) -> Any:
        self.calls.append(args)
        if self.error is not None:
            raise self.error
        return self.record

    def record(self, block: Any) -> object:
        self.written.append(block)
        if self.error is not None:
            raise self.error
        return self


def test_start_response_gets_the_same_objects_and_as_many() -> None:
    status, headers = " ".join(["200", *"OK"]), [("X", "1")]
    error = ValueError("an error")
    exc_info = (ValueError, error, None)

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, headers)
        start_response(status, headers, exc_info)
        start_response(status, headers, None)
        return []

    gateway = Recording()
    gateway.serve(checker(application))
    expected = [(status, headers), (status, headers, exc_info), (status, headers, None)]
    assert [list(map(id, call)) for call in gateway.calls] == [
        list(map(id, call)) for call in expected
    ]


def test_write_gets_the_same_objects_and_gives_them_back() -> None:
    block = bytes([1, 2, 3])
    given: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        given.append(start_response("200 OK", PLAIN)(block))
        return []

    gateway = Recording()
    gateway.serve(checker(application))
    assert gateway.written[0] is block
    assert given == [gateway]


@pytest.mark.parametrize("error", [OSError("refused"), KeyboardInterrupt("stop")])
def test_what_start_response_raises_is_raised(error: BaseException) -> None:
    caught: list[BaseException] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", PLAIN)
        except BaseException as each:
            caught.append(each)
            raise
        return []

    gateway = Recording()
    gateway.error = error
    with pytest.raises(type(error)) as raised:
        gateway.serve(checker(application))
    assert caught == [error]
    assert raised.value is error


def test_what_write_raises_is_raised() -> None:
    error = BrokenPipeError("gone")

    class Breaking(Recording):
        def record(self, block: Any) -> object:
            raise error

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)(b"content")
        return []

    with pytest.raises(BrokenPipeError) as raised:
        Breaking().serve(checker(application))
    assert raised.value is error


@pytest.mark.rule("S71")
@pytest.mark.parametrize("is_sent", [False, True])
def test_no_reference_is_kept_to_exc_info(is_sent: bool) -> None:
    """So what the traceback's frames hold is let go at once, not when garbage is collected."""

    class Held:
        pass

    held: list[weakref.ref[Held]] = []

    def fail() -> None:
        local = Held()
        held.append(weakref.ref(local))
        raise ValueError("an error")

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"content" if is_sent else b""
        try:
            fail()
        except ValueError:
            start_response("500 Internal Server Error", PLAIN, sys.exc_info())
        assert held[0]() is None
        yield b"sorry"

    gateway = Gateway()
    gc.disable()
    try:
        try:
            gateway.serve(checker(application))
        except ValueError:
            assert is_sent
        assert held[0]() is None
    finally:
        gc.enable()


# -- The environ ----------------------------------------------------------------------------


def test_the_environ_is_the_same_object() -> None:
    got = []

    def application(environ: Any, start_response: Any) -> Any:
        got.append(environ)
        environ["application.key"] = "value"
        return correct(environ, start_response)

    gateway = Gateway()
    before = dict(gateway.environ)
    gateway.serve(checker(application))
    assert got[0] is gateway.environ
    assert gateway.environ.pop("application.key") == "value"
    assert list(gateway.environ) == list(before)
    changed = [key for key in before if gateway.environ[key] is not before[key]]
    assert changed == ["wsgi.input", "wsgi.errors"]


def test_the_streams_pass_everything_on() -> None:
    """Values, exceptions, and what PEP 3333 does not name."""
    content = io.BytesIO(b"one\ntwo\nthree\nfour\n")
    errors = io.StringIO()
    got: list[Any] = []

    def application(environ: Any, start_response: Any) -> Any:
        stream = environ["wsgi.input"]
        got.extend([stream.read(1), stream.readline(), stream.readline(1), next(stream)])
        got.extend([stream.readlines(1), list(stream), stream.read(), stream.tell()])
        got.extend([stream.seek(0), stream.read(0), stream.closed, hasattr(stream, "nothing")])
        with pytest.raises(TypeError):
            stream.read("one")
        got.append(environ["wsgi.errors"].write("one\n"))
        environ["wsgi.errors"].writelines(iter(["two\n", "three\n"]))
        return correct(environ, start_response)

    gateway = gateway_with({"wsgi.input": content, "wsgi.errors": errors})()
    gateway.serve(checker(application))
    assert got[:4] == [b"o", b"ne\n", b"t", b"wo\n"]
    assert got[4:8] == [[b"three\n"], [b"four\n"], b"", 19]
    assert got[8:] == [0, b"", False, False, 4]
    assert errors.getvalue() == "one\ntwo\nthree\n"


def test_lines_before_an_error_are_written() -> None:
    errors = io.StringIO()

    def lines() -> Iterator[str]:
        yield "one\n"
        raise ValueError("an error")

    def application(environ: Any, start_response: Any) -> Any:
        environ["wsgi.errors"].writelines(lines())

    with pytest.raises(ValueError, match="an error"):
        gateway_with({"wsgi.errors": errors})().serve(checker(application))
    assert errors.getvalue() == "one\n"


def test_attributes_of_the_application_are_there() -> None:
    """A framework's application has a test client and more."""

    class Application:
        name = "name"

        def __call__(self, environ: Any, start_response: Any) -> Any:
            return correct(environ, start_response)

    checked = checker(Application())
    assert checked.name == "name"
    assert not hasattr(checked, "nothing")


def test_a_copy_of_a_checker_reports_to_the_same_place() -> None:
    """A framework copies the applications that it is given."""
    checked = checker(returning(["content"]))
    Gateway().serve(copy.deepcopy(checked))
    Gateway().serve(copy.copy(checked))
    assert [(each.rule, each.count) for each in checked.findings] == [("A18", 2)]


def test_a_checker_can_be_carried_to_another_process() -> None:
    checked = checker(correct, inner="middleware")
    other = pickle.loads(pickle.dumps(checked))
    assert other.application is correct
    assert (other.inner, other.findings) == ("middleware", [])
    Gateway().serve(other)


def generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"content"


def test_a_server_in_c_may_call() -> None:
    """There is no frame behind the checker's. A result that is left has the application's place."""
    report = Report()
    _thread.start_new_thread(checker(generator, report), (Gateway().environ, print))
    wait_until(lambda: bool(report.findings), "the finding")
    (finding,) = report.findings
    assert (finding.rule, finding.where.function) == ("S18", "generator")


# -- A checker that raises ------------------------------------------------------------------


def test_a_result_that_is_refused_is_closed() -> None:
    """Nobody else can."""
    file = io.BytesIO(b"content")

    def application(environ: Any, start_response: Any) -> Any:
        return environ["wsgi.file_wrapper"](file)

    gateway = gateway_with({"wsgi.file_wrapper": FileWrapper})()
    with pytest.raises(Violation):
        gateway.call(checker(application, "raise"))
    assert file.closed


def test_a_result_that_is_refused_and_cannot_be_closed_hides_nothing() -> None:
    class Failing(FileWrapper):
        def close(self) -> None:
            raise OSError("no end")

    def application(environ: Any, start_response: Any) -> Any:
        return Failing(io.BytesIO())

    gateway = gateway_with({"wsgi.file_wrapper": FileWrapper})()
    with pytest.raises(Violation, match="A16"):
        gateway.call(checker(application, "raise"))


def test_a_call_that_is_refused_is_over() -> None:
    """It must not look to later calls as if another thread were still inside (S45)."""
    report = Report("raise")
    checked = checker(meeting, report)

    def refused() -> None:
        with pytest.raises(Violation, match="S45"):
            TwoThreads().serve(checked)

    thread = threading.Thread(target=refused)
    thread.start()
    thread.join()
    Gateway().serve(checked)
    assert [(each.rule, each.count) for each in report.findings] == [("S45", 1)]


# -- The corpus -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in LEGAL])
def test_a_legal_program_comes_to_the_same_end(case: Case) -> None:
    """Status, headers, content, and what is raised."""

    def end_of(application: Any) -> Any:
        gateway = case.gateway()
        try:
            gateway.serve(application)
            error = ""
        except Exception as raised:
            error = repr(raised)
        return gateway.status, gateway.headers, gateway.blocks, gateway.sent, error

    assert end_of(checker(case.application)) == end_of(case.application)


def test_a_finding_may_come_while_another_is_being_noted() -> None:
    """A result that was never closed is found when garbage is collected: at any time, in any
    thread, also in one that is noting a finding."""
    report = Report()

    class Server(str):
        """A name that has garbage collected while it is looked up."""

        __slots__ = ()

        def __hash__(self) -> int:
            report.add_late(Breach("S18", "close() is not called"), "server", NOWHERE)
            return super().__hash__()

    breach = Breach("S13", "start_response returns None")
    thread = threading.Thread(
        target=report.add, args=(breach, Server("server"), NOWHERE), daemon=True
    )
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert {each.rule for each in report.findings} == {"S13", "S18"}
