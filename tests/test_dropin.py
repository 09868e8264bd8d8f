"""Quaich under the name ``wsgiref``: install, uninstall, and running a program that way."""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from quaich import dropin

PROGRAM = """\
import sys
import wsgiref
from wsgiref.simple_server import make_server
import wsgiref.util

if __name__ == "__main__":
    print(make_server.__module__, wsgiref.util.__name__, __name__, sys.argv, sys.path[0])
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of a test stays: neither modules nor arguments."""
    before = {name: module for name, module in sys.modules.items() if _is_wsgiref(name)}
    monkeypatch.setattr(sys, "argv", sys.argv[:])
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    dropin.uninstall()
    for name in [name for name in sys.modules if _is_wsgiref(name)]:
        del sys.modules[name]
    sys.modules.update(before)


def _is_wsgiref(name: str) -> bool:
    return name == "wsgiref" or name.startswith("wsgiref.")


def _forget_wsgiref() -> None:
    for name in [name for name in sys.modules if _is_wsgiref(name)]:
        del sys.modules[name]


def _where(name: str) -> str:
    return importlib.import_module(name).__name__


@pytest.mark.parametrize("name", dropin.MODULES)
@pytest.mark.parametrize("imported_before", [False, True])
def test_install_puts_each_module_under_the_name(name: str, imported_before: bool) -> None:
    _forget_wsgiref()
    if imported_before:
        assert _where(f"wsgiref.{name}") == f"wsgiref.{name}"
    dropin.install()
    assert _where(f"wsgiref.{name}") == f"quaich.{name}"
    package = importlib.import_module("wsgiref")
    assert getattr(package, name) is importlib.import_module(f"quaich.{name}")


def test_who_holds_the_standard_package_finds_the_modules_in_it() -> None:
    _forget_wsgiref()
    held = importlib.import_module("wsgiref")
    standard = importlib.import_module("wsgiref.headers")
    assert not hasattr(held, "validate")
    dropin.install()
    assert held.headers.__name__ == "quaich.headers"
    assert held.validate.__name__ == "quaich.validate"
    dropin.uninstall()
    assert held.headers is standard
    assert not hasattr(held, "validate")


@pytest.mark.parametrize("imported_before", [False, True])
def test_uninstall_gives_the_standard_modules_back(imported_before: bool) -> None:
    _forget_wsgiref()
    before = importlib.import_module("wsgiref.util") if imported_before else None
    dropin.install()
    dropin.uninstall()
    assert not dropin.installed()
    after = importlib.import_module("wsgiref.util")
    assert after.__name__ == "wsgiref.util"
    assert before is None or after is before


def test_a_second_install_changes_nothing_and_one_uninstall_is_enough() -> None:
    _forget_wsgiref()
    dropin.install()
    package = sys.modules["wsgiref"]
    dropin.install()
    assert sys.modules["wsgiref"] is package
    assert dropin.installed()
    dropin.uninstall()
    assert _where("wsgiref.util") == "wsgiref.util"


def test_uninstall_alone_does_nothing() -> None:
    dropin.uninstall()
    assert not dropin.installed()
    assert _where("wsgiref.util") == "wsgiref.util"


def test_the_package_is_found_and_has_no_other_modules() -> None:
    dropin.install()
    spec = importlib.util.find_spec("wsgiref")
    assert spec is not None
    assert spec.submodule_search_locations == []
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("wsgiref.unheard_of")


def test_main_runs_a_script_as_python_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    assert dropin.main([str(script), "--flag", "x"]) == 0
    assert capsys.readouterr().out == (
        f"quaich.simple_server quaich.util __main__ [{str(script)!r}, '--flag', 'x'] {tmp_path}\n"
    )


def test_main_runs_a_module_as_python_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dropin_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert dropin.main(["-m", "dropin_program", "x"]) == 0
    assert capsys.readouterr().out == (
        "quaich.simple_server quaich.util __main__"
        f" [{str(tmp_path / 'dropin_program.py')!r}, 'x'] {tmp_path}\n"
    )


def test_what_the_program_raises_is_its_own(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import sys\nsys.exit(7)\n")
    with pytest.raises(SystemExit) as info:
        dropin.main([str(script)])
    assert info.value.code == 7


@pytest.mark.parametrize("arguments", [[], ["-m"], ["-x", "y"]])
def test_wrong_usage_is_told_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dropin.main(arguments) == 2
    told = capsys.readouterr()
    assert told.err.startswith("usage: python -m quaich.dropin")
    assert not told.out
    assert not dropin.installed()


@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_help_is_told_on_stdout(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dropin.main([asked]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m quaich.dropin")


def test_a_script_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "nothing.py")
    assert dropin.main([missing]) == 2
    assert capsys.readouterr().err == f"quaich.dropin: there is no file {missing!r}\n"


def _python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    source = str(Path(str(dropin.__file__)).parent.parent)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": source, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    script = _python("-m", "quaich.dropin", "program.py", cwd=tmp_path)
    assert script.stdout.startswith("quaich.simple_server quaich.util __main__ ['program.py'] ")
    module = _python("-m", "quaich.dropin", "-m", "program", cwd=tmp_path)
    assert module.stdout.startswith("quaich.simple_server quaich.util __main__ [")
    assert (script.stderr, module.stderr) == ("", "")


def test_a_module_of_wsgiref_can_be_the_program(tmp_path: Path) -> None:
    """``-m wsgiref.util`` has nothing to run, but must be found under its other name."""
    ended = _python("-m", "quaich.dropin", "-m", "wsgiref.util", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_traceback_is_the_programs(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import wsgiref.util\n1 / 0\n")
    ended = _python("-m", "quaich.dropin", "program.py", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith("ZeroDivisionError: division by zero")


def test_the_types_of_a_program_pickle(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import pickle\nclass Thing:\n    pass\n"
        "print(type(pickle.loads(pickle.dumps(Thing()))).__module__)\n"
    )
    ended = _python("-m", "quaich.dropin", "program.py", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("__main__\n", "")


def test_modules_is_what_the_standard_package_has() -> None:
    package = importlib.import_module("wsgiref")
    assert isinstance(package, ModuleType)
    directory = Path(package.__path__[0])
    assert {path.stem for path in directory.glob("*.py")} == {"__init__", *dropin.MODULES}
