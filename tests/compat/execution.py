"""Running the tests of one project, on one side or both, and telling what differs.

    compare(environment)
        run_side(stdlib)     fresh tree, one process, a file of outcomes
        run_side(quaich)     the same
        confirm()            a test that differs, alone and more than once

It knows nothing of where an environment comes from or how a result is shown.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from compat.environment import Environment, copy_tree
from compat.projects import Project

# Seconds for all tests of one project on one side; the slowest takes about thirty.
RUN_TIMEOUT = 600

# A test that differs is run alone, this often on each side.
CONFIRMATIONS = 3

# More differences than this are no flakiness: they are not tried again.
CONFIRM_AT_MOST = 20


class Side(Enum):
    STDLIB = "stdlib"
    QUAICH = "quaich"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended: "passed", "failed", "skipped", or "unfinished" (it hung, or died)."""

    word: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one process."""

    outcomes: Mapping[str, Outcome]
    # Whether the process told of its own end; the tail of what it printed.
    complete: bool
    printed: str

    def with_outcome(self, word: str) -> frozenset[str]:
        return frozenset(test for test, outcome in self.outcomes.items() if outcome.word == word)

    @property
    def passed(self) -> frozenset[str]:
        return self.with_outcome("passed")


@dataclass(frozen=True, slots=True)
class Difference:
    """A test which passes on one side only, and the failure on the other."""

    test: str
    passes_on: Side
    failure: Outcome
    # How often it failed on each side when it was run alone; None if it was not.
    failures_alone: Mapping[Side, int] | None = None
    # Whether projects.py has it among the tests that pass or fail by chance.
    known_unsteady: bool = False

    @property
    def other(self) -> Side:
        """The side on which it fails."""
        return Side.QUAICH if self.passes_on is Side.STDLIB else Side.STDLIB

    @property
    def steady(self) -> bool:
        """Whether the difference is one of the implementations, and not chance.

        It is chance if the side on which the test passed failed it as well, or if the other never
        failed it again; of a test known to be unsteady, if the other passed it even once.
        """
        if self.failures_alone is None:
            return True
        enough = CONFIRMATIONS if self.known_unsteady else 1
        return (
            self.failures_alone[self.passes_on] == 0 and self.failures_alone[self.other] >= enough
        )

    def __str__(self) -> str:
        said = (
            f"`{self.test}` passed on {self.passes_on.value}, "
            f"{self.failure.word} on {self.other.value}"
        )
        if self.failures_alone is not None:
            counts = (f"{count} on {side.value}" for side, count in self.failures_alone.items())
            said += f"; run alone, of {CONFIRMATIONS} times, failed {', '.join(counts)}"
        return said


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two runs of one project, and what differs."""

    project: Project
    stdlib: Run
    quaich: Run
    differences: tuple[Difference, ...] = ()
    # Reasons why the comparison proves nothing.
    faults: tuple[str, ...] = ()

    def passed(self, side: Side) -> int:
        """How many tests passed, but for those whose outcome is known to be one of chance."""
        run = self.stdlib if side is Side.STDLIB else self.quaich
        return len(run.passed - {*self.project.unsteady})

    @property
    def tests(self) -> int:
        return len({*self.stdlib.outcomes, *self.quaich.outcomes} - {*self.project.unsteady})

    @property
    def regressions(self) -> tuple[Difference, ...]:
        """Tests which pass on the standard library and not on Quaich."""
        return tuple(d for d in self.differences if d.steady and d.passes_on is Side.STDLIB)

    @property
    def gained(self) -> tuple[Difference, ...]:
        """Tests which pass on Quaich and not on the standard library."""
        return tuple(d for d in self.differences if d.steady and d.passes_on is Side.QUAICH)

    @property
    def flaky(self) -> tuple[Difference, ...]:
        return tuple(d for d in self.differences if not d.steady)

    @property
    def good(self) -> bool:
        return not self.regressions and not self.faults


