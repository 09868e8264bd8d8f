"""The files of settings in the documents are such files."""

import re
from pathlib import Path

import pytest

from quaich.settings import from_keywords, merge
from quaich.settings.files import from_file

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "configuration.md", DOCS / "migrating" / "gunicorn.md"]


def blocks(page: Path) -> list[str]:
    found: list[str] = re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_file_can_be_read(page: Path, tmp_path: Path) -> None:
    found = blocks(page)
    assert found
    for text in found:
        path = tmp_path / "quaich.toml"
        path.write_text(text, "utf-8")
        assert from_file(path)
        merge(from_file(path), from_keywords({}))


def test_the_table_of_a_project(tmp_path: Path) -> None:
    """As configuration.md says: the same stands below [tool.quaich]."""
    text = blocks(DOCS / "configuration.md")[1]
    own, project = tmp_path / "quaich.toml", tmp_path / "pyproject.toml"
    own.write_text(text)
    project.write_text("[tool.quaich]\n" + re.sub(r"^\[", "[tool.quaich.", text, flags=re.M))
    assert merge(from_file(project)) == merge(from_file(own))
