"""The witness inside the process under test: which wsgiref is it, and how did each test end.

It is put into the environment of each project (see environment.py) and used in two ways:

    python -m pytest -p quaich_compat ...           a pytest plugin
    python -m quaich_compat SCRIPT ARGUMENTS ...    any program that runs unittest

Both ways write one JSON object a line to the file $QUAICH_COMPAT_OUTCOMES, at once, so that a
process which hangs or dies leaves behind the name of the test it was in:

    {"event": "start", "id": ...}
    {"event": "finish", "id": ..., "outcome": "passed" | "failed" | "skipped", "detail": ...}
    {"event": "end"}

It knows nothing of the projects.  It must import neither pytest nor wsgiref at the top: the first
is not in every environment, the second is what it is to report about.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import traceback
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    import pytest

    _ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

# One name of each public module, to ask it where it comes from.
WITNESSES = {
    "wsgiref.util": "setup_testing_defaults",
    "wsgiref.headers": "Headers",
    "wsgiref.handlers": "BaseHandler",
    "wsgiref.simple_server": "make_server",
    "wsgiref.validate": "validator",
    "wsgiref.types": "InputStream",
}


def implementation() -> str:
    """Return the name of the one package which stands under ``wsgiref``."""
    packages: set[str] = set()
    for module_name, witness in WITNESSES.items():
        package = importlib.import_module("wsgiref")
        module = importlib.import_module(module_name)
        if getattr(package, module_name.rpartition(".")[2]) is not module:
            raise RuntimeError(f"{module_name} is not the attribute of the package wsgiref")
        packages.add(getattr(module, witness).__module__.partition(".")[0])
    if len(packages) != 1:
        raise RuntimeError(f"wsgiref is a mixture of {sorted(packages)}")
    return packages.pop()


def require_the_side_asked_for() -> None:
    """Fail unless the wsgiref here is the one which $QUAICH_COMPAT names."""
    expected = {"quaich": "quaich", "stdlib": "wsgiref"}[os.environ["QUAICH_COMPAT"]]
    found = implementation()
    if found != expected:
        raise RuntimeError(f"the tests were to run on {expected}, but wsgiref is {found}")


class Outcomes:
    """The file of outcomes."""

    def __init__(self) -> None:
        self._path = Path(os.environ["QUAICH_COMPAT_OUTCOMES"])
        self._path.write_text("")

    def _write(self, **line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def start(self, test_id: str) -> None:
        self._write(event="start", id=test_id)

    def finish(self, test_id: str, outcome: str, detail: str = "") -> None:
        self._write(event="finish", id=test_id, outcome=outcome, detail=detail[-8000:])

    def end(self) -> None:
        self._write(event="end")


class PytestPlugin:
    """Write what pytest reports."""

    def __init__(self) -> None:
        self.outcomes = Outcomes()
        self._reports: list[pytest.TestReport] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._reports = []
        self.outcomes.start(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        failures = [report for report in self._reports if report.failed]
        if failures:
            self.outcomes.finish(nodeid, "failed", "\n".join(r.longreprtext for r in failures))
        elif any(report.skipped for report in self._reports):
            self.outcomes.finish(nodeid, "skipped")
        else:
            self.outcomes.finish(nodeid, "passed")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcomes.finish(f"{report.nodeid} (collection)", "failed", report.longreprtext)

    def pytest_sessionfinish(self) -> None:
        require_the_side_asked_for()
        self.outcomes.end()


def pytest_configure(config: pytest.Config) -> None:
    require_the_side_asked_for()
    config.pluginmanager.register(PytestPlugin(), "quaich-compat-outcomes")


class UnittestResult(unittest.TextTestResult):
    """Write what unittest reports; a test with a failed subtest has failed."""

    outcomes: Outcomes

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._ended = False
        self.outcomes.start(test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if not self._ended:  # the subtests failed: no other call told so
            self.outcomes.finish(test.id(), "failed")

    def _end(self, test: unittest.TestCase, outcome: str, detail: str = "") -> None:
        self._ended = True
        self.outcomes.finish(test.id(), outcome, detail)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self._end(test, "passed")

    def addError(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        super().addError(test, err)
        self._end(test, "failed", "".join(traceback.format_exception(err[1])))

    def addFailure(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        super().addFailure(test, err)
        self._end(test, "failed", "".join(traceback.format_exception(err[1])))

    def addSubTest(
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: _ExcInfo | None
    ) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._end(test, "failed", "".join(traceback.format_exception(err[1])))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._end(test, "skipped")

    def addExpectedFailure(self, test: unittest.TestCase, err: _ExcInfo) -> None:
        super().addExpectedFailure(test, err)
        self._end(test, "skipped")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._end(test, "failed", "unexpected success")


def run_script(script: str, arguments: list[str]) -> None:
    """Run a program whose tests are run by unittest, as if it were started from its directory."""
    require_the_side_asked_for()
    outcomes = UnittestResult.outcomes = Outcomes()
    runner: Any = unittest.TextTestRunner
    runner.resultclass = UnittestResult
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).resolve().parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        require_the_side_asked_for()
        outcomes.end()


if __name__ == "__main__":
    run_script(sys.argv[1], sys.argv[2:])
