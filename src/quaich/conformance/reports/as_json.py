"""The report as JSON, for programs."""

import json
from typing import Any

from quaich.conformance.findings import Finding
from quaich.conformance.reports.outcome import Outcome


def render(outcome: Outcome) -> str:
    """One object, with a newline at its end."""
    value = {
        "app": outcome.app,
        "version": outcome.version,
        "time": None if outcome.time is None else outcome.time.isoformat(),
        "requests": outcome.requests,
        "answers": [{"request": request, "answer": answer} for request, answer in outcome.answers],
        "trials": [{"name": name, "requests": requests} for name, requests in outcome.trials],
        "rules_checked": list(outcome.rules_checked),
        "findings": list(map(_finding, outcome.findings)),
    }
    # In ASCII: a lone surrogate, of the name of a file for instance, has no other encoding.
    return json.dumps(value, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    """With the place in parts as well; ``line`` is null where only the file is known."""
    file, line, function = finding.where
    place = {"file": file, "line": line or None, "function": function}
    return {**finding.as_json(), **place}
