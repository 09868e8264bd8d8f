"""Rules of style that no linter knows."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "quaich"
FILES = sorted(SRC.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_file_is_longer_than_can_be_read_at_a_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 600


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_every_file_says_what_it_holds(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


# In cli/ an assert is a word to the type checker.
@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "cli"], ids=_name)
def test_no_check_is_an_assert(path: Path) -> None:
    """``python -O`` would leave it out (D078)."""
    tree = ast.parse(path.read_text("utf-8"))
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    debugs = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "__debug__"
    ]
    assert asserts + debugs == []


@pytest.mark.parametrize("path", sorted((SRC / "protocol").glob("*.py")), ids=_name)
def test_the_grammar_knows_only_ascii_digits(path: Path) -> None:
    text = path.read_text("utf-8")
    assert r"[\d" not in text
    assert not any(f"{quote}\\d" in text for quote in "\"'")