def compare(environment: Environment, directory: Path) -> Comparison:
    """Run the tests on both sides, and those that differ again, alone."""
    project = environment.project
    stdlib = run_side(environment, Side.STDLIB, directory)
    quaich = run_side(environment, Side.QUAICH, directory)
    faults = []
    for side, run in ((Side.STDLIB, stdlib), (Side.QUAICH, quaich)):
        if not run.complete:
            faults.append(f"the run on {side.value} broke off:\n{run.printed}")
    if len(stdlib.passed) < project.floor:
        faults.append(
            f"only {len(stdlib.passed)} tests pass on the standard library, "
            f"at least {project.floor} are expected:\n{stdlib.printed}"
        )
    absent = Outcome("absent")
    differences = [
        *(
            Difference(test, Side.STDLIB, quaich.outcomes.get(test, absent))
            for test in sorted(stdlib.passed - quaich.passed)
        ),
        *(
            Difference(test, Side.QUAICH, stdlib.outcomes.get(test, absent))
            for test in sorted(quaich.passed - stdlib.passed)
        ),
    ]
    if not quaich.outcomes:
        differences = []  # it is one fault, and told above
    elif len(differences) <= CONFIRM_AT_MOST:
        differences = [confirm(environment, difference, directory) for difference in differences]
    return Comparison(project, stdlib, quaich, tuple(differences), tuple(faults))


def confirm(environment: Environment, difference: Difference, directory: Path) -> Difference:
    """Run the test alone on both sides, in turns, and count its failures."""
    test = difference.test
    failures = dict.fromkeys(Side, 0)
    for _ in range(CONFIRMATIONS):
        for side in Side:
            run = run_side(environment, side, directory, only=(test,))
            failures[side] += test not in run.passed
    return replace(
        difference,
        failures_alone=failures,
        known_unsteady=test in environment.project.unsteady,
    )


def run_side(
    environment: Environment, side: Side, directory: Path, only: tuple[str, ...] = ()
) -> Run:
    """Run the tests in one process on one implementation of wsgiref.

    All of them start from a fresh copy of the release; `only` runs again in the copy that is there.
    """
    if only:
        root = directory / side.value / environment.tree.name
    else:
        root = copy_tree(environment, directory / side.value)
    with tempfile.TemporaryDirectory() as scratch:
        outcomes_file = Path(scratch, "outcomes")
        home = Path(scratch, "home")
        home.mkdir()
        process = subprocess.Popen(
            (environment.python, *environment.project.command(only)),
            cwd=root,
            env=process_environment(environment.project, side, home, outcomes_file),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            # The whole group: servers which the tests started hold the pipe open.
            os.killpg(process.pid, signal.SIGKILL)
            printed, _ = process.communicate()
        tail = "\n".join(printed.decode(errors="replace").splitlines()[-30:])
        return read_outcomes(outcomes_file, tail)


def process_environment(project: Project, side: Side, home: Path, outcomes: Path) -> dict[str, str]:
    """The environment of the tests: nothing in it but the side may change how they go."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PYTEST", "PIP_", "GIT_", "DJANGO", "QUAICH"))
        and not name.lower().endswith("_proxy")
        and name not in ("VIRTUAL_ENV", "COVERAGE_PROCESS_START")
    }
    return {
        **inherited,
        **project.environment,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "QUAICH_COMPAT": side.value,
        "QUAICH_COMPAT_OUTCOMES": str(outcomes),
    }


def read_outcomes(path: Path, printed: str) -> Run:
    """Read what inject/quaich_compat.py wrote; a test which began and never ended is unfinished."""
    outcomes: dict[str, Outcome] = {}
    complete = False
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        match json.loads(line):
            case {"event": "start", "id": test}:
                outcomes[test] = Outcome("unfinished", printed)
            case {"event": "finish", "id": test, "outcome": word, "detail": detail}:
                # unittest tells of every failed subtest: the first failure stands.
                if outcomes.get(test, Outcome("")).word != "failed":
                    outcomes[test] = Outcome(word, detail)
            case {"event": "end"}:
                complete = True
    return Run(outcomes, complete, printed)
