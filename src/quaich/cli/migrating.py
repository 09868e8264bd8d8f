"""From gunicorn's settings to the equal ``quaich.toml``.

    read            the settings that are given: GUNICORN_CMD_ARGS, a file, a command line
    migrate         the file of settings, with comments on what has no equal

A gunicorn.conf.py is a program, and it is run as gunicorn runs it.
"""

import argparse
import ast
import contextlib
import importlib
import importlib.machinery
import importlib.util
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from quaich.cli.errors import ConfigurationError, describe
from quaich.server.logs.access_format import compile_format
from quaich.settings import TABLE, Given, SettingError, from_keywords
from quaich.settings.gunicorn import (
    SETTINGS,
    VERSION,
    NoEqual,
    Same,
    kind_of_worker,
    reason_against,
)
from quaich.settings.habits import spelled
from quaich.settings.nearest import nearest
from quaich.settings.sources import shown
from quaich.settings.together import first_unmet
from quaich.settings.writing import format_value

DEFAULT_FILE: Final = "gunicorn.conf.py"
ARGUMENTS: Final = "GUNICORN_CMD_ARGS"

_MODULE: Final = "__config__"  # what gunicorn calls the module

_TITLE: Final = "needs the extra title, for setproctitle"
_ALL_PROXIES: Final = "here it decides REMOTE_ADDR too, so name the proxies"
_COMPUTED: Final = "computed here, for this machine"
_AUTO: Final = f'{_COMPUTED}; "auto" is one for each processor'

# How a program asks for the number of processors: os, multiprocessing and psutil.
_CPUS: Final = re.compile("cpu_count|sched_getaffinity")

_SIMPLE: Final = (str, int, float, list, tuple, dict, type(None))


@dataclass
class _Found:
    """The settings of gunicorn's that are given, by name."""

    values: dict[str, Any] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)  # by the file, from what it has looked at
    asks_for_cpus: bool = False  # the file does
    misspelt: dict[str, str] = field(default_factory=dict)  # what may be meant
    places: list[str] = field(default_factory=list)


def migrate(file: str | None, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The file of settings that is equal to a configuration of gunicorn's; ConfigurationError if
    that cannot be read."""
    return _written(read(file, arguments, environ))


# --- What is given -----------------------------------------------------------------------


def read(file: str | None, arguments: Sequence[str], environ: Mapping[str, str]) -> _Found:
    """The settings of gunicorn's that are given. The command line comes before the variable, and
    that before the file."""
    found = _Found()
    variable = _parse(_words(environ.get(ARGUMENTS, "")), ARGUMENTS)
    line = _parse(arguments, "the command line")
    config = file or line.pop("config", None) or variable.pop("config", None)
    if config is None and Path(DEFAULT_FILE).is_file():
        config = DEFAULT_FILE
    if config is None and not line and not variable:
        raise ConfigurationError(
            f"there is no {DEFAULT_FILE} here; name the file, or give gunicorn's options after --"
        )
    if config is not None:
        _read_file(found, config)
    for place, values in ((ARGUMENTS, variable), ("a command line", line)):
        if values:
            found.places.append(place)
            found.values |= values
            found.computed -= {*values}
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:  # a quote that is not closed
        raise ConfigurationError(f"{ARGUMENTS}: {describe(error)}") from error


class _Parser(argparse.ArgumentParser):
    def __init__(self, place: str) -> None:
        super().__init__(add_help=False, argument_default=argparse.SUPPRESS)
        self.place = place

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{self.place} is none of gunicorn's: {message}")


def _parse(arguments: Sequence[str], place: str) -> dict[str, Any]:
    """The settings in a command line of gunicorn's."""
    parser = _Parser(place)
    for name, row in SETTINGS.items():
        if row.flags:
            options: dict[str, Any] = {"action": row.action} if row.action else {}
            if row.action == "optional":
                options = {"nargs": "?", "const": "auto"}
            parser.add_argument(*row.flags, dest=name, **options)
    parser.add_argument("wsgi_app", nargs="?")
    if arguments[:1] and Path(arguments[0]).name == "gunicorn":
        arguments = arguments[1:]
    return vars(parser.parse_args([*arguments]))


def _read_file(found: _Found, config: str) -> None:
    found.places.append(config)
    if config.startswith("python:"):
        values = _run(config, lambda: importlib.import_module(config.removeprefix("python:")))
        file = values.get("__file__") or ""
        source = Path(file).read_text("utf-8", "replace") if file.endswith(".py") else ""
    else:
        path = Path(config.removeprefix("file:"))
        if not path.exists():
            raise ConfigurationError(f"there is no file {str(path)!r}")
        values = _run(config, lambda: _execute(path))
        source = path.read_text("utf-8", "replace")
    given = {name: value for name, value in values.items() if name in SETTINGS}
    found.values |= given
    found.computed |= _computed(source) & {*given}
    found.asks_for_cpus = bool(_CPUS.search(source))
    found.misspelt = _misspelt(source, values)


def _run(config: str, load: Callable[[], ModuleType]) -> dict[str, Any]:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # ours is for the file of settings
            return vars(load())
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"{config} cannot be run: {describe(error)}", "".join(traceback.format_exception(error))
        ) from error


def _execute(path: Path) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(_MODULE, str(path))
    spec = importlib.util.spec_from_file_location(_MODULE, path, loader=loader)
    assert spec is not None
    module = sys.modules[_MODULE] = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    finally:
        del sys.modules[_MODULE]
    return module


