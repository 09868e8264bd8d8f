"""Applications that are checked while they are tested, in test projects that use the plugin.

The client that ``--quaich-check`` reaches here is a stand-in for HTTPX's;
``tests/interop/suite_checking.py`` has the real ones.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import quaich.testing.checking  # noqa: F401 - or each project would read the catalogue again

pytest_plugins = ["pytester"]

SHOP = '''\
"""Applications: each breaks one rule, or none."""

def good(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"good"]

def hop(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [b"hop"]

def writing(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])(b"written")
    return []

def late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"in time"
    yield "late"
'''

HTTPX = '''
import io

class WSGITransport:
    def __init__(self, app):
        self.app = app
    def handle_request(self, request):
        return call(self.app, **request)

def call(app, **more):
    """A server, with an environ to which more can be added."""
    result = call_open(app, **more)
    try:
        return [*result]
    finally:
        getattr(result, "close", bool)()

def call_open(app, **more):
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }
    return app({**environ, **more}, lambda status, headers, exc_info=None: bool)
'''

TOP = """
import pytest
from httpx import WSGITransport, call, call_open
from shop import good, hop, late, writing

def get(app, **more):
    return WSGITransport(app).handle_request(more)

"""


class Project:
    """A test project that uses the plugin, however Quaich is installed here."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        pytester.makepyfile(shop=SHOP, httpx=HTTPX)
        pytester.syspathinsert()

    def run(self, tests: str, *options: str, ini: str = "", conftest: str = "") -> pytest.RunResult:
        # The name of the test's own file is known: places name it.
        self._pytester.makepyfile(test_shop=TOP + tests)
        self._pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider\n{ini}")
        self._pytester.makeconftest(conftest)
        return self._pytester.runpytest_inprocess(
            # Hypothesis would be imported anew each time, which takes a second.
            *("-p", "no:hypothesispytest", "-p", "no:quaich", "-p", "quaich.testing.plugin"),
            *options,
        )


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("httpx", "shop"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return Project(pytester)


THREE = """
def test_good():
    assert get(good) == [b"good"]

def test_hop():
    assert get(hop) == [b"hop"]

def test_writing():
    assert get(writing) == []
"""


# --- Findings -------------------------------------------------------------------------------------


def test_it_is_off_as_long_as_nobody_asks_for_it(project: Project) -> None:
    result = project.run(THREE)
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*quaich*check*")


def test_an_error_fails_the_test(project: Project) -> None:
    """With the place, the rule, what was done, how often, by whose request, and what to do."""
    result = project.run(THREE, "--quaich-check")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_hop _*",
            "A11: rules of WSGI or HTTP are broken",
            "",
            "shop.py:8 in hop: A11 error: the header ('Connection', 'close') is hop-by-hop",
            "    in a request by test_shop.py:13 in test_hop",
            "    Leave the header out.*",
            "FAILED test_shop.py::test_hop - Failed: A11: rules of WSGI or HTTP are broken",
        ]
    )


def test_an_error_that_occurs_more_often(project: Project) -> None:
    result = project.run(
        """
def test_hop():
    for number in range(3):
        get(hop)
""",
        "--quaich-check",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*: A11 error: *hop-by-hop (3 times)"])


def test_warnings_are_in_the_summary(project: Project) -> None:
    result = project.run(
        """
def test_one():
    get(writing)

def test_other():
    get(writing)
    get(writing)
""",
        "--quaich-check",
    )
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*= quaich check =*", "A22  warning         3  shop.py:12 in writing: write() is used"]
    )


@pytest.mark.parametrize("way", ["option", "ini"])
def test_strict(project: Project, way: str) -> None:
    options = ["--quaich-check-strict"] if way == "option" else []
    ini = "quaich_check_strict = true" if way == "ini" else ""
    result = project.run(THREE, "--quaich-check", *options, ini=ini)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["shop.py:12 in writing: A22 warning: write() is used"])
    result.stdout.no_fnmatch_line("*= quaich check =*")


def test_what_the_client_does_is_told_and_fails_nothing(project: Project) -> None:
    result = project.run(
        """
def test_it():
    get(good, SERVER_PORT="http")
""",
        *("--quaich-check", "--quaich-check-strict"),
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["S29  test client     1  httpx.py:* in call_open: SERVER_PORT is *"]
    )


# --- What is looked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "failed"),
    [
        (["--quaich-check-ignore", "A11"], 0),
        (["--quaich-check-ignore", "S,a1"], 0),
        (["--quaich-check-ignore", "S, H", "--quaich-check-ignore=M"], 1),
        (["--quaich-check-select", "A22,S"], 0),
        (["--quaich-check-select=A11", "--quaich-check-ignore=A"], 1),
    ],
)
def test_options(project: Project, options: list[str], failed: int) -> None:
    project.run(THREE, "--quaich-check", *options).assert_outcomes(passed=3 - failed, failed=failed)


