"""WebDAV: WsgiDAV, and litmus, the test suite of the protocol. ``run.py`` runs this, in an
environment that has WsgiDAV.

litmus runs on Quaich and on cheroot, the server that WsgiDAV comes with. What fails on both is
WsgiDAV's.
"""

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.serving import HERE, Served, running, serve

pytestmark = pytest.mark.live

SITE = HERE / "sites" / "webdav_site.py"
SUITES = ("basic", "copymove", "props", "locks", "http")
SECONDS = 60

TESTS = 104
"""Of litmus 0.13; a newer one has more."""

_LINE = re.compile(r" *([0-9]+\. \w+)[. ]+(pass|FAIL|SKIPPED|WARNING)(.*)")


def litmus(program: str, served: Served, directory: Path) -> dict[str, str]:
    """The outcome of each test, by suite, number and name."""
    outcomes = {}
    directory.mkdir()
    for suite in SUITES:
        done = subprocess.run(
            [program, "-k", f"{served.url}/"],
            cwd=directory,  # it leaves logs there
            env={"TESTS": suite, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        for line in done.stdout.replace("\r", "\n").splitlines():
            found = _LINE.match(line)
            if found:
                outcomes[f"{suite}: {found[1]}"] = (found[2] + found[3]).strip()
    return outcomes


@contextlib.contextmanager
def webdav(server: str, directory: Path) -> Iterator[Served]:
    directory.mkdir()
    if server == "quaich":
        app = f"webdav_site:make({str(directory)!r})"
        with serve(app, directory=SITE.parent) as served:
            yield served
            served.stop()
            assert served.said == []
    else:
        with running([str(SITE), str(directory)]) as served:
            yield served


@pytest.mark.timeout(240)
def test_litmus(program: Callable[[str], str], tmp_path: Path) -> None:
    results = {}
    for server in ("quaich", "cheroot"):
        with webdav(server, tmp_path / server) as served:
            results[server] = litmus(program("litmus"), served, tmp_path / f"{server} logs")
    quaich, cheroot = results["quaich"], results["cheroot"]
    assert len(quaich) >= TESTS, quaich
    assert quaich.keys() == cheroot.keys()
    passed = sum(outcome == "pass" for outcome in quaich.values())
    others = {name: outcome for name, outcome in quaich.items() if outcome != "pass"}
    print(f"litmus on WsgiDAV on Quaich: {passed} of {len(quaich)} pass")
    for name, outcome in others.items():
        print(f"  {name}: {outcome} (on cheroot: {cheroot[name]})")
    failed = {name for name, outcome in others.items() if not outcome.startswith("WARNING")}
    assert {name: cheroot[name] for name in failed if cheroot[name] == "pass"} == {}
