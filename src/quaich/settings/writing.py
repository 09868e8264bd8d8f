"""Settings as a file that :mod:`quaich.settings.files` reads.

    format_value        a value in TOML
    format_settings     all settings, each with who gave it

A value that is none has no form in TOML; it is a comment.
"""

from collections import ChainMap
from typing import Any, Final

from quaich.settings.declare import Setting, heading, read
from quaich.settings.groups import GROUPS
from quaich.settings.sources import Source

_ESCAPES: Final = {
    "\b": r"\b",
    "\t": r"\t",
    "\n": r"\n",
    "\f": r"\f",
    "\r": r"\r",
    '"': r"\"",
    "\\": r"\\",
}


def format_text(text: str) -> str:
    """A text in TOML, in quotes; what is no character of UTF-8 becomes ``?``."""
    return f'"{"".join(map(_format_character, text))}"'


def _format_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    if "\ud800" <= character <= "\udfff":  # a surrogate: a name of a file that is not UTF-8
        return "?"
    return f"\\U{ord(character):08X}"


def format_value(setting: Setting, value: Any) -> str:
    """A value of a setting in TOML; it is not None."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(format_text, value))}]"
    text = setting.kind.show(value)
    is_number = isinstance(value, int | float) and not setting.kind.octal_example
    if is_number and text.isascii() and text.isdecimal():
        return text
    return format_text(value if isinstance(value, str) else text)


def format_settings(*sources: Source) -> str:
    """The settings that these sources say, an earlier one before a later one, by group. What is
    none, and what is secret, are comments."""
    given = ChainMap(*(dict(source) for source in sources))
    parts = []
    for group in GROUPS.values():
        lines = [f"# {heading(group.__name__)}\n"]
        for setting in read(group):
            origin, value = "default", setting.default
            if setting.name in given:
                origin, value = given[setting.name].origin, given[setting.name].value
            lines.append(f"{_line(setting, value)}  # {origin}\n")
        parts.append("".join(lines))
    return "\n".join(parts)


def _line(setting: Setting, value: Any) -> str:
    if value is None:
        return f"# {setting.key} = none"
    if setting.is_secret and value != setting.default:
        names = [each.partition("=")[0] for each in value] if isinstance(value, tuple) else []
        hidden = ", ".join(f"{name}=…" for name in names if name.isprintable()) or "…"
        return f"# {setting.key} = {hidden} (not shown)"
    return f"{setting.key} = {format_value(setting, value)}"
