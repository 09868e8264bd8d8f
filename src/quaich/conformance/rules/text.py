"""The rules in words: for a terminal, and as pages of the manual."""

import textwrap
from collections.abc import Iterable
from typing import Final

from quaich.conformance.rules import Rule

WIDTH: Final = 96

_STRENGTHS: Final = {
    "plain": "binding, though without a keyword",
    "note": "advice",
    "MAY": "MAY: a permission",
}

_CHECKS: Final = {
    "run time": "at run time, by the checker",
    "check": "by quaich check",
    "probe": "by quaich probe",
    "reading": "by reading only",
}

TITLES: Final = {
    "S": "The server, by PEP 3333",
    "A": "The application, by PEP 3333",
    "M": "Middleware, by PEP 3333",
    "H": "HTTP/1.1",
}


def _facts(rule: Rule) -> list[tuple[str, str]]:
    strength = _STRENGTHS.get(rule.strength, rule.strength)
    facts = [
        ("duty of", f"the {rule.party}"),
        ("source", rule.source),
        ("strength", strength),
        ("a breach is", "worth knowing" if rule.severity == "info" else f"a {rule.severity}"),
        ("seen", f"{', '.join(_CHECKS[each] for each in rule.checked)}: {rule.how}"),
    ]
    if rule.severity == "error":
        facts[3] = ("a breach is", "an error")
    if rule.status:
        facts.insert(3, ("answered with", rule.status))
    return facts


def explain(rule: Rule, width: int = WIDTH) -> str:
    """A rule for a terminal of ``width`` columns, with a newline at its end."""
    width = min(width, WIDTH)
    parts = [_filled(width, f"{rule.id}: {rule.says}"), ""]
    for name, value in _facts(rule):
        parts.append(_filled(width, f"{name:<15}{value}", "  ", " " * 17))
    for title, example in (("Not so:", rule.bad), ("So:", rule.good)):
        if example:
            parts += ["", title, "", textwrap.indent(example.strip("\n"), "    ")]
    parts += ["", _filled(width, f"What to do: {rule.fix}")]
    return "\n".join(parts) + "\n"


def _filled(width: int, text: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def line(rule: Rule, width: int | None = None) -> str:
    """A rule in one line of a list; for a terminal of ``width`` columns, in as many as it takes."""
    text = f"{rule.id:<5}{rule.severity:<8} {rule.says}"
    return text if width is None else _filled(min(width, WIDTH), text, "", " " * 14)


# --- Markdown ---------------------------------------------------------------------------------


def page(rule: Rule) -> str:
    """The page of a rule."""
    parts = [f"# {rule.id}", "", rule.says, ""]
    parts += [f"{name.capitalize()}\n: {value}\n" for name, value in _facts(rule)]
    for title, example in (("Not so", rule.bad), ("So", rule.good)):
        if example:
            language = "python" if _is_python(example) else "text"
            parts += [f"## {title}", "", f"```{language}", example.strip("\n"), "```", ""]
    parts += ["## What to do", "", rule.fix, ""]
    return "\n".join(parts)


def index(rules: Iterable[Rule]) -> str:
    """The page that lists all rules. Where the manual is built, each has a page behind it."""
    rules = list(rules)
    parts = [_INTRODUCTION]
    for letter, title in TITLES.items():
        parts += [f"## {title}", "", "| | rule | source | a breach is |", "|---|---|---|---|"]
        parts += [
            f"| {rule.id} | {_cell(rule.says)} | {_cell(rule.section)} | {rule.severity} |"
            for rule in rules
            if rule.id[0] == letter
        ]
        parts += [""]
    parts += ["```{toctree}", ":hidden:", ":glob:", "", "rules/*", "```", ""]
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _is_python(example: str) -> bool:
    try:
        compile(example, "<example>", "exec")
    except SyntaxError:
        return False
    return True


_INTRODUCTION: Final = """\
# The rules by number

Findings, error pages, exceptions, comments and tests name the rule that they are about: "white
space stands between a field name and its colon (H045)". The letter says whose duty it is: **S**
the server's, **A** the application's and **M** that of middleware, by [PEP 3333]; **H** that of
both ends of a connection, by HTTP/1.1. The numbers are Quaich's own, and so are the sentences;
what binds is PEP 3333, [RFC 9110], [RFC 9112] (HTTP), [RFC 3875] (CGI), [RFC 3986] (URIs) and
[RFC 6585].

`quaich explain A07` prints the same in a terminal. D and V are no rules but defects of `wsgiref`:
see [Differences](../differences.md).

[RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110
[RFC 9112]: https://www.rfc-editor.org/rfc/rfc9112
[RFC 3875]: https://www.rfc-editor.org/rfc/rfc3875
[RFC 3986]: https://www.rfc-editor.org/rfc/rfc3986
[RFC 6585]: https://www.rfc-editor.org/rfc/rfc6585
[PEP 3333]: https://peps.python.org/pep-3333/
"""
