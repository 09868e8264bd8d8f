"""The report as a page: one file that needs no other, no network and no script."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from importlib import resources
from typing import Final

from quaich.conformance.findings import Finding
from quaich.conformance.reports.outcome import Outcome
from quaich.conformance.reports.wording import counted, visible
from quaich.conformance.rules import Rule, catalogue

_SEVERITIES: Final = ("error", "warning", "info")
_NUMBER: Final = ' class="number"'

# The policy forbids what the page does not need, should an escape ever be missing.
_TOP: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>"""


def render(outcome: Outcome) -> str:
    """The page, with a newline at its end."""
    title = f"{_shown(outcome.app)}: {_verdict(outcome)}"
    parts = [
        _TOP.format(title=title, style=_style()),
        *_header(outcome),
        "<main>",
        *_broken(outcome),
        *_kept(outcome),
        *_answers(outcome),
        *_trials(outcome),
        "</main>",
        "<footer>Rules of PEP 3333 and of HTTP/1.1, by the numbers that Quaich gives them;"
        " <code>quaich explain A07</code> explains one.</footer>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text("utf-8")


# --- Texts ------------------------------------------------------------------------------------


def _shown(text: str) -> str:
    """Any text, to stand between tags or in an attribute."""
    return escape(visible(text, keep="\n\t"))


_CODE: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def _prose(text: str) -> str:
    """A text of the catalogue: Markdown, of which it uses nothing but `code`."""
    parts = _CODE.split(text)  # text, ticks, code, text, ticks, code, …, text
    return "".join(
        f"<code>{_shown(part)}</code>" if number % 3 == 2 else _shown(part)
        for number, part in enumerate(parts)
        if number % 3 != 1
    )


def _verdict(outcome: Outcome) -> str:
    if not outcome.findings:
        return "nothing was found"
    counts = ((outcome.errors, "error"), (outcome.warnings, "warning"), (outcome.infos, "info"))
    return ", ".join(counted(number, noun) for number, noun in counts if number)


# --- Parts of the page ------------------------------------------------------------------------


def _header(outcome: Outcome) -> Iterator[str]:
    facts = []
    if outcome.time is not None:
        stamp = outcome.time.isoformat(timespec="seconds")
        shown = outcome.time.strftime("%Y-%m-%d %H:%M %Z").rstrip()
        facts.append(f'<time datetime="{_shown(stamp)}">{_shown(shown)}</time>')
    if outcome.version:
        facts.append(f"Quaich {_shown(outcome.version)}")
    counts = (
        ("error", "errors", outcome.errors),
        ("warning", "warnings", outcome.warnings),
        ("info", "infos", outcome.infos),
        ("kept", "rules kept", len(_kept_rules(outcome))),
        ("", "rules checked", len(outcome.rules_checked)),
        ("", "requests", outcome.requests),
    )
    yield "<header>"
    yield f"<h1>{_shown(outcome.app)}</h1>"
    yield f'<p class="facts">{" · ".join(["Conformance report", *facts])}</p>'
    yield '<dl class="counts">'
    for kind, name, number in counts:
        # No colour for a number that is none.
        attribute = f' class="{kind}"' if kind and number else ""
        yield f"<div{attribute}><dt>{name}</dt><dd>{number}</dd></div>"
    yield "</dl>"
    yield "</header>"


def _broken(outcome: Outcome) -> Iterator[str]:
    yield '<section aria-labelledby="findings">'
    yield '<h2 id="findings">Findings</h2>'
    if not outcome.findings:
        rules = counted(len(outcome.rules_checked), "rule")
        requests = counted(outcome.requests, "request")
        yield f'<p class="verdict">Nothing was found: {rules} kept in {requests}.</p>'
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in sorted(outcome.findings, key=lambda each: _SEVERITIES.index(each.severity)):
        key = (finding.severity, finding.rule, finding.party)
        groups.setdefault(key, []).append(finding)
    for number, findings in enumerate(groups.values(), 1):
        yield from _article(f"finding-{number}", findings)
    yield "</section>"


def _article(anchor: str, findings: list[Finding]) -> Iterator[str]:
    """Findings of one severity, rule and party."""
    first = findings[0]
    severity, name = first.severity, first.rule
    rule = catalogue().get(name)
    about = [f"by the {first.party}"]
    if rule is not None:
        about.append(rule.source)
    yield f'<article class="{severity}" id="{anchor}">'
    yield '<p class="label">'
    yield f'<a href="#{anchor}">{_shown(name)}</a>'
    yield f'<span class="badge {severity}">{severity}</span>'
    yield f'<span class="muted">{_shown(" · ".join(about))}</span>'
    yield "</p>"
    yield f"<h3>{_prose(first.allowed if rule is None else rule.says)}</h3>"
    yield '<ul class="findings">'
    yield from (_item(each) for each in findings)
    yield "</ul>"
    # The hint is the rule's, as a rule; then it need not be said at each place.
    for hint in dict.fromkeys(each.hint for each in findings):
        yield f'<p class="hint"><strong>What to do:</strong> {_prose(hint)}</p>'
    if rule is not None and (rule.bad or rule.good):
        yield from _examples(rule)
    yield "</article>"


def _item(finding: Finding) -> str:
    place = "no place known"
    if finding.where.file:
        file, line, function = finding.where
        place = f"<code>{_shown(f'{file}:{line}' if line else file)}</code>"
        place += f" in <code>{_shown(function)}</code>" if function else ""
    count = f" · {finding.count}&nbsp;times" if finding.count > 1 else ""
    requests = "".join(f" · <code>{_shown(each)}</code>" for each in finding.requests)
    return (
        f'<li><p class="message">{_shown(finding.message)}</p>'
        f'<p class="place">{place}{count}{requests}</p></li>'
    )


def _examples(rule: Rule) -> Iterator[str]:
    yield "<details>"
    yield f"<summary>An example for {_shown(rule.id)}</summary>"
    for title, example in (("Not so", rule.bad), ("So", rule.good)):
        if example:
            code = _shown(example.strip("\n"))
            yield f"<figure><figcaption>{title}</figcaption><pre><code>{code}</code></pre></figure>"
    yield "</details>"


def _kept_rules(outcome: Outcome) -> list[str]:
    broken = {each.rule for each in outcome.findings}
    return [name for name in outcome.rules_checked if name not in broken]


def _kept(outcome: Outcome) -> Iterator[str]:
    kept = _kept_rules(outcome)
    if not kept:
        return
    rules = catalogue()
    rows = []
    for name in kept:
        rule = rules.get(name)
        says, source = ("", "") if rule is None else (rule.says, rule.source)
        rows.append(
            f'<tr><th scope="row">{_shown(name)}</th><td>{_prose(says)}</td>'
            f'<td class="muted">{_shown(source)}</td></tr>'
        )
    yield from _table(
        "kept", "Rules that were checked and kept", ("number", "rule", "source"), rows
    )


def _answers(outcome: Outcome) -> Iterator[str]:
    rows = [
        f'<tr><th scope="row">{_shown(request)}</th><td>{_shown(answer)}</td></tr>'
        for request, answer in outcome.answers
    ]
    if rows:
        yield from _table("answers", "What was asked for", ("page", "answer"), rows)


def _trials(outcome: Outcome) -> Iterator[str]:
    rows = [
        f'<tr><th scope="row">{_shown(name)}</th><td{_NUMBER}>{requests}</td></tr>'
        for name, requests in outcome.trials
    ]
    if rows:
        yield from _table("trials", "What was tried", ("trial", "requests"), rows)


def _table(anchor: str, title: str, columns: tuple[str, ...], rows: Iterable[str]) -> Iterator[str]:
    yield f'<section aria-labelledby="{anchor}">'
    yield f'<h2 id="{anchor}">{title}</h2>'
    yield '<div class="table">'
    yield f'<table aria-labelledby="{anchor}">'
    heads = "".join(
        f'<th scope="col"{_NUMBER if each == "requests" else ""}>{each}</th>' for each in columns
    )
    yield f"<thead><tr>{heads}</tr></thead>"
    yield "<tbody>"
    yield from rows
    yield "</tbody>"
    yield "</table>"
    yield "</div>"
    yield "</section>"
