"""What a checker has seen, and what becomes of it: raised, collected, or warned of."""

import threading
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from quaich.conformance.rules import Rule, Severity, find

Mode = Literal["raise", "collect", "warn"]

_SHOWN_MAX: Final = 100  # characters of a value


class Where(NamedTuple):
    """A place in somebody's code. ``line`` is 0 where only the file is known."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} in {self.function}" if self.function else place


NOWHERE: Final = Where("", 0, "")


class Breach(NamedTuple):
    """What a check has to say: the id of the rule, and what was done, with value and type.

    ``severity`` and ``hint``: None for those of the rule. A rule for both sides may be less to one
    of them, and another thing to do.
    """

    rule: str
    message: str
    severity: Severity | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was broken, by whom, where, and how often there."""

    rule: str
    severity: Severity
    party: str  # application, middleware or server
    message: str  # what was done
    allowed: str  # what the rule says
    where: Where
    hint: str  # what to do
    count: int = 1

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where.file else ""
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{place}{self.rule} {self.severity}: {self.message}{times}. {self.hint}"

    def as_json(self) -> dict[str, Any]:
        """As ``quaich check --format json`` writes it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "party": self.party,
            "message": self.message,
            "allowed": self.allowed,
            "where": str(self.where),
            "hint": self.hint,
            "count": self.count,
        }


class Violation(AssertionError):
    """A rule was broken, in a checker that raises. An AssertionError, as ``wsgiref.validate``
    raises."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.rule}: {finding.message}. {finding.hint}")
        self.finding = finding


class ConformanceWarning(UserWarning):
    """A rule was broken, in a checker that warns, or one that is not worth an exception."""


@dataclass
class Report:
    """Findings of any number of requests, each kind at each place once, with a count.

    ``select`` and ``ignore`` are ids of rules or beginnings of ids (``A``, ``S11``); the longer
    one counts. Any thread may add.
    """

    mode: Mode = "collect"
    select: Collection[str] = ()
    ignore: Collection[str] = ()
    _found: dict[tuple[str, str, Where], Finding] = field(default_factory=dict, repr=False)
    # Garbage may be collected in a thread that has it, and a result be found that was not closed.
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in ("raise", "collect", "warn"):
            raise ValueError(f"mode must be 'raise', 'collect' or 'warn', not {self.mode!r}")

    @property
    def findings(self) -> list[Finding]:
        """What was found so far: by severity, then by rule."""
        with self._lock:
            found = list(self._found.values())
        return sorted(found, key=lambda each: (_ORDER[each.severity], each.rule, each.where))

    @property
    def errors(self) -> list[Finding]:
        """Those of the findings that are errors."""
        return [each for each in self.findings if each.severity == "error"]

    def is_wanted(self, rule: str) -> bool:
        """Whether a rule is looked for."""
        selected = max((len(each) for each in self.select if rule.startswith(each)), default=-1)
        ignored = max((len(each) for each in self.ignore if rule.startswith(each)), default=-1)
        if selected < 0 and self.select:
            return False
        return ignored < 0 or selected > ignored

    def add(self, breach: Breach, party: str, where: Where) -> None:
        """Take a breach; raises :class:`Violation` where the mode says so."""
        finding = self._count(breach, party, where)
        if finding is None or self.mode == "collect":
            return
        if self.mode == "raise" and finding.severity == "error":
            raise Violation(finding)
        warnings.warn(str(finding), ConformanceWarning, stacklevel=3)

    def add_late(self, breach: Breach, party: str, where: Where) -> None:
        """As :meth:`add`, for what is found where nobody could be told by an exception."""
        finding = self._count(breach, party, where)
        if finding is not None and self.mode != "collect":
            warnings.warn(str(finding), ConformanceWarning, stacklevel=3)

    def _count(self, breach: Breach, party: str, where: Where) -> Finding | None:
        if not self.is_wanted(breach.rule):
            return None
        key = (breach.rule, party, where)
        with self._lock:
            known = self._found.get(key)
            if known is None:
                finding = _finding(find(breach.rule), breach, party, where)
            else:
                finding = replace(known, count=known.count + 1)
            self._found[key] = finding
        return finding


_ORDER: Final = {"error": 0, "warning": 1, "info": 2}


def _finding(rule: Rule, breach: Breach, party: str, where: Where) -> Finding:
    severity = breach.severity or rule.severity
    hint = breach.hint or rule.fix
    return Finding(rule.id, severity, party, breach.message, rule.says, where, hint)


def show(value: object) -> str:
    """A value and its type for a message. Whatever ``repr`` does, this raises nothing."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<repr() raised {type(error).__name__}>"
    if len(text) > _SHOWN_MAX:
        text = f"{text[: _SHOWN_MAX - 1]}…"
    return f"{text} ({type(value).__name__})"


def names(values: Iterable[object]) -> str:
    """Several names for a message."""
    return ", ".join(sorted(map(str, values)))
