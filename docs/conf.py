"""Configuration of Sphinx; build with ``sphinx-build -W -n -b html docs docs/_build``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from quaich import __version__  # the checkout's, whether installed or not

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
