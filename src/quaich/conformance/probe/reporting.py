"""What a server was found to be, as a text, JSON, a page, or for other programs; and several
servers in one table.

    Judged          a server and its verdicts
    FORMATS         format → function of one of them
    compared        a Markdown table of several
"""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from quaich.conformance.probe.judging import Verdict
from quaich.conformance.rules import catalogue

_ORDER: Final = ("fail", "warn", "untestable", "pass")
_TITLES: Final = {
    "fail": "Broken",
    "warn": "Broken, and advised against only",
    "untestable": "Nothing can be said",
    "pass": "Kept",
}
_MARKS: Final = {"pass": "✓", "fail": "✗", "warn": "!", "untestable": "·"}


@dataclass(frozen=True)
class Judged:
    """``time`` is a date and time in ISO form."""

    server: str
    version: str
    results: tuple[Verdict, ...]
    time: str = ""

    def count(self, verdict: str) -> int:
        """How many rules have that verdict."""
        return sum(each.verdict == verdict for each in self.results)

    def summary(self) -> str:
        """In a line."""
        name = f"{self.server} {self.version}".strip()
        return (
            f"{name}: {self.count('pass')} rules kept, {self.count('fail')} broken,"
            f" {self.count('warn')} warnings, {self.count('untestable')} not testable"
        )


def text(judged: Judged) -> str:
    """For a terminal: what is broken, with the bytes; the summary."""
    lines = []
    for verdict in ("fail", "warn"):
        found = [each for each in judged.results if each.verdict == verdict]
        if not found:
            continue
        lines += [f"{_TITLES[verdict]}:", ""]
        for each in found:
            lines += [f"  {each.rule:<5} {catalogue()[each.rule].says}", f"        {each.detail}"]
            for sent, received in each.talks[-2:]:
                lines += [f"        > {_shortened(sent)}", f"        < {_shortened(received)}"]
            lines += [""]
    return (
        "\n".join([*lines, f"{judged.summary()}. quaich explain H045 says more of a rule."]) + "\n"
    )


def _shortened(data: str, most: int = 160) -> str:
    data = data or "(nothing)"
    return data if len(data) <= most else f"{data[:most]}…"


def as_json(judged: Judged) -> str:
    """For programs."""
    record = {
        "server": judged.server,
        "version": judged.version,
        "time": judged.time,
        "results": [each.as_json() for each in judged.results],
    }
    return json.dumps(record, indent=2) + "\n"


def junit(judged: Judged) -> str:
    """JUnit's XML."""
    suite = ET.Element(
        "testsuite",
        name=f"quaich probe {judged.server}",
        tests=str(len(judged.results)),
        failures=str(judged.count("fail")),
        skipped=str(judged.count("untestable")),
    )
    for each in judged.results:
        case = ET.SubElement(suite, "testcase", name=each.rule, classname=judged.server)
        case.set("time", f"{each.seconds:.3f}")
        if each.verdict == "fail":
            ET.SubElement(case, "failure", message=_printable(each.detail))
        elif each.verdict == "untestable":
            ET.SubElement(case, "skipped", message=_printable(each.detail))
        else:
            ET.SubElement(case, "system-out").text = _printable(each.detail)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, "unicode") + "\n"


def _printable(value: str) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in value)


def github(judged: Judged) -> str:
    """Workflow commands of GitHub Actions."""
    kinds = {"fail": "error", "warn": "warning"}
    return "".join(
        f"::{kinds[each.verdict]} title={_escaped(judged.server).replace(':', '%3A')}"
        f" {each.rule}::{_escaped(each.detail)}\n"
        for each in judged.results
        if each.verdict in kinds
    )


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


_STYLE: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; } code, pre { font: 13px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; padding: .6rem;
      background: color-mix(in srgb, currentColor 7%, transparent); border-radius: .4rem; }
.detail { margin: .2rem 0 .2rem 1.1rem; opacity: .75; font-size: .9em; overflow-wrap: anywhere; }
"""


def page(judged: Judged) -> str:
    """One page that needs nothing else."""
    name = escape(f"{judged.server} {judged.version}".strip())
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{name} by the rules</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{name}</h1>",
        f"<p>{escape(judged.summary())}. {escape(judged.time)}</p>",
    ]
    for verdict in _ORDER:
        found = [each for each in judged.results if each.verdict == verdict]
        if found:
            parts += [f"<h2>{_TITLES[verdict]} ({len(found)})</h2>", *map(_section, found)]
    return "\n".join([*parts, "</body></html>", ""])


def _section(each: Verdict) -> str:
    talks = "".join(
        f"<p>sent</p><pre>{escape(sent or '(nothing)')}</pre>"
        f"<p>received</p><pre>{escape(received or '(nothing)')}</pre>"
        for sent, received in each.talks
    )
    return (
        f"<details><summary><b>{each.rule}</b> {_as_code(catalogue()[each.rule].says)}"
        f'<div class="detail">{_as_code(each.detail)}</div></summary>{talks}</details>'
    )


def _as_code(words: str) -> str:
    """Escaped, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))


FORMATS: Final[dict[str, Callable[[Judged], str]]] = {
    "text": text,
    "json": as_json,
    "html": page,
    "junit": junit,
    "github": github,
}


# --- Several servers --------------------------------------------------------------------------


def compared(servers: Sequence[Judged]) -> str:
    """A Markdown page: how many rules each keeps, and each rule that one of them breaks."""
    names = [f"{each.server} {each.version}".strip() for each in servers]
    parts = [
        f"Written by `quaich probe --compare`, {servers[-1].time[:10]}.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
        *(
            f"| {label} | " + " | ".join(str(each.count(verdict)) for each in servers) + " |"
            for label, verdict in (
                ("kept ✓", "pass"),
                ("broken ✗", "fail"),
                ("warnings !", "warn"),
                ("not testable ·", "untestable"),
            )
        ),
        "",
        "Each rule that one of them breaks; `quaich explain` has more of it, and `quaich probe` of"
        " a single server has what was sent and what came.",
        "",
        "| | rule | " + " | ".join(each.server for each in servers) + " |",
        "|---" * (len(names) + 2) + "|",
        *_rows(servers),
    ]
    return "\n".join(parts) + "\n"


def _rows(servers: Sequence[Judged]) -> Iterator[str]:
    verdicts = [{each.rule: each.verdict for each in server.results} for server in servers]
    for rule in catalogue().values():
        given = [each.get(rule.id, "untestable") for each in verdicts]
        if not {"fail", "warn"}.isdisjoint(given):
            marks = " | ".join(_MARKS[each] for each in given)
            yield f"| {rule.id} | {re.sub(r'[|]', '&#124;', rule.says)} | {marks} |"
