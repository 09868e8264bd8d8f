"""From what is given to the server, by whom ever, to its settings.

    from_keywords, from_environment     each value read, with the words that gave it
    merge                               the one that counts; the rest are defaults

The command line is a source like these (:mod:`quaich.cli.options`), and so is a file
(:mod:`quaich.settings.files`). Of several sources the first one counts: command line, environment,
file, default.
"""

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, NamedTuple, TypeAlias

from quaich.settings.address import DEFAULT_HOST, DEFAULT_PORT, Address, parse_address, parse_port
from quaich.settings.declare import PREFIX, Setting
from quaich.settings.groups import GROUPS, TABLE, Settings
from quaich.settings.nearest import nearest
from quaich.settings.together import first_unmet

CONFIG_VARIABLE: Final = f"{PREFIX}CONFIG"  # names a file of settings; is none itself

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
    origin: str = ""  # who gave it, without the value: ``--threads``, ``quaich.toml, line 3``


Source: TypeAlias = Mapping[str, Given]  # by the name of the setting
Check: TypeAlias = Callable[[Any], object]


def read_value(setting: Setting, value: object, spelling: str, origin: str = "") -> Given:
    """The value as the setting holds it; SettingError if it takes no such value."""
    try:
        return Given(setting.kind.parse(value), spelling, origin)
    except ValueError as error:
        raise SettingError(spelling, str(error)) from None


def from_keywords(keywords: Mapping[str, object]) -> dict[str, Given]:
    """What keyword arguments say."""
    source = {}
    for name, value in keywords.items():
        setting = TABLE.get(name)
        if setting is None:
            raise UnknownSetting(
                f"{name}={shown(repr(value), meant_by(name))}",
                unknown(name, lambda each: each.name, keywords, "{}={!r}"),
            )
        source[name] = read_value(setting, value, f"{name}={setting.shown(repr(value))}", name)
    return source


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """What the variables ``QUAICH_…`` say, and those of other programs' that a setting heeds; an
    empty one says nothing.

    One of ours that is no setting's is an error: a limit that is misspelt would be none.
    """
    source = {}
    for setting in TABLE.values():
        for variable in (setting.variable, *setting.variables):
            text = environ.get(variable)
            if text:
                spelling = f"{variable}={setting.shown(text)}"
                source[setting.name] = read_value(setting, text, spelling, variable)
                break
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or not text or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in TABLE and TABLE[name].variable == variable:
            continue
        if not _INJECTED.fullmatch(f"{variable}={text}"):
            ours = {
                each.removeprefix(PREFIX).lower(): text
                for each, text in environ.items()
                if each.startswith(PREFIX)
            }
            raise UnknownSetting(
                f"{variable}={shown(text, meant_by(name))}",
                unknown(name, lambda each: each.variable, ours, "{}={}"),
            )
    return source


def shown(text: str, meant: Setting | None = None) -> str:
    """What was written, as part of a line; a secret is not shown where it was misspelt either."""
    return (meant or TABLE["bind"]).shown(text)


def unknown(
    name: str, spell: Callable[[Setting], str], beside: Mapping[str, object], form: str
) -> str:
    """That there is no setting of this name, and what there is instead. ``spell`` writes a setting
    as that name was, ``form`` a setting with a value; ``beside`` are the names that were given,
    this one among them, with their values."""
    address = _address_in_parts(name, beside)
    if address is not None:
        meant = form.format(spell(TABLE["bind"]), address)
        return f"there is no such setting; did you mean {shown(meant)}?"
    from quaich.settings.habits import note_on  # of no use as long as no name is wrong

    note = note_on(name, spell)
    if note is not None:
        return note
    found = meant_by(name)
    hint = f"; did you mean {spell(found)}?" if found else ""
    return f"there is no such setting{hint}"


def _address_in_parts(name: str, beside: Mapping[str, object]) -> str | None:
    """The address that is given in parts, as the command line may and uvicorn's users do, if one of
    them has this name; None if there is none."""
    try:
        if name in ("host", "port"):
            host = str(beside.get("host", DEFAULT_HOST)).removeprefix("[").removesuffix("]")
            address = Address(host, parse_port(str(beside.get("port", DEFAULT_PORT))))
            return str(parse_address(str(address)))
        if name in _FORMS:
            text = f"{_FORMS[name]}{beside[name]}"
            parse_address(text)
            return text
    except ValueError:
        pass
    return None


_FORMS: Final = {"listen": "", "uds": "unix:", "fd": "fd://"}


def meant_by(name: str) -> Setting | None:
    """The setting that may be meant by a name that none has. Other servers' names are known as
    well."""
    from quaich.settings.habits import known_as

    by_name = {name: setting for setting in TABLE.values() for name in _names(setting)}
    by_name |= dict.fromkeys(("host", "port", *_FORMS), TABLE["bind"])
    by_name = known_as() | by_name
    found = nearest(name, by_name)
    return by_name[found] if found else None


def _names(setting: Setting) -> Iterable[str]:
    for flag in (setting.flag, *setting.aliases, *setting.switches):
        yield flag.removeprefix("--").replace("-", "_")


def merge(*sources: Source, checks: Mapping[str, Check] = {}) -> Settings:
    """The settings of some sources, of which an earlier one comes before a later one.

    Settings that contradict each other are a SettingError. ``checks`` have what this package
    cannot know, by the name of the setting: each is called with the value that was given, and
    raises ValueError if that will not do.
    """
    given = ChainMap(*(dict(source) for source in sources))
    for name, check in checks.items():
        if name in given:
            try:
                check(given[name].value)
            except ValueError as error:
                raise SettingError(given[name].spelling, str(error)) from error
    _check_together(given)
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


def _check_together(given: Source) -> None:
    values = {name: each.value for name, each in given.items()}
    found = first_unmet(values, _DEFAULTS)
    if found is not None:
        name, need = found
        reason = need.reason.format(**{need.name: _like(given[name].origin, TABLE[need.name])})
        other = given.get(need.name)
        raise SettingError(
            given[name].spelling, reason if other is None else f"{reason}, not {other.spelling}"
        )


_DEFAULTS: Final = {name: setting.default for name, setting in TABLE.items()}


def _like(origin: str, setting: Setting) -> str:
    """The name of a setting, written as where another one came from."""
    if origin.startswith("-"):
        return setting.flag
    if origin.startswith(PREFIX):
        return setting.variable
    return setting.name if origin in TABLE else setting.key
