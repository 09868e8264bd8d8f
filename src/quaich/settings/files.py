"""Files of settings: ``quaich.toml``, and ``[tool.quaich]`` of ``pyproject.toml``.

    find_file       the one in a directory
    from_file       what it says, with its lines

The keys are the names of settings, with ``-`` or ``_``. They may stand in a table of the name of
their group: ``[timeouts]`` with ``keep-alive = "5m"``.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from quaich.settings.declare import Setting
from quaich.settings.groups import GROUPS, TABLE
from quaich.settings.nearest import nearest
from quaich.settings.sources import (
    Given,
    SettingError,
    UnknownSetting,
    meant_by,
    read_value,
    shown,
    unknown,
)

NAME: Final = "quaich.toml"
PROJECT: Final = "pyproject.toml"
_TOOL: Final = ("tool", "quaich")

_KEY: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_HEADER: Final = re.compile(rf"\s*\[\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]\s*(?:\#.*)?")
_ENTRY: Final = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=.*")
_PART: Final = re.compile(_KEY)


def find_file(directory: Path) -> Path | None:
    """The file of settings in a directory. ``quaich.toml`` comes before ``pyproject.toml``, which
    is one only if it has the table."""
    path = directory / NAME
    if path.is_file():
        return path
    project = directory / PROJECT
    try:
        content = project.read_bytes()
    except OSError:
        return None
    # Whatever else is wrong with it is none of our business.
    if b"quaich" in content and _table(_parse(content, PROJECT), _TOOL) is not None:
        return project
    return None


def from_file(path: Path, name: str | None = None) -> dict[str, Given]:
    """What a file says; SettingError names the line. ``name`` is what it is called there."""
    name = str(path) if name is None else name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingError(name, f"cannot be read: {error.strerror}") from error
    if path.suffix == ".py":
        raise SettingError(
            name, f"settings are TOML here; quaich migrate {name} prints those of gunicorn"
        )
    table: Mapping[str, Any] | None = _parse(content, name)
    above: tuple[str, ...] = ()
    if path.name == PROJECT:
        above, table = _TOOL, _table(table, _TOOL)
        if table is None:
            raise SettingError(name, "it has no table [tool.quaich]")
    entries = [*_entries(table or {})]
    file = _File(name, content.decode(), above, {entry.name: entry.value for entry in entries})
    source: dict[str, Given] = {}
    for entry in entries:
        setting = _setting(file, entry)
        if setting.name in source:
            given = source[setting.name].origin
            raise SettingError(file.spelling(entry), f"it is given twice, also in {given}")
        if isinstance(entry.value, int) and setting.kind.octal_example:
            mode = file.octal(entry) or setting.kind.octal_example
            raise SettingError(
                file.spelling(entry), f'a mode is written in quotes: {setting.key} = "{mode}"'
            )
        source[setting.name] = read_value(
            setting, entry.value, file.spelling(entry, setting), file.where(entry)
        )
    return source


class _Entry(NamedTuple):
    """A key, the tables around it, and its value."""

    path: tuple[str, ...]
    value: Any

    @property
    def name(self) -> str:
        return self.path[-1].replace("-", "_")

    @property
    def group(self) -> str | None:
        return self.path[0] if len(self.path) > 1 else None


class _File(NamedTuple):
    name: str
    text: str
    above: tuple[str, ...]  # the table that has the settings
    values: Mapping[str, Any]  # all that it gives, by name

    def line(self, entry: _Entry) -> int | None:
        return _line_of(self.text, (*self.above, *entry.path))

    def where(self, entry: _Entry) -> str:
        line = self.line(entry)
        return self.name if line is None else f"{self.name}, line {line}"

    def octal(self, entry: _Entry) -> str | None:
        """A number as it is written, if its digits are those of a mode."""
        line = self.line(entry)
        if line is None:
            return None
        found = re.search(r"=\s*(?:0o)?([0-7]{1,4})\s*(?:#.*)?$", self.text.split("\n")[line - 1])
        return found and found[1].zfill(3)

    def spelling(self, entry: _Entry, setting: Setting | None = None) -> str:
        if isinstance(entry.value, Mapping):
            return f"{self.where(entry)}: [{'.'.join((*self.above, *entry.path))}]"
        text = repr(entry.value) if isinstance(entry.value, str) else _written(entry.value)
        return f"{self.where(entry)}: {entry.path[-1]} = {shown(text, setting)}"


def _written(value: Any) -> str:
    """A value that is no text about as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parse(content: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode().replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise SettingError(name, "it is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        hint = _without_quotes(content.decode(), reason)
        raise SettingError(
            name, f"it is not TOML: {reason[:1].lower()}{reason[1:]}{hint}"
        ) from error


def _without_quotes(text: str, reason: str) -> str:
    """A hint for a value that TOML takes for a number, or for nothing it knows: ``5m``, ``022``."""
    where = re.search(r"at line ([0-9]+),", reason)
    line = text.split("\n")[int(where[1]) - 1] if where else ""
    found = re.fullmatch(r"\s*([\w-]+)\s*=\s*([^\s\"'#\[{][^\s\"'#]*)\s*(?:#.*)?", line)
    setting = TABLE.get(found[1].replace("-", "_")) if found else None
    if found is None or setting is None:
        return ""
    if setting.kind.is_switch:
        return "; it takes true or false"
    what = _IN_QUOTES.get(setting.kind.metavar, "a text")
    return f'; {what} stands in quotes: {found[1]} = "{found[2]}"'


_IN_QUOTES: Final = {
    "DURATION": "a duration with a unit",
    "SIZE": "a size with a unit",
    "MODE": "a mode",
}


def _table(content: Any, path: tuple[str, ...]) -> Mapping[str, Any] | None:
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content if isinstance(content, Mapping) else None


def _entries(table: Mapping[str, Any]) -> Iterator[_Entry]:
    for key, value in table.items():
        if key in GROUPS and isinstance(value, Mapping):
            for inner, each in value.items():
                yield _Entry((key, inner), each)
        else:
            yield _Entry((key,), value)


def _setting(file: _File, entry: _Entry) -> Setting:
    """The setting that an entry is about."""
    setting = TABLE.get(entry.name)
    if setting is None:
        if isinstance(entry.value, Mapping) and entry.group is None:
            found = nearest(entry.path[0], GROUPS)
            hint = f"; did you mean [{found}]?" if found else ""
            raise UnknownSetting(file.spelling(entry), f"there is no such table{hint}")
        raise UnknownSetting(
            file.spelling(entry, meant_by(entry.name)),
            unknown(entry.name, lambda each: each.key, file.values, '{} = "{}"'),
        )
    if entry.group is not None and GROUPS[entry.group].__name__ != setting.group:
        own = next(name for name, group in GROUPS.items() if group.__name__ == setting.group)
        raise SettingError(
            file.spelling(entry, setting), f"it belongs to [{own}], or above all tables"
        )
    return setting


def _line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The number of the line that has a key; None if it is written in some rare way."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = _HEADER.fullmatch(line)
        if header is not None:
            table = _keys(header[1])
            if table == path:
                return number
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is not None and (*table, *_keys(entry[1])) == path:
            return number
    return None


def _keys(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
