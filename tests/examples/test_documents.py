"""What the documents show is so: commands, code blocks, outputs, links and tables."""

import ast
import contextlib
import doctest
import http.client
import itertools
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

import quaich
from quaich import simple_server
from quaich.cli import serving
from quaich.cli.commands import quaich as cli
from quaich.settings import settings
from support import live_server

TOP = Path(__file__).parents[2]
README = TOP / "README.md"
CONTRIBUTING = TOP / "CONTRIBUTING.md"
TUTORIAL = TOP / "docs" / "tutorial.md"
DOCUMENTS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("examples/*.md")])
# Made when the manual is built: a page for each rule.
_MADE = ("_build", "rules")
PAGES = [str(path.relative_to(TOP)) for path in DOCUMENTS if set(_MADE).isdisjoint(path.parts)]


class Block(NamedTuple):
    """A fenced block: what stands behind the fence, and the text in it."""

    info: str
    text: str


def blocks(path: Path) -> list[Block]:
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)
    return [Block(*match) for match in found]


def section(title: str, page: Path = CONTRIBUTING) -> str:
    """A section of a page."""
    _, _, rest = page.read_text("utf-8").partition(f"\n## {title}\n")
    assert rest
    return rest.partition("\n## ")[0]


# --- README and CONTRIBUTING ------------------------------------------------------------


def test_quickstart_is_two_blocks_of_one_line() -> None:
    demo, tests = blocks(README)[:2]
    before, _, _ = README.read_text("utf-8").partition(demo.text)
    assert before.count("\n## ") == 1
    assert "\n## Quickstart\n" in before
    assert demo.text.endswith(" && quaich demo\n")
    assert tests.text.endswith(" && pytest\n")
    for block in (demo, tests):
        assert block.info == "sh"
        assert block.text.count("\n") == 1
        assert block.text.startswith("python3 -m venv .venv && . .venv/bin/activate && pip install")


INSTALLED = re.compile(r"pip install ([^|&`\n]+)")


@pytest.mark.parametrize("page", PAGES)
def test_commands_install_what_there_is(page: str) -> None:
    """From a checkout, for there is no release: whoever asks an index for the name gets nothing, or
    what somebody else has put there."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    for command in INSTALLED.findall((TOP / page).read_text("utf-8")):
        assert re.search(r"(?<![/\w])quaich\b", command) is None, command
        for extras in re.findall(r"\.\[([a-z,]+)\]'", command):
            assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_readme_shows_the_first_example() -> None:
    python = [block.text for block in blocks(README) if block.info == "python"]
    assert python == [(TOP / "examples" / "hello_server.py").read_text("utf-8")]


@pytest.mark.parametrize(("name", "count"), [("What it keeps", 14), ("In operation", 8)])
def test_readme_names_tests_that_exist(name: str, count: int) -> None:
    table = section(name, README)
    command = r"^\| [^|]+ \| `(?:pytest|python -m) ([^`|]+)` \|$"
    commands = re.findall(command, table, re.M)
    assert len(commands) == len(re.findall(r"^\| [^|]+ \| ", table, re.M)) == count
    paths = {path for command in commands for path in command.split() if "/" in path}
    assert len(paths) >= count - 1
    assert [path for path in paths if not (TOP / path).exists()] == []


def test_security_names_tests_that_exist() -> None:
    page = TOP / "docs" / "security.md"
    table = section("Threats, and what guards against them", page)
    rows = [row[2:-2].split(" | ") for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 25
    assert {len(row) for row in rows} == {4}
    threats = [row[0] for row in rows]
    assert len(set(threats)) == len(threats)
    paths = []
    for _, server, _, tests in rows:
        if server == "\N{EN DASH}":
            assert re.fullmatch(r"D\d{3}", tests)
        else:
            assert re.fullmatch(r"(`[\w/]+\.py`(, )?)+", tests), tests
            paths += re.findall(r"`([^`]+)`", tests)
    assert [path for path in paths if not (TOP / "tests" / path).is_file()] == []


def commands_to_switch_to() -> list[str]:
    table = section("Switching in one line", README)
    return re.findall(r"^\| `[^|]+` \| `(quaich[^|]+)` \|$", table, re.M)


@pytest.mark.parametrize("command", commands_to_switch_to())
def test_readme_shows_commands_that_serve(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each says is understood, and its application is found; nothing is bound."""
    served: list[Any] = []
    shop = "def app(environ, start_response): return []\ndef make(): return app\n"
    (tmp_path / "shop.py").write_text(shop)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def serve_loaded(load: Any, settings: Any, reread: Any) -> None:
        load(settings)
        served.append(settings)

    monkeypatch.setattr(serving, "serve_loaded", serve_loaded)
    monkeypatch.setattr(
        quaich, "serve", lambda app, **keywords: served.append(settings(**keywords)), raising=False
    )
    if command.startswith("quaich.serve("):
        eval(command, {"quaich": quaich, "app": object()})
    else:
        _, *arguments = shlex.split(command)
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
    sys.modules.pop("shop", None)
    (found,) = served
    bind = re.search(r"(?:-b |bind=\"|--port=)(:?[0-9]+)", command)
    port = bind[1].removeprefix(":") if bind else "8000"
    assert found.listen.bind[0].endswith(f":{port}")
    threads = re.search(r"threads[ =]([0-9]+)", command)
    assert found.concurrency.threads == (int(threads[1]) if threads else 32)


