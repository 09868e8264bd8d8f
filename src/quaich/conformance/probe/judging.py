"""The trials in their order, and what comes of each.

trial("H045")         a function that asks a server one thing, by the rule
judge                 all trials, one after the other: a verdict for each rule
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from quaich.conformance.probe.launching import CannotStart
from quaich.conformance.probe.wire import Client, Response
from quaich.conformance.rules import catalogue

Outcome = Literal["pass", "fail", "warn", "untestable"]

_TIMES_ASKED: Final = 3
_PAUSE: Final = 0.2


@dataclass(frozen=True)
class Verdict:
    """What came of a rule. ``talks``: the bytes of each connection, sent and received, as text."""

    rule: str
    verdict: Outcome
    detail: str
    talks: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0

    def as_json(self, *, with_talks: bool = True) -> dict[str, Any]:
        """As ``quaich probe --format json`` writes it."""
        record: dict[str, Any] = {
            "rule": self.rule,
            "verdict": self.verdict,
            "detail": self.detail,
        }
        if with_talks:
            record["talks"] = [{"sent": sent, "received": got} for sent, got in self.talks]
        return record


class Broken(Exception):
    """The rule is broken; ``str()`` says how. Fails or warns, as the rule's severity says."""


class Advised(Broken):
    """What the rule demands is kept, but not what it advises: warns, whatever its severity."""


class Untestable(Exception):
    """Nothing can be said; ``str()`` says why."""


