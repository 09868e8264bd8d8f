"""What is done to the server while 8 clients ask at full speed; each in a small and a full size.

A scenario is a function in :data:`SCENARIOS`.
"""

import functools
import os
import random
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from loss.clients import Crowd, Loss
from loss.outcome import Outcome
from loss.renewal import Renewal
from loss.service import Service
from server.wire import wait_until

WORKERS = 2

_STEADY = 20
"""Answers that each client gets between two things that are done."""

_LIFE = 2.2
"""Seconds that a worker lives before it is killed: one that dies sooner is started again with a
pause that grows (quaich.server.supervisor.plan)."""

_NOBODY = "65534"

_LOOKS_OFTEN = (
    "from quaich.server.tls import certificates; certificates._LOOK = 0.05;"
    "from quaich.server.supervisor import renewal; renewal.CERTIFICATES = 0.05"
)
"""In the small size: the server looks at the files more often than it would."""


def _wait_steady(crowd: Crowd, answers: int = _STEADY) -> None:
    """Wait until every client has got so many answers more."""
    before = crowd.progress()
    wait_until(lambda: crowd.progress() >= before + answers, "answers for every client", 60)


def _report(name: str, meanwhile: str, crowd: Crowd, service: Service) -> Outcome:
    """Of a scenario in which nothing may be lost."""
    report = _counted(name, meanwhile, crowd, service)
    report.need(not crowd.losses, f"lost: {crowd.losses[:5]}")
    return report


def _counted(name: str, meanwhile: str, crowd: Crowd, service: Service) -> Outcome:
    failed = len(crowd.losses)
    report = Outcome(name, meanwhile=meanwhile, requests=crowd.answered + failed, failed=failed)
    report.say("meanwhile", meanwhile)
    report.say("requests", report.requests)
    report.say("failed or missing answers", failed)
    report.say("workers that have answered", len(crowd.pids))
    report.say("longest answer, ms", 1000 * crowd.longest)
    report.need(crowd.answered > 0, "nobody was answered")
    text = service.text()
    report.need("Traceback" not in text, f"a traceback in the log: {text[-2000:]}")
    return report


def reload(full: bool) -> Outcome:
    """SIGHUP, 20 times: all workers are replaced each time."""
    times = 20 if full else 2
    with Service("-w", str(WORKERS)) as service, Crowd(service.wait_address()) as crowd:
        service.wait_workers(WORKERS)
        for number in range(times):
            _wait_steady(crowd)
            service.send(signal.SIGHUP)
            service.wait_for("reloaded: all workers are new ones", number + 1)
        _wait_steady(crowd)
        service.wait_workers(WORKERS)
        crowd.stop()
        report = _report("reload", f"SIGHUP, {times} times", crowd, service)
    report.need(len(crowd.pids) >= WORKERS * times, f"only {len(crowd.pids)} have answered")
    return report


def upgrade(full: bool) -> Outcome:
    """SIGUSR2, then SIGTERM to the old program; again and again."""
    times = 5 if full else 1
    with Service("-w", str(WORKERS)) as service, Crowd(service.wait_address()) as crowd:
        old = service.pid
        for number in range(times):
            service.wait_for("is ready", (number + 1) * WORKERS)
            _wait_steady(crowd)
            os.kill(old, signal.SIGUSR2)
            service.wait_for("the new program is", number + 1)
            new = int(service.find(r"the new program is (\d+)")[-1])
            service.wait_for(rf"\[{new}\] \[INFO\] worker \d+ is ready", WORKERS)
            _wait_steady(crowd)
            os.kill(old, signal.SIGTERM)
            wait_until(functools.partial(_has_ended, old, service), "the old one to end", 30)
            old = new
        _wait_steady(crowd)
        crowd.stop()
        return _report(
            "upgrade", f"SIGUSR2, then SIGTERM to the old program, {times} times", crowd, service
        )


def _has_ended(pid: int, service: Service) -> bool:
    if pid == service.pid:
        return not service.is_alive()
    try:
        # It may be a zombie, if nobody waits for it.
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return True


def kill(full: bool) -> Outcome:
    """kill -9 of a random worker, 20 times; only what it had in its hands may be lost."""
    times = 20 if full else 1
    chance = random.Random(1)
    killed: list[int] = []
    with tempfile.NamedTemporaryFile("r") as journal:
        with (
            Service("-w", str(WORKERS), variables={"LOSS_JOURNAL": journal.name}) as service,
            Crowd(service.wait_address()) as crowd,
        ):
            for _ in range(times):
                service.wait_workers(WORKERS)
                _wait_steady(crowd)
                if full:
                    _wait_seconds(_LIFE)
                victim = chance.choice(service.workers())
                killed.append(victim)
                os.kill(victim, signal.SIGKILL)
                service.wait_for(f"worker {victim} was killed by SIGKILL")
            service.wait_workers(WORKERS)
            _wait_steady(crowd)
            crowd.stop()
            report = _counted("kill", f"kill -9 of a worker, {times} times", crowd, service)
        begun = dict(line.split() for line in journal)
    report.excuse = "all inside a killed worker"
    report.say("lost by each kill, at most", crowd.size)
    for loss in crowd.losses:
        report.need(_was_inside(loss, begun, killed), f"not inside a killed worker: {loss}")
    report.need(len(crowd.losses) <= crowd.size * times, "more were lost than there are clients")
    return report