def test_readme_has_a_row_for_each_server() -> None:
    assert len(commands_to_switch_to()) == 7


def test_readme_claims_what_differences_states_and_a_test_shows() -> None:
    rows = re.findall(r"^\| (D\d+\w?) \|.*\| ([^|]*) \|$", README.read_text("utf-8"), re.M)
    verdicts = dict(
        re.findall(
            r"^\| (D\d+\w?) \|.*\| ([^|]*) \|$",
            (TOP / "docs" / "differences.md").read_text("utf-8"),
            re.M,
        )
    )
    assert len(rows) == 9
    assert {verdicts[number] for number, _ in rows} == {"mended"}
    assert len([number for number in verdicts if number[-1].isdigit()]) == 131
    tests = "".join(path.read_text("utf-8") for path in (TOP / "tests").rglob("test_*.py"))
    assert [number for number, _ in rows if f'defect("{number}"' not in tests] == []


def test_ci_runs_the_commands_that_contributing_names() -> None:
    script = TOP / ".ci" / "run"
    if not script.exists():
        pytest.skip("a source distribution has no CI script")
    # "$work/tools/bin/ruff" check . → ruff check .
    ci = re.sub(r'"?[^\s"]*/bin/([\w-]+)"?', r"\1", script.read_text("utf-8"))
    rows = dict(re.findall(r"^\| ([^|]+) \| `([^|]+)` \|$", section("One command per verb"), re.M))
    assert rows.pop("install").endswith("pip install -e '.[dev]'")
    assert "pip install -q -e '.[dev]'" in ci
    assert rows.pop("ci") == ".ci/run"
    for verb in ("interop", "stress", "fuzz", "bench server"):
        # By hand, or with arguments of CI's own; what they run is there.
        _, *words = rows.pop(verb).split()
        path = words[1].replace(".", "/") if words[0] == "-m" else words[0].removesuffix(".py")
        assert (TOP / f"{path}.py").is_file() or (TOP / path / "__main__.py").is_file()
    # CI takes this one from the README.
    assert blocks(README)[1].text.endswith(f" && {rows.pop('test')}\n")
    lines = [set(line.split()) for line in ci.splitlines()]
    for verb, commands in rows.items():
        for command in commands.split(" && "):
            # Which Python, and where the output goes, is CI's own business.
            words = set(command.split()) - {"python", "docs/_build"}
            assert any(words <= line for line in lines), f"{verb}: {command}"


