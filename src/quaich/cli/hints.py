"""What may have been meant by an APP that is wrong: parts of the one line that says so.

Looks at directories and at modules that are imported already; imports nothing.
"""

import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

from quaich.cli.judge import accepts, fault_of
from quaich.settings.nearest import nearest

_LIST_MAX: Final = 6  # names in a line

_APPLICATION: Final = re.compile("app|wsgi", re.IGNORECASE)  # in the name of an application
# Functions that run something, of manage.py and other scripts; none makes an application.
_PROGRAMS: Final = frozenset({"cli", "main", "manage", "run", "serve", "start", "test"})


class _Spec(Protocol):
    @property
    def place(self) -> str: ...
    @property
    def expression(self) -> str: ...


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean …?"``, or nothing."""
    found = nearest(name, candidates)
    return f"; did you mean {found!r}?" if found else ""


# --- Modules and files -------------------------------------------------------------------


def no_such_file(path: Path) -> str:
    """Why a path is no file with an application."""
    if path.is_dir():
        line = f"{str(path)!r} is a directory; APP is a module, or a file that ends in .py"
        wsgi = _wsgi_file(path)
        return f"{line}; did you mean {str(wsgi)!r}?" if wsgi else line
    if path.is_file():
        return f"{str(path)!r} does not end in .py"
    with_suffix = Path(f"{path}.py")
    if with_suffix.is_file():
        return f"there is no file {str(path)!r}; did you mean {str(with_suffix)!r}?"
    if not path.parent.is_dir():
        return f"there is no directory {str(path.parent)!r}"
    names = [entry.name for entry in path.parent.glob("*.py")]
    found = nearest(path.name, names)
    meant = f"; did you mean {str(path.parent / found)!r}?" if found else ""
    return f"there is no file {str(path)!r}{meant}"


def file_for(place: str, expression: str) -> str:
    """A hint for ``my-app:app`` and the like, which only a file can be called."""
    if place and Path(f"{place}.py").is_file():
        return f"; did you mean '{place}.py{':' if expression else ''}{expression}'?"
    return ""


def no_such_module(module: str, missing: str, places: Sequence[str]) -> str:
    """Why ``module`` cannot be found: ``missing``, a part of it or all, is not there."""
    parent, _, last = missing.rpartition(".")
    if parent:
        package = importlib.util.find_spec(parent)  # in sys.modules by now
        locations = package.submodule_search_locations if package else None
        if locations is None:
            line = f"{parent!r} is a module, not a package, so there is no module {missing!r}"
            name = nearest(last, dir(sys.modules[parent]))
            return f"{line}; did you mean '{parent}:{name}'?" if name else line
        meant = did_you_mean(last, _modules_in(locations))
        return f"package {parent!r} has no module {last!r}{meant}"
    line = nowhere(missing)
    found = nearest(last, _modules_in(places))
    if found:
        return f"{line}; did you mean {found + module[len(missing) :]!r}?"
    for place in map(Path, places):
        if place.name == missing:
            return f"{line} here, but this directory is called so; try --chdir .."
        for directory in sorted(place.glob("*/")):
            if missing in _modules_in([str(directory)]):
                return f"{line} here, but in {directory.name}/; try --app-dir {directory.name}"
    return f"{line} (looked {''.join(f'in {place} and ' for place in places)}on sys.path)"


def nowhere(module: str) -> str:
    """That a module is not to be found; it may have been meant for something else."""
    return f"there is no module {module!r}"


def _modules_in(directories: Iterable[str]) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(list(directories))]


def describe_module(module: ModuleType) -> str:
    """A module's name and its file, relative where it is below the current directory."""
    path = getattr(module, "__file__", None)
    if path is None:
        directories = list(getattr(module, "__path__", ()))
        return f"{module.__name__!r}" + (" (a directory)" if directories else "")
    return f"{module.__name__!r} ({_relative(Path(path))})"


# --- Names -------------------------------------------------------------------------------


