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
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from quaich.cli.errors import ConfigurationError, describe
from quaich.cli.gunicorn_settings import SETTINGS, VERSION, NoEqual, Same
from quaich.server.logs.access_format import compile_format
from quaich.settings import TABLE, Given, SettingError, from_keywords
from quaich.settings.sources import shown
from quaich.settings.together import first_unmet
from quaich.settings.writing import format_value

DEFAULT_FILE: Final = "gunicorn.conf.py"
ARGUMENTS: Final = "GUNICORN_CMD_ARGS"

_MODULE: Final = "__config__"  # what gunicorn calls the module

_REMARKS: Final = {"proc_name": "needs the extra title, for setproctitle"}

# By the end of the name, which may be "gunicorn.workers.sync.SyncWorker" or "egg:gunicorn#sync".
_KINDS: Final = {
    "sync": "sync",
    "SyncWorker": "sync",
    "gthread": "gthread",
    "ThreadWorker": "gthread",
}

_GREENLETS: Final = ("gevent", "eventlet", "tornado")


@dataclass
class _Found:
    """The settings of gunicorn's that are given, by name."""

    values: dict[str, Any] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)  # by the file, from what it has looked at
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
        source = ""
    else:
        path = Path(config.removeprefix("file:"))
        if not path.exists():
            raise ConfigurationError(f"there is no file {str(path)!r}")
        values = _run(config, lambda: _execute(path))
        source = path.read_text("utf-8", "replace")
    given = {name: value for name, value in values.items() if name in SETTINGS}
    found.values |= given
    found.computed |= _computed(source) & {*given}


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
                file.note(name, value, reason)
            continue
        try:
            if name == "timeout":
                _check_timeout(values)
            comment = _REMARKS.get(name, "")
            if name in found.computed:
                comment = "computed here, for this machine"
            file.add(file.lines, row.name, row.convert(value), comment)
        except NoEqual as error:
            file.note(name, value, str(error))
        except SettingError as error:
            file.note(name, value, error.reason)
        except (ValueError, TypeError, IndexError) as error:
            file.note(name, value, describe(error))
    _add_defaults(file, values)
    file.take_out_unmet()
    return "\n".join(_parts(file, found.places))


def _kind(values: Mapping[str, Any]) -> str:
    """The kind of worker: sync, gthread, or its name in lower case."""
    value = values.get("worker_class", "sync")
    name = value if isinstance(value, str) else getattr(value, "__name__", repr(value))
    kind = _KINDS.get(name.rpartition("#")[2].rpartition(".")[2], name.lower())
    if kind == "sync" and str(values.get("threads", 1)) not in ("1", "0"):
        return "gthread"
    return kind


def _check_timeout(values: Mapping[str, Any]) -> None:
    """NoEqual if the timeout is of another kind than here."""
    if _kind(values) != "sync":
        raise NoEqual(
            "with this kind of worker it was not for a request, but for a worker that hangs as a "
            "whole; here it ends each request that takes longer"
        )


def _worker_class(values: Mapping[str, Any]) -> str:
    """What is to be said of a kind of worker; nothing of those that are like ours."""
    kind = _kind(values)
    if kind in ("sync", "gthread"):
        return ""
    row = SETTINGS["worker_class"]
    assert not isinstance(row, Same)
    if any(word in kind for word in _GREENLETS):
        return (
            f"{row.reason}; idle connections need no thread here, calls that wait do: set threads "
            "to as many as wait at once"
        )
    if "uvicorn" in kind or "asgi" in kind:
        return "it is for ASGI; here WSGI is the one interface there is"
    return row.reason


def _add_defaults(file: _File, values: Mapping[str, Any]) -> None:
    """What gunicorn does unless told otherwise, where that matters to an application."""
    kind = _kind(values)
    if "workers" not in file.given:
        file.add(file.defaults, "workers", 1)
    if "threads" not in values and kind in ("sync", "gthread"):
        file.add(file.defaults, "threads", 1, "more, if the application is safe with threads")
    if "timeout" not in values and kind == "sync":
        file.add(file.defaults, "timeout", 30)
    binds = file.given["bind"].value if "bind" in file.given else ()
    if "umask" not in values and any(text.startswith("unix:") for text in binds):
        file.add(file.defaults, "uds_permissions", "777", "660 is safer, if the proxy's group fits")


def _parts(file: _File, places: Sequence[str]) -> Iterator[str]:
    yield f"# Made by quaich migrate, from {' and '.join(places)} (gunicorn {VERSION})."
    yield ""
    yield from file.lines.values()
    if file.defaults:
        yield "\n# gunicorn's defaults; those here are others."
        yield from file.defaults.values()
    if file.notes:
        yield "\n# What has no equal:"
        yield from (f"#   {note}" for note in file.notes)
    yield ""
