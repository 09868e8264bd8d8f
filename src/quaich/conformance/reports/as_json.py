"""The report as JSON, for programs."""

import json

from quaich.conformance.reports.outcome import Outcome


def render(outcome: Outcome) -> str:
    """One object, with a newline at its end."""
    value = {
        "app": outcome.app,
        "version": outcome.version,
        "time": None if outcome.time is None else outcome.time.isoformat(),
        "requests": outcome.requests,
        "trials": [{"name": name, "requests": requests} for name, requests in outcome.trials],
        "rules_checked": list(outcome.rules_checked),
        "findings": [each.as_json() for each in outcome.findings],
    }
    # In ASCII: a lone surrogate, of the name of a file for instance, has no other encoding.
    return json.dumps(value, indent=2) + "\n"
