"""The kinds of values that settings have: how each is written, read and shown.

A value comes as text from a flag or a variable, and as text or a Python value from a keyword.
``parse`` takes either; a ValueError says in one line what it takes. ``show`` writes a value so that
``parse`` reads the same one. Nothing here knows which settings there are. Addresses and
paths of URLs are in quaich.settings.places.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Generic, Literal, TypeGuard, TypeVar

T = TypeVar("T")

Auto = Literal["auto"]

# What listen(), and whoever counts in a C int, takes.
NUMBER_MAX: Final = 2**31 - 1
# What an offset in a file can be.
SIZE_MAX: Final = 2**63 - 1
# A process of Python has some times as much before it does anything.
MEMORY_MIN: Final = 2**20
# poll() and epoll_wait() take milliseconds in 31 bits, which is 24.8 days.
DURATION_MAX: Final = 24 * 86400.0

_SIZE: Final = re.compile("([0-9]{1,19})(?:([kmg])(?:ib)?)?", re.IGNORECASE | re.ASCII)
_SIZE_UNITS: Final = {"g": 2**30, "m": 2**20, "k": 2**10}
_SIZE_IS: Final = "a size is a number of bytes, or 64k, 1m, 1g, 64KiB"

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_DURATION_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_DURATION_IS: Final = "a duration is a number of seconds, or 500ms, 30s, 5m, 1h"

_TRUTH: Final = {
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value."""

    metavar: str
    takes: str  # for a reader of the reference
    parse: Callable[[object], T]
    show: Callable[[T], str]
    is_switch: bool = False  # the flag takes no value, and has a twin with --no-
    is_list: bool = False  # the flag may be given several times
    octal_example: str = ""  # of a mode, whose digits are octal


# --- Numbers -----------------------------------------------------------------------------


