"""Run other people's frameworks, clients and programs on Quaich's server.

    python tests/interop/run.py [--work DIR] [PYTEST'S ARGUMENTS]

Makes an environment with the newest releases from PyPI and a wheel of this checkout, and in it
runs the suites (``suite_*.py``). It needs POSIX, Python with pip, a package index, and litmus. A
second run needs no index; ``--work`` of a new directory gets newer releases. What needs no
packages is in ``test_*.py``, and runs with all other tests.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

if not __package__:  # started as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compat.environment import (
    CHECKOUT,
    PreparationError,
    build_wheel,
    make_environment,
    pip,
)

HERE = Path(__file__).resolve().parent

SUITES = (
    *("suite_sites.py", "suite_clients.py", "suite_webdav.py"),
    *("suite_check.py", "suite_checking.py", "suite_validate.py", "suite_deploy.py"),
)

FRAMEWORKS = ("bottle>=0.13", "Django>=5.2", "falcon>=4", "Flask>=3", "pyramid>=2")
CLIENTS = ("httpx>=0.28", "urllib3>=2")
WEBDAV = ("cheroot>=10", "lxml>=5", "WsgiDAV>=4.3")
CHECKED = ("pytest-xdist>=3.6", "WebTest>=3", "whitenoise>=6")
VALIDATED = ("gevent>=25", "tornado>=6.5")
DEPLOYED = ("kubernetes-validate>=1.30", "sslyze>=6")

# For the suites, and Quaich's extra `cli`; pyramid 2 imports pkg_resources.
TOOLS = ("click>=8.1", "pytest>=8", "pytest-timeout>=2.3", "setuptools<81")

# Of these the versions are told: they are what a result is about.
NAMED = (
    *("bottle", "Django", "falcon", "Flask", "pyramid", "httpx", "urllib3", "WsgiDAV", "cheroot"),
    *("WebTest", "Werkzeug", "whitenoise", "gevent", "tornado"),
)

VERSIONS = """
import importlib.metadata, sys
for name in sys.argv[1:]:
    print(f"  {name} {importlib.metadata.version(name)}")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=CHECKOUT / "build" / "interop", metavar="DIR")
    arguments, rest = parser.parse_known_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        wheel = build_wheel(work)
        python = make_environment(
            (*FRAMEWORKS, *CLIENTS, *WEBDAV, *CHECKED, *VALIDATED, *DEPLOYED, *TOOLS), work / "venv"
        )
        pip("install", "--quiet", "--no-deps", "--force-reinstall", str(wheel), python=python)
    except PreparationError as error:
        print(error)
        return 1
    print("On Quaich's server:", flush=True)
    subprocess.run([python, "-c", VERSIONS, *NAMED], check=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        # It is the wheel that is tested, and nothing of a caller's settings.
        if not name.startswith(("PYTHON", "PYTEST", "QUAICH", "DJANGO", "FLASK"))
    }
    command = [str(python), "-m", "pytest", "-q", "-rfEsP", "--tb=short", "-p", "no:cacheprovider"]
    command += [str(HERE / suite) for suite in SUITES]
    return subprocess.run(
        [*command, *rest], cwd=CHECKOUT, env=environment | {"PYTHONDONTWRITEBYTECODE": "1"}
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
