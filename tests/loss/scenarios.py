"""What is done to the server while 8 clients ask at full speed; each in a small and a full size.

What comes later, such as a renewed certificate, is a function more in :data:`SCENARIOS`.
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
from loss.service import Service
from server.wire import wait_until
from stress.report import Report

WORKERS = 2

_STEADY = 20
"""Answers that each client gets between two things that are done."""

_LIFE = 2.2
"""Seconds that a worker lives before it is killed: one that dies sooner is started again with a
pause that grows (quaich.server.supervisor.plan)."""


def _wait_steady(crowd: Crowd, answers: int = _STEADY) -> None:
    """Wait until every client has got so many answers more."""
    before = crowd.progress()
    wait_until(lambda: crowd.progress() >= before + answers, "answers for every client", 60)


def _report(name: str, crowd: Crowd, service: Service) -> Report:
    """Of a scenario in which nothing may be lost."""
    report = _counted(name, crowd, service)
    report.need(not crowd.losses, f"lost: {crowd.losses[:5]}")
    return report


def _counted(name: str, crowd: Crowd, service: Service) -> Report:
    report = Report(name)
    report.say("answers", crowd.answered)
    report.say("failed or missing answers", len(crowd.losses))
    report.say("workers that have answered", len(crowd.pids))
    report.say("longest answer, ms", 1000 * crowd.longest)
    report.need(crowd.answered > 0, "nobody was answered")
    text = service.text()
    report.need("Traceback" not in text, f"a traceback in the log: {text[-2000:]}")
    return report


def reload(full: bool) -> Report:
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
        report = _report("reload", crowd, service)
    report.say("reloads", times)
    report.need(len(crowd.pids) >= WORKERS * times, f"only {len(crowd.pids)} have answered")
    return report


def upgrade(full: bool) -> Report:
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
        report = _report("upgrade", crowd, service)
    report.say("upgrades", times)
    return report


def _has_ended(pid: int, service: Service) -> bool:
    if pid == service.pid:
        return not service.is_alive()
    try:
        # It may be a zombie, if nobody waits for it.
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return True


def kill(full: bool) -> Report:
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
            report = _counted("kill", crowd, service)
        begun = dict(line.split() for line in journal)
    report.say("workers killed", len(killed))
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


def max_requests(full: bool) -> Report:
    """--max-requests 500: workers are replaced all the time."""
    replaced = 30 if full else 3
    options = ("-w", str(WORKERS), "--max-requests", "500", "--max-requests-jitter", "50")
    with Service(*options) as service, Crowd(service.wait_address()) as crowd:
        service.wait_for(r"worker \d+ has ended \(max-requests\)", replaced, 120)
        crowd.stop()
        report = _report("max_requests", crowd, service)
    report.need(len(crowd.pids) > replaced, f"only {len(crowd.pids)} have answered")
    return report


def more_and_less(full: bool) -> Report:
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
        report = _report("more_and_less", crowd, service)
    report.say("times", times)
    return report


def term_to_a_worker(full: bool) -> Report:
    """SIGTERM to a worker: it is replaced before it ends."""
    times = 20 if full else 2
    chance = random.Random(1)
    with Service("-w", str(WORKERS)) as service, Crowd(service.wait_address()) as crowd:
        for number in range(times):
            os.kill(chance.choice(service.wait_workers(WORKERS)), signal.SIGTERM)
            service.wait_for(r"worker \d+ has ended \(signal\)", number + 1)
            _wait_steady(crowd, 5)
        crowd.stop()
        report = _report("term_to_a_worker", crowd, service)
    report.say("times", times)
    return report


SCENARIOS: dict[str, Callable[[bool], Report]] = {
    "reload": reload,
    "upgrade": upgrade,
    "kill": kill,
    "max_requests": max_requests,
    "more_and_less": more_and_less,
    "term_to_a_worker": term_to_a_worker,
}
