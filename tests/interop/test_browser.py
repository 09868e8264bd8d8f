"""A browser: a page of many assets, a large download and a large upload."""

import http.client
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interop.reference import ASSETS, KINDS, digest, pattern
from interop.serving import PATIENCE, Served

pytestmark = pytest.mark.live

SIZE = 50 * 1024 * 1024

# It talks to nobody but the server, and needs no rights that a container does not give.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",  # it stays until it is ended
)


def fetch(served: Served, path: str) -> Any:
    connection = http.client.HTTPConnection(served.host, served.port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        content = connection.getresponse().read()
        return json.loads(content) if content else None
    finally:
        connection.close()


@pytest.mark.parametrize("served", ["as it is", "streamed"], indirect=True)
@pytest.mark.timeout(120)
def test_chromium(program: Callable[[str], str], served: Served, tmp_path: Path) -> None:
    command = [program("chromium"), *OPTIONS, f"--user-data-dir={tmp_path}", f"{served.url}/page"]
    with (tmp_path / "said").open("wb") as said:
        browser = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
        try:
            report, deadline = None, time.monotonic() + 3 * PATIENCE
            while report is None:
                assert browser.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() < deadline, (tmp_path / "said").read_text()
                try:
                    browser.wait(0.1)
                except subprocess.TimeoutExpired:
                    report = fetch(served, "/reported")
        finally:
            browser.terminate()
            browser.wait(PATIENCE)
    told = report.pop("told")
    assert report == {
        "loaded": ASSETS,
        "ran": sum(KINDS[n % len(KINDS)] == "js" for n in range(ASSETS)),
        "size": SIZE,
        "sha256": digest(pattern(SIZE)),
    }
    assert (told["size"], told["sha256"]) == (SIZE, report["sha256"])
    counts = fetch(served, "/count")
    assets = {path: count for path, count in counts.items() if path.startswith("/asset/")}
    assert assets == {f"/asset/{n}.{KINDS[n % len(KINDS)]}": 1 for n in range(ASSETS)}
