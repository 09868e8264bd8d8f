"""Where settings come from, and what is said of them: --config, --print-config, --check-config."""

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from quaich.cli import serving
from quaich.cli.commands import quaich as command
from quaich.cli.configuring import Sources
from quaich.settings import SettingError, Settings, from_keywords, merge, settings
from quaich.settings.files import from_file

pytestmark = pytest.mark.usefixtures("project")


def run(*args: str, **variables: str) -> Result:
    return CliRunner().invoke(command, args, env=variables)


class Served:
    """What a command would serve."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = Settings()
        self.application: Any = None
        self.reread: Any = None
        monkeypatch.setattr(serving, "serve", self._serve)

    def _serve(self, load: Any, settings: Settings, reread: Any) -> None:
        self.load, self.settings, self.reread = load, settings, reread


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    return Served(monkeypatch)


def write(text: str, name: str = "quaich.toml") -> None:
    Path(name).write_text(text)


# --- Which of them counts ----------------------------------------------------------------


def test_the_first_source_counts(served: Served) -> None:
    """Command line, our variable, others' variable, file, default."""
    write("threads = 1\nbacklog = 1\nworkers = 1\nkeep-alive = 1\nworker-connections = 1\n")
    result = run(
        "shop:app",
        "--threads",
        "5",
        QUAICH_THREADS="4",
        QUAICH_BACKLOG="4",
        WEB_CONCURRENCY="3",
        QUAICH_KEEP_ALIVE="",
    )
    assert result.output == ""
    assert served.settings == settings(
        app="shop:app", threads=5, backlog=4, workers=3, keep_alive=1, worker_connections=1
    )


def test_the_application_may_come_from_a_file(served: Served) -> None:
    write('app = "hidden:app"\npythonpath = ["src"]\n')
    assert run("serve").output == ""
    assert served.load(served.settings)({}, lambda *args: None) == [b"shop"]
    assert run("serve", "shop:number").output == ""
    assert served.settings.process.app == "shop:number"


def test_a_project_has_settings(served: Served) -> None:
    write("[tool.quaich]\nthreads = 7\n", "pyproject.toml")
    assert run("demo").output == ""
    assert served.settings.concurrency.threads == 7
    write("backlog = 7\n")  # this file comes first, and is the only one
    assert run("demo").output == ""
    assert served.settings == settings(backlog=7)


@pytest.mark.parametrize(
    ("args", "variables"),
    [
        (("--config", "etc/other.toml"), {}),
        (("-c", "etc/other.toml"), {"QUAICH_CONFIG": "quaich.toml"}),
        ((), {"QUAICH_CONFIG": "etc/other.toml"}),
    ],
)
def test_another_file(served: Served, args: tuple[str, ...], variables: dict[str, str]) -> None:
    Path("etc").mkdir()
    write("threads = 7\n", "etc/other.toml")
    write("backlog = 7\n")
    assert run("demo", *args, **variables).output == ""
    assert served.settings == settings(threads=7)


def test_an_empty_file_is_no_file(served: Served) -> None:
    write("backlog = 7\n")
    assert run("demo", "-c", os.devnull).output == ""
    assert served.settings == Settings()


