"""What the tests of other people's programs need, and what it means if it is not there.

On a person's machine a test whose program is absent is skipped, and says what it needs. In CI
(the environment variable ``CI`` is ``true``) nothing may be absent: the test fails.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.reference import pattern
from interop.serving import Served, serve

FILE_SIZE = 3_000_017
"""Bytes of what /file sends: it takes many sends, and is no multiple of anything."""

# Programs, and where Debian has them.
_PACKAGES = {
    "ab": "apache2-utils",
    "chromium": "chromium",
    "curl": "curl",
    "h2load": "nghttp2-client",
    "litmus": "litmus",
    "wrk": "wrk",
}


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """A program's path, or no test: ``program("curl")``."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            reason = f"no program {name!r} here (Debian: {_PACKAGES[name]})"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that /file sends."""
    path = tmp_path_factory.mktemp("files") / "file.bin"
    path.write_bytes(pattern(FILE_SIZE))
    return path


# The ways of a server to wait and to take content; each is to be the same to a client.
WAYS = {
    "as it is": [],
    "streamed": ["--stream-body"],
    "selectors": ["--poller", "selectors"],
    "one thread": ["--threads", "1"],
}


@pytest.fixture(scope="module", params=WAYS)
def served(
    request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The application of ``reference.py``, for all tests of a file. It has nothing to complain
    of."""
    log = tmp_path_factory.mktemp("logs") / "access.log"
    app = f"reference:Reference({str(file)!r}, 50)"
    with serve(app, *WAYS[request.param], access_log=log) as served:
        yield served
        served.stop()
        assert served.said == []
