"""``quaich check`` and ``quaich explain`` as commands: options, output, exit codes."""

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quaich.cli.commands import quaich as command

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


@pytest.mark.parametrize(
    ("args", "said"),
    [(("A50",), "A49"), (("B1",), "there is no rule B1"), ((), "quaich explain A07")],
)
def test_what_is_no_rule_is_an_error_of_usage(args: tuple[str, ...], said: str) -> None:
    result = run("explain", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


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
    ],
)
def test_the_exit_code_tells_what_came_of_it(args: tuple[str, ...], code: int) -> None:
    result = run("check", *args)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output


def test_the_report_names_rule_place_and_what_to_do() -> None:
    output = run("check", "cups:bad").stdout
    assert "A07" in output
    assert "  cups.py:7 in bad" in output
    assert "Hint: " in output


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
