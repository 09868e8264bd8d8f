"""The table of settings as options of a command, and what a command line says of it.

    SettingsCommand     a command with an option for each setting, its help by group
    given               the source of settings that the command line is

An alias is an option of its own, which help leaves out: so an error can name what was written.
``--host`` and ``--port``, ``--uds`` and ``--fd``, which together are ``--bind``, are known here
only.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import click

from quaich.settings import GROUPS, TABLE, Given, Setting, SettingError, Source
from quaich.settings.address import DEFAULT_HOST, DEFAULT_PORT, Address, parse_port
from quaich.settings.declare import heading
from quaich.settings.sources import read_value, shown

_META: Final = "quaich.cli.options"  # where click keeps the words for us
_BIND: Final = TABLE["bind"]
_APP: Final = TABLE["app"]


@dataclass
class _Words:
    """What stands on a command line, as far as it has been read."""

    values: dict[str, Given] = field(default_factory=dict)
    switches: dict[str, Given] = field(default_factory=dict)  # by flags that take no value
    host: str | None = None
    port: str | None = None
    uds: str | None = None
    fd: str | None = None


def given(ctx: click.Context, app: str | None = None) -> Source:
    """What the command line says, ``app`` by itself; SettingError if it contradicts itself."""
    words = _words(ctx)
    source = words.switches | words.values
    if app is not None:
        if _APP.name in source:
            raise SettingError(f"{app} {source[_APP.name].spelling}", "either the one or the other")
        source[_APP.name] = Given(app, app, "APP")
    for name, switch in words.switches.items():
        if name in words.values and switch.value is None:
            both = f"{words.values[name].spelling} {switch.spelling}"
            raise SettingError(both, "either the one or the other")
    parts = _parts(words)
    if parts:
        if _BIND.name in source:
            also = " and ".join(flag for part in parts for flag in part.flags)
            raise SettingError(source[_BIND.name].spelling, f"either this or {also}, not both")
        source[_BIND.name] = Given(
            tuple(text for part in parts for text in part.given.value),
            " ".join(part.given.spelling for part in parts),
            " ".join(part.given.origin for part in parts),
        )
    return source


def _words(ctx: click.Context) -> _Words:
    words: _Words = ctx.meta.setdefault(_META, _Words())
    return words


class _Part(NamedTuple):
    """An address that the command line has said otherwise than by ``--bind``."""

    flags: tuple[str, ...]
    given: Given


def _parts(words: _Words) -> list[_Part]:
    parts = []
    if words.host is not None or words.port is not None:
        parts.append(_Part(("--host", "--port"), _address(words.host, words.port)))
    for flag, prefix, text in (("--uds", "unix:", words.uds), ("--fd", "fd://", words.fd)):
        if text is not None:
            spelling = f"{flag} {shown(text)}"
            parts.append(_Part((flag,), read_value(_BIND, [prefix + text], spelling, flag)))
    return parts


def _address(host: str | None, port: str | None) -> Given:
    name = DEFAULT_HOST if host is None else host.removeprefix("[").removesuffix("]")
    try:
        number = DEFAULT_PORT if port is None else parse_port(port)
    except ValueError as error:
        raise SettingError(f"--port {shown(port or '')}", str(error)) from None
    parts = {"--host": host, "--port": port}
    given = {flag: part for flag, part in parts.items() if part is not None}
    spelling = " ".join(f"{flag} {shown(part)}" for flag, part in given.items())
    return read_value(_BIND, str(Address(name, number)), spelling, " ".join(given))


# --- Options -----------------------------------------------------------------------------


class _Option(click.Option):
    """An option of a group of settings. What is written for it is taken at once, in the order
    written; the command does not get it."""

    def __init__(
        self,
        declarations: Sequence[str],
        group: str,
        take: Callable[[_Words, Any], None],
        **attributes: Any,
    ) -> None:
        def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
            if value not in (None, ()):
                take(_words(ctx), value)

        super().__init__([*declarations], expose_value=False, callback=callback, **attributes)
        self.group = group


def _options(setting: Setting) -> Iterator[_Option]:
    """The option of a setting, those of its aliases, and its flag without a value."""
    text = f"{setting.summary} (default {setting.shown_default})."
    if setting.kind.is_switch:
        yield _switch(setting, text)
        return
    short = [] if setting.short is None else [setting.short]
    yield _value(setting, setting.flag, [*short, setting.flag, setting.name], help=text)
    for number, alias in enumerate(setting.aliases):
        yield _value(setting, alias, [alias, f"{setting.name}_alias_{number}"], hidden=True)
    if setting.switches:
        on = next(iter(setting.switches.values()))
        yield _switch(setting, f"Short for {setting.flag} {on}; or none.")


def _value(setting: Setting, flag: str, declarations: list[str], **attributes: Any) -> _Option:
    def take(words: _Words, value: Any) -> None:
        texts = value if setting.kind.is_list else (value,)
        spelling = " ".join(f"{flag} {setting.shown(text)}" for text in texts)
        words.values[setting.name] = read_value(setting, value, spelling, flag)

    return _Option(
        declarations,
        setting.group,
        take,
        metavar=setting.kind.metavar,
        multiple=setting.kind.is_list,
        **attributes,
    )


def _switch(setting: Setting, help: str) -> _Option:
    on, off = setting.switches

    def take(words: _Words, is_on: bool) -> None:
        flag = on if is_on else off
        words.switches[setting.name] = Given(setting.switches[flag], flag, flag)

    return _Option([f"{on}/{off}"], setting.group, take, is_flag=True, default=None, help=help)


def _parts_of_address() -> Iterator[_Option]:
    def take_host(words: _Words, value: str) -> None:
        words.host = value

    def take_port(words: _Words, value: str) -> None:
        words.port = value

    yield _Option(
        ["--host"],
        _BIND.group,
        take_host,
        metavar="HOST",
        help=f"The host alone (default {DEFAULT_HOST}).",
    )
    yield _Option(
        ["--port"],  # no -p: gunicorn's users know that as --pid
        _BIND.group,
        take_port,
        metavar="PORT",
        help=f"The port alone (default {DEFAULT_PORT}).",
    )

    def take_uds(words: _Words, value: str) -> None:
        words.uds = value

    def take_fd(words: _Words, value: str) -> None:
        words.fd = value

    yield _Option(
        ["--uds"],
        _BIND.group,
        take_uds,
        metavar="PATH",
        help="Short for --bind unix:PATH.",
    )
    yield _Option(["--fd"], _BIND.group, take_fd, metavar="N", help="Short for --bind fd://N.")


def _worker_class() -> _Option:
    """gunicorn's users have it in their command lines, mostly with the kind that there is."""

    def take(words: _Words, value: str) -> None:
        from quaich.settings.gunicorn import kind_of_worker, reason_against
        from quaich.settings.habits import spelled

        reason = reason_against(kind_of_worker(value))
        if reason:
            raise SettingError(
                f"--worker-class {shown(value)}", spelled(reason, lambda setting: setting.flag)
            )

    return _Option(["-k", "--worker-class"], "", take, hidden=True)


