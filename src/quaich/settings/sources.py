"""From what is given to the server, by whom ever, to its settings.

    from_keywords, from_environment     each value read, with the words that gave it
    merge                               the one that counts; the rest are defaults

The command line is a source like these (:mod:`quaich.cli.options`). Of several sources the first
one counts: command line, environment, default. A file would come before the defaults.
"""

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, NamedTuple, TypeAlias

from quaich.settings.declare import PREFIX, Setting
from quaich.settings.groups import GROUPS, TABLE, Settings
from quaich.settings.nearest import nearest

_SHOWN_MAX: Final = 80  # characters of a value in a line about it

_PARTS_OF_ADDRESSES: Final = ("host", "listen", "port")  # as uvicorn's and waitress's users know

# For a service that is called "quaich", Kubernetes and Docker's links set these in each container
# of the namespace: QUAICH_SERVICE_HOST, QUAICH_PORT_80_TCP_ADDR, QUAICH_PORT=tcp://10.0.0.1:80.
_INJECTED: Final = re.compile(
    PREFIX
    + r"(.*_)?(SERVICE_(HOST|PORT(_.*)?)=.*|PORT_[0-9]+_(TCP|UDP|SCTP)(_.*)?=.*"
    + r"|PORT=(tcp|udp|sctp)://.*)",
    re.DOTALL,
)


class SettingError(ValueError):
    """A setting cannot be had. ``str()`` is one line: which, what it got, and what it takes."""

    def __init__(self, given: str, reason: str) -> None:
        super().__init__(f"{given}: {reason}")
        self.given = given
        self.reason = reason


class UnknownSetting(SettingError, TypeError):
    """There is no setting of this name. A TypeError, as other unknown arguments are."""


class Given(NamedTuple):
    """A value, and how it was written: ``--threads 4``, ``QUAICH_THREADS=4``, ``threads=4``."""

    value: Any
    spelling: str


Source: TypeAlias = Mapping[str, Given]  # by the name of the setting
Check: TypeAlias = Callable[[Any], object]


def read_value(setting: Setting, value: object, spelling: str) -> Given:
    """The value as the setting holds it; SettingError if it takes no such value."""
    try:
        return Given(setting.kind.parse(value), spelling)
    except ValueError as error:
        raise SettingError(spelling, str(error)) from None


def shown(value: str) -> str:
    """A value as part of a line: a long one cut, one that breaks lines as Python writes it."""
    value = value if value.isprintable() else repr(value)
    return value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…"


def from_keywords(keywords: Mapping[str, object]) -> dict[str, Given]:
    """What keyword arguments say."""
    source = {}
    for name, value in keywords.items():
        spelling = f"{name}={shown(repr(value))}"
        if name not in TABLE:
            raise UnknownSetting(spelling, f"there is no such setting{_meant(name)}")
        source[name] = read_value(TABLE[name], value, spelling)
    return source


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """What the variables ``QUAICH_…`` say; an empty one says nothing.

    One that is no setting's is an error: a limit that is misspelt would be none.
    """
    source = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or not value:
            continue
        spelling = f"{variable}={shown(value)}"
        name = variable.removeprefix(PREFIX).lower()
        if name in TABLE and TABLE[name].variable == variable:
            source[name] = read_value(TABLE[name], value, spelling)
        elif not _INJECTED.fullmatch(f"{variable}={value}"):
            raise UnknownSetting(
                spelling, f"there is no such setting{_meant(name, lambda each: each.variable)}"
            )
    return source


def _meant(name: str, spell: Callable[[Setting], str] = lambda each: each.name) -> str:
    """``"; did you mean …?"``, or nothing. Other servers' names are known as well."""
    by_name = {name: setting for setting in TABLE.values() for name in _names(setting)}
    by_name |= dict.fromkeys(_PARTS_OF_ADDRESSES, TABLE["bind"])
    found = nearest(name, by_name)
    return f"; did you mean {spell(by_name[found])}?" if found else ""


def _names(setting: Setting) -> Iterable[str]:
    for flag in (setting.flag, *setting.aliases, *setting.switches):
        yield flag.removeprefix("--").replace("-", "_")


def merge(*sources: Source, checks: Mapping[str, Check] = {}) -> Settings:
    """The settings of some sources, of which an earlier one comes before a later one.

    ``checks`` have what this package cannot know, by the name of the setting: each is called with
    the value that was given, and raises ValueError if that will not do.
    """
    given = ChainMap(*(dict(source) for source in sources))
    for name, check in checks.items():
        if name in given:
            try:
                check(given[name].value)
            except ValueError as error:
                raise SettingError(given[name].spelling, str(error)) from error
    return Settings(
        **{
            attribute: group(
                **{
                    field.name: given[field.name].value
                    for field in fields(group)
                    if field.name in given
                }
            )
            for attribute, group in GROUPS.items()
        }
    )