@pytest.mark.parametrize(
    ("ini", "options", "failed"),
    [
        ("quaich_check_ignore = A11", [], 0),
        ("quaich_check_ignore = S, A11\n    H", [], 0),
        ("quaich_check_select = A22", [], 0),
        ("quaich_check_select = A22", ["--quaich-check-select=A11"], 1),
        ("quaich_check_ignore = A11", ["--quaich-check-ignore=A22"], 1),
        ("", ["-o", "quaich_check=false"], 0),
    ],
)
def test_the_configuration(project: Project, ini: str, options: list[str], failed: int) -> None:
    """An option on the command line comes before it."""
    result = project.run(THREE, *options, ini=f"quaich_check = true\n{ini}")
    result.assert_outcomes(passed=3 - failed, failed=failed)


def test_a_rule_that_there_is_not(project: Project) -> None:
    result = project.run(THREE, "--quaich-check", "--quaich-check-ignore=A22,A222")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*quaich_check_ignore: no rule is called A222, *"])


def test_marks(project: Project) -> None:
    result = project.run(
        """
check = pytest.mark.quaich_check

@check(False)
def test_off():
    get(hop)

@check(ignore=["A11"])
def test_ignore():
    get(hop)

@check(ignore="S,A11")
def test_ignore_text():
    get(hop)

@check(select=["A22"])
def test_select():
    get(hop)

@check(strict=True)
def test_strict_fails():
    get(writing)

@check(False)
class TestClass:
    def test_off(self):
        get(hop)

    @check(True)
    def test_on_fails(self):
        get(hop)

    @check(True, ignore=["A11"])
    def test_on(self):
        get(hop)

@check(ignore=["A22"], strict=True)
class TestOther:
    @check(ignore=["A11"])
    def test_both(self):
        get(hop)
        get(writing)

    def test_fails(self):
        get(hop)
""",
        *("--quaich-check", "--strict-markers", "-rf"),
    )
    result.assert_outcomes(passed=7, failed=3)
    result.stdout.fnmatch_lines(
        [
            "FAILED test_shop.py::test_strict_fails *",
            "FAILED test_shop.py::TestClass::test_on_fails *",
            "FAILED test_shop.py::TestOther::test_fails *",
        ]
    )
    result.stdout.no_fnmatch_line("*= quaich check =*")


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ("'A22'", "*test_hop: the mark quaich_check takes *: not 'A22'"),
        ("ignored=['A22']", "*test_hop: the mark quaich_check takes *: not ignored=*'A22'*"),
        ("ignore=['A222']", "*test_hop: ignore: no rule is called A222*"),
    ],
)
def test_a_mark_that_cannot_be_understood(project: Project, mark: str, complaint: str) -> None:
    test = f"@pytest.mark.quaich_check({mark})\ndef test_hop():\n    get(hop)\n"
    result = project.run(test, "--quaich-check")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {complaint}"])


# --- Other ends of a test -------------------------------------------------------------------------


def test_a_test_that_fails_by_itself(project: Project) -> None:
    """Its own failure comes first."""
    result = project.run(
        """
import unittest

def test_hop():
    get(hop)
    assert "this" == "that"

class Case(unittest.TestCase):
    def test_case(self):
        get(hop)
        self.assertEqual("these", "those")
""",
        "--quaich-check",
    )
    result.assert_outcomes(failed=2)
    for failure in ("E *assert 'this' == 'that'", "E *'these' != 'those'"):
        result.stdout.fnmatch_lines(
            [failure, "*- quaich check -*", "shop.py:8 in hop: A11 error: *"]
        )
    result.stdout.no_fnmatch_line("*= quaich check =*")


def test_a_case_of_unittest(project: Project) -> None:
    """With subtests as well, whose reports come before the end."""
    result = project.run(
        """
import unittest

class Case(unittest.TestCase):
    def test_good(self):
        get(good)

    def test_hop(self):
        get(hop)

    def test_parts(self):
        with self.subTest("hop"):
            get(hop)
        with self.subTest("good"):
            get(good)
""",
        "--quaich-check",
    )
    assert result.parseoutcomes()["failed"] == 2
    result.stdout.fnmatch_lines(["FAILED *::test_hop - *A11*", "FAILED *::test_parts - *A11*"])


