"""Configuration of Sphinx; build with ``sphinx-build -W -n -b html docs docs/_build``."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from typing import Any

from quaich import __version__  # the checkout's, whether installed or not
from quaich.conformance.rules import catalogue
from quaich.conformance.rules.text import page

project = "Quaich"
project_copyright = "The Quaich developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Quaich {release}"

myst_heading_anchors = 3

autodoc_member_order = "bysource"
# The prose names the types that matter; the signatures stay readable.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"

# Python's own documentation is not at hand offline, so its names are not links.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(collections\.abc|http\.server|io|logging|multiprocessing|socket|socketserver|subprocess"
        r"|typing)(\..*)?",
    ),
    ("py:.*", r"(AssertionError|KeyError|OSError|TypeError|ValueError)"),
]


def write_rules(app: Any) -> None:
    """A page for each rule, from the catalogue."""
    directory = Path(app.srcdir) / "conformance" / "rules"
    directory.mkdir(exist_ok=True)
    for rule in catalogue().values():
        path = directory / f"{rule.id}.md"
        text = page(rule)
        if not path.exists() or path.read_text("utf-8") != text:  # or all would be built anew
            path.write_text(text, "utf-8")


def link_rules(app: Any, docname: str, source: list[str]) -> None:
    """In the list of rules, which is committed, each links to its page, which is not."""
    if docname == "conformance/rules":
        source[0] = re.sub(r"^\| ([SAMH]\d+) \|", r"| [\1](rules/\1.md) |", source[0], flags=re.M)


def setup(app: Any) -> None:
    app.connect("builder-inited", write_rules)
    app.connect("source-read", link_rules)
