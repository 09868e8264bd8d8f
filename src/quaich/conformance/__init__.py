"""Who keeps PEP 3333, and who does not: the rules, a checker of applications and middleware, and
what it finds.

    rules        the catalogue of all rules
    checker()    wraps an application and looks on while a server calls it
    Finding      what was seen: rule, guilty party, place, what to do

This room imports nothing of Quaich's but its types: an oracle that shares code with the accused
acquits it.
"""

from quaich.conformance.checker import Checker, checker
from quaich.conformance.findings import ConformanceWarning, Finding, Report, Violation, Where
from quaich.conformance.rules import Rule, UnknownRule, catalogue, find

__all__ = [
    "Checker",
    "ConformanceWarning",
    "Finding",
    "Report",
    "Rule",
    "UnknownRule",
    "Violation",
    "Where",
    "catalogue",
    "checker",
    "find",
]
