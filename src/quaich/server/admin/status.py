"""/status: what goes on, for people and for ``quaich top``."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from quaich.server.admin.looking import Facts, View, Worker, readiness
from quaich.server.figures.board import Restart


def status_of(view: View, facts: Facts) -> dict[str, Any]:
    """What becomes JSON. Ages and times are seconds, sizes bytes; dates are of ISO 8601."""
    is_ready, reason = readiness(view)
    return {
        "version": facts.version,
        "python": facts.python,
        "addresses": list(facts.addresses),
        "started": _date(view.started),
        "uptime": round(max(0.0, view.time - view.started), 3),
        "ready": is_ready,
        "reason": reason,
        "requests": view.requests,
        "in_flight": view.total("in_flight"),
        "queued": view.total("queued"),
        "connections": view.total("connections"),
        "threads": view.total("threads"),
        "memory": view.total("memory"),
        "workers": [_worker(worker) for worker in view.workers],
        "restarts": {
            "by_reason": view.restarts,
            "last": [_restart(restart) for restart in view.last_restarts],
        },
    }


def _worker(worker: Worker) -> dict[str, Any]:
    entry = asdict(worker)
    entry["age"] = round(worker.age, 3)
    entry["silence"] = None if worker.silence is None else round(worker.silence, 3)
    return entry


def _restart(restart: Restart) -> dict[str, Any]:
    return {"time": _date(restart.time), "pid": restart.pid, "reason": restart.reason}


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
