"""The scenarios. Each takes ``full``: whether to run in its full size, or in one for each day."""

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from time import monotonic

from server.wire import Client, Truncated, get, wait_until
from stress.aborts import PHASES, Aborting
from stress.application import summary
from stress.crowd import Crowd
from stress.process import Process
from stress.report import Report
from stress.traffic import (
    Kind,
    Tally,
    big,
    check,
    chunked,
    echo,
    file,
    pipelined,
    probe,
    run,
    sleeping,
    stream,
    upload,
)

Scenario = Callable[..., Report]
"""Takes ``full``, and some of them the name of a poller."""

THREADS = 8  # of the servers here


def _server(*options: str, descriptors: int | None = None, threads: int = THREADS) -> Process:
    return Process("--threads", str(threads), *options, descriptors=descriptors)


def _healthy(report: Report, server: Process, threads: int = THREADS) -> None:
    """What must be so whatever clients did."""
    report.need(server.is_alive(), "the server has ended")
    report.say("threads, of those allowed", f"{server.threads()} of {threads + 1}")
    report.need(server.threads() <= threads + 1, f"{server.threads()} threads")
    log = server.log()
    report.say("lines in the log", len(log))
    report.need(not log, f"the log: {log[:5]}")


def _settled(report: Report, server: Process) -> None:
    """The server has the descriptors that it had at first."""
    try:
        wait_until(lambda: server.descriptors() <= server.own, "the descriptors", 15)
    except AssertionError as error:
        report.faults.append(str(error))
    report.say("descriptors at first / at last", f"{server.own} / {server.descriptors()}")


def aborts(full: bool, poller: str = "auto") -> Report:
    """Clients go in every phase, while others make mixed requests."""
    report = Report(f"aborts ({poller})")
    requests = 10_000 if full else 600
    with _server("--poller", poller) as server:
        run(server.address, 100, 4)  # warm-up
        with Aborting(server.address) as gone:
            tally = run(server.address, requests, 8)
        report.traffic("normal traffic", tally, requests)
        report.need(tally.retried == 0, f"{tally.retried} connections ended while idle")
        report.say("clients that went", sum(gone.counts.values()))
        report.say("phases", f"{len(gone.counts)} of {len(PHASES)}")
        report.need(not gone.faults, f"those that go: {gone.faults[:5]}")
        _settled(report, server)
        _healthy(report, server)
    return report


# --- Slow clients -------------------------------------------------------------------------------


def _beside(report: Report, server: Process, kind: str, count: int, full: bool) -> None:
    """Normal traffic beside a crowd."""
    size = 5000 if full else 200
    with Crowd(kind, server.address, count) as crowd:
        _probe(report, server, f"beside {count} of {kind}", size)
        requests = 1000 if full else 100
        tally = run(server.address, requests, 4)
        report.traffic(f"mixed, beside {count} of {kind}", tally, requests)
        report.say(f"{kind}: ended by the server", crowd.end())


def _probe(report: Report, server: Process, what: str, requests: int) -> None:
    report.traffic(f"{what}, kept", probe(server.address, requests), requests)
    few = requests // 5
    report.traffic(f"{what}, fresh", probe(server.address, few, fresh=True), few)


def slow(full: bool, poller: str = "auto") -> Report:
    """Clients that send or read a byte at a time."""
    report = Report(f"slow ({poller})")
    with _server("--poller", poller, threads=2) as server:
        _probe(report, server, "alone", 5000 if full else 200)
        for kind in ("head", "body", "reader"):
            _beside(report, server, kind, 500 if full else 150, full)
        _healthy(report, server, threads=2)
    return report


def expecting(full: bool) -> Report:
    """Clients that ask for 100 (Continue), get it, and then send a byte at a time."""
    report = Report("expecting")
    with _server(threads=2) as server:
        _beside(report, server, "expecting", 500 if full else 50, full)
        _healthy(report, server, threads=2)
    return report


def stuck(full: bool, poller: str = "auto") -> Report:
    """Clients that read no more, of a response in one block and of a stream."""
    report = Report(f"stuck ({poller})")
    kinds = {"stuck": (60 if full else 6, 24_000), "stuck-stream": (THREADS, 1024 + 64)}
    for kind, (count, allowed) in kinds.items():
        with _server("--poller", poller, "--write-timeout", "1") as server:
            run(server.address, 100, 4)
            before = server.memory()
            rounds = 4 if full and kind == "stuck-stream" else 1
            for _ in range(rounds):
                with Crowd(kind, server.address, count) as crowd:
                    requests = 200 if full else 30
                    tally = run(server.address, requests, 4)
                    report.traffic(f"beside {kind}", tally, requests)
                    wait_until(lambda: server.descriptors() <= server.own, "they go", 20)
                    ended = crowd.end()
                    report.say(f"{kind}: dropped", f"{ended} of {count}")
                    report.need(ended == count, f"{kind}: {ended} of {count} were dropped")
            # What one block has is the application's; of a stream, response_buffer may wait.
            grown = (server.peak() - before) / count
            report.say(f"{kind}: memory at its peak, for each, KiB", grown)
            report.need(grown < allowed + 1500, f"{kind}: {grown:.0f} KiB for each")
            _healthy(report, server)
    return report


