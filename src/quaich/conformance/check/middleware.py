"""``quaich check --middleware``: middleware between two checkers, over applications that probe it.

    check_middleware      wraps each probe, asks for it, and compares with the probe alone
      PROBES                applications, each of which shows one thing

The outer checker sees what the middleware does as an application (A), the inner one what it does
as a server (S). What only shows in between is judged here (M).
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from quaich.conformance.check.gateway import Answer, call, environ_of
from quaich.conformance.checker import checker, site
from quaich.conformance.findings import Breach, Report, Where, show
from quaich.types import WSGIApplication

PARTY: Final = "middleware"

_TEXT: Final = [("Content-Type", "text/plain; charset=utf-8")]
_CONTENT: Final = b"name=value&other=thing"


@dataclass
class Seen:
    """What a probe has seen of the middleware in one request."""

    environ: dict[str, Any] = field(default_factory=dict)
    asked: int = 0  # blocks that it was asked for
    closed: int = 0
    events: list[str] = field(default_factory=list)  # in their order
    read: bytes | None = None
    caught: BaseException | None = None


Probe = Callable[[Seen], WSGIApplication]


class Blocks:
    """An iterable with ``close()`` that counts."""

    def __init__(self, blocks: list[bytes], seen: Seen, fails: BaseException | None = None) -> None:
        self._blocks = iter(blocks)
        self._seen = seen
        self._fails = fails

    def __iter__(self) -> "Blocks":
        return self

    def __next__(self) -> bytes:
        self._seen.asked += 1
        self._seen.events.append("asked")
        block = next(self._blocks, None)
        if block is None:
            if self._fails is not None:
                raise self._fails
            raise StopIteration
        return block

    def close(self) -> None:
        """Count."""
        self._seen.closed += 1
        self._seen.events.append("closed")


class SizedBlocks(Blocks):
    """The same with a ``len()`` that is right."""

    def __init__(self, blocks: list[bytes], seen: Seen) -> None:
        super().__init__(blocks, seen)
        self._size = len(blocks)

    def __len__(self) -> int:
        return self._size


def blocks(seen: Seen) -> WSGIApplication:
    """Several blocks, and close()."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        seen.environ = dict(environ)
        start_response("200 OK", [*_TEXT])
        return Blocks([b"one ", b"two ", b"three"], seen)

    return application


def sized(seen: Seen) -> WSGIApplication:
    """len() and close()."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [*_TEXT])
        return SizedBlocks([b"one ", b"two"], seen)

    return application


def late(seen: Seen) -> WSGIApplication:
    """start_response with the first block."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [*_TEXT])
        yield b"late"

    return application


def written(seen: Seen) -> WSGIApplication:
    """write() before the result."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [*_TEXT])
        write(b"written ")
        return [b"returned"]

    return application


def replaced(seen: Seen) -> WSGIApplication:
    """start_response again, with exc_info, before the first block."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*_TEXT])
        try:
            raise ValueError("of the probe")
        except ValueError as error:
            start_response(
                "500 Internal Server Error", [*_TEXT], (type(error), error, error.__traceback__)
            )
        return [b"replaced"]

    return application


def empty_first(seen: Seen) -> WSGIApplication:
    """An empty block, behind which status and headers are replaced."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [*_TEXT])
        yield b""
        try:
            raise ValueError("of the probe")
        except ValueError as error:
            start_response(
                "500 Internal Server Error", [*_TEXT], (type(error), error, error.__traceback__)
            )
        yield b"replaced"

    return application


def failing(seen: Seen) -> WSGIApplication:
    """An error in the midst of the blocks."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [*_TEXT])
        return Blocks([b"one "], seen, ValueError("of the probe"))

    return application


def reading(seen: Seen) -> WSGIApplication:
    """The content of the request."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        seen.read = environ["wsgi.input"].read(length)
        start_response("200 OK", [*_TEXT])
        return [b"read"]

    return application


def with_length(seen: Seen) -> WSGIApplication:
    """A Content-Length."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [*_TEXT, ("Content-Length", "11")])
        return Blocks([b"hello ", b"world"], seen)

    return application


PROBES: Final[tuple[tuple[str, Probe], ...]] = tuple(
    (probe.__name__, probe)
    for probe in (
        *(blocks, sized, late, written, replaced, empty_first, failing, reading, with_length),
    )
)


class _Filtered(Report):
    """A report without what a probe does on purpose, to see how a middleware takes it."""

    def __init__(self, report: Report, party: str, rules: frozenset[str]) -> None:
        super().__init__()
        self._report = report
        self._party = party
        self._rules = rules

    def add(self, breach: Breach, party: str, where: Where) -> None:
        """Hand it on, or drop it."""
        if party != self._party and breach.rule not in self._rules:
            self._report.add(breach, party, where)

    def add_late(self, breach: Breach, party: str, where: Where) -> None:
        """The same."""
        self.add(breach, party, where)


