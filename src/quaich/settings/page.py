"""The page of the reference on settings, made from the table.

``python -m quaich.settings`` writes it to stdout; a test compares the page in ``docs/`` with it.
"""

import inspect
from collections.abc import Iterator
from typing import Any, Final

from quaich.settings.declare import Setting, heading, read
from quaich.settings.groups import GROUPS

_INTRODUCTION: Final = """\
<!-- Made by: python -m quaich.settings > docs/reference/settings.md -->

# Settings

A setting is given on the command line, `quaich serve --threads 8 APP`; as a variable of the
environment, `QUAICH_THREADS=8`; in the file `quaich.toml`, `threads = 8`; or as a keyword argument,
`quaich.serve(app, threads=8)`. The command line comes before the environment, that before the file,
and that before the default. A server that a program makes takes keyword arguments only.
{doc}`../configuration` has more on it, and on the file.

- A **name** is the same everywhere: `keep_alive` as here, with hyphens as a flag and in a file
  (where both will do), in capitals behind `QUAICH_` as a variable.
- A **size** is a number of bytes, or `64k`, `1m`, `1g`, `64KiB`: powers of 1024.
- A **duration** is a number of seconds, or `500ms`, `30s`, `5m`, `1h`; 24 days at most.
- **Yes** is also `true`, `on` and `1`, **no** is `false`, `off` and `0`; as a keyword argument it
  is `True` or `False`, in a file `true` or `false`, and on the command line a flag.
- A **list** has commas between its items, or is given one by one: as a flag several times, in a
  file or a keyword argument as a list. `none` alone is an empty one.

A value that a setting does not take, a name that none has, and settings that contradict each other
end the command with one line and exit code 2; as keyword arguments they are a `ValueError`, and of
an unknown name a `TypeError` as well. An empty variable is as good as none.
"""


def format_page() -> str:
    """The page as MyST Markdown."""
    return "\n".join([_INTRODUCTION, *(_group(group) for group in GROUPS.values())])


def _group(group: type[Any]) -> str:
    docstring = inspect.cleandoc(group.__doc__ or "")
    return "\n".join(
        [f"## {heading(group.__name__)}\n\n{docstring}\n", *map(_setting, read(group))]
    )


def _setting(setting: Setting) -> str:
    facts = [
        f"Default: {_code(setting.shown_default) if setting.default is not None else 'none'}",
        f"Takes: {setting.kind.takes}",
        f"Flag: {'; '.join(_flags(setting))}",
        f"Variable: {', or else '.join(map(_code, (setting.variable, *setting.variables)))}",
        f"Since: {setting.since}",
    ]
    if setting.precedents:
        facts.append(f"For comparison: {setting.precedents}")
    listed = "".join(f"- {fact}\n" for fact in facts)
    return f"### {_code(setting.name)}\n\n{setting.help}\n\n{listed}"


def _flags(setting: Setting) -> Iterator[str]:
    if not setting.kind.is_switch:
        short = [] if setting.short is None else [setting.short]
        yield ", ".join(_code(f"{flag} {setting.kind.metavar}") for flag in (*short, setting.flag))
    if setting.aliases:
        yield f"also {', '.join(map(_code, setting.aliases))}"
    for flag, value in setting.switches.items():
        meaning = "none" if value is None else _code(setting.kind.show(value))
        yield f"{_code(flag)} is {meaning}"


def _code(text: str) -> str:
    return f"`{text}`"
