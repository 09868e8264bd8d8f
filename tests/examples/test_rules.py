"""The page of rules has each number that messages, comments and tests name."""

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "reference" / "rules.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([HSA]\d{2,3}) \|(.*)\|$", PAGE, re.M)

SOURCES = sorted((TOP / "src").rglob("*.py"))
TESTS = [*sorted((TOP / "tests").rglob("test_*.py")), TOP / "tests" / "corpus" / "expected.toml"]

# H062, S73-S75; not the codes of linters.
NUMBER = re.compile(r"\b(H\d{3}|[SA]\d{2,3})(?:-([HSA]\d{2,3}))?\b")
LINTER = re.compile(r"noqa: [A-Z0-9, ]+")


def named(path: Path) -> set[str]:
    numbers: set[str] = set()
    for first, last in NUMBER.findall(LINTER.sub("", path.read_text("utf-8"))):
        between = range(int(first[1:]), int((last or first)[1:]) + 1)
        numbers |= {f"{first[0]}{number:0{len(first) - 1}}" for number in between}
    return numbers


@pytest.mark.parametrize("paths", [SOURCES, TESTS], ids=["src", "tests"])
def test_each_number_that_is_named_stands_on_the_page(paths: list[Path]) -> None:
    wanted = set().union(*map(named, paths))
    assert len(wanted) > 100
    assert sorted(wanted - {number for number, _ in ROWS}) == []


def test_each_number_stands_there_once_in_its_order() -> None:
    for letter in "HSA":
        numbers = [int(number[1:]) for number, _ in ROWS if number[0] == letter]
        assert numbers == sorted(set(numbers))


def statuses() -> dict[str, set[str]]:
    """What the source answers to a request that breaks a rule: ``ProtocolError("H062", 400, …``."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="ProtocolError" | "BodyError" | "IncompleteBody"),
                    args=[ast.Constant(value=str(rule)), ast.Constant(value=int(status)), *_],
                ):
                    found.setdefault(rule, set()).add(str(status))
                case ast.Call(func=ast.Name(id="_bad"), args=[ast.Constant(value=str(rule)), *_]):
                    found.setdefault(rule, set()).add("400")
    return found


def test_the_page_has_the_statuses_that_are_sent() -> None:
    sent = statuses()
    assert len(sent) > 30
    cells = {number: row.split("|")[-1] for number, row in ROWS}
    shown = {rule: set(re.findall(r"\b[45]\d\d\b", cells.get(rule, ""))) for rule in sent}
    assert {rule: shown[rule] for rule in sent if not sent[rule] <= shown[rule]} == {}
