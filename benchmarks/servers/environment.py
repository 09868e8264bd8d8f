"""The virtualenv that the servers are started from, and what has to be on the system.

    prepare
        missing_of_system, install_on_system
        _make                the virtualenv, once for a Python
        _install             each server by itself: one that fails leaves the others

A server that cannot be had is a reason, not an error: the report names both.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.servers.peers import Server

CHECKOUT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = CHECKOUT / "build" / "servers"

# What a requirement of the system is called in Debian.
PACKAGES: Final = {
    "wrk": "wrk",
    "gcc": "build-essential",
    "libev": "libev-dev",
    "nginx": "nginx",
    "openssl": "openssl",
}

_DESCRIBE: Final = """
import importlib.metadata, json, platform, sys
packages = {}
for name in sys.argv[1:]:
    try:
        packages[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps([f"{platform.python_implementation()} {platform.python_version()}", packages]))
"""


class EnvironmentFailure(Exception):
    """Nothing can be measured; says what to do about it."""


@dataclass(frozen=True)
class Environment:
    python: Path
    python_version: str
    versions: dict[str, str]
    absent: dict[str, str] = field(default_factory=dict)  # server → why


def prepare(python: Path, servers: Sequence[Server], install: bool) -> Environment:
    """The environment for ``python``, with each of ``servers`` that can be had.

    ``install``: what is missing of the system is installed with apt-get, which needs root.
    """
    needs = ["wrk", *(need for server in servers for need in server.needs)]
    missing = missing_of_system(needs)
    if install and missing:
        install_on_system(missing)
        missing = missing_of_system(needs)
    if "wrk" in missing:
        raise EnvironmentFailure(f"wrk is not installed; {_advice(['wrk'])}")
    inner = _make(python)
    absent = {}
    for server in servers:
        reason = _install(inner, server, [need for need in server.needs if need in missing])
        if reason:
            absent[server.name] = reason
    version, versions = _describe(inner, [server.package for server in servers if server.package])
    return Environment(inner, version, {**versions, "quaich": _own_version(inner)}, absent)


def missing_of_system(needs: Iterable[str]) -> list[str]:
    present: dict[str, Callable[[], bool]] = {
        "wrk": lambda: shutil.which("wrk") is not None,
        "gcc": lambda: shutil.which("gcc") is not None,
        "libev": _has_libev,
        "nginx": lambda: find_program("nginx") is not None,
        "openssl": lambda: find_program("openssl") is not None,
    }
    return [need for need in dict.fromkeys(needs) if not present[need]()]


def find_program(name: str) -> str | None:
    """Also where a user who is not root does not look: Debian has nginx in /usr/sbin."""
    places = [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(places))


def _has_libev() -> bool:
    if shutil.which("gcc") is None:
        return False
    command = ["gcc", "-I/usr/include/libev", "-fsyntax-only", "-x", "c", "-"]
    return _run(command, stdin="#include <ev.h>\n").returncode == 0


def install_on_system(needs: Sequence[str]) -> None:
    packages = [PACKAGES[need] for need in needs]
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", *packages]):
        if shutil.which("apt-get") is None:
            raise EnvironmentFailure(f"no apt-get here to install {', '.join(packages)} with")
        run = _run(command)
        if run.returncode:
            raise EnvironmentFailure(f"{' '.join(command)}: {_last_line(run.stderr)}")


def _advice(needs: Sequence[str]) -> str:
    packages = " ".join(PACKAGES[need] for need in needs)
    return f"on Debian: apt-get install {packages}, or run this with --install"


def _make(python: Path) -> Path:
    """The virtualenv's interpreter. One virtualenv for each version of Python."""
    program = "import sys; print('.'.join(map(str, sys.version_info[:3])) + sys.abiflags)"
    run = _run([str(python), "-c", program])
    if run.returncode:
        raise EnvironmentFailure(f"{python} does not run: {_last_line(run.stderr)}")
    place = BUILD / f"python{run.stdout.strip()}"
    inner = place / "bin" / "python"
    if _run([str(inner), "-m", "pip", "--version"]).returncode:
        shutil.rmtree(place, ignore_errors=True)
        run = _run([str(python), "-m", "venv", str(place)])
        if run.returncode:
            said = _last_line(run.stderr or run.stdout)
            raise EnvironmentFailure(f"{python} cannot make a virtualenv: {said}")
    return inner


def _install(inner: Path, server: Server, missing: Sequence[str]) -> str:
    """Install a server unless that is done; why it cannot be had, or nothing."""
    done = inner.parent.parent / f"{server.name}.installed"
    wanted = [*([server.package] if server.package else []), *server.also]
    if not wanted:  # all of it is on the system, or ought to be
        return f"needs {' and '.join(missing)}; {_advice(missing)}" if missing else ""
    if done.exists() and done.read_text("utf-8") == " ".join(wanted):
        return ""
    run = _run([str(inner), "-m", "pip", "install", "--disable-pip-version-check", *wanted])
    log = inner.parent.parent / f"{server.name}.log"
    log.write_text(run.stdout + run.stderr, "utf-8")
    if run.returncode:
        if missing:
            return f"needs {' and '.join(missing)} to be built; {_advice(missing)}"
        lines = [line for line in (run.stdout + run.stderr).splitlines() if "rror:" in line]
        said = lines[0].strip() if lines else _last_line(run.stderr)
        return f"pip cannot install it: {said} (all of it: {log.relative_to(CHECKOUT)})"
    done.write_text(" ".join(wanted), "utf-8")
    return ""


def _describe(inner: Path, packages: Sequence[str]) -> tuple[str, dict[str, str]]:
    run = _run([str(inner), "-c", _DESCRIBE, *packages])
    if run.returncode:
        raise EnvironmentFailure(f"{inner} does not run: {_last_line(run.stderr)}")
    version, versions = json.loads(run.stdout)
    return version, versions


def _own_version(inner: Path) -> str:
    source = {"PYTHONPATH": str(CHECKOUT / "src")}
    run = _run([str(inner), "-c", "import quaich; print(quaich.__version__)"], extra=source)
    version = run.stdout.strip() or "unknown"
    if shutil.which("git") is not None:
        described = _run(["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"])
        if described.returncode == 0:
            version += f" ({described.stdout.strip()})"
    return version


def _run(
    command: Sequence[str], stdin: str = "", extra: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, whatever PYTHONPATH and the like are here. A command that is not there has
    the exit status that a shell gives it."""
    variables = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**variables, **(extra or {}), "DEBIAN_FRONTEND": "noninteractive"},
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"
