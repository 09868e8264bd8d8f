"""From the APP of the command line to the application.

    parse_spec      APP → where to look: module or file, names, the arguments of a factory
    _import         the module; its own failure is told from its absence
    _find           the names in it, or the usual ones
    _call           the factory

Whatever goes wrong is a LoadError that says which part of APP it was, what was found there, and
where possible what was meant (:mod:`quaich.cli.hints`). Knows nothing of commands and servers.
"""

import ast
import contextlib
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, NoReturn, cast

from quaich.cli import hints
from quaich.cli.errors import LoadError, describe
from quaich.cli.judge import accepts, fault_of, kind_of
from quaich.types import WSGIApplication

# What a module's application is called: PEP 3333's word, which mod_wsgi, Django and gunicorn
# look for, then Flask's.
USUAL_NAMES: Final = ("application", "app")

NOTE_DELAY = 3.0  # seconds of importing until there is a line that it goes on

_OURS: Final = (
    str(Path(__file__).parent),
    str(Path(importlib.__file__).parent),
    "<frozen importlib",
    "<frozen zipimport",
)


@dataclass(frozen=True)
class AppSpec:
    """What APP says. Either ``module`` or ``file`` is set."""

    text: str
    place: str = ""  # the part before the colon
    module: str = ""
    file: Path | None = None
    names: tuple[str, ...] = ()  # empty: look for the usual names
    expression: str = ""  # the part after the colon
    arguments: tuple[Sequence[Any], Mapping[str, Any]] | None = None  # None: not called


def load_app(text: str, directories: Sequence[str] = ()) -> WSGIApplication:
    """The application that ``text`` names. LoadError if there is none.

    The current directory and, before it, ``directories`` become importable.
    """
    spec, value, name = _load(text, directories)
    fault = fault_of(value, name, f"{spec.place}:{'.'.join(spec.names) or name}()")
    if fault is not None:
        if hasattr(value, "close") and hasattr(value, "cr_frame"):
            value.close()  # a coroutine: no warning that nobody awaited it
        _refuse(spec, fault)
    return cast("WSGIApplication", value)


def load_factory(
    text: str, directories: Sequence[str] = ()
) -> Callable[[WSGIApplication], WSGIApplication]:
    """The middleware that ``text`` names: what takes an application and returns one. As
    :func:`load_app`."""
    spec, value, name = _load(text, directories)
    if not callable(value) or not accepts(value, 1):
        _refuse(spec, f"{name} is {kind_of(value)}; a middleware takes an application")
    return cast("Callable[[WSGIApplication], WSGIApplication]", value)


def _load(text: str, directories: Sequence[str]) -> tuple[AppSpec, Any, str]:
    """What ``text`` names, and what to call it."""
    try:
        spec = parse_spec(text)
    except OSError as error:  # a path that is too long, or not to be looked at
        _refuse(AppSpec(text), describe(error))
    try:
        places = [*directories, str(Path.cwd())]
    except FileNotFoundError:  # it has been deleted
        places = [*directories]
    for place in reversed(places):
        _put_first(place)
    module = _import(spec, places)
    value, name = _find(module, spec)
    if spec.arguments is not None:
        value = _call(value, spec)
        name = f"what {spec.expression} returned"
    return spec, value, name


# --- APP as text -------------------------------------------------------------------------


def parse_spec(text: str) -> AppSpec:
    """The parts of APP; LoadError if it is none of the forms there are."""
    place, colon, expression = text.partition(":")
    if len(place) == 1 and expression[:1] in ("\\", "/"):  # the colon of a Windows drive
        rest, colon, expression = expression.partition(":")
        place = f"{place}:{rest}"
    expression = expression.strip()
    make = functools.partial(AppSpec, text, place, expression=expression)
    if place.endswith(".py") or "/" in place or os.sep in place:
        path = Path(place)
        if not place.endswith(".py") or not path.is_file():
            _refuse(AppSpec(text), hints.no_such_file(path))
        make = functools.partial(make, file=path)
    elif place and not place.isidentifier() and Path(place).is_dir():
        _refuse(AppSpec(text), hints.no_such_file(Path(place)))
    elif not all(part.isidentifier() for part in place.split(".")):
        _refuse(AppSpec(text), f"{place!r} is no module name{hints.file_for(place, expression)}")
    else:
        make = functools.partial(make, module=place)
    if not colon:
        return make()
    names, arguments = _parse_expression(text, expression)
    return make(names=names, arguments=arguments)


def _parse_expression(
    text: str, expression: str
) -> tuple[tuple[str, ...], tuple[Sequence[Any], Mapping[str, Any]] | None]:
    forms = "after the colon comes a name, NAME.NAME, or a call with literal arguments"
    try:
        node = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):  # ValueError: a null byte
        _refuse(AppSpec(text), forms)
    arguments = None
    if isinstance(node, ast.Call):
        try:
            arguments = (
                [ast.literal_eval(value) for value in node.args],
                {cast("str", word.arg): ast.literal_eval(word.value) for word in node.keywords},
            )
        except (ValueError, TypeError):
            _refuse(AppSpec(text), f"the arguments in {expression!r} are not all literals")
        if None in arguments[1]:
            _refuse(AppSpec(text), forms)  # **keywords
        node = node.func
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        _refuse(AppSpec(text), forms)
    return (node.id, *names), arguments


