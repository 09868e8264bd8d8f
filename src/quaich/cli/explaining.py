"""``quaich explain``: rules by their numbers."""

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from quaich.cli.errors import ConfigurationError
from quaich.conformance.rules import PARTIES, Rule, UnknownRule, catalogue, find
from quaich.conformance.rules.text import WIDTH, explain, line

# Numbers of the same look, which README and manual have beside those of the rules.
_DEFECT: Final = re.compile(r"[DV][0-9]+")


def explanation(names: Sequence[str], all_rules: bool, form: str, width: int | None = None) -> str:
    """What the command prints, for a terminal of ``width`` columns, or for a program.

    ``names``: numbers of rules, with commas between them if anybody likes, or a letter for all of
    its rules, which are listed. Raises ConfigurationError for what is none of these.
    """
    wanted = [each.strip().upper() for name in names for each in name.split(",") if each.strip()]
    if not wanted and not all_rules:
        raise ConfigurationError(
            "which rule? quaich explain A07 explains one, quaich explain --all lists them"
        )
    if wanted and all_rules:
        raise ConfigurationError("--all lists all rules: leave out either it or the numbers")
    if form == "json":
        rules = [rule for letter in wanted or PARTIES for rule in _named(letter)]
        return json.dumps([dataclasses.asdict(rule) for rule in rules], indent=2) + "\n"
    if all_rules:
        return _listed(catalogue().values(), width)
    return "\n".join(
        _listed(_named(each), width)
        if each in PARTIES
        else "".join(explain(rule, width or WIDTH) for rule in _named(each))
        for each in wanted
    )


def _named(name: str) -> list[Rule]:
    """The rule of a number, or the rules of a letter."""
    if name in PARTIES:
        return [rule for rule in catalogue().values() if rule.id[0] == name]
    if _DEFECT.fullmatch(name):
        raise ConfigurationError(
            f"{name} is no rule but a defect of wsgiref; docs/differences.md has those"
        )
    try:
        return [find(name)]
    except UnknownRule as error:
        raise ConfigurationError(str(error)) from error


def _listed(rules: Iterable[Rule], width: int | None) -> str:
    return "".join(f"{line(rule, width)}\n" for rule in rules)
