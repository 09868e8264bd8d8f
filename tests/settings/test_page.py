"""The page of the reference is what the table says."""

import subprocess
import sys
from pathlib import Path

from quaich.settings import TABLE
from quaich.settings.page import format_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_up_to_date() -> None:
    """If not: ``python -m quaich.settings > docs/reference/settings.md``."""
    assert PAGE.read_text("utf-8") == format_page()


def test_each_name_is_on_the_page() -> None:
    page = format_page()
    for setting in TABLE.values():
        assert f"### `{setting.name}`\n\n{setting.help}\n" in page
        assert f"`{setting.variable}`" in page
        assert all(f"`{alias}`" in page for alias in (*setting.aliases, *setting.switches))


def test_the_command_that_makes_it() -> None:
    # A process of its own: where our plugin is installed, pytest imports our modules by a
    # loader of its own, which runpy cannot use.
    command = [sys.executable, "-m", "quaich.settings"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, check=True)
    assert done.stdout == format_page()