def idle(full: bool) -> Report:
    """Very many connections that do nothing."""
    report = Report("idle")
    count = 5000 if full else 500
    for kind in ("silent", "idle"):
        with _server() as server:
            if full:
                _probe(report, server, "alone", 5000)
            run(server.address, 200, 4)
            before = server.memory()
            with Crowd(kind, server.address, count, pause=5) as crowd:
                wait_until(lambda: server.descriptors() > count, "all are accepted")
                each = (server.memory() - before) / count
                report.say(f"{kind}: memory for each, KiB", each)
                report.need(each < (3.0 if full else 4.5), f"{each:.2f} KiB for each")
                _probe(report, server, f"beside {count} of {kind}", 5000 if full else 200)
                requests = 2000 if full else 100
                tally = run(server.address, requests, 8)
                report.traffic(f"mixed, beside {count} of {kind}", tally, requests)
                ended = crowd.end()
                report.say(f"{kind}: ended by the server", ended)
                report.need(ended == 0, f"{ended} idle connections were ended")
            _healthy(report, server)
    return report


# --- No room ------------------------------------------------------------------------------------


def descriptors(full: bool, poller: str = "auto") -> Report:
    """More connections than the process may have descriptors."""
    report = Report(f"descriptors ({poller})")
    many = 1000 if full else 200
    with _server("--poller", poller, descriptors=128) as server:
        run(server.address, 50, 2)
        # Each is answered as it comes, then it is idle, and the oldest have to go.
        with Crowd("idle", server.address, many) as crowd:
            report.say("idle connections, all answered", many)
            report.say("descriptors, of 128", server.descriptors())
            requests = 5000 if full else 200
            tally = run(server.address, requests, 8, [echo, upload, big, file], persistent=0.3)
            report.traffic("while it is full", tally, requests)
            ended = crowd.end()
            report.say("idle, ended", f"{ended} of {many}")
            report.need(ended >= many - 128, f"only {ended} idle connections have been ended")
        _settled(report, server)
        # The application takes what the server has left to it.
        with Crowd("idle", server.address, 40) as crowd, Client(server.address) as client:
            hoard = client.exchange(get("/hoard?spare=4")).content
            report.say("descriptors that the application took", int(hoard))
            tally = run(server.address, 200, 8, [echo, upload], persistent=0.3)
            report.traffic("when accept() fails", tally, 200)
            report.say("idle, ended", f"{crowd.end()} of 40")
            _bounded(report, server)
            client.exchange(get("/release"))
        report.traffic("afterwards", run(server.address, 200, 4), 200)
        _settled(report, server)
        log = [line for line in server.log() if "no new connections" not in line]
        report.need(not log, f"the log: {log[:5]}")
        report.need(server.is_alive(), "the server has ended")
    return report


def _bounded(report: Report, server: Process, seconds: float = 1.0) -> None:
    """It spends little while nothing can be done."""
    before, deadline = server.cpu(), monotonic() + seconds
    wait_until(lambda: monotonic() > deadline, "a while")
    share = (server.cpu() - before) / seconds
    report.say("processor meanwhile, %", 100 * share)
    report.need(share < 0.5, f"a busy loop: {share:.0%} of a processor")


def full_house(full: bool, poller: str = "auto") -> Report:
    """As many requests under way as there may be connections: the rest waits, and is not lost."""
    report = Report(f"full_house ({poller})")
    most, waiting = 20, 200 if full else 20
    options = ("--poller", poller, "--worker-connections", str(most))
    with _server(*options, threads=4) as server:
        with Crowd("body", server.address, most, pause=20) as crowd:
            # Nobody is expendable: all have sent part of a request's content.
            wait_until(lambda: server.descriptors() >= server.own + most, "all are there")
            clients = [Client(server.address) for _ in range(waiting)]
            for number, client in enumerate(clients):
                client.send(get(f"/echo?id=w{number}"))
            _bounded(report, server)
            report.need(
                server.descriptors() <= server.own + most, f"{server.descriptors()} descriptors"
            )
            report.say("of those inside, ended", crowd.end())
        lost = 0
        for number, client in enumerate(clients):
            try:
                check(client, f"w{number}", summary("GET", f"w{number}", b""))
            except (AssertionError, Truncated) as error:
                lost += 1
                report.faults.append(repr(error))
            client.close()
        report.say("those that waited: lost", f"{lost} of {waiting}")
        report.traffic("afterwards", run(server.address, 200, 8), 200)
        _settled(report, server)
        report.need(server.is_alive(), "the server has ended")
    return report