def _refuse(spec: AppSpec, reason: str) -> NoReturn:
    raise LoadError(f"cannot load {spec.text!r}: {reason}")


# --- The module --------------------------------------------------------------------------


def _put_first(directory: str) -> None:
    directory = str(Path(directory).absolute())
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)


def _import(spec: AppSpec, places: Sequence[str]) -> ModuleType:
    importlib.invalidate_caches()
    try:
        with _note_if_slow(spec):
            return _import_file(spec.file) if spec.file else importlib.import_module(spec.module)
    except ModuleNotFoundError as error:
        # Missing itself, and not raised by the code of a package around it.
        if _cut(error.__traceback__) is None and f"{spec.module}.".startswith(f"{error.name}."):
            _refuse(spec, hints.no_such_module(spec.module, str(error.name), places))
        _fail(spec, f"the import of {_label(spec)} failed", error)
    except (Exception, SystemExit) as error:
        _fail(spec, f"the import of {_label(spec)} failed", error)


@contextlib.contextmanager
def _note_if_slow(spec: AppSpec) -> Iterator[None]:
    """What may be the matter with an import that does not end, as a line on stderr."""

    def note() -> None:
        print(
            f"quaich: still importing {_label(spec)}; does it start a server itself? "
            "(it should do so only under if __name__ == '__main__':)",
            file=sys.stderr,
            flush=True,
        )

    timer = threading.Timer(NOTE_DELAY, note)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _import_file(path: Path) -> ModuleType:
    """Import a file under the name that it would have for its neighbours.

    The directory around it, or around the outermost package it is in, becomes importable.
    """
    path = path.resolve()
    names, root = [path.stem], path.parent
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    _put_first(str(root))
    name = ".".join(names)
    try:
        found = importlib.util.find_spec(name)
    except ValueError:
        found = None  # a module that was made by hand, as __main__ is
    if found is not None and found.origin and Path(found.origin).resolve() == path:
        return importlib.import_module(name)
    # Another module has the name: a types.py, a __main__.py.
    name = f"quaich_app_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the suffix is .py
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _label(spec: AppSpec) -> str:
    return str(spec.file) if spec.file else f"module {spec.module!r}"


def _cut(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of ours and the import system's that it begins with."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace


def _fail(spec: AppSpec, what: str, error: BaseException) -> NoReturn:
    """Code of the application raised: its traceback, and a line."""
    trace = _cut(error.__traceback__)
    report = ""
    if trace is not None or isinstance(error, SyntaxError):
        report = "".join(traceback.format_exception(type(error), error, trace))
    raise LoadError(f"cannot load {spec.text!r}: {what}: {describe(error)}", report) from None


# --- The names in it ---------------------------------------------------------------------


def _find(module: ModuleType, spec: AppSpec) -> tuple[Any, str]:
    """The value that APP names, and what to call it."""
    if not spec.names:
        return _find_usual(module, spec)
    value: Any = module
    where = f"module {hints.describe_module(module)}"
    for index, name in enumerate(spec.names):
        try:
            value = getattr(value, name)
        except AttributeError:
            _refuse(spec, f"{where} has no {name!r}{hints.missing_name(value, name, spec)}")
        except Exception as error:
            _fail(spec, f"getting {name!r} of {where} failed", error)
        where = repr(".".join(spec.names[: index + 1]))
    return value, ".".join(spec.names)


def _find_usual(module: ModuleType, spec: AppSpec) -> tuple[Any, str]:
    found = [name for name in USUAL_NAMES if hasattr(module, name)]
    for name in found:
        # A package's own module called `app` is not what is meant, an `app` function is.
        if callable(getattr(module, name)):
            return getattr(module, name), name
    if found:
        return getattr(module, found[0]), found[0]
    _refuse(
        spec,
        f"module {hints.describe_module(module)} has neither "
        f"{' nor '.join(map(repr, USUAL_NAMES))}; {hints.what_there_is(module, spec)}",
    )


def _call(factory: Any, spec: AppSpec) -> Any:
    assert spec.arguments is not None
    name = ".".join(spec.names)
    if not callable(factory):
        _refuse(spec, str(fault_of(factory, name)))
    positional, keywords = spec.arguments
    try:
        return factory(*positional, **keywords)
    except (Exception, SystemExit) as error:
        if isinstance(error, TypeError) and _cut(error.__traceback__) is None:
            _refuse(spec, f"the arguments do not fit: {describe(error)}")
        _fail(spec, f"{spec.expression} failed", error)
