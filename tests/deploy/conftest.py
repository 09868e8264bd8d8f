"""The configurations in ``deploy/``, with the programs that they are for.

On a person's machine a test whose program is absent is skipped, and says what it needs. In CI
(the environment variable ``CI`` is ``true``) nothing may be absent: the test fails.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[[str], str]

# Programs, and where Debian has them.
_PACKAGES = {
    "curl": "curl",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "nginx": "nginx",
    "openssl": "openssl",
    "systemd-analyze": "systemd",
    "systemd-socket-activate": "systemd",
}


def absent(reason: str) -> None:
    """No test, for this reason."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def program() -> Program:
    """A program's path, or no test: ``program("nginx")``."""

    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if path is None:
            absent(f"no program {name!r} here (Debian: {_PACKAGES[name]})")
        return str(path)

    return find


@pytest.fixture(scope="session")
def certificate(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of shop.example and its key, in one file."""
    directory = tmp_path_factory.mktemp("certificate")
    key, crt, both = directory / "key", directory / "crt", directory / "shop.example.pem"
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"),
            *("-keyout", str(key), "-out", str(crt)),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes(crt.read_bytes() + key.read_bytes())
    return both
