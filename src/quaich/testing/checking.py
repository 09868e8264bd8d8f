"""Applications are checked while they are tested: ``pytest --quaich-check`` and ``wsgi_check``.

    Checking              the plugin of a session
      Clients               where test clients call applications (quaich.testing.clients)
      Watch                 takes what is found while one test runs (quaich.testing.watch)
      _judged               fails the test for it; what fails no test is for the summary

``quaich.testing.plugin`` brings it in once it is needed, and not before: behind it is the
catalogue of rules.
"""

from collections.abc import Generator, Iterable
from typing import Any, Final, TypeVar

import pytest

from quaich.conformance import Report
from quaich.testing.clients import Clients
from quaich.testing.watch import MARK, Row, Watch, choice_of, marked, rows, table

NAME: Final = "quaich check"
"""Of the plugin, and of its part in reports."""

_WATCH: Final = pytest.StashKey[Watch]()
_Result = TypeVar("_Result")

_NONE_CHECKED: Final = """\
No application has been checked. None was called by the test client of Werkzeug, Flask, Django or
WebTest, by httpx.WSGITransport or by wsgi_server; for others there is the fixture wsgi_check."""


def checking(config: pytest.Config) -> "Checking":
    """The plugin of this session, which is made if it is not there."""
    plugin = config.pluginmanager.get_plugin(NAME)
    if plugin is None:
        plugin = Checking(config)
        config.pluginmanager.register(plugin, NAME)
    return plugin


class Checking:
    """The plugin. It is there from the start with ``--quaich-check``, and turned on; else from
    the first test on that has ``wsgi_check``."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._choice = choice_of(config)
        self._clients: Clients | None = None
        # Of the test that runs, and of what goes on between tests.
        self._current: Watch | None = None
        self._beyond = Report("collect", self._choice.select, self._choice.ignore)
        # For the summary.
        self._rows: list[Row] = []
        self._tests = 0
        self._called = 0  # times that a client or wsgi_server had an application to call
        self._has_failed = False  # outside of tests

    def turn_on(self) -> None:
        """Check what test clients call, until the session ends."""
        self._clients = Clients(self._report)
        self._config.add_cleanup(self._clients.undo)
        self._clients.install()

    def checked(self, application: Any) -> Any:
        """The application, checked if the plugin is turned on."""
        return application if self._clients is None else self._clients.checked(application)

    def watch_of(self, item: pytest.Item) -> Watch:
        """The watch of a test that runs."""
        watch = item.stash.get(_WATCH, None)
        if watch is None:
            choice = marked(self._choice, item.iter_markers(MARK))
            watch = item.stash[_WATCH] = Watch(choice, item.path, self._beyond)
        return watch

    def _report(self) -> Report | None:
        """Who takes what is found in a request that begins now."""
        current = self._current
        if current is not None and not current.choice.is_on:
            return None
        self._called += 1
        return self._beyond if current is None else current

    # --- A test -------------------------------------------------------------------------------

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A mark that cannot be understood is told of before any test runs."""
        for item in items:
            try:
                marked(self._choice, item.iter_markers(MARK))
            except pytest.UsageError as error:
                raise pytest.UsageError(f"{item.nodeid}: {error}") from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, _Result, _Result]:
        """What is found in a fixture's request fails the test, but the test runs first."""
        watch = self._current = self.watch_of(item)
        try:
            return (yield)
        except BaseException:
            watch.ended = watch.take()
            raise

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, _Result, _Result]:
        """The test itself."""
        return (yield from self._judged(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, _Result, _Result]:
        """Requests of fixtures that end."""
        return (yield from self._judged(item))

    def _judged(self, item: pytest.Item) -> Generator[None, _Result, _Result]:
        watch = self.watch_of(item)
        try:
            result = yield
        finally:
            watch.ended = watch.take()
        failing = [each for each in watch.ended if watch.choice.fails(each)]
        if failing:
            watch.failure = pytest.fail.Exception(watch.tell(failing), pytrace=False)
            raise watch.failure
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """What was found goes with the report, which is all that comes from a worker of xdist: as
        the failure that it is, as a section beside another failure, or as rows of the summary."""
        report = yield
        watch = item.stash.get(_WATCH, None)
        if watch is None or watch.ended is None:  # of a subtest: its test has not ended
            return report
        findings, watch.ended = watch.ended, None
        if report.failed:
            failing = [each for each in findings if watch.choice.fails(each)]
            findings = [each for each in findings if each not in failing]
            is_told = call.excinfo is not None and call.excinfo.value is watch.failure
            if failing and not is_told:
                report.sections.append((NAME, watch.tell(failing)))
        if findings:
            report.quaich_check = rows(findings)  # type: ignore[attr-defined]
        if call.when == "teardown":
            watch.is_over = True
            self._current = None
            del item.stash[_WATCH]
        return report

    # --- The session --------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what is for the summary."""
        self._tests += report.when == "call"
        self._gather(getattr(report, "quaich_check", ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """There is no test to fail for what was found outside of all, so the session does."""
        findings = self._beyond.findings
        self._has_failed |= any(self._choice.fails(each) for each in findings)
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["quaich_check"] = (self._called, self._has_failed, rows(findings))
            return
        self._gather(rows(findings))
        if self._has_failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of xdist has ended."""
        output = getattr(node, "workeroutput", {})
        called, has_failed, found = output.get("quaich_check", (0, False, ()))
        self._called += called
        self._has_failed |= has_failed
        self._gather(found)

    def _gather(self, found: Iterable[Iterable[Any]]) -> None:
        self._rows += [Row(*each) for each in found]

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """What has failed no test, and whether anything was looked at."""
        lines = [*table(self._rows)]
        if self._has_failed:
            lines.append("Errors were found outside of all tests.")
        if lines:
            lines.append("`quaich explain` and the number of a rule: what it is about.")
        if self._clients is not None:
            lines += [
                f"{name} is not as it is known here: what it calls is not checked."
                for name in self._clients.unknown
            ]
            if self._tests and not self._called:
                lines += _NONE_CHECKED.splitlines()
        if lines:
            terminalreporter.section(NAME)
            for line in lines:
                terminalreporter.line(line)
