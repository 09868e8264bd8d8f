"""``quaich explain``: rules by their numbers."""

import dataclasses
import json
from collections.abc import Sequence

from quaich.cli.errors import ConfigurationError
from quaich.conformance.rules import UnknownRule, catalogue, find
from quaich.conformance.rules.text import explain, line


def explanation(names: Sequence[str], all_rules: bool, form: str) -> str:
    """What the command prints. Raises ConfigurationError for a number that is none."""
    if not names and not all_rules:
        raise ConfigurationError(
            "which rule? quaich explain A07 explains one, quaich explain --all lists them"
        )
    try:
        rules = list(catalogue().values()) if all_rules else [find(name) for name in names]
    except UnknownRule as error:
        raise ConfigurationError(str(error)) from error
    if form == "json":
        return json.dumps([dataclasses.asdict(rule) for rule in rules], indent=2) + "\n"
    if all_rules:
        return "".join(f"{line(rule)}\n" for rule in rules)
    return "\n".join(explain(rule) for rule in rules)
