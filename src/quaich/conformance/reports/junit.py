"""The report as JUnit XML, which GitLab, Jenkins and others show as they show tests.

There is no one definition of the format. A rule is a test case; errors are its failure, one for
all of them, since GitLab shows but one; what is no error goes to its output, and the test passes.
"""

import xml.etree.ElementTree as ET
from typing import Final

from quaich.conformance.findings import Finding
from quaich.conformance.reports.outcome import Outcome
from quaich.conformance.reports.wording import asked, times, visible
from quaich.conformance.rules import catalogue

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def render(outcome: Outcome) -> str:
    """The document, with a newline at its end."""
    # A finding of a rule that nobody meant to check counts all the same.
    names = list(dict.fromkeys([*outcome.rules_checked, *(f.rule for f in outcome.findings)]))
    by_rule: dict[str, list[Finding]] = {name: [] for name in names}
    for finding in outcome.findings:
        by_rule[finding.rule].append(finding)
    failures = len({each.rule for each in outcome.findings if each.severity == "error"})

    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", name=visible(outcome.app))
    for attribute, number in (("tests", len(names)), ("failures", failures)):
        suite.set(attribute, str(number))
    suite.set("errors", "0")
    suite.set("skipped", "0")
    if outcome.time is not None:
        suite.set("timestamp", outcome.time.isoformat(timespec="seconds"))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("quaich", outcome.version), ("requests", str(outcome.requests))):
        ET.SubElement(properties, "property", name=name, value=visible(value))
    for name, findings in by_rule.items():
        _add_case(suite, name, findings)
    ET.indent(suites)
    return f"{_DECLARATION}{ET.tostring(suites, encoding='unicode')}\n"


def _add_case(suite: ET.Element, name: str, findings: list[Finding]) -> None:
    rule = catalogue().get(name)
    # GitLab shows the class name as the name of the suite, and Jenkins makes a tree of its dots.
    case = ET.SubElement(suite, "testcase", classname="quaich")
    case.set("name", visible(name))
    if rule is not None:
        case.set("classname", f"quaich.{rule.party}")
        case.set("name", f"{name}: {rule.says}")
    errors = [each for each in findings if each.severity == "error"]
    others = [each for each in findings if each.severity != "error"]
    if errors:
        message = visible(errors[0].message)
        failure = ET.SubElement(case, "failure", message=message, type=visible(name))
        failure.text = "\n\n".join(map(_described, errors))
    if others:
        ET.SubElement(case, "system-out").text = "\n\n".join(map(_described, others))


def _described(finding: Finding) -> str:
    lines = [
        f"{finding.severity} ({finding.party}): {finding.message}"
        f"{asked(finding.requests)}{times(finding.count)}",
        f"Hint: {finding.hint}",
    ]
    if finding.where.file:
        lines.insert(0, str(finding.where))
    return visible("\n".join(lines), keep="\n\t")
