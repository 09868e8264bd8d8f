"""The catalogue: complete, well formed, and it has each number that messages, comments and tests
name."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from quaich.conformance.rules import (
    Check,
    Rule,
    Severity,
    Strength,
    UnknownRule,
    catalogue,
    find,
)
from quaich.conformance.rules.text import WIDTH, explain, index, line, page

TOP = Path(__file__).parents[2]
RULES = list(catalogue().values())
COUNTS = {"S": 118, "A": 49, "M": 27, "H": 140}

SOURCES = sorted((TOP / "src").rglob("*.py"))
TESTS = [*sorted((TOP / "tests").rglob("test_*.py")), TOP / "tests" / "corpus" / "expected.toml"]

# H062, S73-S75; not the codes of linters.
NUMBER = re.compile(r"\b(H\d{3}|S\d{2,3}|[AM]\d{2})(?:-([HSAM]\d{2,3}))?\b")
LINTER = re.compile(r"noqa: [A-Z0-9, ]+")


def test_each_rule_is_there_in_its_order() -> None:
    wanted = [
        f"{letter}{number:0{3 if letter == 'H' else 2}}"
        for letter, count in COUNTS.items()
        for number in range(1, count + 1)
    ]
    assert [rule.id for rule in RULES] == wanted


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_record_is_well_formed(rule: Rule) -> None:
    assert rule.strength in get_args(Strength)
    assert rule.severity in get_args(Severity)
    assert rule.checked
    assert set(rule.checked) <= set(get_args(Check))
    for text in (rule.says, rule.how, rule.fix, rule.section):
        assert text.strip() == text != ""
        assert "\n" not in text
    assert rule.says.endswith(".")
    if rule.strength in ("MUST", "MUST NOT"):
        assert rule.severity in ("error", "warning")
    assert bool(re.fullmatch(r"(RFC \d{4}, |RFC \d{4})\S*.*", rule.section)) == (rule.id[0] == "H")
    assert bool(rule.status) <= (rule.id[0] == "H")


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if rule.id[0] in "AM" and rule.checked != ("reading",)],
    ids=lambda rule: rule.id,
)
def test_examples_of_applications_are_python(rule: Rule) -> None:
    for example in (rule.bad, rule.good):
        assert example
        compile(example, rule.id, "exec")


def named(path: Path) -> set[str]:
    numbers: set[str] = set()
    for first, last in NUMBER.findall(LINTER.sub("", path.read_text("utf-8"))):
        between = range(int(first[1:]), int((last or first)[1:]) + 1)
        numbers |= {f"{first[0]}{number:0{len(first) - 1}}" for number in between}
    return numbers


@pytest.mark.parametrize("paths", [SOURCES, TESTS], ids=["src", "tests"])
def test_each_number_that_is_named_is_a_rule(paths: list[Path]) -> None:
    wanted = set().union(*map(named, [path for path in paths if path != Path(__file__)]))
    assert len(wanted) > 100
    no_rule = {"M28", "A50"}  # that tests take for unknown ones
    assert sorted(wanted - {rule.id for rule in RULES} - no_rule) == []


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


def test_the_catalogue_has_the_statuses_that_are_sent() -> None:
    sent = {rule: codes for rule, codes in statuses().items() if rule[0] == "H"}
    assert len(sent) > 30
    shown = {rule: set(re.findall(r"\b[45]\d\d\b", find(rule).status)) for rule in sent}
    assert {rule: shown[rule] for rule in sent if not sent[rule] <= shown[rule]} == {}


# --- Looking one up ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["A07", "a7", "A007", " a-07 ", "A 7"])
def test_a_number_may_be_written_as_one_likes(name: str) -> None:
    assert find(name).id == "A07"


@pytest.mark.parametrize(
    ("name", "nearest"), [("A50", "A49"), ("H141", "H140"), ("S119", "S118"), ("M0", "M01")]
)
def test_what_is_no_rule_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownRule) as caught:
        find(name)
    assert nearest in caught.value.nearest
    assert nearest in str(caught.value)


@pytest.mark.parametrize("name", ["", "x", "rule", "E501", "X99", "B01"])
def test_what_is_nothing_like_a_rule_says_what_there_is(name: str) -> None:
    """No rule of another letter is meant."""
    with pytest.raises(UnknownRule, match=r"no rule .*; rules are S01-S118"):
        find(name)


# --- In words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_explained(rule: Rule) -> None:
    text = explain(rule)
    assert text.startswith(f"{rule.id}: ")
    assert rule.fix.split()[0] in text
    prose = [each for each in text.splitlines() if not each.startswith("    ")]
    assert max(map(len, prose)) <= WIDTH
    assert max(map(len, line(rule, 80).splitlines())) <= 80
    assert " ".join(line(rule, 80).split()) == " ".join(line(rule).split())
    for example in (rule.bad, rule.good):
        for row in example.strip("\n").splitlines():
            assert row in text
    assert line(rule).startswith(rule.id)
    assert "\n" not in line(rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_page(rule: Rule) -> None:
    text = page(rule)
    assert text.startswith(f"# {rule.id}\n")
    assert text.count("```") == 2 * (bool(rule.bad) + bool(rule.good))


def test_the_list_in_the_manual_is_that_of_the_catalogue() -> None:
    committed = (TOP / "docs" / "conformance" / "rules.md").read_text("utf-8")
    assert committed == index(RULES)  # python -m quaich.conformance.rules writes it
