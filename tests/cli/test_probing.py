"""``quaich probe`` as a command: which server, which rules, exit codes."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quaich.cli.commands import quaich as command
from quaich.conformance.probe.presets import PRESETS

WSGIREF = (
    f"{sys.executable} -c 'from {{module}} import application; from wsgiref.simple_server import"
    ' make_server; make_server("{host}", {port}, application).serve_forever()\''
)


def run(*args: str) -> Result:
    return CliRunner().invoke(command, ["probe", *args])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "which server?"),
        (("--preset", "gunicrn"), "is gunicorn meant?"),
        (("--preset", "quaich", "--preset", "wsgiref"), "add --compare"),
        (("--preset", "quaich", "--select", "X"), "X is no rule"),
        (("--preset", "quaich", "--python", "/nowhere/python"), "/nowhere/python"),
        (("--url", "https://localhost:1"), "TLS cannot be probed"),
        (("--url", "http://localhost:port"), "--url"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(args: tuple[str, ...], said: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_server_that_does_not_start_is_an_error() -> None:
    result = run("--exec", f"{sys.executable} -c 'raise SystemExit(7)'")
    assert result.exit_code == 1
    assert "the server ended with 7" in result.stderr


@pytest.mark.live
def test_our_own_server_keeps_the_rules() -> None:
    result = run("--preset", "quaich", "--select", "H04", "--format", "json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["server"] == "quaich"
    assert {each["rule"] for each in record["results"]} == {f"H04{n}" for n in range(10)}
    assert {each["verdict"] for each in record["results"]} <= {"pass", "untestable"}
    assert any(each["talks"] for each in record["results"])


@pytest.mark.live
def test_the_standard_library_s_server_breaks_some(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    args = ("--exec", WSGIREF, "--select", "H045,H039", "--format", "html", "--output", str(page))
    result = run(*args)
    assert result.exit_code == 1
    assert "2 broken" in result.stderr
    assert "H045" in page.read_text("utf-8")
    assert run(*args, "--exit-zero").exit_code == 0


@pytest.mark.live
def test_servers_are_compared_in_a_table() -> None:
    args = ("--preset", "quaich", "--preset", "wsgiref", "--select", "H045", "--compare")
    result = run(*args)
    assert result.exit_code == 1
    assert "| H045 |" in result.stdout
    assert result.stdout.endswith("| ✓ | ✗ |\n")


def test_the_presets_are_those_that_the_help_names() -> None:
    text = " ".join(run("--help").stdout.split())
    assert all(name in text for name in PRESETS)