@dataclass
class Probe:
    """What a trial has at hand: the client, and what the probe's application tells."""

    client: Client
    has_application: bool = True  # it is the probe's that is served
    start: Callable[[str], Client] | None = None
    """Starts the server anew, with an application of a kind ("function" is the usual one). Raises
    :class:`~quaich.conformance.probe.launching.CannotStart`."""
    tag: str = ""  # of the present trial: nothing else in the server's log has it
    _run: str = field(default_factory=lambda: secrets.token_hex(3))  # a log may outlive a prober
    _tags: int = field(default=0)

    def begin(self, rule: str) -> None:
        """Forget the last trial."""
        self._tags += 1
        self.tag = f"{rule}-{self._run}-{self._tags}"
        self.client.talks.clear()

    # --- The probe's application ---------------------------------------------------------------

    def need_application(self) -> None:
        """For a trial that says nothing without it."""
        if not self.has_application:
            raise Untestable("the probe's application is not served at that address")

    def target(self, name: str, **query: object) -> str:
        """The target of one of the application's programs: see ``application.py``."""
        self.need_application()
        more = "".join(f"&{key}={value}" for key, value in query.items())
        return f"/{name}?tag={self.tag}{more}"

    def environ(self, data: bytes | None = None) -> dict[str, Any]:
        """The environ of a request, as the application saw it: ``{"NAME": ["type", value]}``, with
        texts as they were and other values as their ``repr``. ``data``: the request, whose target
        has to be ``target("environ")``."""
        request = self.client.head("GET", self.target("environ")) if data is None else data
        response = self.client.ask(request)
        if response.status != 200:
            raise Broken(f"the request is answered with {describe(response)}")
        return dict(json.loads(response.content))

    def log(self, wanted: str | None = None, seconds: float = 3.0) -> list[dict[str, Any]]:
        """What the application has noted for this trial, ``[{"event": …, …}]``; with ``wanted``,
        once that event is there or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            response = self.client.get(f"/log?tag={self.tag}")
            if response.status != 200:
                raise Untestable(f"the application's log is answered with {describe(response)}")
            events: list[dict[str, Any]] = json.loads(response.content)
            if wanted is None or any(each["event"] == wanted for each in events):
                return events
            if time.monotonic() > deadline:
                return events
            time.sleep(0.05)

    def is_alive(self) -> bool:
        """Whether the server still answers an ordinary request. One that is busy, or is about to
        replace a process that has died, is asked again."""
        for _ in range(_TIMES_ASKED):
            with contextlib.suppress(OSError):
                if self.client.get("/"):
                    return True
            time.sleep(_PAUSE)
        return False


def describe(response: Response) -> str:
    """A response in a few words."""
    if not response:
        return "nothing" if not response.raw else "bytes that are no response"
    return f"{response.status} {response.reason.decode('latin-1')}".strip()


Trial = Callable[[Probe], str | None]
"""Returns what is worth saying of a pass; raises :class:`Broken` or :class:`Untestable`."""

TRIALS: Final[dict[str, Trial]] = {}


def trial(rule: str) -> Callable[[Trial], Trial]:
    """Register a function as the trial of a rule."""

    def register(function: Trial) -> Trial:
        if rule in TRIALS:
            raise ValueError(f"there are two trials of {rule}")
        TRIALS[rule] = function
        return function

    return register


def judge(
    probe: Probe,
    rules: Collection[str] | None = None,
    on_verdict: Callable[[Verdict], object] = lambda verdict: None,
    *,
    tries: int = 1,
) -> list[Verdict]:
    """A verdict for each rule for servers; ``rules``: only these. A breach counts if so many
    ``tries``, one after the other, show it: on a busy machine, one may come too late.

    Where a trial has ended the server, or has made it deaf, that is this trial's fault alone:
    the server is started anew, or what follows is not testable.
    """
    verdicts = []
    gone = ""  # why there is no server any more
    for rule in judged_rules():
        if rules is not None and rule not in rules:
            continue
        if gone and rule in TRIALS:
            verdict = Verdict(rule, "untestable", gone)
        else:
            verdict = _tried(probe, rule, tries)
            if rule in TRIALS and not probe.is_alive():
                detail = f"{verdict.detail}; behind this trial the server answers nobody any more"
                verdict = replace(verdict, verdict="fail", detail=detail)
                gone = _revive(probe, rule)
        verdicts.append(verdict)
        on_verdict(verdict)
    return verdicts


def _revive(probe: Probe, rule: str) -> str:
    """Start the server anew. Returns why that cannot be, empty if it can."""
    gone = f"since the trial of {rule}, the server answers nobody any more"
    if probe.start is None:
        return gone
    try:
        probe.client = probe.start("function")
    except CannotStart as error:
        return f"{gone}, and cannot be started: {error}"
    return ""


def _tried(probe: Probe, rule: str, tries: int) -> Verdict:
    """The first verdict, unless it is a breach that does not show again."""
    first = verdict = _verdict(probe, rule)
    for _ in range(tries - 1):
        if verdict.verdict not in ("fail", "warn") or not probe.is_alive():
            break
        verdict = _verdict(probe, rule)
    if first.verdict == verdict.verdict:
        return first
    return replace(verdict, detail=f"{verdict.detail} (but at first: {first.detail})")


def judged_rules() -> Iterable[str]:
    """The rules that bind servers, in their order."""
    return (rule.id for rule in catalogue().values() if rule.id[0] in "SH")


def _verdict(probe: Probe, rule: str) -> Verdict:
    record = catalogue()[rule]
    function = TRIALS.get(rule)
    if function is None:
        why = record.how if "probe" not in record.checked else "there is no trial for it"
        return Verdict(rule, "untestable", why)
    probe.begin(rule)
    started = time.monotonic()
    outcome: Outcome
    try:
        detail = function(probe) or record.says
        outcome = "pass"
    except Broken as error:
        detail = str(error)
        is_grave = record.severity == "error" and not isinstance(error, Advised)
        outcome = "fail" if is_grave else "warn"
    except Untestable as error:
        detail, outcome = str(error), "untestable"
    except OSError as error:
        detail, outcome = f"no connection: {error}", "fail"
    except Exception as error:
        # What came was not even readable; that is for another trial to judge.
        detail, outcome = f"what came cannot be read: {error!r}", "untestable"
    talks = tuple(talk.as_text() for talk in probe.client.talks)
    return Verdict(rule, outcome, detail, talks, time.monotonic() - started)
