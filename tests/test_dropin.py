"""Quaich under the name ``wsgiref``: install, uninstall, and running a program that way."""

import importlib
import importlib.util
import inspect
import py_compile
import subprocess
import sys
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import quaich
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
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
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


def test_a_reload_forgets_nothing() -> None:
    _forget_wsgiref()
    held = importlib.import_module("wsgiref")
    standard = importlib.import_module("wsgiref.util")
    dropin.install()
    try:
        importlib.reload(dropin)
        assert dropin.installed()
        dropin.install()
        dropin.uninstall()
        assert not dropin.installed()
        assert sys.modules["wsgiref"] is held
        assert sys.modules["wsgiref.util"] is held.util is standard
        assert not hasattr(held, "validate")
    finally:
        dropin.uninstall()


@pytest.mark.parametrize("name", ["wsgiref", "wsgiref.util"])
def test_a_module_that_is_imported_anew_is_still_ours(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropin.install()
    # The reload makes the classes anew, in the module that everybody has.
    held = importlib.import_module("quaich.util")
    for attribute, value in vars(held).copy().items():
        monkeypatch.setitem(vars(held), attribute, value)
    importlib.reload(importlib.import_module(name))
    del sys.modules[name]
    importlib.import_module(name)
    assert _where("wsgiref.util") == "quaich.util"
    assert importlib.import_module("wsgiref.util") is importlib.import_module("quaich.util")
    package = importlib.import_module("wsgiref")
    assert package.util is importlib.import_module("quaich.util")
    dropin.uninstall()
    assert not dropin.installed()
    assert _where("wsgiref.util") == "wsgiref.util"


def test_an_importer_that_another_took_away_is_not_missed() -> None:
    _forget_wsgiref()
    before = sys.meta_path[:]
    dropin.install()
    sys.meta_path[:] = before
    assert dropin.installed()
    dropin.uninstall()
    assert _where("wsgiref.util") == "wsgiref.util"


@pytest.mark.parametrize("name", ["wsgiref.handlers.base", "wsgiref.validate.streams"])
def test_there_is_no_second_copy_of_what_is_below_a_module(name: str) -> None:
    """Nor anything else: a module of the standard library's wsgiref is one file."""
    _forget_wsgiref()
    words = []
    for prepare in (dropin.uninstall, dropin.install):
        prepare()
        with pytest.raises(ModuleNotFoundError) as info:
            importlib.import_module(name)
        words.append((info.value.name, str(info.value)))
        with pytest.raises(ModuleNotFoundError):
            importlib.util.find_spec(name)
        assert name not in sys.modules
    assert words[0] == words[1]


def test_the_package_has_a_file() -> None:
    dropin.install()
    package = importlib.import_module("wsgiref")
    assert inspect.getfile(package) == quaich.__file__
    assert package.__name__ == "wsgiref"
    assert package.__package__ == "wsgiref"


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


def test_the_frames_that_are_not_the_programs_are_not_shown(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("1 / 0\n")
    shown: list[list[str]] = []
    sys.excepthook = hook = lambda kind, error, trace: shown.append(
        [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    )
    with pytest.raises(ZeroDivisionError) as info:
        dropin.main([str(script)])
    # As python does with an exception that leaves the program.
    sys.excepthook(info.type, info.value, info.value.__traceback__)
    assert shown == [["<module>"]]
    assert sys.excepthook is hook


def test_main_runs_a_directory_as_python_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "__main__.py").write_text(PROGRAM)
    assert dropin.main([str(tmp_path), "x"]) == 0
    assert capsys.readouterr().out == (
        f"quaich.simple_server quaich.util __main__ [{str(tmp_path)!r}, 'x'] {tmp_path}\n"
    )


def test_main_runs_compiled_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    py_compile.compile(str(tmp_path / "program.py"), str(tmp_path / "program.pyc"))
    monkeypatch.chdir(tmp_path)
    assert dropin.main(["program.pyc"]) == 0
    assert capsys.readouterr().out == (
        f"quaich.simple_server quaich.util __main__ ['program.pyc'] {tmp_path}\n"
    )


def test_main_runs_a_module_of_wsgiref(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has nothing to run, but must be found under its other name."""
    # Where our plugin is installed, pytest imports our modules by a loader of its own, which
    # has nothing that runpy could run.
    hooks = [hook for hook in sys.meta_path if not hasattr(hook, "_should_rewrite")]
    monkeypatch.setattr(sys, "meta_path", hooks)
    monkeypatch.delitem(sys.modules, "quaich.util", raising=False)
    assert dropin.main(["-m", "wsgiref.util"]) == 0
    ran = sys.modules["__main__"]
    assert ran.__package__ == "wsgiref"
    assert ran.__file__ == importlib.import_module("quaich.util").__file__
    assert importlib.import_module("wsgiref.util") is importlib.import_module("quaich.util")


def test_the_current_directory_is_a_program_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "__main__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    dropin.main(["."])
    assert sys.path[0] == str(tmp_path)


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
    assert capsys.readouterr().err == (
        f"{sys.executable}: can't open file {missing!r}: [Errno 2] No such file or directory\n"
    )
    assert not dropin.installed()


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


PROBE = """\
import sys
facts = dict(globals())
for name in sorted(facts):
    value = facts[name]
    plain = value is None or isinstance(value, str) or name == "__annotations__"
    print(name, value if plain else type(value))
print(getattr(__spec__, "name", None), getattr(__loader__, "path", None))
print(sys.argv, sys.path[:2], sys.modules["__main__"].__dict__ is globals())
"""

PROGRAMS = {
    "program.py": PROBE,
    "package/__init__.py": "",
    "package/__main__.py": PROBE,
    "directory/__main__.py": PROBE,
    "empty/nothing.txt": "",
    "real/probe.py": PROBE,
    "fails.py": "def f():\n    raise ValueError(1)\n\n\ntry:\n    f()\n"
    "except ValueError as error:\n    raise KeyError(2) from error\n",
    "wrong.py": "x = 1\ndef f(:\n",
    "hook.py": "import sys\nsys.excepthook = lambda *a: print(a[0], a[2].tb_lineno)\n1 / 0\n",
    "interrupted.py": "raise KeyboardInterrupt\n",
    "says.py": "raise SystemExit('bye')\n",
    "seven.py": "raise SystemExit(7)\n",
    "threads.py": """\
import pickle, threading

class Thing:
    pass

def late():
    threading.main_thread().join()
    print(type(pickle.loads(pickle.dumps(Thing()))).__module__)

threading.Thread(target=late).start()
""",
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("programs")
    for name, text in PROGRAMS.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (directory / "link.py").symlink_to(Path("real", "probe.py"))
    py_compile.compile(str(directory / "real" / "probe.py"), str(directory / "compiled.pyc"))
    with zipfile.ZipFile(directory / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    return directory


@pytest.mark.parametrize(
    "command",
    [
        "program.py a -b",
        "./program.py",
        "real/../program.py",
        "real/probe.py",
        "link.py",
        "-P program.py",
        "-P link.py",
        "-P directory",
        "-P -m package",
        "compiled.pyc",
        "directory",
        "directory/ a -b",
        "archive.zip",
        "empty",
        "-m program a -b",
        "-m package a -b",
        "-mpackage",
        "-m nosuch",
        "-m package.nosuch",
        "-m nosuch.below",
        "-m empty",
        "-m wsgiref",
        "-m wsgiref.nosuch",
        "nosuch.py",
        "fails.py",
        "-m fails",
        "wrong.py",
        "-m wrong",
        "hook.py",
        "interrupted.py",
        "-m interrupted",
        "says.py",
        "seven.py",
        "-m seven",
        "threads.py",
        "-m threads",
    ],
)
def test_a_program_sees_and_shows_what_it_does_under_python(programs: Path, command: str) -> None:
    words = command.split()
    options = ["-P"] if words[0] == "-P" else []
    program = words[len(options) :]
    under_python = _python(*options, *program, cwd=programs)
    under_quaich = _python(*options, "-m", "quaich.dropin", *program, cwd=programs)
    assert under_quaich.stdout == under_python.stdout
    assert under_quaich.stderr == under_python.stderr
    assert under_quaich.returncode == under_python.returncode
    assert under_python.stdout or under_python.stderr or under_python.returncode


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    script = _python("-m", "quaich.dropin", "program.py", cwd=tmp_path)
    assert script.stdout.startswith("quaich.simple_server quaich.util __main__ ['program.py'] ")
    module = _python("-m", "quaich.dropin", "-m", "program", cwd=tmp_path)
    assert module.stdout.startswith("quaich.simple_server quaich.util __main__ [")
    assert (script.stderr, module.stderr) == ("", "")
    wrong = _python("-m", "quaich.dropin", cwd=tmp_path)
    assert wrong.returncode == 2


def test_a_module_of_wsgiref_can_be_the_program(tmp_path: Path) -> None:
    """Without a word from runpy, which warns of a module that is imported already."""
    ended = _python("-W", "error", "-m", "quaich.dropin", "-m", "wsgiref.util", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


SPAWNS = """\
import multiprocessing
{install}

def where():
    import wsgiref.util
    print(wsgiref.util.__name__, flush=True)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=where)
    process.start()
    process.join()
"""


@pytest.mark.parametrize(
    ("install", "name"),
    [("", "wsgiref.util"), ("import quaich.dropin; quaich.dropin.install()", "quaich.util")],
)
def test_a_spawned_child_needs_the_call_in_the_main_module(
    tmp_path: Path, install: str, name: str
) -> None:
    (tmp_path / "program.py").write_text(SPAWNS.format(install=install))
    ended = _python("-m", "quaich.dropin", "program.py", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == (f"{name}\n", "")


def test_modules_is_what_the_standard_package_has() -> None:
    package = importlib.import_module("wsgiref")
    assert isinstance(package, ModuleType)
    directory = Path(package.__path__[0])
    assert {path.stem for path in directory.glob("*.py")} == {"__init__", *dropin.MODULES}
