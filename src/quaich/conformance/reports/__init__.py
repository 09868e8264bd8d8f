"""What was found, as a text for people, JSON, a page, or for other programs.

Each format is a function of an :class:`Outcome` that returns the whole text. A finding has what
an application made up in it, so a format escapes every text that it did not write itself.
"""

from collections.abc import Callable, Mapping
from typing import Final

from quaich.conformance.reports import as_json, github, junit, page, text
from quaich.conformance.reports.outcome import Outcome

FORMATS: Final[Mapping[str, Callable[[Outcome], str]]] = {
    "text": text.render,
    "json": as_json.render,
    "html": page.render,
    "junit": junit.render,
    "github": github.render,
}
"""The formats by the names that the command line knows."""

__all__ = ["FORMATS", "Outcome"]