def test_a_test_that_is_not_to_pass(project: Project) -> None:
    """An expected failure is one; what a skipped test has found is told all the same."""
    result = project.run(
        """
@pytest.mark.xfail(strict=True)
def test_expected():
    get(hop)

def test_skipped():
    get(late)
    pytest.skip("enough")
""",
        "--quaich-check",
    )
    result.assert_outcomes(xfailed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "A11  error           1  shop.py:8 in hop: *",
            "A18  error           1  shop.py:* in late: the result gives 'late' (str), not bytes",
        ]
    )


def test_fixtures(project: Project) -> None:
    """What is found in one fails the test that has it."""
    result = project.run(
        """
@pytest.fixture
def before():
    get(hop)

@pytest.fixture
def after():
    yield
    get(hop)

@pytest.fixture
def broken():
    get(hop)
    raise OSError("broken")

def test_before(before):
    print("it runs")

def test_after(after):
    pass

def test_broken(broken):
    pass
""",
        "--quaich-check",
    )
    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            *("*_ ERROR at teardown of test_after _*", "A11: rules *"),
            *("*_ ERROR at setup of test_broken _*", "E *OSError: broken", "*- quaich check -*"),
            *("A11: rules *", "*_ test_before _*", "A11: rules *", "it runs"),
        ]
    )


def test_a_test_that_runs_again(project: Project) -> None:
    """Each time by itself."""
    result = project.run(
        """
times = []

def test_hop():
    times.append(1)
    get(hop if len(times) == 1 else good)
""",
        "--quaich-check",
        conftest="""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=nextitem)
    return True
""",
    )
    result.assert_outcomes(passed=1, failed=1)


def test_what_is_found_after_its_test(project: Project) -> None:
    """It belongs to no test, so it fails the session."""
    result = project.run(
        """
kept = []

def test_first(monkeypatch):
    monkeypatch.setattr("httpx.call", call_open)
    kept.append(get(late))
    assert next(kept[0]) == b"in time"

def test_second():
    assert next(kept[0]) == "late"
""",
        "--quaich-check",
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["A18  error           1  shop.py:*", "Errors were found outside of all tests."]
    )


def test_what_is_found_after_a_test_that_ignores_it(project: Project) -> None:
    result = project.run(
        """
kept = []

@pytest.mark.quaich_check(ignore=["A18"])
def test_first(monkeypatch):
    monkeypatch.setattr("httpx.call", call_open)
    kept.append(get(late))

def test_second():
    assert [*kept[0]] == [b"in time", "late"]
""",
        "--quaich-check",
    )
    result.assert_outcomes(passed=2)
    assert result.ret == 0


@pytest.mark.parametrize(("app", "ret"), [("hop", 1), ("writing", 0)])
def test_what_is_found_between_tests(project: Project, app: str, ret: int) -> None:
    result = project.run(
        f"""
get({app})

def test_nothing():
    pass
""",
        "--quaich-check",
    )
    result.assert_outcomes(passed=1)
    assert result.ret == ret
    result.stdout.fnmatch_lines(["A*  *  1  shop.py:* in *: *"])


@pytest.mark.parametrize("tests", ["call(hop)", "get(hop)"])
def test_whether_anything_was_looked_at(project: Project, tests: str) -> None:
    """Or a run with a client that is not known would be taken for a good one."""
    result = project.run(f"def test_it():\n    {tests}\n", "--quaich-check")
    result.assert_outcomes(passed=tests == "call(hop)", failed=tests != "call(hop)")
    if tests == "call(hop)":
        result.stdout.fnmatch_lines(["*= quaich check =*", "No application has been checked.*"])
    else:
        result.stdout.no_fnmatch_line("No application has been checked.*")


def test_a_client_that_is_another_than_is_known(project: Project, tmp_path: Path) -> None:
    result = project.run(
        "",
        "--quaich-check",
        conftest="""
import sys, types
sys.modules["httpx"] = types.ModuleType("httpx")
vars(sys.modules["httpx"]).update(WSGITransport=1, call=1, call_open=1)
""",
    )
    result.stdout.fnmatch_lines(["httpx is not as it is known here: *"])


# --- Workers of xdist -----------------------------------------------------------------------------


def test_a_worker(project: Project) -> None:
    """It tells the session that started it what it has found between tests."""
    result = project.run(
        "get(hop)\ndef test_it():\n    get(writing)\n",
        "--quaich-check",
        conftest="""
def pytest_configure(config):
    config.workeroutput = {}

def pytest_unconfigure(config):
    called, has_failed, rows = config.workeroutput["quaich_check"]
    print(called, has_failed, [row[:3] for row in rows])
""",
    )
    result.stdout.fnmatch_lines(["*2 True [[]('A11', 'error', 'shop.py:8 in hop')]"])