class Middlewares:
    """The trials of one middleware. ``asked``: requests so far, by probe."""

    def __init__(
        self, factory: Callable[[WSGIApplication], WSGIApplication], report: Report
    ) -> None:
        self.factory = factory
        self.report = report
        self.by_trial: Counter[str] = Counter()

    @property
    def asked(self) -> int:
        """Requests so far."""
        return self.by_trial.total()

    def run(self) -> None:
        """All probes."""
        for name, probe in PROBES:
            self._whole(name, probe)
        self._early()

    def _stack(self, probe: Probe, seen: Seen) -> WSGIApplication:
        # What the probe writes, the middleware has to write (M15).
        rules = frozenset({"A22"}) if probe is written else frozenset()
        report = _Filtered(self.report, "probe", rules)
        inside = checker(probe(seen), report, inner="probe", outer=PARTY)
        return checker(self.factory(inside), report, inner=PARTY, outer="quaich check")

    def _ask(self, name: str, application: WSGIApplication) -> Answer:
        self.by_trial[name] += 1
        return call(application, _environ(name))

    def _whole(self, name: str, probe: Probe) -> None:
        alone, within = Seen(), Seen()
        expected = call(probe(alone), _environ(name))
        answer = self._ask(name, self._stack(probe, within))
        if answer.failed and not expected.failed and answer.error is not None:
            error = answer.error
            self._add(
                _rule_of_failure(name, error),
                f"over the probe {name!r}, it raises {type(error).__name__}: {error}",
            )
            return
        if alone.closed and within.closed != alone.closed:
            self._add(
                "M16", f"over the probe {name!r}, close() is called {within.closed} times, not once"
            )
        if name == "reading" and within.read != alone.read:
            self._add("M24", f"the application reads {show(within.read)}, not {show(alone.read)}")
        if name == "blocks":
            self._judge_environ(within)

    def _judge_environ(self, seen: Seen) -> None:
        environ = seen.environ
        ordinary = _environ("blocks")
        whole = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        before = ordinary["SCRIPT_NAME"] + ordinary["PATH_INFO"]
        if environ.get("SCRIPT_NAME", "") != ordinary["SCRIPT_NAME"] and whole != before:
            self._add("M22", f"SCRIPT_NAME and PATH_INFO are {show(whole)}, not {show(before)}")

    # --- Step by step ---------------------------------------------------------------------------

    def _early(self) -> None:
        """Each block for itself: nothing before it is asked for, and nothing held back."""
        self.by_trial["block by block"] += 1
        seen = Seen()
        stack = self._stack(blocks, seen)
        result: Any = stack(_environ("blocks"), _start_response)
        if seen.asked:
            self._add("M13", f"{seen.asked} blocks were asked for before it returned")
        given = 0
        iterator = iter(result)
        while True:
            before = seen.asked
            try:
                next(iterator)
            except StopIteration:
                break
            except Exception:
                break
            given += 1
            if seen.asked - before > 1 and not seen.closed:
                self._add(
                    "M10", f"for one block it asked for {seen.asked - before} of the application's"
                )
                break
        asked = seen.asked - 1  # the last was the end
        if given < asked:
            self._add("M12", f"it gave {given} blocks for {asked}")
        close = getattr(result, "close", None)
        if close is not None:
            close()
        if seen.closed != 1:
            self._add("M16", f"close() of the application's result was called {seen.closed} times")
        # Closed before it was used up.
        self.by_trial["closed early"] += 1
        seen = Seen()
        result = self._stack(blocks, seen)(_environ("blocks"), _start_response)
        next(iter(result), None)
        close = getattr(result, "close", None)
        if close is not None:
            close()
        if seen.closed != 1:
            self._add(
                "M16",
                f"closed after one block, it called close() of the application's result"
                f" {seen.closed} times",
            )

    def _add(self, rule: str, message: str) -> None:
        self.report.add(Breach(rule, message), PARTY, site.of(self.factory))


def _rule_of_failure(probe: str, error: BaseException) -> str:
    """What it means that a middleware raises over a probe."""
    if probe in ("replaced", "empty_first"):
        # It takes no exc_info; or it takes it that nothing changes any more.
        return "M04" if isinstance(error, TypeError) else "M27"
    return {"late": "M26", "written": "M15"}.get(probe, "M02")


def _environ(name: str) -> dict[str, Any]:
    if name == "reading":
        environ = environ_of(
            "POST", "/probe/path", "", _CONTENT, "application/x-www-form-urlencoded"
        )
        environ["wsgi.input"] = io.BytesIO(_CONTENT)
        return environ
    return environ_of("GET", "/probe/path", "a=b")


def _start_response(status: str, headers: Any, exc_info: Any = None, /) -> Any:
    return lambda block: None
