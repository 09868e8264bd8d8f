"""The oracle is tested itself: with any one of its reports switched off, or laid at the other
party's door, a program of the corpus shows it.

The checker's modules are run again, in memory, with one place in one of them changed.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

import quaich.conformance
from conformance.copies import FILES, a_copy, tree_of
from conformance.corpus import BREAKERS, LEGAL, Case, fault_of, findings_of, load

load()


# -- The places -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A place in the checker where a breach is reported, and what is done to it."""

    module: str
    number: int  # of the node in its module
    change: str
    line: int
    text: str
    rules: frozenset[str]  # that may be told of there; empty: not to be seen

    def __str__(self) -> str:
        return f"{FILES[self.module].name}:{self.line} {self.change}: {self.text}"


def _is_breach(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "Breach"


def _is_note(node: ast.AST) -> bool:
    """``note()`` and its like."""
    return isinstance(node, ast.Call) and "note" in ast.unparse(node.func).rpartition(".")[2]


def _is_note_at(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_note_at")


def _changes(node: ast.AST) -> Iterator[str]:
    if _is_breach(node):
        yield "is switched off"
    if _is_note(node):
        assert isinstance(node, ast.Call)
        if any(isinstance(each, ast.Name) for each in node.args):  # the breach was made before
            yield "is not called"
        if len(node.args) > 2 or (_is_note_at(node) and ast.unparse(node.args[0]) != "None"):
            yield "names no place"
    if isinstance(node, ast.Constant) and node.value in ("inner", "outer"):
        yield "is the other party"


def sites() -> Iterator[Site]:
    for name in FILES:
        source = FILES[name].read_text("utf-8")
        # In a tuple they are names of slots.
        slots = {
            id(each)
            for node in ast.walk(tree_of(name))
            if isinstance(node, ast.Tuple)
            for each in node.elts
        }
        for number, node in enumerate(ast.walk(tree_of(name))):
            if not isinstance(node, ast.expr) or id(node) in slots:
                continue
            text = " ".join((ast.get_source_segment(source, node) or "").split())
            rules = frozenset(
                each.value
                for each in ast.walk(node)
                if isinstance(each, ast.Constant) and each.value in RULES
            )
            for change in _changes(node):
                yield Site(name, number, change, node.lineno, text, rules)


RULES: Final = {case.rule for case in BREAKERS}


def mutated(site: Site) -> Any:
    """``checker`` of a copy of the package with the change of a site."""
    tree = copy.deepcopy(tree_of(site.module))
    node = next(each for number, each in enumerate(ast.walk(tree)) if number == site.number)
    if site.change == "is the other party":
        assert isinstance(node, ast.Constant)
        node.value = "outer" if node.value == "inner" else "inner"
    elif site.change == "is switched off":
        assert isinstance(node, ast.Call)
        node.args[0] = ast.copy_location(ast.Constant("OFF"), node.args[0])
    elif site.change == "names no place":
        assert isinstance(node, ast.Call)
        index = 0 if _is_note_at(node) else 2
        node.args[index] = ast.copy_location(ast.Constant(None), node.args[index])
    else:
        assert isinstance(node, ast.Call)
        node.func = ast.copy_location(ast.Name("id", ast.Load()), node.func)
        node.args = node.args[:1]
    return a_copy(site.module, ast.fix_missing_locations(tree))


def shows(case: Case, checker: Any) -> bool:
    """Whether a case is judged otherwise than it should be."""
    return fault_of(case, findings_of(case, checker)) != ""


# -- The tests --------------------------------------------------------------------------------


def test_a_copy_without_a_change_finds_the_same() -> None:
    checker = a_copy()
    assert checker is not quaich.conformance.checker
    assert [str(case) for case in BREAKERS + LEGAL if shows(case, checker)] == []


SITES: Final = list(sites())


def test_the_sites_are_found() -> None:
    """Lest nothing be tested when the checker is written otherwise."""
    assert len([site for site in SITES if site.change == "is switched off"]) > 50


@pytest.mark.parametrize("site", SITES, ids=str)
def test_the_corpus_shows_it_when_a_report(site: Site) -> None:
    checker = mutated(site)
    likely = [case for case in BREAKERS if case.rule in site.rules]
    others = [case for case in BREAKERS if case.rule not in site.rules]
    if not any(shows(case, checker) for case in likely + others):
        pytest.fail(f"no program of the corpus shows that {site}")
