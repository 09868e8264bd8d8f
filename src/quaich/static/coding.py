"""Content codings of files that are there compressed already (RFC 9110, section 12.5.3)."""

import re
from collections.abc import Sequence
from typing import Final

CODINGS: Final = {"br": b".br", "gzip": b".gz"}
"""The codings, the better one first, and what the names of such files end with."""

_ELEMENT: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.IGNORECASE,
)


def accepted_codings(accept_encoding: str | None) -> list[str]:
    """Those of :data:`CODINGS` that a client takes, the one that it likes best first; of equals,
    the better one. None that it likes less than the file as it is."""
    if not accept_encoding:
        return []
    qualities: dict[str, float] = {}
    for element in accept_encoding.split(","):
        found = _ELEMENT.fullmatch(element.strip(" \t"))
        if found is not None:
            name = found[1].lower()
            qualities["gzip" if name == "x-gzip" else name] = float(found[2] or 1)
    anything = qualities.get("*", 0.0)
    # What is not named is taken, but nothing that is named is liked less.
    identity = qualities.get("identity", 0.0)
    liked = {name: qualities.get(name, anything) for name in CODINGS}
    taken = [name for name, quality in liked.items() if quality > 0 and quality >= identity]
    return sorted(taken, key=lambda name: -liked[name])


def choose_coding(accepted: Sequence[str], available: Sequence[str]) -> str:
    """The first that is there; ``""`` is the file as it is."""
    return next((name for name in accepted if name in available), "")