def test_sources_are_read_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file, wherever the process is by then; the words and variables of the start."""
    write('threads = 1\napp = "shop:app"\n')
    monkeypatch.setenv("QUAICH_BACKLOG", "5")
    assert run("serve", "--keep-alive", "9").output == ""
    write('threads = 2\napp = "flaskr:create_app()"\n')
    monkeypatch.setenv("QUAICH_BACKLOG", "6")
    here = Path.cwd()
    os.chdir("src")
    monkeypatch.syspath_prepend(str(here))
    again = served.reread()
    assert again == settings(threads=2, app="flaskr:create_app()", backlog=5, keep_alive=9)
    with pytest.raises(Exception, match="flaskr"):
        served.load(again)


def test_a_file_that_has_gone_is_missed(tmp_path: Path) -> None:
    """Its limits are not to be lost in silence, nor another file to take its place."""
    (tmp_path / "pyproject.toml").write_text("[tool.quaich]\nthreads = 5")
    (tmp_path / "quaich.toml").write_text("threads = 3")
    sources = Sources({}, {}, tmp_path)
    assert merge(*sources.read()) == settings(threads=3)
    (tmp_path / "quaich.toml").unlink()
    with pytest.raises(SettingError, match=r"^quaich\.toml: cannot be read: No such file"):
        sources.read()


def test_a_file_that_has_come_is_read(tmp_path: Path) -> None:
    sources = Sources({}, {}, tmp_path)
    assert merge(*sources.read()) == Settings()
    (tmp_path / "quaich.toml").write_text("threads = 3")
    assert merge(*sources.read()) == settings(threads=3)


@pytest.mark.parametrize(
    ("text", "args", "line"),
    [
        ("thread = 3", (), "quaich.toml, line 1: thread = 3: there is no such setting; did you"),
        ("threads = 0", (), "quaich.toml, line 1: threads = 0: it takes a whole number from 1"),
        ("threads = 0", ("--threads", "1"), "quaich.toml, line 1: threads = 0: it takes a whole"),
        ('access-logformat = "x%(z)s"', (), "quaich.toml, line 1: access-logformat = 'x%(z)s': "),
        ("max-requests = 5", (), "quaich.toml, line 1: max-requests = 5: it needs workers 1 or mo"),
        (
            "max-requests = 5\nworkers = 2",
            ("-w", "0"),
            "quaich.toml, line 1: max-requests = 5: it needs workers 1 or more, not --workers 0",
        ),
        ("[tool", (), "quaich.toml: it is not TOML: "),
        ("", ("-c", "shop.py"), "shop.py: settings are TOML here; quaich migrate shop.py prints"),
        ('[process]\nchdir = "no"', ("--check-config",), "quaich.toml, line 2: chdir: 'no': No"),
    ],
)
def test_what_is_wrong_is_a_line(
    served: Served, text: str, args: tuple[str, ...], line: str
) -> None:
    write(text)
    result = run("shop:app", *args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"quaich: {line}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


# --- --print-config ----------------------------------------------------------------------


def test_settings_are_printed_as_a_file(served: Served, tmp_path: Path) -> None:
    write("threads = 3\n")
    result = run("shop:app", "--print-config", "--keep-alive", "5m", QUAICH_BACKLOG="9")
    assert (result.exit_code, result.stderr) == (0, "")
    first = result.stdout.partition("\n")[0]
    assert first == "# This is a valid quaich.toml; behind each setting stands where it is from."
    for line in (
        'app = "shop:app"  # APP',
        "threads = 3  # quaich.toml, line 1",
        'keep-alive = "300s"  # --keep-alive',
        "backlog = 9  # QUAICH_BACKLOG",
        'log-level = "info"  # default',
    ):
        assert f"\n{line}\n" in result.stdout
    (tmp_path / "printed.toml").write_text(result.stdout)
    expected = from_keywords({"app": "shop:app", "threads": 3, "keep_alive": 300, "backlog": 9})
    assert merge(from_file(tmp_path / "printed.toml")) == merge(expected)
    assert served.application is None


def test_what_is_wrong_is_not_printed() -> None:
    result = run("shop:app", "--print-config", "--max-requests", "5")
    assert result.exit_code == 2
    assert result.stdout == ""


def test_no_application_is_needed_to_print_settings() -> None:
    assert run("serve", "--print-config").exit_code == 0


# --- --check-config ----------------------------------------------------------------------


def test_a_check_loads_the_application(served: Served) -> None:
    result = run("--check-config", "shop:app", "--error-logfile", "log", "-w", "2")
    assert not Path("log").exists()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "The settings are right, and the application can be loaded.\n"
    assert served.reread is None  # nothing was served


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("shop:zzz",), 3),
        (("zero:app",), 3),
        (("shop:app", "--threads", "0"), 2),
        (("shop:app", "--pythonpath", "nowhere"), 2),
        (("shop:app", "--certfile", "nowhere"), 2),
        (("shop:app", "--user", "no such"), 2),
        (("shop:app", "--error-logfile", "nowhere/log"), 2),
        (("shop:app", "--access-logfile", "src"), 2),
        (("shop:app", "--static", "/a=nowhere"), 2),
        (("shop:app", "-w", "1000"), 2),
        (("serve",), 2),
    ],
)
def test_a_check_that_fails(served: Served, args: tuple[str, ...], code: int) -> None:
    result = run(*args, "--check-config")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("quaich: ")
