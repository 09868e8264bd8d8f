"""``quaich check --middleware``: middleware between two checkers, over applications that probe it.

    check_middleware      wraps each probe, asks for it, and compares with the probe alone
      PROBES                applications, each of which shows one thing

The outer checker sees what the middleware does as an application (A), the inner one what it does
as a server (S). What only shows in between is judged here (M).
"""

import gc
import gzip
import io
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from quaich.conformance.check import probes
from quaich.conformance.check.gateway import Answer, call, environ_of
from quaich.conformance.check.probes import PROBES, READING, STEPS, Probe, Seen
from quaich.conformance.checker import checker, site
from quaich.conformance.findings import Breach, Report, Where, show
from quaich.types import WSGIApplication

PARTY: Final = "middleware"

_CONTENT: Final = b"name=value&other=thing\nof two lines"

_CASES: Final = (str, str.lower, str.upper)
"""Of a name. The first leaves it as it is."""

_STEPS_MAX: Final = 100
"""Steps of an iteration that should have a few."""


class _Filtered(Report):
    """A report without what a probe does on purpose, to see how a middleware takes it."""

    def __init__(self, report: Report, seen: Seen) -> None:
        super().__init__()
        self._report = report
        self._seen = seen

    def add(self, breach: Breach, party: str, where: Where) -> None:
        """Hand it on, or drop it; a write() that is not the probe's is another breach."""
        seen = self._seen
        if party == "probe":
            return
        if breach.rule in ("A22", "A23"):
            # What the probe writes, the middleware has to write, also if it is a generator: then
            # it has the probe called in the first step of its iteration.
            if seen.is_writing:
                return
            if breach.rule == "A22" and seen.given:
                breach = Breach("M14", "write() is called with what the application has yielded")
            elif breach.rule == "A22":
                breach = Breach("M15", "write() is called, and not by the application")
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
        for name, probe in PROBES.items():
            self._whole(name, probe)
        self._twice()
        self._replaced()
        self._held()
        self._names()
        for name, probe in READING.items():
            self._reading(name, probe)
        self._packed()
        self._steps()
        for steps in (0, 1):
            self._early(steps)

    def _stack(self, probe: Probe, seen: Seen, layers: int = 1) -> WSGIApplication:
        report = _Filtered(self.report, seen)
        stack: WSGIApplication = checker(probe(seen), report, inner="probe", outer=PARTY)
        for _ in range(layers):
            stack = self.factory(stack)
        return checker(stack, report, inner=PARTY, outer="quaich check")

    def _ask(
        self,
        trial: str,
        probe: Probe,
        seen: Seen,
        environ: dict[str, Any] | None = None,
        layers: int = 1,
    ) -> Answer:
        """One request, with checkers on both sides."""
        self.by_trial[trial] += 1
        try:
            stack = self._stack(probe, seen, layers)
        except Exception as error:  # there is no middleware
            return Answer(error=error)
        return call(stack, environ or _environ())

    def _add(self, rule: str, message: str) -> None:
        self.report.add(Breach(rule, message), PARTY, site.of(self.factory))

    # --- Whole requests -------------------------------------------------------------------------

    def _whole(self, name: str, probe: Probe) -> None:
        alone, within = Seen(), Seen()
        expected = call(probe(alone), _environ())
        answer = self._ask(name, probe, within)
        if answer.failed and not expected.failed and answer.error is not None:
            what = f"over the probe {name!r}, it raises {_named(answer.error)}"
            self._add(_rule_of_failure(name, answer.error), what)
            return
        if alone.closed and within.was_called and within.closed != alone.closed:
            what = f"over the probe {name!r}, close() is called {within.closed} times, not once"
            self._add("M16", what)
        if name == "blocks":
            self._judge_environ(within)
        if name == "written" and answer.content == b"returned":
            self._add("S83", "what the application gives to write() is lost")

    def _judge_environ(self, seen: Seen) -> None:
        environ = seen.environ
        ordinary = _environ()
        whole = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        before = ordinary["SCRIPT_NAME"] + ordinary["PATH_INFO"]
        if environ.get("SCRIPT_NAME", "") != ordinary["SCRIPT_NAME"] and whole != before:
            self._add("M22", f"SCRIPT_NAME and PATH_INFO are {show(whole)}, not {show(before)}")

    def _twice(self) -> None:
        """The middleware around itself (M02)."""
        seen = Seen()
        once = self._ask("twice", probes.blocks, seen)
        if once.failed or seen.environ.get("PATH_INFO") != _environ()["PATH_INFO"]:
            return  # what is mounted at a path is not there a second time
        answer = self._ask("twice", probes.blocks, Seen(), layers=2)
        if answer.failed and answer.error is not None:
            self._add("M02", f"around itself, it raises {_named(answer.error)}")

    def _replaced(self) -> None:
        """A page that replaces another is treated as the same page is that replaces none (M27)."""
        answers = [
            self._ask("a page with 500", probe, Seen())
            for probe in (probes.error_page, probes.replaced)
        ]
        page, answer = answers
        if page.failed or answer.failed:
            return  # which has been told
        for what, one, other in (
            ("the status is", page.status, answer.status),
            ("the content is", page.content, answer.content),
            ("the headers are", _counted(page), _counted(answer)),
        ):
            if one != other:
                self._add("M27", f"of a page that replaces another, {what} {show(other)}")
                return

    def _held(self) -> None:
        """What the frames of exc_info hold is let go (M06)."""
        seen = Seen()
        self.by_trial["exc_info is let go"] += 1
        try:
            stack = self._stack(probes.replaced, seen)
        except Exception:
            return
        answer = call(stack, _environ())
        if answer.failed:
            return
        gc.collect()
        if seen.held is not None and seen.held() is not None:
            self._add("M06", "after the request, it has a reference to exc_info")

    def _names(self) -> None:
        """Names of headers in other cases (M25)."""
        answers = [
            self._ask("headers in other cases", probes.named(case), Seen()) for case in _CASES
        ]
        if any(each.failed for each in answers):
            return
        first = answers[0]
        for answer, case in zip(answers[1:], _CASES[1:], strict=True):
            what = f"with names of headers as {show(case('Content-Type'))}"
            if _counted(answer) != _counted(first):
                both = _counted(first), _counted(answer)
                changed = sorted({*(both[0] - both[1]), *(both[1] - both[0])})
                self._add("M25", f"{what}, it treats {', '.join(changed)} in another way")
            elif answer.status != first.status or len(answer.content) != len(first.content):
                self._add("M25", f"{what}, it gives another content")

    # --- The content of the request -------------------------------------------------------------

    def _reading(self, name: str, probe: Probe) -> None:
        seen = Seen()
        answer = self._ask(f"reading by {name}", probe, seen, _environ(_CONTENT))
        if answer.error is not None:
            self._add(
                "M23", f"where wsgi.input is read by {name}, {_named(answer.error)} is raised"
            )
        elif seen.read is not None and seen.read != _CONTENT:
            self._add("M24", f"the application reads {show(seen.read)}, not {show(_CONTENT)}")

    def _packed(self) -> None:
        """Compressed content: whoever unpacks it changes its length (M23)."""
        seen = Seen()
        environ = _environ(gzip.compress(_CONTENT), HTTP_CONTENT_ENCODING="gzip")
        self._ask("packed content", READING["read()"], seen, environ)
        length = seen.environ.get("CONTENT_LENGTH")
        if seen.read and length and length != str(len(seen.read)):
            what = f"CONTENT_LENGTH is {show(length)}, and wsgi.input has {len(seen.read)} bytes"
            self._add("M23", what)

    # --- Step by step ---------------------------------------------------------------------------

    def _begin(self, trial: str, seen: Seen) -> Any:
        """The result of a request for the probe of several blocks, or None if there is none."""
        self.by_trial[trial] += 1
        try:
            return self._stack(probes.stepped, seen)(_environ(), _start_response)
        except Exception:
            return None  # which has been told

    def _steps(self) -> None:
        """Each block for itself: nothing before it is asked for, and nothing held back. Of several
        breaches the first: the others come of it."""
        seen = Seen()
        result = self._begin("block by block", seen)
        if result is None:
            return
        if seen.asked:
            self._add("M13", f"{seen.asked} blocks were asked for before it returned")
        else:
            self._judge_steps(iter(result), seen)
        _close(result)

    def _judge_steps(self, iterator: Any, seen: Seen) -> None:
        blocks: list[Any] = []
        for _ in range(_STEPS_MAX):
            before, asked = seen.given, seen.asked
            try:
                block = next(iterator)
            except Exception:  # the end, or an error that has been told
                break
            taken = STEPS[before : seen.given]
            if len(taken) > 1 and sum(map(bool, taken)) < 2:
                self._add("M12", "it gave nothing for an empty block")
                return
            if len(taken) > 1:
                self._add("M10", f"for one block it took {len(taken)} of the application's")
                return
            if block and block in STEPS[:before] and block not in blocks and seen.asked > asked:
                self._add("M09", f"it asked for another block before it gave {show(block)}")
                return
            blocks.append(block)
        if len(blocks) < seen.given:
            self._add("M12", f"it gave {len(blocks)} blocks for {seen.given}")

    def _early(self, steps: int) -> None:
        """The result is closed before it has been used up (M16)."""
        seen = Seen()
        result = self._begin(f"closed after {steps} blocks", seen)
        if result is None:
            return
        if steps:
            iterator = iter(result)
            for _ in range(steps):
                next(iterator, None)
        _close(result)
        if seen.was_called and seen.closed != 1:
            what = f"closed after {steps} blocks, it called close() of the application's result"
            self._add("M16", f"{what} {seen.closed} times")


def _rule_of_failure(probe: str, error: BaseException) -> str:
    """What it means that a middleware raises over a probe."""
    if probe in ("replaced", "empty_first"):
        # It takes no exc_info; or it takes it that nothing changes any more.
        return "M04" if isinstance(error, TypeError) else "M27"
    return {"late": "M26", "written": "M15"}.get(probe, "M02")


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _counted(answer: Answer) -> Counter[str]:
    """The names of the headers, in lower case."""
    return Counter(name.lower() for name, _ in answer.headers)


def _environ(content: bytes = b"", **more: str) -> dict[str, Any]:
    if not content:
        return environ_of("GET", "/probe/path", "a=b", more=more)
    environ = environ_of(
        "POST", "/probe/path", "", content, "application/x-www-form-urlencoded", more
    )
    environ["wsgi.input"] = io.BytesIO(content)
    return environ


def _start_response(status: str, headers: Any, exc_info: Any = None, /) -> Any:
    return lambda block: None


def _close(result: Any) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        try:
            close()
        except Exception:
            return  # whether it reached the application is looked at