def whole_number(least: int) -> Kind[int]:
    """A count of something."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch("[0-9]{1,10}", value):
            value = int(value)
        if not _is_int(value) or not least <= value <= NUMBER_MAX:
            raise ValueError(f"it takes a whole number from {least} to {NUMBER_MAX}")
        return value

    return Kind("NUMBER", f"a whole number from {least}", parse, str)


def whole_number_or_auto(least: int) -> Kind[int | Auto]:
    """A count of something, or ``auto``: as many as the machine is good for."""
    number = whole_number(least)

    def parse(value: object) -> int | Auto:
        if isinstance(value, str) and value.lower() == "auto":
            return "auto"
        try:
            return number.parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or auto") from None

    return Kind("NUMBER", f"{number.takes}, or `auto`", parse, str)


def mode_or_none(example: str) -> Kind[int | None]:
    """The bits of a mode, or none given. ``example`` is for whoever has written it wrong."""

    def parse(value: object) -> int | None:
        if isinstance(value, str) and re.fullmatch("0?[0-7]{3,4}|0o[0-7]{1,4}", value):
            value = int(value.removeprefix("0o"), 8)
        if value is None or (_is_int(value) and 0 <= value <= 0o7777):
            return value
        raise ValueError(f"it takes a mode in octal digits, such as {example}")

    return Kind(
        "MODE",
        "a mode in octal digits",
        parse,
        lambda value: "none" if value is None else f"{value:03o}",
        octal_example=example,
    )


def size(least: int) -> Kind[int]:
    """A number of bytes. ``k``, ``m`` and ``g`` are powers of 1024, as with nginx and Apache."""

    def parse(value: object) -> int:
        if isinstance(value, str):
            found = _SIZE.fullmatch(value)
            if found is None:
                raise ValueError(_SIZE_IS)
            value = int(found[1]) * _SIZE_UNITS.get((found[2] or "").lower(), 1)
        if not _is_int(value):
            raise ValueError(_SIZE_IS)
        if not least <= value <= SIZE_MAX:
            raise ValueError(f"it takes a size from {least} to {SIZE_MAX} bytes")
        return value

    return Kind("SIZE", "a size" if least == 0 else f"a size from {least}", parse, show_size)


def memory() -> Kind[int]:
    """The memory of a process; 0 is none said. Fewer bytes than Python itself needs are a number
    whose unit was left out."""
    number = size(0)

    def parse(value: object) -> int:
        found = number.parse(value)
        if 0 < found < MEMORY_MIN:
            hint = f"; is {value}m meant?" if re.fullmatch("[0-9]{1,5}", str(value)) else ""
            raise ValueError(f"it takes 0, or {show_size(MEMORY_MIN)} at least{hint}")
        return found

    least = show_size(MEMORY_MIN)
    return Kind("SIZE", f"a size from {least}, or 0", parse, show_size)


def show_size(value: int) -> str:
    """In the largest unit of which it is a multiple."""
    for unit, factor in _SIZE_UNITS.items():
        if value and value % factor == 0:
            return f"{value // factor}{unit.upper()}iB"
    return str(value)


def duration(*, zero: bool = False) -> Kind[float]:
    """A time in seconds; 0 where that has a meaning."""

    def parse(value: object) -> float:
        if isinstance(value, str):
            found = _DURATION.fullmatch(value)
            if found is None:
                raise ValueError(_DURATION_IS)
            number, unit = float(found[1]), found[2]
            value = number / 1000 if unit == "ms" else number * _DURATION_UNITS[unit or "s"]
        if not (_is_int(value) or isinstance(value, float)) or value != value:  # not a number
            raise ValueError(_DURATION_IS)
        if value < 0 or (value == 0 and not zero):
            raise ValueError(f"it takes {'0 or ' if zero else ''}more than 0")
        if value > DURATION_MAX:
            raise ValueError("it takes at most 24 days, which is 576h")
        return float(value)

    return Kind("DURATION", "a duration, or 0" if zero else "a duration", parse, show_duration)


def show_duration(value: float) -> str:
    """In seconds, or in milliseconds where that is shorter."""
    milliseconds = round(value * 1000)
    if 0 < value < 1 and milliseconds / 1000 == value:
        return f"{milliseconds}ms"
    text = format(Decimal(repr(value)), "f").removesuffix(".0")
    return f"{text}s" if value else "0"


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


# --- Words and texts ---------------------------------------------------------------------


def choice(words: Iterable[Any]) -> Kind[Any]:
    """One of some words; case does not count."""
    words = (*words,)
    takes = f"{', '.join(words[:-1])} or {words[-1]}"

    def parse(value: object) -> Any:
        if isinstance(value, str) and value.lower() in words:
            return value.lower()
        raise ValueError(f"it takes {takes}")

    return Kind("|".join(words), takes, parse, str)


def _parse_truth(value: object) -> bool:
    if isinstance(value, str):
        value = _TRUTH.get(value.lower())
    if isinstance(value, bool):
        return value
    raise ValueError("it takes yes or no, true or false, on or off, 1 or 0")


TRUTH: Final = Kind(
    "", "yes or no", _parse_truth, lambda value: "yes" if value else "no", is_switch=True
)


def parse_text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError("it takes a text that is not empty")


def show_or_none(value: str | None) -> str:
    return "none" if value is None else value


TEXT: Final = Kind("TEXT", "a text", parse_text, str)

TEXT_OR_EMPTY: Final = Kind(
    "TEXT",
    "a text",
    lambda value: "" if value in ("", "none") else parse_text(value),
    lambda value: value or "none",
)


TEXT_OR_NONE: Final[Kind[str | None]] = Kind(
    "TEXT",
    "a text",
    lambda value: None if value is None else parse_text(value),
    show_or_none,
)


APP_OR_NONE: Final = replace(TEXT_OR_NONE, metavar="APP")


def texts(metavar: str, takes: str, check: Callable[[str], object] = str) -> Kind[tuple[str, ...]]:
    """Several texts, separated by commas, or given one by one; ``none`` alone is no text at all.
    ``check`` raises ValueError for one that will not do."""

    def parse(value: object) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, tuple | list) or not all(
            isinstance(each, str) for each in values
        ):
            raise ValueError(f"it takes {takes}, or a list of them")
        found = tuple(each.strip() for text in values for each in text.split(",") if each.strip())
        if found == ("none",):
            return ()
        for each in found:
            check(each)
        return found

    return Kind(metavar, takes, parse, lambda value: ",".join(value) or "none", is_list=True)


def _parse_network(text: str) -> object:
    if text == "*":
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IP address, a network such as 10.0.0.0/8, or * for all"
        ) from None


NETWORKS: Final = texts(
    "NETWORKS", "IP addresses and networks such as `10.0.0.0/8`, or `*`", _parse_network
)


def _parse_file(value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str) and value and "\0" not in value:
        return value
    raise ValueError("it takes the name of a file, or -")


FILE: Final = Kind("FILE", "the name of a file, or `-`", _parse_file, str)

FILE_OR_NONE: Final[Kind[str | None]] = Kind(
    "FILE",
    "the name of a file, or `-`",
    lambda value: None if value is None else _parse_file(value),
    show_or_none,
)


def _parse_directory(value: object) -> str | None:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or (isinstance(value, str) and value and "\0" not in value):
        return value
    raise ValueError("it takes the name of a directory")


DIRECTORY_OR_NONE: Final[Kind[str | None]] = Kind(
    "DIR",
    "the name of a directory",
    _parse_directory,
    show_or_none,
)


def _parse_pairs(value: object) -> tuple[str, ...]:
    """Of one text with a line for each, of several texts, or of a mapping."""
    if isinstance(value, Mapping):
        value = [f"{name}={value}" for name, value in _texts_of(value).items()]
    if value == "none":
        return ()
    values = value.splitlines() if isinstance(value, str) else value
    if not isinstance(values, tuple | list) or not all(isinstance(each, str) for each in values):
        raise ValueError("it takes NAME=VALUE, or a list of them")
    for each in values:
        name, equals, _ = each.partition("=")
        if not name or not equals or "\0" in each:
            raise ValueError("a variable is written NAME=VALUE")
    return (*values,)


def _texts_of(value: Mapping[object, object]) -> dict[str, str]:
    found = {}
    for name, each in value.items():
        if not isinstance(name, str) or not isinstance(each, str) or not name or "=" in name:
            raise ValueError(f"the value of {name!r} has to be a text, in quotes")
        found[name] = each
    return found


PAIRS: Final = Kind(
    "NAME=VALUE",
    "a variable and its value: `DEBUG=1`",
    _parse_pairs,
    lambda value: "\n".join(value) or "none",
    is_list=True,
)
