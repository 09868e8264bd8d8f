"""Every file in examples/ is run as a program; the manual's examples in both forms.

The second form is the same file under the names of ``wsgiref``, run by ``quaich.dropin``.
"""

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FREE_PORT = Path(__file__).with_name("free_port.py")


class Case(NamedTuple):
    """What one request to an example must be answered with."""

    path: str
    status: int
    content: str  # what the content begins with
    errors: str = ""  # what standard error holds


PLAIN_PAGE = "A server error occurred.  Please contact the administrator."

SERVED = {
    "hello_function": Case("/", 200, "Hello, world!\n"),
    "hello_class": Case("/Zo%C3%AB", 200, "Hello, Zoë!\n"),
    "generator": Case("/", 200, "3\n2\n1\nLift-off!\n", "the countdown is over\n"),
    "read_body": Case("/", 200, ""),
    "middleware": Case("/", 200, "Hello world!\n"),
    "file_response": Case("/", 200, '"""A file as the response'),
    "path_dispatch": Case("/where/to", 200, "application: http://"),
    "validated": Case("/", 500, PLAIN_PAGE, "Iterator yielded non-bytestring"),
    "tutorial_server": Case("/get/prefix?ip=", 200, "The request method was GET\n"),
    "manual_demo_app": Case("/", 200, "Hello world!\n"),
    "manual_environ": Case("/xyz?abc", 200, "SERVER_NAME: 127.0.0.1\n"),
    "manual_validator": Case("/", 500, PLAIN_PAGE, "You should not return a string"),
    "manual_hello_world": Case("/", 200, "Hello World"),
}
PRODUCTION = {"hello_server": Case("/", 200, "Hello, world!\n")}
SCRIPTS = {"cgi_script", "manual_file_wrapper"}
# Those that were written for wsgiref.
OLDER = [name for name in SERVED if name.startswith(("manual_", "tutorial_"))]


def test_no_example_is_forgotten() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SERVED, *PRODUCTION, *SCRIPTS}


def test_each_example_is_in_the_table() -> None:
    table = (EXAMPLES / "README.md").read_text("utf-8")
    missing = [name for name in (*SERVED, *PRODUCTION, *SCRIPTS) if f"`{name}.py`" not in table]
    assert [name for name in missing if not name.startswith("manual_")] == []


@contextlib.contextmanager
def serving(program: Path, package: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The program in a process of its own, with Quaich serving; yields port and process."""
    dropin = ["-m", "quaich.dropin"] if package == "wsgiref" else []
    with subprocess.Popen(
        [sys.executable, "-W", "error", *dropin, FREE_PORT, package, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            assert first, process.stderr.read()
            port, module = first.split()
            on_server = program.stem in PRODUCTION
            assert module == ("quaich.server.server" if on_server else "quaich.simple_server")
            yield int(port), process
        finally:
            process.kill()


def ask(program: Path, package: str, case: Case) -> tuple[str, str]:
    """The program's content and its standard error, once it has ended well."""
    with serving(program, package) as (port, process):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("GET", case.path)
        response = client.getresponse()
        content = response.read().decode("utf-8")
        client.close()
        _, errors = process.communicate("", timeout=30)
    assert (response.status, content[: len(case.content)]) == (case.status, case.content)
    assert case.errors in errors
    if "KeyboardInterrupt" in program.read_text("utf-8"):
        assert process.returncode == 0, errors
    return content, errors


def check(program: Path, package: str, case: Case) -> None:
    content, errors = ask(program, package, case)
    assert ("Exception while handling" in errors) == (case.status == 500)
    assert f'"GET {case.path} HTTP/1.1" {case.status} {len(content.encode())}\n' in errors


@pytest.mark.live
@pytest.mark.parametrize("name", SERVED)
def test_example_serves(name: str) -> None:
    check(EXAMPLES / f"{name}.py", "quaich", SERVED[name])


@pytest.mark.live
@pytest.mark.parametrize("name", PRODUCTION)
def test_example_serves_on_the_server(name: str) -> None:
    assert ask(EXAMPLES / f"{name}.py", "quaich", PRODUCTION[name])[1] == ""


@pytest.mark.live
@pytest.mark.parametrize("name", OLDER)
def test_example_serves_under_the_name_wsgiref(name: str, tmp_path: Path) -> None:
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    program = tmp_path / f"{name}.py"
    program.write_text(text.replace("quaich", "wsgiref"), "utf-8")
    check(program, "wsgiref", SERVED[name])


def run_script(program: Path, *options: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, program],
        env={**os.environ, **variables},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == b""
    return done.stdout.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("package", ["quaich", "wsgiref"])
def test_file_wrapper_gives_blocks_of_five(package: str, tmp_path: Path) -> None:
    text = (EXAMPLES / "manual_file_wrapper.py").read_text("utf-8")
    program = tmp_path / "program.py"
    program.write_text(text.replace("quaich", package), "utf-8")
    options = ["-m", "quaich.dropin"] if package == "wsgiref" else []
    content = "This is an example file-like object" * 10
    blocks = [content[start : start + 5] for start in range(0, len(content), 5)]
    assert run_script(program, *options).splitlines() == blocks


def test_cgi_script_answers_on_standard_output() -> None:
    output = run_script(
        EXAMPLES / "cgi_script.py",
        REQUEST_METHOD="GET",
        SERVER_NAME="localhost",
        SERVER_PORT="80",
        SERVER_PROTOCOL="HTTP/1.1",
    )
    head, _, content = output.partition("\n\n")
    assert head.startswith("Status: 200 OK\n")
    assert content == "Hello, world!\n"