# --- slowhttptest -------------------------------------------------------------------------------


def slowhttptest(full: bool) -> Report:
    """Debian's slowhttptest, in its three modes."""
    report = Report("slowhttptest")
    program = shutil.which("slowhttptest")
    if program is None:
        report.faults.append("slowhttptest is not installed")
        return report
    count, seconds = ("4000", "20") if full else ("300", "6")
    modes = {
        "slow heads": ["-H", "-i", "2", "-x", "20"],
        "slow content": ["-B", "-i", "2", "-s", "8192", "-x", "20"],
        "slow reading": ["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "16", "-k", "3"],
    }
    for name, options in modes.items():
        with _server() as server:
            url = "http://{}:{}/{}".format(
                *server.address, "big?id=s&size=300000" if "-X" in options else "echo?id=s"
            )
            command = [program, *options, "-c", count, "-r", "1000", "-l", seconds, "-p", "3"]
            tally, requests = Tally(), 0
            with tempfile.TemporaryFile("w+") as output:
                process = subprocess.Popen([*command, "-u", url], stdout=output, stderr=output)
                while process.poll() is None:
                    tally.add(probe(server.address, 50, fresh=requests % 100 == 0))
                    requests += 50
                output.seek(0)
                text = output.read()
            plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
            said = re.findall(r"service available:\s*(\w+)", plain)
            most = max([int(n) for n in re.findall(r"connected:\s*(\d+)", plain)], default=0)
            report.say(f"{name}: connections at most", most)
            report.say(f"{name}: its probe, available", f"{said.count('YES')} of {len(said)}")
            report.need(bool(said) and set(said) == {"YES"}, f"{name}: its probe says {said}")
            report.traffic(f"{name}: our probe", tally, requests)
            _healthy(report, server)
    return report


# --- The crew -------------------------------------------------------------------------------------


_DURATIONS = (0, 0, 0, 0.1, 0.1, 1, 1, 5, 50)  # milliseconds


def _lasting(client: Client, name: str, chance: random.Random) -> None:
    """A request that takes as long as chance has it, asleep or at work."""
    ms = chance.choice(_DURATIONS)
    route, verb = ("work", "worked") if ms <= 5 and chance.random() < 0.3 else ("sleep", "slept")
    client.send(get(f"/{route}?id={name}&ms={ms}"))
    check(client, name, f"{verb} {name}".encode())


def _lasting_pipeline(client: Client, name: str, chance: random.Random) -> None:
    """Several of them at once; the answers come in their order."""
    names = [f"{name}.{number}" for number in range(6)]
    requests = [get(f"/sleep?id={each}&ms={chance.choice(_DURATIONS)}") for each in names]
    client.send(b"".join(requests))
    for each in names:
        check(client, each, f"slept {each}".encode())


LASTING: list[Kind] = [*[_lasting] * 6, _lasting_pipeline, echo, pipelined, sleeping]


def leadership(full: bool, poller: str = "auto", threads: int = 32) -> Report:
    """Requests that take 0 to 50 ms, asleep or at work, by many clients at once."""
    report = Report(f"leadership ({poller}, {threads} threads)")
    requests, clients = (20_000, 64) if full else (800, 32)
    with _server("--poller", poller, threads=threads) as server:
        tally = run(server.address, requests, clients, LASTING, persistent=0.8)
        report.traffic("lasting", tally, requests)
        slowest = max(tally.seconds, default=0.0)
        # With few threads a request has to wait for its turn.
        if threads >= 32:
            report.need(slowest < 5, f"a request waited for {slowest:.1f} s")
        _healthy(report, server, threads)
    return report


def everything(full: bool, poller: str = "auto") -> Report:
    """Aborts, drips and idle connections at once, and requests of all kinds beside them."""
    report = Report(f"everything ({poller})")
    requests = 5000 if full else 300
    kinds: list[Kind] = [*LASTING, upload, chunked, big, stream, file]
    with _server("--poller", poller, "--worker-connections", "2000") as server:
        run(server.address, 100, 4)
        count = 300 if full else 50
        with (
            Crowd("head", server.address, count),
            Crowd("body", server.address, count),
            Crowd("reader", server.address, count),
            Crowd("idle", server.address, count),
            Aborting(server.address, 2) as gone,
        ):
            tally = run(server.address, requests, 16, kinds)
        report.traffic("beside everything", tally, requests)
        report.say("clients that went", sum(gone.counts.values()))
        report.need(not gone.faults, f"those that go: {gone.faults[:5]}")
        _settled(report, server)
        _healthy(report, server)
    return report


SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        aborts,
        slow,
        expecting,
        stuck,
        idle,
        descriptors,
        full_house,
        slowhttptest,
        leadership,
        everything,
    )
}
