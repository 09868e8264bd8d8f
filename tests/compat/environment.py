"""What a run stands on: the source release of a project, and an environment with its requirements.

Everything is done by the ordinary pip client, so a mirror, a proxy or a local directory of packages
is configured as pip is.  It knows nothing of tests and outcomes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

from compat.projects import Project

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]

# Seconds for one call of pip: the largest download is 10 MB.
PIP_TIMEOUT = 900


class PreparationError(Exception):
    """Something needed could not be had; no test was run."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A project ready to be run."""

    project: Project
    # The source release, as it was unpacked; never run in, only copied.
    tree: Path
    python: Path


def pip(*arguments: str, python: Path | None = None) -> None:
    """Run the pip of this interpreter, on another environment if `python` is given."""
    target = ("--python", str(python)) if python else ()
    command = (sys.executable, "-m", "pip", *target, *arguments)
    completed = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PIP_TIMEOUT,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
    )
    if completed.returncode:
        said = "\n".join((completed.stdout + completed.stderr).splitlines()[-20:])
        raise PreparationError(f"pip {' '.join(arguments)} failed:\n{said}")


def build_wheel(work: Path) -> Path:
    """Build Quaich from the checkout, once for all projects."""
    # Not in an isolated environment of pip's, which would download the backend each time.
    python = make_environment(("hatchling==1.27.0",), work / "builder")
    directory = work / "wheel"
    shutil.rmtree(directory, ignore_errors=True)
    options = ("--quiet", "--no-deps", "--no-build-isolation", f"--wheel-dir={directory}")
    pip("wheel", *options, str(CHECKOUT), python=python)
    (wheel,) = directory.glob("*.whl")
    return wheel


def prepare(project: Project, work: Path, wheel: Path) -> Environment:
    """Download the release, make the environment, and put the newest Quaich into it."""
    for program in project.programs:
        if shutil.which(program) is None:
            raise PreparationError(f"the tests of {project.name} need `{program}` on the PATH")
    directory = work / project.name
    directory.mkdir(parents=True, exist_ok=True)
    tree = unpack(download(project, directory / "release"), directory / "trees")
    python = make_environment(project.requirements, directory / "venv")
    pip("install", "--quiet", "--no-deps", "--force-reinstall", str(wheel), python=python)
    site_packages = next((directory / "venv").glob("[Ll]ib*/**/site-packages"))
    for file in (HERE / "inject").iterdir():
        if file.is_file():
            shutil.copy(file, site_packages)
    return Environment(project, tree, python)


def download(project: Project, directory: Path) -> Path:
    """Return the source release, which is downloaded only if it is not there."""
    pattern = f"*{project.version}.tar.gz"
    if not list(directory.glob(pattern)):
        shutil.rmtree(directory, ignore_errors=True)
        # --no-binary :all: would build the build dependencies from source as well.
        pip(
            "download",
            "--quiet",
            "--no-deps",
            f"--no-binary={project.name}",
            f"--dest={directory}",
            f"{project.name}=={project.version}",
        )
    (release,) = directory.glob(pattern)
    return release


def make_environment(requirements: tuple[str, ...], directory: Path) -> Path:
    """Return the interpreter of an environment; it is remade if the requirements have changed."""
    bin_directory = "Scripts" if os.name == "nt" else "bin"
    python = directory / bin_directory / ("python.exe" if os.name == "nt" else "python")
    recipe = json.dumps([sys.version, sys.prefix, requirements])
    stamp = directory / "quaich-compat-stamp"
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    venv.create(directory, clear=True, with_pip=False, symlinks=os.name != "nt")
    pip("install", "--quiet", *requirements, python=python)
    stamp.write_text(digest)
    return python


def unpack(release: Path, directory: Path) -> Path:
    """Return the unpacked release, which is unpacked only if it is not there."""
    tree = directory / release.name.removesuffix(".tar.gz")
    if not tree.is_dir():
        unpacked = directory / "unfinished"
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(release) as archive:
            archive.extractall(unpacked, filter="data")
        (root,) = unpacked.iterdir()
        root.rename(tree)
        unpacked.rmdir()
    return tree


def copy_tree(environment: Environment, directory: Path) -> Path:
    """Copy the release for one run, with the files of ours that it lacks; return its root."""
    shutil.rmtree(directory, ignore_errors=True)
    root = Path(shutil.copytree(environment.tree, directory / environment.tree.name))
    # Or pytest would go on upwards, and find the configuration of this checkout.
    (directory / "pytest.ini").write_text("[pytest]\n")
    for ours, theirs in environment.project.support.items():
        shutil.copy(HERE / "support" / ours, root / theirs)
    return root
