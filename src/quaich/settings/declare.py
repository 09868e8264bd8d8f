"""What is said about a setting where it is declared, and what follows from its name.

A setting is a field of a dataclass. :func:`setting` makes the field; :func:`read` gets its record
back. Which settings there are is in :mod:`quaich.settings.groups`.
"""

import dataclasses
from typing import Any, Final, TypeVar

from quaich.settings.kinds import Kind

T = TypeVar("T")

PREFIX: Final = "QUAICH_"  # of the variables

_HEADINGS: Final = {"Tls": "TLS"}

_SHOWN_MAX: Final = 80  # characters of a value in a line about it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All about one setting."""

    name: str  # of the keyword argument, and of the field in its group
    group: str
    default: Any
    kind: Kind[Any]
    help: str  # sentences in Markdown, the first of which stands alone in --help
    precedents: str  # what others have, or why it is so
    since: str
    short: str | None  # a flag of one letter
    aliases: tuple[str, ...]  # what other servers call the flag; they work, help leaves them out
    switch: tuple[str, Any, Any] | None  # a flag without a value, what it means, and its --no-
    variables: tuple[str, ...]  # of other programs' too, which count after our own
    is_secret: bool  # its value is not shown

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """What it is called in a file."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def switches(self) -> dict[str, Any]:
        """The flags that take no value, and the value that each means."""
        if self.kind.is_switch:
            return {self.flag: True, f"--no-{self.flag[2:]}": False}
        if self.switch is None:
            return {}
        flag, on, off = self.switch
        return {flag: on, f"--no-{flag[2:]}": off}

    @property
    def summary(self) -> str:
        """The first sentence of the help, as plain text without its full stop."""
        return self.help.partition(". ")[0].removesuffix(".").replace("`", "")

    @property
    def shown_default(self) -> str:
        return self.kind.show(self.default)

    def shown(self, text: str) -> str:
        """What was written for it, as part of a line: a long one cut, one that breaks lines as
        Python writes it."""
        if self.is_secret:
            return "…"
        text = text if text.isprintable() else repr(text)
        return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def setting(
    default: T,
    kind: Kind[T],
    help: str,
    precedents: str = "",
    *,
    since: str = "0.1",
    short: str | None = None,
    aliases: tuple[str, ...] = (),
    switch: tuple[str, T, T] | None = None,
    variables: tuple[str, ...] = (),
    is_secret: bool = False,
) -> T:
    """The field of a setting. It is typed as what the field holds, as :func:`dataclasses.field`
    is."""
    field: Any = dataclasses.field(
        default=default,
        metadata={
            "kind": kind,
            "help": help,
            "precedents": precedents,
            "since": since,
            "short": short,
            "aliases": aliases,
            "switch": switch,
            "variables": variables,
            "is_secret": is_secret,
        },
    )
    return field  # type: ignore[no-any-return]  # the dataclass makes the default of it


def heading(group: str) -> str:
    """What stands above the settings of a group."""
    return _HEADINGS.get(group, group)


def read(group: type[Any]) -> tuple[Setting, ...]:
    """The settings of a group, in the order in which they are declared."""
    return tuple(
        Setting(name=field.name, group=group.__name__, default=field.default, **field.metadata)
        for field in dataclasses.fields(group)
    )
