"""``quaich check`` and ``quaich explain`` as commands: options, output, exit codes."""

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quaich.cli.commands import quaich as command
from quaich.cli.explaining import explanation
from quaich.server.system import process

APPLICATIONS = """
def good(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

def bad(environ, start_response):
    start_response("200 OK", (("Content-Type", "text/plain"),))
    return [b"hello"]

def warned(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])(b"hello")
    return []

def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    if environ.get("PATH_INFO") == "/deep":
        start_response("200 OK", [])
    return [b'<a href="/deep">deep</a>']

def printing(environ, start_response):
    print("served")
    return good(environ, start_response)

print("imported")

class Middleware:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return [b"".join(self.app(environ, start_response))]
"""

DOCUMENT = """{"openapi": "3.1.0", "info": {"title": "t", "version": "1"},
    "paths": {"/{id}": {"get": {"parameters": [
        {"name": "id", "in": "path", "required": true, "schema": {"enum": ["deep"]}}]}}}}"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "cups.py").write_text(APPLICATIONS)
    (tmp_path / "openapi.json").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    sys.modules.pop("cups", None)


def run(*args: str) -> Result:
    return CliRunner().invoke(command, args)


# --- explain ----------------------------------------------------------------------------------


def test_a_rule_is_explained_with_what_to_do() -> None:
    result = run("explain", "a7")
    assert result.exit_code == 0
    assert result.stdout.startswith("A07: ")
    assert "What to do: " in result.stdout


def test_several_rules_and_all_of_them() -> None:
    assert run("explain", "A07", "H045").stdout.count("What to do: ") == 2
    listed = run("explain", "--all").stdout.splitlines()
    assert len(listed) == 334
    assert len(json.loads(run("explain", "--all", "--format", "json").stdout)) == 334


def test_numbers_may_have_commas_between_them_as_in_select() -> None:
    assert run("explain", "a7, H045,").stdout == run("explain", "A07", "H045").stdout


def test_a_letter_lists_its_rules() -> None:
    listed = run("explain", "m").stdout.splitlines()
    assert len(listed) == 27
    assert all(line.startswith("M") for line in listed)
    assert listed == [
        line for line in run("explain", "--all").stdout.splitlines() if line[0] == "M"
    ]
    assert len(json.loads(run("explain", "M", "--format", "json").stdout)) == 27


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("A50",), "A49"),
        (("B1",), "there is no rule B1; rules are S01-S118"),
        (("X99",), "there is no rule X99; rules are S01-S118"),
        ((), "quaich explain A07"),
        ((",",), "quaich explain A07"),
        (("D065",), "D065 is no rule but a defect of wsgiref"),
        (("v3",), "docs/differences.md"),
        (("--all", "A07"), "leave out either it or the numbers"),
    ],
)
def test_what_is_no_rule_is_an_error_of_usage(args: tuple[str, ...], said: str) -> None:
    result = run("explain", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_in_a_terminal_a_list_is_wrapped_as_a_rule_is() -> None:
    """In a file each rule has a line, whatever its length."""
    lines = explanation(["M"], False, "text", 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert {line[0] for line in lines} == {"M", " "}
    assert max(map(len, explanation(["M"], False, "text").splitlines())) > 100
    head, _, _ = explanation(["A07"], False, "text", 60).partition("\n\n  duty of")
    assert max(map(len, head.splitlines())) <= 60 < len(explanation(["A07"], False, "text", 96))


# --- check ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("cups:good",), 0),
        (("cups:bad",), 1),
        (("cups:bad", "--exit-zero"), 0),
        (("cups:bad", "--ignore", "A07"), 0),
        (("cups:bad", "--ignore", "A"), 0),
        (("cups:bad", "--ignore", "A", "--select", "A07"), 1),
        (("cups:bad", "--select", "A05"), 0),
        (("cups:warned",), 0),
        (("cups:warned", "--strict"), 1),
        (("cups:warned", "--strict", "--ignore", "a22"), 0),
        (("--middleware", "cups:Middleware"), 1),
        (("cups:nothing",), 3),
        (("nowhere:app",), 3),
        (("cups:good", "--select", "X1"), 2),
        (("cups:good", "--path", "no-slash"), 2),
        (("cups:good", "--openapi", "missing.json"), 2),
        (("cups:good", "--openapi", "cups.py"), 2),
        (("--middleware", "cups:APPLICATION"), 3),
        (("cups:good", "--output", "missing/report.txt"), 2),
        (("cups:good", "--select", "A,S"), 0),
        (("cups:good", "--host", "[::1]:80"), 0),
    ],
)
def test_the_exit_code_tells_what_came_of_it(args: tuple[str, ...], code: int) -> None:
    result = run("check", *args)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


# In a project with settings, as it is served there.
SETTINGS = """
app = "inner:app"
pythonpath = "sources"
env = { CUPS_OF = "tea" }
"""
INNER = """
import os
from cups import good, bad
app = {"tea": good, "mud": bad}[os.environ["CUPS_OF"]]
"""


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "inner.py").write_text(INNER)
    path = tmp_path / "quaich.toml"
    path.write_text(SETTINGS)
    monkeypatch.delenv("CUPS_OF", raising=False)
    process._start.cache_clear()
    yield path
    process._put_back()
    process._start.cache_clear()
    sys.modules.pop("inner", None)


def test_the_application_may_be_that_of_the_settings(settings_file: Path) -> None:
    result = run("check")
    assert result.exit_code == 0, result.output
    assert "inner:app" in result.stdout
    sys.modules.pop("inner")
    settings_file.write_text(SETTINGS.replace("tea", "mud"))
    assert run("check").exit_code == 1
    assert run("check", "cups:good").exit_code == 0  # APP comes first


def test_what_the_command_line_names_goes_from_where_it_was_written(settings_file: Path) -> None:
    settings_file.write_text(SETTINGS.replace('pythonpath = "sources"', 'chdir = "sources"'))
    args = ("--openapi", "openapi.json", "-o", "report.txt", "--pythonpath", ".")
    result = run("check", *args)
    assert result.exit_code == 0, result.output
    assert (settings_file.parent / "report.txt").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = 1", "no application is given: write MODULE:NAME, or app = 'MODULE:NAME' in"),
        ("thraeds = 1", "quaich.toml, line 1: thraeds = 1: there is no such setting"),
        ('app = "cups:good"\nchdir = "no"', "quaich.toml, line 2: chdir: 'no': No such file or"),
    ],
)
def test_the_settings_may_be_wrong(settings_file: Path, text: str, said: str) -> None:
    settings_file.write_text(text)
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"quaich: {said}")


def test_the_report_names_rule_place_and_what_to_do() -> None:
    output = run("check", "cups:bad").stdout
    assert "A07" in output
    assert "  cups.py:7 in bad" in output
    assert "Hint: " in output


def test_what_the_application_prints_stands_beside_the_report() -> None:
    result = run("check", "cups:printing", "--format", "json")
    assert json.loads(result.stdout)["app"] == "cups:printing"
    assert result.stderr.startswith("imported\nserved\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("cups:good", "--select", "S01"), "leave no rule that an application is checked by"),
        (("cups:good", "--select", "H", "--ignore", "H"), "leave no rule"),
        (("--middleware", "cups:Middleware", "--ignore", "S,A,M,H"), "a middleware is checked by"),
        (("--middleware", "cups:Middleware", "--path", "/a"), "--path says what an application"),
        (("--middleware", "cups:Middleware", "--openapi", "x"), "--openapi says"),
        (("--middleware", "cups:Middleware", "--crawl", "1"), "--crawl says"),
        (("cups:good", "--host", ""), "--host '': takes HOST or HOST:PORT"),
        (("cups:good", "--host", "a b"), "--host 'a b'"),
        (("cups:good", "--host", "http://shop/"), "--host 'http://shop/'"),
        (("cups:good", "--host", ":80"), "--host ':80'"),
        (("cups:good", "--openapi", "empty.json"), "--openapi: empty.json#: "),
        (("cups:good", "--openapi", "missing.json"), "--openapi: missing.json: "),
        (
            ("cups:good", "--openapi", "idle.json"),
            "--openapi: idle.json: it describes no operation",
        ),
    ],
)
def test_an_option_that_would_do_nothing_is_an_error(args: tuple[str, ...], said: str) -> None:
    Path("empty.json").write_text("{}")
    Path("idle.json").write_text('{"openapi": "3.1.0", "paths": {}}')
    result = run("check", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") <= 2  # the module's own line, and ours
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("cups:Middleware",), "; it may be a middleware: add --middleware\n"),
        (("--middleware", "cups:good"), "; it may be an application: leave out --middleware\n"),
    ],
)
def test_application_and_middleware_are_told_apart(args: tuple[str, ...], said: str) -> None:
    result = run("check", *args)
    assert result.exit_code == 3
    assert result.stderr.endswith(said)


@pytest.mark.parametrize("args", [("cups:none",), ("cups:APPLICATIONS",), ("cups:print('x')",)])
def test_what_is_neither_gets_no_such_hint(args: tuple[str, ...]) -> None:
    for more in ((), ("--middleware",)):
        assert "it may be" not in run("check", *args, *more).stderr


def test_a_terminal_shows_the_text_in_colours_and_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    arguments = ("check", "cups:bad", "--exit-zero")
    coloured = CliRunner().invoke(command, arguments, color=True).stdout
    assert coloured.startswith("\x1b[1;31mErrors\x1b[0m")
    assert "\x1b" not in run(*arguments).stdout
    CliRunner().invoke(command, [*arguments, "-o", "report.txt"], color=True)
    assert "\x1b" not in Path("report.txt").read_text()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in CliRunner().invoke(command, arguments, color=True).stdout


def test_json_has_what_programs_need() -> None:
    report = json.loads(run("check", "cups:bad", "--format", "json").stdout)
    assert {"app", "requests", "rules_checked", "findings"} <= report.keys()
    (finding,) = report["findings"]
    assert finding.keys() >= {"rule", "severity", "party", "message", "where", "hint", "count"}
    assert (finding["rule"], finding["party"]) == ("A07", "application")
    assert finding["count"] == report["requests"]
    assert "A07" in report["rules_checked"]
    assert not any(rule.startswith("S") for rule in report["rules_checked"])


def test_other_programs_are_served() -> None:
    suite = ET.fromstring(run("check", "cups:bad", "--format", "junit").stdout)
    assert suite.find(".//failure") is not None
    assert "::error file=cups.py,line=7" in run("check", "cups:bad", "--format", "github").stdout


def test_a_page_is_written_to_a_file() -> None:
    result = run("check", "cups:bad", "--format", "html", "--output", "report.html")
    assert result.stdout == ""
    assert result.stderr.endswith("quaich: cups:bad has 1 error (see report.html)\n")
    assert Path("report.html").read_text("utf-8").startswith("<!doctype html>")


def test_links_lead_to_more_pages() -> None:
    assert run("check", "cups:page").exit_code == 0
    result = run("check", "cups:page", "--crawl", "3")
    assert result.exit_code == 1  # the page behind calls start_response twice
    assert "A14" in result.stdout


def test_paths_are_asked_for_one_after_the_other() -> None:
    one = json.loads(run("check", "cups:good", "--format", "json").stdout)["requests"]
    args = ("--path", "/a", "--path", "POST /b x=1", "--format", "json")
    assert json.loads(run("check", "cups:good", *args).stdout)["requests"] > one


def test_a_document_says_what_to_ask_for() -> None:
    assert run("check", "cups:good", "--openapi", "openapi.json").exit_code == 0
    assert run("check", "cups:page", "--openapi", "openapi.json").exit_code == 1