def _computed(source: str) -> set[str]:
    """The names that a program gives values which do not stand in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign):
            try:
                ast.literal_eval(node.value)
            except ValueError:
                found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return found


def _misspelt(source: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The names of a program that are like one of a setting, each with that. What the program
    reads itself is not for gunicorn."""
    tree = ast.parse(source)
    names = [each for each in ast.walk(tree) if isinstance(each, ast.Name)]
    read = {each.id for each in names if isinstance(each.ctx, ast.Load)}
    set_here = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return {
        name: meant
        for name in sorted(set_here - read - {*SETTINGS})
        if name.islower() and name[0] != "_" and isinstance(values.get(name), _SIMPLE)
        if (meant := nearest(name, SETTINGS))
    }


# --- What is equal -----------------------------------------------------------------------


@dataclass
class _File:
    """The lines of a file of settings."""

    given: dict[str, Given] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)  # by the name of the setting here
    defaults: dict[str, str] = field(default_factory=dict)  # gunicorn's, which are others here
    notes: list[str] = field(default_factory=list)

    def add(self, lines: dict[str, str], name: str, value: Any, comment: str = "") -> None:
        """Add a setting; SettingError or NoEqual if it takes no such value."""
        found = from_keywords({name: value})
        if name == "access_logformat":
            try:
                compile_format(found[name].value)
            except ValueError as error:
                raise NoEqual(str(error)) from error
        self.given |= found
        line = f"{TABLE[name].key} = {format_value(TABLE[name], found[name].value)}"
        lines[name] = f"{line}  # {comment}" if comment else line

    def take_out_unmet(self) -> None:
        """Make notes of settings that would be refused, because another one is not given."""
        defaults = {name: setting.default for name, setting in TABLE.items()}
        while True:
            values = {name: given.value for name, given in self.given.items()}
            found = first_unmet(values, defaults)
            if found is None:
                return
            name, need = found
            del self.given[name], self.lines[name]
            self.note(TABLE[name].key, values[name], need.reason.format(**{need.name: need.name}))

    def note(self, name: str, value: Any, reason: str) -> None:
        written = "" if callable(value) else f" = {shown(repr(value))}"
        self.notes.append(f"{name}{written}: {reason}")


def _written(found: _Found) -> str:
    file = _File()
    values = {name: value for name, value in found.values.items() if value is not None}
    for name, value in values.items():
        row = SETTINGS[name]
        if not isinstance(row, Same):
            reason = _worker_class(values) if name == "worker_class" else row.reason
            if reason and value not in (False, "", [], {}):
                file.note(name, value, spelled(reason, lambda setting: setting.key))
            continue
        try:
            if name == "timeout":
                _check_timeout(values)
            file.add(file.lines, row.name, row.convert(value), _remark(name, found))
        except NoEqual as error:
            file.note(name, value, str(error))
        except SettingError as error:
            file.note(name, value, error.reason)
        except (ValueError, TypeError, IndexError) as error:
            file.note(name, value, describe(error))
    _add_defaults(file, values)
    file.take_out_unmet()
    return "\n".join(_parts(file, found))


def _remark(name: str, found: _Found) -> str:
    """What is to be known of a setting that is the same."""
    remarks = []
    if name in found.computed:
        remarks.append(_AUTO if name == "workers" and found.asks_for_cpus else _COMPUTED)
    if name == "proc_name":
        remarks.append(_TITLE)
    if name == "forwarded_allow_ips" and "*" in str(found.values[name]):
        remarks.append(_ALL_PROXIES)
    return "; ".join(remarks)


def _kind(values: Mapping[str, Any]) -> str:
    """The kind of worker: sync, gthread, or its name in lower case."""
    value = values.get("worker_class", "sync")
    name = value if isinstance(value, str) else getattr(value, "__name__", repr(value))
    kind = kind_of_worker(name)
    if kind == "sync" and str(values.get("threads", 1)) not in ("1", "0"):
        return "gthread"
    return kind


def _check_timeout(values: Mapping[str, Any]) -> None:
    """NoEqual if the timeout is of another kind than here; none is none everywhere."""
    if _kind(values) != "sync" and str(values["timeout"]) != "0":
        raise NoEqual(
            "with this kind of worker it was not for a request, but for a worker that hangs as a "
            "whole; here it ends each request that takes longer"
        )


def _worker_class(values: Mapping[str, Any]) -> str:
    """What is to be said of a kind of worker. With sync there is one thread, which is written."""
    kind = _kind(values)
    return "" if kind == "sync" else reason_against(kind)


def _add_defaults(file: _File, values: Mapping[str, Any]) -> None:
    """What gunicorn does unless told otherwise, where that matters to an application."""
    kind = _kind(values)
    if "workers" not in file.given:
        unlike = "not what is given; see below" if "workers" in values else ""
        file.add(file.defaults, "workers", 1, unlike)
    if "threads" not in values and kind in ("sync", "gthread"):
        file.add(file.defaults, "threads", 1, "more, if the application is safe with threads")
    if "timeout" not in values and kind == "sync":
        file.add(file.defaults, "timeout", 30)
    binds = file.given["bind"].value if "bind" in file.given else ()
    if "umask" not in values and any(text.startswith("unix:") for text in binds):
        file.add(file.defaults, "uds_permissions", "777", "660 is safer, if the proxy's group fits")


def _parts(file: _File, found: _Found) -> Iterator[str]:
    yield f"# Made by quaich migrate, from {' and '.join(found.places)} (gunicorn {VERSION})."
    if not found.values:
        yield f"# There is no setting of gunicorn's in {' and '.join(found.places)}."
    for name, meant in found.misspelt.items():
        yield f"# {name}: no setting of gunicorn's; did you mean {meant}?"
    yield ""
    yield from file.lines.values()
    if file.defaults:
        yield "\n# gunicorn's defaults; those here are others."
        yield from file.defaults.values()
    if file.notes:
        yield "\n# What has no equal:"
        yield from (f"#   {note}" for note in file.notes)
    yield ""
