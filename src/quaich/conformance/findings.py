"""What a checker has seen, and what becomes of it: raised, collected, or warned of."""

import threading
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from quaich.conformance.rules import Rule, Severity, catalogue

Mode = Literal["raise", "collect", "warn"]

_SHOWN_MAX: Final = 100  # characters of a value
_REQUESTS_MAX: Final = 5  # of a finding: enough to go by
_WARNED_MAX: Final = 1000  # different warnings


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
    requests: tuple[str, ...] = ()  # some of those that showed it, each once, if that is known

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
            "requests": [*self.requests],
        }


class Violation(AssertionError):
    """A rule was broken, in a checker that raises. An AssertionError, as ``wsgiref.validate``
    raises."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.rule}: {finding.message}. {finding.hint}")
        self.finding = finding

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with the text. A pool of processes would die of it.
        return type(self), (self.finding,)


class ConformanceWarning(UserWarning):
    """A rule was broken, in a checker that warns, or one that is not worth an exception."""


@dataclass
class Report:
    """Findings of any number of requests, each kind at each place once, with a count and the
    message of the first.

    ``select`` and ``ignore`` are ids of rules or beginnings of ids (``A``, ``S11``); the longer
    one counts. Any thread may add. ``request``: what is asked for just now, for findings to keep;
    empty where nobody says so.
    """

    mode: Mode = "collect"
    select: Collection[str] = ()
    ignore: Collection[str] = ()
    request: str = field(default="", init=False)
    _found: dict[tuple[str, str, Where, Severity], Finding] = field(
        default_factory=dict, repr=False
    )
    # Which warnings have been given, for Python's filters: as a module has it.
    _warned: dict[Any, Any] = field(default_factory=dict, repr=False)
    # Garbage may be collected in a thread that has it, and a result be found that was not closed.
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in ("raise", "collect", "warn"):
            raise ValueError(f"mode must be 'raise', 'collect' or 'warn', not {self.mode!r}")

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            state = {**vars(self), "_found": dict(self._found), "_warned": {}}
        del state["_lock"]  # which cannot be copied
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

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
        if self._count(breach, party, where):
            finding = _finding(catalogue()[breach.rule], breach, party, where)
            if self.mode == "raise" and finding.severity == "error":
                raise Violation(finding)
            self._warn(finding)

    def add_late(self, breach: Breach, party: str, where: Where) -> None:
        """As :meth:`add`, for what is found where nobody could be told by an exception."""
        if self._count(breach, party, where):
            self._warn(_finding(catalogue()[breach.rule], breach, party, where))

    def _count(self, breach: Breach, party: str, where: Where) -> bool:
        """Count a breach; whether somebody is to be told now."""
        if not self.is_wanted(breach.rule):
            return False
        rule = catalogue()[breach.rule]
        key = (breach.rule, party, where, breach.severity or rule.severity)
        with self._lock:
            known = self._found.get(key)
            if known is None:
                finding = _finding(rule, breach, party, where)
            else:
                finding = replace(known, count=known.count + 1)
            # In a framework all pages have the same place: the request tells them apart.
            asked = finding.requests
            if self.request and self.request not in asked and len(asked) < _REQUESTS_MAX:
                finding = replace(finding, requests=(*asked, self.request))
            self._found[key] = finding
        return self.mode != "collect"

    def _warn(self, finding: Finding) -> None:
        # At the guilty line, and always in the same words: so Python's filters tell of each once.
        if len(self._warned) > _WARNED_MAX:
            self._warned.clear()  # some words hold a value that is another each time
        file, line, _ = finding.where
        warnings.warn_explicit(
            str(finding), ConformanceWarning, file or "<unknown>", line, registry=self._warned
        )


_ORDER: Final = {"error": 0, "warning": 1, "info": 2}


def _finding(rule: Rule, breach: Breach, party: str, where: Where) -> Finding:
    severity = breach.severity or rule.severity
    hint = breach.hint or rule.fix
    return Finding(rule.id, severity, party, breach.message, rule.says, where, hint)


def show(value: object) -> str:
    """A value and its type for a message. Whatever ``repr`` does, this raises nothing."""
    shown = value
    if type(value) in (str, bytes, bytearray):
        shown = value[: _SHOWN_MAX + 1]  # type: ignore[index]  # it may be many megabytes
    try:
        text = repr(shown)
    except (Exception, SystemExit) as error:
        text = f"<repr() raised {type(error).__name__}>"
    if len(text) > _SHOWN_MAX:
        text = f"{text[: _SHOWN_MAX - 1]}…"
    return f"{text} ({type(value).__name__})"


def names(values: Iterable[object]) -> str:
    """Several names for a message."""
    return ", ".join(sorted(map(str, values)))