def test_a_session_with_workers(project: Project) -> None:
    result = project.run(
        "def test_it():\n    call(good)\n",
        "--quaich-check",
        conftest="""
import types
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    checking = session.config.pluginmanager.get_plugin("quaich check")
    output = {"quaich_check": (3, True, [("A11", "error", "shop.py:8 in hop", "what it is", 2)])}
    checking.pytest_testnodedown(node=types.SimpleNamespace(workeroutput=output))
    checking.pytest_testnodedown(node=types.SimpleNamespace())  # one that has crashed
""",
    )
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["A11  error           2  shop.py:8 in hop: what it is"])
    result.stdout.no_fnmatch_line("No application has been checked.*")


# --- The fixtures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--quaich-check"]])
def test_the_fixture_fails_the_test_at_its_end(project: Project, options: list[str]) -> None:
    result = project.run(
        """
def test_good(wsgi_check):
    assert call(wsgi_check(good)) == [b"good"]
    assert wsgi_check.findings == []

def test_hop(wsgi_check):
    app = wsgi_check(hop)
    call(app)
    get(app)
    (finding,) = wsgi_check.findings
    assert (finding.rule, finding.count, finding.where.function) == ("A11", 2, "hop")
    print("it goes on")

def test_others():
    call(hop)
""",
        *options,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["*_ test_hop _*", "shop.py:8 in hop: A11 *(2 times)", "it goes on"]
    )


def test_findings_that_a_test_expects(project: Project) -> None:
    """With the mark they are its own affair."""
    result = project.run("""
@pytest.mark.quaich_check(False)
def test_hop(wsgi_check):
    call(wsgi_check(hop))
    assert [each.rule for each in wsgi_check.findings] == ["A11"]

@pytest.mark.quaich_check(ignore=["A11"])
def test_ignored(wsgi_check):
    call(wsgi_check(hop))
    assert wsgi_check.findings == []
""")
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*quaich check*")


def test_the_fixture_has_warnings_in_the_summary(project: Project) -> None:
    result = project.run("def test_writing(wsgi_check):\n    call(wsgi_check(writing))\n")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["A22  warning         1  shop.py:12 in writing: write() is used"])


def test_who_is_who_can_be_said(project: Project) -> None:
    """Middleware that calls a checked application is no test client."""
    result = project.run("""
def middleware(app):
    def wrapped(environ, start_response):
        environ["SERVER_PORT"] = "http"
        return app(environ, start_response)
    return wrapped

def test_server(wsgi_check):
    call(middleware(wsgi_check(good)))

def test_middleware(wsgi_check):
    call(middleware(wsgi_check(good, outer="middleware")))
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*_ test_middleware _*", "test_shop.py:* in middleware.*: S29 *"])


@pytest.mark.live
@pytest.mark.parametrize(
    ("options", "failed"), [([], 0), (["--quaich-check", "--quaich-check-strict"], 1)]
)
def test_a_server_for_the_test(project: Project, options: list[str], failed: int) -> None:
    """What it serves is checked as well; its threads are not the test's."""
    result = project.run(
        """
import urllib.request

@pytest.mark.parametrize(("app", "content"), [(good, b"good"), (writing, b"written")])
def test_it(wsgi_server, app, content):
    with urllib.request.urlopen(wsgi_server(app).url, timeout=10) as response:
        assert response.read() == content
""",
        *options,
    )
    result.assert_outcomes(passed=2 - failed, failed=failed)
    if failed:
        result.stdout.fnmatch_lines(["shop.py:12 in writing: A22 warning: *"])
        result.stdout.no_fnmatch_line("*in a request by*")


@pytest.mark.live
def test_the_example_of_the_document(project: Project) -> None:
    """That of the fixture; ``tests/interop`` has the one with a client."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "testing.md"
    _, _, text = page.read_text("utf-8").partition("\n### The fixture\n")
    (example,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    conftest = "import shop\nshop.app = shop.good\n"
    project.run(example, conftest=conftest).assert_outcomes(passed=1)
    conftest = "import shop\nshop.app = shop.writing\n"
    project.run(example, conftest=conftest).assert_outcomes(failed=1)


def test_it_costs_nothing_where_it_is_off(tmp_path: Path) -> None:
    """Neither checker nor catalogue is imported."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    assert 'quaich.testing.plugin' in sys.modules\n"
        "    assert 'quaich.conformance' not in sys.modules\n"
    )
    options = ("-p", "no:cacheprovider", "-p", "no:quaich", "-p", "quaich.testing.plugin")
    command = [sys.executable, "-m", "pytest", "-q", f"--rootdir={tmp_path}", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