def test_each_dependency_has_its_reason() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    requirements = [*project["build-system"]["requires"], *itertools.chain(*extras.values())]
    names = {re.split(r"[\[<>=!~]", requirement)[0] for requirement in requirements}
    table = re.findall(r"^\| `([\w-]+)` \|", section("Dependencies, and why"), re.M)
    assert sorted(table) == sorted(names - {"quaich"})


def test_each_room_is_in_the_table() -> None:
    table = " ".join(re.findall(r"^\| (`.*?) \|", section("Where things are"), re.M))
    rooms = set(re.findall(r"`([\w./]+)`", table))
    private = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    there = {
        path.name + "/" * path.is_dir()
        for path in (TOP / "src" / "quaich").iterdir()
        if path.name not in private
    }
    assert rooms == there


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    path = TOP / page
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_internals_names_what_there_is() -> None:
    """Classes with their methods, and files."""
    text = (TOP / "docs" / "internals.md").read_text("utf-8")
    sources = list((TOP / "src" / "quaich").rglob("*.py"))
    there = {path.name for path in sources}
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                there |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
    named = set(re.findall(r"`([A-Z]\w+\.\w+|[a-z_]+\.py)(?:\(\))?`", text))
    assert len(named) > 20
    assert sorted(named - there) == []


# --- Code and what it prints ------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_compile(page: str) -> None:
    for block in blocks(TOP / page):
        if block.info == "python":
            compile(block.text, page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_interactive_blocks_print_what_they_show(page: str) -> None:
    text = "\n".join(block.text for block in blocks(TOP / page) if block.info == "pycon")
    parsed = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(parsed, out=report.append)
    assert "".join(report) == ""


class Step(NamedTuple):
    """A command of the tutorial, the output it shows, and the example it is about."""

    example: str
    command: str
    output: str


# The line that stands above an example's code: where the code is from.
CAPTION = re.compile(r"^`examples/(\w+\.py)`:\n\n```python\n(.*?)^```$", re.M | re.S)


def steps() -> Iterator[Step]:
    examples = {code: example for example, code in CAPTION.findall(TUTORIAL.read_text("utf-8"))}
    example = ""
    for block in blocks(TUTORIAL):
        if block.info == "python":
            example = examples.get(block.text, example)
        elif block.info == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                yield Step(example, command, output)


def test_tutorial_shows_the_code_of_the_examples() -> None:
    shown = CAPTION.findall(TUTORIAL.read_text("utf-8"))
    assert [
        (example, code)
        for example, code in shown
        if f"\n{code}" not in (TOP / "examples" / example).read_text("utf-8")
    ] == []
    examples = [path.name for path in (TOP / "examples").glob("*.py")]
    assert sorted(example for example, _ in shown) == sorted(
        name for name in examples if not name.startswith("manual_")
    )
    python = [block.text for block in blocks(TUTORIAL) if block.info == "python"]
    assert len(python) == len(shown) + 2  # and what is no example: threads, install()


def test_tutorial_reads_as_a_file() -> None:
    """Without what only Sphinx understands."""
    assert re.findall(r"\{[\w-]+\}`|^```\{.*", TUTORIAL.read_text("utf-8"), re.M) == []


STEPS = list(steps())
CURLS = [step for step in STEPS if step.command.startswith("curl ")]
PROGRAMS = [step for step in STEPS if step.command.startswith("python examples/")]
CGIS = [step for step in STEPS if step.command.startswith("REQUEST_METHOD=")]
COMMANDS = [step for step in STEPS if step.command.startswith("quaich ")]


def assert_shown(got: str, shown: str) -> None:
    """The same text, but for the ``...`` in what is shown and for white space at the end."""
    got, shown = got.rstrip() + "\n", shown.rstrip() + "\n"
    same = doctest.OutputChecker().check_output(shown, got, doctest.ELLIPSIS)
    assert same, f"shown:\n{shown}\ngot:\n{got}"


def application_of(example: str) -> Any:
    names = runpy.run_path(str(TOP / "examples" / example))
    return names.get("application") or names["demo_app"]


@contextlib.contextmanager
def on_simple_server(example: str) -> Iterator[int]:
    subject = SimpleNamespace(simple_server=simple_server)
    with live_server(subject, application_of(example)) as server:
        yield server.server_port


@contextlib.contextmanager
def on_server(example: str) -> Iterator[int]:
    with quaich.Server(application_of(example), bind="127.0.0.1:0") as server:
        yield server.port


def curl(arguments: list[str], port: int) -> str:
    """What ``curl`` would print, for the few options that the tutorial uses."""
    include = "-i" in arguments
    data = arguments[arguments.index("-d") + 1] if "-d" in arguments else None
    prefix = "http://127.0.0.1:8000"
    target = arguments[-1].removeprefix(prefix)
    assert target.startswith("/")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(client):
        fields = {"Host": prefix.removeprefix("http://")}
        if data is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        client.request("GET" if data is None else "POST", target, data, fields)
        response = client.getresponse()
        content = response.read().decode("utf-8")
    if not include:
        return content
    version = f"HTTP/{response.version // 10}.{response.version % 10}"
    head = [f"{version} {response.status} {response.reason}"]
    head += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\n".join([*head, "", content])


def test_every_command_of_the_tutorial_is_tested() -> None:
    untested = set(STEPS) - {*CURLS, *PROGRAMS, *CGIS, *COMMANDS}
    assert [step.command for step in untested] == ["python -m quaich.dropin program.py"]
    assert len(CURLS) == 13


@pytest.mark.live
@pytest.mark.parametrize("step", CURLS, ids=lambda step: step.example + " " + step.command[-20:])
def test_tutorial_shows_what_curl_prints(step: Step) -> None:
    serving_on = on_server if step.example == "hello_server.py" else on_simple_server
    with serving_on(step.example) as port:
        printed = curl(shlex.split(step.command)[1:], port)
    assert_shown(printed, step.output)


@pytest.mark.live
def test_tutorial_shows_what_the_validator_says(capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = [block.text for block in blocks(TUTORIAL) if block.info == "text"]
    with on_simple_server("validated.py") as port:
        curl(["http://127.0.0.1:8000/"], port)
    errors = capsys.readouterr().err
    assert_shown(errors, shown)


@pytest.mark.parametrize("step", PROGRAMS, ids=lambda step: step.command)
def test_tutorial_shows_what_a_program_prints(
    step: Step, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server(contextlib.AbstractContextManager["Server", None]):
        """Stands on port 8000 in name only."""

        server_port = 8000

        def serve_forever(self) -> None:
            raise KeyboardInterrupt

        def __exit__(self, *exc_info: object) -> None:
            pass

    monkeypatch.setattr(simple_server, "make_server", lambda host, port, app: Server())
    runpy.run_path(str(TOP / step.command.removeprefix("python ")), run_name="__main__")
    assert_shown(capsys.readouterr().out, step.output)


@pytest.mark.parametrize("step", CGIS, ids=["cgi"])
def test_tutorial_shows_what_a_cgi_program_prints(step: Step) -> None:
    *variables, python, program = shlex.split(step.command)
    assert python == "python"
    done = subprocess.run(
        [sys.executable, program],
        cwd=TOP,
        env={**os.environ, **dict(variable.split("=", 1) for variable in variables)},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert_shown(done.stdout.decode().replace("\r\n", "\n"), step.output)


@pytest.mark.live
@pytest.mark.parametrize("step", COMMANDS, ids=lambda step: step.command)
def test_tutorial_shows_what_a_command_prints(step: Step) -> None:
    _, *arguments = shlex.split(step.command)
    address = "127.0.0.1:8000"
    if "--bind" in arguments:
        at = arguments.index("--bind")
        address = arguments[at + 1]
        del arguments[at : at + 2]
    with subprocess.Popen(
        [sys.executable, "-m", "quaich", *arguments, "--bind", "127.0.0.1:0"],
        cwd=TOP,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
        finally:
            process.kill()
    assert_shown(re.sub(r"127\.0\.0\.1:[0-9]+", address, line), step.output)
