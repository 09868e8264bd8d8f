"""The catalogue: every rule of PEP 3333 and of HTTP/1.1 that an application, a middleware or a
server is judged by.

The records stand in ``server.toml`` (S), ``application.toml`` (A), ``middleware.toml`` (M) and
``http.toml`` (H) beside this file. ``quaich explain``, the pages of the manual, the checker's
findings and the prober's verdicts all take them from here.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

Strength = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "plain", "note"]
"""The keyword that the specification uses; ``plain``: prose that binds all the same; ``note``:
advice."""

Severity = Literal["error", "warning", "info"]
"""What a breach of the rule is: ``error`` where something does not work or is forbidden,
``warning`` where it is advised against, ``info`` where it is only worth knowing."""

Check = Literal["run time", "check", "probe", "reading"]
"""How a breach can be seen: at ``run time``, in any request that passes the checker; by ``check``,
which calls an application in ways that provoke it; by ``probe``, which talks to a server; or by
``reading`` code and manuals only."""

FILES: Final = ("server", "application", "middleware", "http")
PARTIES: Final = {"S": "server", "A": "application", "M": "middleware", "H": "server"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Texts are Markdown, of one line but for the examples."""

    id: str
    strength: Strength
    section: str  # of PEP 3333, or e.g. "RFC 9112, 5.1"
    says: str  # one sentence
    severity: Severity
    checked: tuple[Check, ...]
    how: str  # how a breach is seen; for "reading", why it cannot be seen otherwise
    fix: str  # what to do about a breach
    bad: str = ""  # an example; empty where there can be none
    good: str = ""
    status: str = ""  # H: what a request that breaks the rule is answered with

    @property
    def party(self) -> str:
        """Whose duty it is."""
        return PARTIES[self.id[0]]

    @property
    def source(self) -> str:
        """The document and the section in it."""
        return self.section if self.id[0] == "H" else f"PEP 3333, {self.section}"


class UnknownRule(KeyError):
    """There is no rule of that id. ``nearest``: those that may be meant."""

    def __init__(self, name: str, nearest: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.nearest = nearest

    def __str__(self) -> str:
        if not self.nearest:
            return f"there is no rule {self.name}; rules are S01-S118, A01-A49, M01-M27, H001-H140"
        return f"there is no rule {self.name}; is {' or '.join(self.nearest)} meant?"


@cache
def catalogue() -> Mapping[str, Rule]:
    """All rules by their ids, in their order: S, A, M, H."""
    rules: dict[str, Rule] = {}
    for name in FILES:
        text = resources.files(__name__).joinpath(f"{name}.toml").read_text("utf-8")
        for key, fields in tomllib.loads(text).items():
            rules[key] = _rule(key, fields)
    return rules


def _rule(key: str, fields: dict[str, Any]) -> Rule:
    return Rule(id=key, **{**fields, "checked": tuple(fields["checked"])})


def find(name: str) -> Rule:
    """The rule of an id, in any case and with any number of zeros; raises
    :class:`UnknownRule`."""
    rules = catalogue()
    match = re.fullmatch(r"\s*([SAMHsamh])[-_ ]?0*([0-9]+)\s*", name)
    if match is not None:
        letter = match[1].upper()
        wanted = f"{letter}{int(match[2]):0{3 if letter == 'H' else 2}}"
        if wanted in rules:
            return rules[wanted]
        same = [key for key in rules if key[0] == letter]
        # Beyond the last, or a digit too many: the nearest number, and those that look alike.
        number = int(match[2])
        near = sorted(same, key=lambda key: abs(int(key[1:]) - number))[:1]
        similar = difflib.get_close_matches(wanted, same, 2, 0.7)
        raise UnknownRule(name.strip(), list(dict.fromkeys([*similar, *near])))
    raise UnknownRule(name.strip(), alike(name))


def alike(name: str) -> list[str]:
    """The ids that may be meant by what is none, the likeliest first. The letter says whose duty a
    rule is, so none of another letter is meant."""
    name = name.strip().upper()
    same = [key for key in catalogue() if key[0] == name[:1]]
    return difflib.get_close_matches(name, same, 2, 0.6)
