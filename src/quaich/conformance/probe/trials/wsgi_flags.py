"""What wsgi.version, wsgi.url_scheme and the three flags say: S38, S39, S45 to S47."""

import json
from contextlib import ExitStack
from typing import Any

from quaich.conformance.probe.judging import Broken, Probe, trial
from quaich.conformance.probe.trials.asking import variables
from quaich.conformance.probe.trials.steps import show


@trial("S38")
def the_version(probe: Probe) -> str | None:
    """wsgi.version."""
    value = variables(probe).get("wsgi.version")
    if value is None or value[:2] != ["tuple", "(1, 0)"]:
        raise Broken(f"wsgi.version is {show(value)}")
    return None


@trial("S39")
def the_scheme(probe: Probe) -> str | None:
    """wsgi.url_scheme of a connection without TLS."""
    value = variables(probe).get("wsgi.url_scheme")
    if value is None or value[:2] != ["str", "http"]:
        raise Broken(f"without TLS, wsgi.url_scheme is {show(value)}")
    return None


@trial("S45")
def multithread(probe: Probe) -> str | None:
    """Requests that overlap."""
    seen = _overlapping(probe)
    for one in seen:
        for other in seen:
            if one is not other and one["pid"] == other["pid"] and _meet(one, other):
                if one["multithread"]:
                    return "true, and two calls were seen at once in one process"
                raise Broken("two calls at once in one process, and wsgi.multithread is false")
    said = str(seen[0]["multithread"]).lower()
    return f"{said}, and no two calls were seen at once in one process"


@trial("S46")
def multiprocess(probe: Probe) -> str | None:
    """Requests that overlap."""
    seen = _overlapping(probe)
    pids = {each["pid"] for each in seen}
    said = str(seen[0]["multiprocess"]).lower()
    if len(pids) == 1:
        return f"{said}, and all calls were in one process"
    if not all(each["multiprocess"] for each in seen):
        raise Broken(f"{len(pids)} processes answer, and wsgi.multiprocess is false")
    return f"{said}, and {len(pids)} processes answer"


@trial("S47")
def run_once(probe: Probe) -> str | None:
    """Several calls."""
    seen = _overlapping(probe)
    pids = [each["pid"] for each in seen]
    if any(each["run_once"] for each in seen) and len(set(pids)) < len(pids):
        raise Broken("the application is called again in one process, and wsgi.run_once is true")
    return f"it is {str(seen[0]['run_once']).lower()}"


def _overlapping(probe: Probe) -> list[dict[str, Any]]:
    """What the application tells of four calls, each of which takes a while."""
    request = probe.client.head("GET", probe.target("overlap", milliseconds=250))
    with ExitStack() as stack:
        connections = [stack.enter_context(probe.client.connect()) for _ in range(4)]
        for connection in connections:
            connection.send(request)
        responses = [connection.response() for connection in connections]
    seen = [json.loads(each.content) for each in responses if each.status == 200]
    if len(seen) < 2:
        raise Broken(f"of four requests at once, {len(seen)} are answered with 200")
    return seen


def _meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["began"] < other["ended"] and other["began"] < one["ended"])
