"""``quaich probe`` as a command: which server, which rules, exit codes."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quaich import Server
from quaich.cli.commands import quaich as command
from quaich.conformance.probe import application
from quaich.conformance.probe.presets import PRESETS
from quaich.simple_server import demo_app
from server.wire import wait_until

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
        (("--preset", "gunicrn"), "no such preset (is gunicorn meant?); there are quaich"),
        (("--preset", "apache"), "--preset apache: no such preset; there are quaich, gunicorn"),
        (("--exec", "serve {app}"), "--exec 'serve {app}': it has no {port}, which stands for"),
        (("--exec", "no-such-server {port}"), "no-such-server: it cannot be run: No such file or"),
        (("--exec", "/no/such-server {port}"), "such-server: it cannot be run: No such file or d"),
        (("--preset", "wsgiref", "--select", "X1"), "nor the beginning of one (quaich explain"),
        (("--preset", "quaich", "--preset", "wsgiref"), "add --compare"),
        (("--preset", "quaich", "--select", "X"), "X is no rule"),
        (("--preset", "quaich", "--python", "/nowhere/python"), "/nowhere/python"),
        (("--url", "https://localhost:1"), "TLS cannot be probed"),
        (("--url", "http://localhost:port"), "--url"),
        (("--url", "http://localhost:1/app"), "nothing behind it"),
        (("--url", "http://me@localhost:1"), "nothing behind it"),
        (("--url", ""), "the address is empty"),
        (("--exec", " "), "the command is empty"),
        (("--exec", "serve 'it"), "cannot be split"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(args: tuple[str, ...], said: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_server_that_does_not_start_is_an_error() -> None:
    """Of another kind than that it breaks rules."""
    result = run("--exec", f"{sys.executable} -c 'raise SystemExit(7)' {{port}}")
    assert result.exit_code == 2
    assert "the server ended with 7" in result.stderr


def test_an_address_where_nobody_answers_is_an_error() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        result = run("--url", f"127.0.0.1:{sock.getsockname()[1]}")
    assert result.exit_code == 2
    assert "nothing answers" in result.stderr


@pytest.mark.live
def test_an_address_is_judged_if_the_probe_s_application_is_there_or_any_may_be() -> None:
    with Server(application.application, bind="127.0.0.1:0") as server:
        result = run("--url", f"http://127.0.0.1:{server.port}", "--select", "S08", "--ignore", "H")
        assert "1 rules kept" in result.stdout
    with Server(demo_app, bind="127.0.0.1:0") as server:
        args = ("--url", f"127.0.0.1:{server.port}", "--select", "S08,H045")
        result = run(*args)
        assert result.exit_code == 2
        assert "--any-app" in result.stderr
        result = run(*args, "--any-app")
        assert "1 rules kept, 0 broken, 0 warnings, 1 not testable" in result.stdout


@pytest.mark.live
def test_a_server_is_started_with_each_kind_of_callable() -> None:
    result = run("--exec", WSGIREF, "--select", "S01", "--format", "json")
    [verdict] = json.loads(result.stdout)["results"]
    assert verdict["verdict"] == "pass"
    assert verdict["detail"].endswith("instance, bound method, class, partial")


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_probe_and_the_server(number: signal.Signals, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    text = f'import os; open("{note}", "a").write(f"{{os.getpid()}} ")'
    command = WSGIREF.replace("from {module}", f"{text}; from {{module}}", 1)
    with subprocess.Popen(
        [sys.executable, "-m", "quaich", "probe", "--exec", command, "--select", "H111"],
        stderr=subprocess.DEVNULL,
        # A shell may have told its background jobs to ignore this one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        wait_until(lambda: note.exists() and note.read_text(), "the server's start")
        process.send_signal(number)
        process.wait(20)
    assert process.returncode != 0
    for pid in note.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


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


def test_a_choice_that_leaves_no_rule_is_an_error() -> None:
    result = run("--preset", "wsgiref", "--select", "A")
    assert result.exit_code == 2
    assert "leave no rule" in result.stderr


def test_a_comparison_has_one_format() -> None:
    result = run("--preset", "wsgiref", "--compare", "--format", "json")
    assert result.exit_code == 2
    assert "Markdown" in result.stderr
