"""The page of the reference is what the table says."""

import runpy
from pathlib import Path

import pytest

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


def test_the_command_that_makes_it(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("quaich.settings", run_name="__main__")
    assert capsys.readouterr().out == format_page()