def missing_name(value: Any, name: str, spec: _Spec) -> str:
    """What was meant by a name that ``value`` does not have, or what a module has instead."""
    if isinstance(value, ModuleType) and hasattr(value, "__path__"):
        found = nearest(name, _modules_in(value.__path__))
        if found == name:  # a module that is not imported
            rest = spec.expression.partition(".")[2]
            meant = f"{value.__name__}.{name}{':' if rest else ''}{rest}"
            return f", but a module of that name; did you mean {meant!r}?"
    meant = did_you_mean(name, [each for each in dir(value) if not each.startswith("__")])
    return meant or (f"; {what_there_is(value, spec)}" if isinstance(value, ModuleType) else "")


def what_there_is(module: ModuleType, spec: _Spec) -> str:
    """What a module without the application that was looked for has instead."""
    applications, factories, others = [], [], []
    likely: list[tuple[int, str]] = []  # what may be meant; the lowest number is the likeliest
    for name, value in _own_callables(module):
        named_so = bool(_APPLICATION.search(name))
        if not isinstance(value, type) and fault_of(value, name) is None:
            applications.append(name)
            if not inspect.isroutine(value) or named_so or _looks_so(value):
                likely.append((0, name))
        elif inspect.isroutine(value) and accepts(value, 0):
            factories.append(f"{name}()")
            if name not in _PROGRAMS:
                likely.append((1 if named_so else 2, f"{name}()"))
        else:
            others.append(name)
    found = [*applications, *factories, *others]
    modules = _modules_in(getattr(module, "__path__", ()))
    if found:
        line = f"it has {_enumerate(found)}"
    elif modules:
        line = f"its modules are {_enumerate([f'{module.__name__}.{name}' for name in modules])}"
    else:
        line = "nothing in it can be called"
    if likely and "wsgi" not in modules:
        _, meant = min(likely, key=lambda each: each[0])
        return f"{line}; did you mean '{spec.place}:{meant}'?"
    return line + _meant_beside(module, modules, spec)


def _looks_so(function: Any) -> bool:
    """Whether the parameters are called as those of an application are."""
    names = [*inspect.signature(function).parameters] if _has_signature(function) else []
    return names[:1] in (["environ"], ["env"]) or names[1:2] == ["start_response"]


def _meant_beside(module: ModuleType, modules: Sequence[str], spec: _Spec) -> str:
    """A hint for Django's users: the application is in a module ``wsgi``, in the package
    itself or in one beside manage.py."""
    if "wsgi" in modules:
        return f"; did you mean '{module.__name__}.wsgi'?"
    if hasattr(module, "__path__"):
        for directory in map(Path, module.__path__):
            found = _wsgi_file(directory)
            if found is not None:  # startproject's two directories of one name
                return f"; did you mean {_relative(found)!r}?"
    elif module.__name__ == "manage":
        found = _wsgi_file(Path(str(module.__file__)).parent)
        if found is not None and spec.place == "manage":
            return f"; did you mean '{found.parent.name}.wsgi'?"
        if found is not None:
            return f"; did you mean {_relative(found)!r}?"
    return ""


def _wsgi_file(directory: Path) -> Path | None:
    """The file wsgi.py in a directory, or the only one in those below it."""
    if (directory / "wsgi.py").is_file():
        return directory / "wsgi.py"
    found = [*directory.glob("*/wsgi.py")]
    return found[0] if len(found) == 1 else None


def _relative(path: Path) -> str:
    """A path from the current directory, where it is below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _own_callables(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Public functions and classes that the module defines, and other callable values."""
    for name, value in vars(module).items():
        if name.startswith("_") or not callable(value):
            continue
        if inspect.isroutine(value) or isinstance(value, type):
            if getattr(value, "__module__", None) == module.__name__:
                yield name, value
        elif type(value).__module__ != "typing" and _has_signature(value):  # Any, Optional, …
            yield name, value


def _has_signature(value: Any) -> bool:
    try:
        inspect.signature(value)
    except Exception:  # Flask's `request` and `current_app` raise RuntimeError
        return False
    return True


def _enumerate(names: Sequence[str]) -> str:
    more = len(names) - _LIST_MAX
    return ", ".join(names[:_LIST_MAX]) + (f" and {more} more" if more > 0 else "")
