"""The checker: an application that calls another, and looks on.

    checker(app)          wraps an application; the server calls the wrapper
      Checker.__call__      one request
        Exchange              what is watched of it (quaich.conformance.checker.exchange)

What a correct pair of server and application does, it leaves as it is: the result's ``len()``,
``close()`` and laziness, file wrappers, and the identity of lists.
"""

import contextlib
import copy
import threading
from typing import Any

from quaich.conformance.checker.exchange import Exchange
from quaich.conformance.checker.site import caller
from quaich.conformance.findings import Breach, Mode, Report
from quaich.types import WSGIApplication


class Checker:
    """A WSGI application that watches another and the server that calls it; any number of
    requests, by any number of threads."""

    def __init__(
        self,
        application: WSGIApplication,
        report: Report,
        inner: str = "application",
        outer: str = "server",
    ) -> None:
        self.application = application
        self.report = report
        self.inner = inner
        self.outer = outer
        self._entered: dict[int, None] = {}  # threads that are inside the application

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.application, self.report, self.inner, self.outer)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Checker":
        # A copy of the application reports to the same place: nobody would look at another.
        application = copy.deepcopy(self.application, memo)
        return type(self)(application, self.report, self.inner, self.outer)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        if len(args) != 2 or keywords:
            what = f"{len(args)} positional arguments and {len(keywords)} keywords"
            self.report.add(
                Breach("S07", f"the application is called with {what}"), self.outer, caller()
            )
            return self.application(*args, **keywords)
        environ, start_response = args
        exchange = Exchange(self, start_response)
        exchange.begin(environ)
        thread = threading.get_ident()
        entered = self._entered
        is_outermost = thread not in entered
        entered[thread] = None
        try:
            if len(entered) > 1 and _is_single(environ):
                breach = Breach("S45", "wsgi.multithread is false, and two threads call at once")
                exchange.note(breach, "outer")
            result = self.application(environ, exchange)
        finally:
            if is_outermost:
                entered.pop(thread, None)
        try:
            return exchange.returned(result)
        except BaseException:
            # A checker that raises: nobody else can close the result, whether or not it has a
            # close(). What that raises would hide what is wrong.
            with contextlib.suppress(Exception):
                result.close()  # type: ignore[attr-defined]  # that is the question
            raise

    def __getattr__(self, name: str) -> Any:
        # Frameworks' applications have more than __call__: a test client looks for it.
        if name == "application":
            raise AttributeError(name)
        return getattr(self.application, name)

    @property
    def findings(self) -> list[Any]:
        """Of the report."""
        return self.report.findings


def _is_single(environ: Any) -> bool:
    return isinstance(environ, dict) and not environ.get("wsgi.multithread", True)


def checker(
    application: WSGIApplication,
    report: Report | Mode = "collect",
    *,
    inner: str = "application",
    outer: str = "server",
) -> Checker:
    """Watch an application, and the server that calls it, by the rules of PEP 3333.

    ``report``: ``"collect"``, and :attr:`Checker.findings` has what was found; ``"raise"``, and
    the first error raises a :class:`~quaich.conformance.Violation` where it happens; ``"warn"``;
    or a :class:`~quaich.conformance.Report`, which several checkers may share. ``inner`` and
    ``outer`` are what findings call the two parties.
    """
    return Checker(
        application, report if isinstance(report, Report) else Report(report), inner, outer
    )