def _was_inside(loss: Loss, begun: dict[str, str], killed: list[int]) -> bool:
    """Whether a request may have been lost in a worker that was killed: its connection had been
    made, and was cut; nobody else has begun it or had answered on it before."""
    who = {loss.pid, int(begun.get(loss.name, 0))} - {0}
    return loss.is_cut and who <= set(killed)


def _wait_seconds(seconds: float) -> None:
    """Let the clients go on for a while."""
    end = monotonic() + seconds
    wait_until(lambda: monotonic() >= end, "the clock", seconds + 10)


def max_requests(full: bool) -> Outcome:
    """--max-requests 500: workers are replaced all the time."""
    replaced = 30 if full else 3
    options = ("-w", str(WORKERS), "--max-requests", "500", "--max-requests-jitter", "50")
    with Service(*options) as service, Crowd(service.wait_address()) as crowd:
        service.wait_for(r"worker \d+ has ended \(max-requests\)", replaced, 120)
        crowd.stop()
        report = _report(
            "max_requests", f"workers end after 500 requests, {replaced} of them", crowd, service
        )
    report.need(len(crowd.pids) > replaced, f"only {len(crowd.pids)} have answered")
    return report


def more_and_less(full: bool) -> Outcome:
    """SIGTTIN and SIGTTOU: a worker more, a worker less."""
    times = 20 if full else 2
    with Service("-w", str(WORKERS)) as service, Crowd(service.wait_address()) as crowd:
        for _ in range(times):
            service.wait_workers(WORKERS)
            service.send(signal.SIGTTIN)
            service.wait_workers(WORKERS + 1)
            _wait_steady(crowd, 5)
            service.send(signal.SIGTTOU)
            service.wait_workers(WORKERS)
            _wait_steady(crowd, 5)
        crowd.stop()
        return _report("more_and_less", f"SIGTTIN, then SIGTTOU, {times} times", crowd, service)


def term_to_a_worker(full: bool) -> Outcome:
    """SIGTERM to a worker: it is replaced before it ends."""
    times = 20 if full else 2
    chance = random.Random(1)
    with Service("-w", str(WORKERS)) as service, Crowd(service.wait_address()) as crowd:
        for number in range(times):
            os.kill(chance.choice(service.wait_workers(WORKERS)), signal.SIGTERM)
            service.wait_for(r"worker \d+ has ended \(signal\)", number + 1)
            _wait_steady(crowd, 5)
        crowd.stop()
        return _report("term_to_a_worker", f"SIGTERM to a worker, {times} times", crowd, service)


def certificate(full: bool) -> Outcome:
    """A new certificate in the files, 10 times: the workers take it up themselves."""
    return _renewed("certificate", full)


def certificate_of_root(full: bool) -> Outcome:
    """The same with --user: only the supervisor may read the key, and replaces the workers."""
    return _renewed("certificate_of_root", full, "--user", _NOBODY, "--group", _NOBODY)


# Where Python itself is root's alone, another user can import nothing more of it; 3.12 and newer do
# so when the application is looked for.
_WHOLE = "import importlib.metadata"


def _renewed(name: str, full: bool, *options: str) -> Outcome:
    times = 10 if full else 2
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o700 if options else 0o755)
        renewal = Renewal(Path(directory))
        with (
            Service(
                *("-w", str(WORKERS), *renewal.options, *options),
                before=f"{_WHOLE}; {'pass' if full else _LOOKS_OFTEN}",
            ) as service,
            Crowd(service.wait_address(), connect=renewal.connect, on_first=renewal.note) as crowd,
        ):
            service.wait_workers(WORKERS)
            for _ in range(times):
                _wait_steady(crowd, 5)
                _wait_renewed(renewal, renewal.renew(), service)
            _wait_steady(crowd)
            crowd.stop()
            what = f"a new certificate, {times} times" + (", --user" if options else "")
            report = _report(name, what, crowd, service)
            replaced = len(service.find(r"worker \d+ has ended \(certificate\)"))
            shown = renewal.shown()
    report.say("TLS connections", len(shown))
    report.say("workers replaced", replaced)
    report.need(max(each.number for each in shown) == times, "the last one was not shown")
    report.need(not renewal.relapses(), f"a former one came back: {renewal.relapses()[:5]}")
    if options:
        report.need(replaced >= WORKERS * times, f"only {replaced} workers were replaced")
    else:
        report.need(replaced == 0, f"{replaced} workers were replaced")
    return report


def _wait_renewed(renewal: Renewal, number: int, service: Service) -> None:
    """Wait until all workers show the certificate of that number."""

    def is_done() -> bool:
        return renewal.is_shown_by(service.wait_workers(WORKERS), number)

    wait_until(is_done, f"certificate {number} from all workers", 60)


def may_become_another() -> bool:
    """Whether :func:`certificate_of_root` can be tried: only root may."""
    return os.geteuid() == 0


SCENARIOS: dict[str, Callable[[bool], Outcome]] = {
    "reload": reload,
    "upgrade": upgrade,
    "kill": kill,
    "max_requests": max_requests,
    "more_and_less": more_and_less,
    "term_to_a_worker": term_to_a_worker,
    "certificate": certificate,
    "certificate_of_root": certificate_of_root,
}