def _about_settings() -> Iterator[click.Option]:
    """The options that are no settings; the command gets them."""
    yield click.Option(
        ["-c", "--config", "config"],
        metavar="FILE",
        help="The file of settings; else quaich.toml is one, or pyproject.toml with [tool.quaich].",
    )
    yield click.Option(
        ["--check-config", "check_config"],
        is_flag=True,
        help="Check the settings, load the application, and exit.",
    )
    yield click.Option(
        ["--print-config", "print_config"],
        is_flag=True,
        help="Print all settings as a file of settings, with where each is from, and exit.",
    )


class SettingsCommand(click.Command):
    """A command that serves: besides its own options it has those of the settings, ``without``
    some. It gets ``config``, ``check_config`` and ``print_config``."""

    def __init__(self, *args: Any, without: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        for setting in TABLE.values():
            if setting.name in without:
                continue
            self.params += _options(setting)
            if setting is _BIND:
                self.params += _parts_of_address()
        self.params += [_worker_class(), *_about_settings()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The settings under the names of their groups, then the command's own options."""
        sections: dict[str, list[tuple[str, str]]] = {
            heading(group.__name__): [] for group in GROUPS.values()
        }
        for param in self.get_params(ctx):
            # Newer versions of click have a record for an argument too, as "Options".
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                name = heading(param.group) if isinstance(param, _Option) else "Options"
                sections.setdefault(name, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)
