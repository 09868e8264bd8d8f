"""What goes wrong beside the work: loading, forking, logs, settings, the supervisor's end."""

import os
import signal
import ssl
import sys
from pathlib import Path

import pytest

from loss.service import Service
from quaich.server.supervisor.supervisor import _once
from server.certificates import Authority
from server.supervisor.sites import (
    ask,
    edit,
    get_stuck,
    get_unstuck,
    held,
    is_running,
    running,
    write_site,
)
from server.wire import Client, get, wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes"),
]

NOBODY = "65534"

NO_PAUSES = "import quaich.server.supervisor.plan as plan; plan.backoff = lambda deaths: 0.0"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The directory of an application, ``site_app:app`` in it."""
    return write_site(tmp_path)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# --- Loading ---


def test_a_reload_mends_what_does_not_come_to_an_end(site: Path) -> None:
    """The first workers wait for something; with the next ones it is otherwise."""
    get_stuck(site)
    with Service("-w", "1", app="site_app:app", directory=site) as service:
        service.wait_for("^stuck$")
        get_unstuck(site)
        service.send(signal.SIGHUP)
        service.wait_address()
        assert ask(service, "/version") == "first"
        service.wait_for("reloaded: all workers are new ones")
        assert service.stop() == 0


def test_the_end_of_workers_of_before_a_reload_is_not_the_end(site: Path) -> None:
    get_stuck(site)
    with Service("-w", "1", app="site_app:app", directory=site, before=NO_PAUSES) as service:
        service.wait_for("^stuck$")
        get_unstuck(site)
        (victim,) = children(service.pid)
        # So it finds both at once.
        service.send(signal.SIGSTOP)
        service.send(signal.SIGHUP)
        os.kill(victim, signal.SIGKILL)
        service.send(signal.SIGCONT)
        service.wait_address()
        assert ask(service, "/version") == "first"


@pytest.mark.parametrize("number", ["first", "next"])
def test_a_failure_is_heard_though_a_thread_keeps_the_process(site: Path, number: str) -> None:
    """Python waits for threads that are not daemons."""
    waiting = "threading.Thread(target=threading.Event().wait).start(); 1 / 0"
    if number == "first":
        edit(site, 'VERSION = "first"', waiting)
        with Service("-w", "1", app="site_app:app", directory=site) as service:
            assert service.wait() == 3
            assert "ZeroDivisionError: division by zero\n" in service.text()
        return
    with running(site, workers=1) as service:
        before = children(service.pid)
        edit(site, 'VERSION = "first"', waiting)
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: .*division by zero")
        wait_until(lambda: children(service.pid) == before, "the new worker to end")


def test_a_reload_that_fails_costs_no_worker(site: Path) -> None:
    """Though the new settings want fewer."""
    settings = site / "quaich.toml"
    settings.write_text("workers = 3\n")
    with Service("--config", "quaich.toml", app="site_app:app", directory=site) as service:
        service.wait_address()
        service.wait_workers(3)
        before = set(children(service.pid))
        settings.write_text("workers = 1\n")
        edit(site, 'VERSION = "first"', "1 / 0")
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: .*; 3 workers with the former application go on")
        wait_until(lambda: set(children(service.pid)) == before, "the new worker to end")
        assert not service.find("retires")
        edit(site, "1 / 0", 'VERSION = "second"')
        service.send(signal.SIGHUP)
        service.wait_for("reloaded: all workers are new ones")
        assert ask(service, "/version") == "second"


def test_after_a_reload_that_failed_all_is_as_it_was(site: Path) -> None:
    """Also for a worker that is started later: its settings and its environment."""
    settings = site / "quaich.toml"
    good = 'threads = 2\nenv = ["WHICH=good"]\n'
    settings.write_text(good)
    edit(site, '"/version": VERSION', '"/version": os.environ["WHICH"]')
    options = ("-w", "1", "--config", "quaich.toml")
    with Service(*options, app="site_app:app", directory=site, before=NO_PAUSES) as service:
        service.wait_address()
        (victim,) = service.wait_workers(1)
        settings.write_text(good.replace("2", "1").replace("good", "bad"))
        edit(site, 'VERSION = "first"', "1 / 0")
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: ")
        edit(site, "1 / 0", 'VERSION = "first"')
        os.kill(victim, signal.SIGKILL)
        service.wait_for("is ready", 2)
        assert ask(service, "/flags") == "True True"
        assert ask(service, "/version") == "good"


def test_after_settings_that_cannot_be_had_all_is_as_it_was(site: Path) -> None:
    settings = site / "quaich.toml"
    settings.write_text('env = ["WHICH=good"]\n')
    edit(site, '"/version": VERSION', '"/version": os.environ["WHICH"]')
    with running(site, "--config", "quaich.toml", workers=1, before=NO_PAUSES) as service:
        (victim,) = service.workers()
        settings.write_text('env = ["WHICH=bad"]\nstatic = ["/x=nothing"]\n')
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: .*'nothing' is no directory")
        settings.write_bytes(b"\xff\xfe\0")
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: ", 2)
        os.kill(victim, signal.SIGKILL)
        service.wait_for("is ready", 2)
        assert ask(service, "/version") == "good"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_directory_of_files_that_is_not_there(site: Path, workers: str) -> None:
    options = ("-w", workers, "--static", "/x=nothing")
    with Service(*options, app="site_app:app", directory=site) as service:
        assert service.wait() == 2
        assert service.text() == "quaich: --static: 'nothing' is no directory\n"


def test_of_two_reloads_the_second_of_which_fails_the_first_goes_on(site: Path) -> None:
    """Else some workers would be of one version for good, and some of another."""
    once = "open('once', 'x') if not os.path.exists('once') else threading.Event().wait(); "
    with running(site, before=NO_PAUSES) as service:
        edit(site, 'VERSION = "first"', f'{once}VERSION = "second one"')
        service.send(signal.SIGHUP)
        service.wait_for("is ready", 3)
        service.wait_for("to replace", 2)
        edit(site, f'{once}VERSION = "second one"', "1 / 0")
        service.send(signal.SIGHUP)
        service.wait_for(
            "NOT RELOADED: .*; 1 worker with the former application goes on; to replace 1 worker "
            "of before that one is tried again and again"
        )
        edit(site, "1 / 0", 'VERSION = "second one"')
        service.wait_for("reloaded: all workers are new ones")
        assert {ask(service, "/version") for _ in range(20)} == {"second one"}


def test_a_reload_makes_no_other_certificate(site: Path) -> None:
    """Whoever has accepted the first one would have to accept that."""
    settings = site / "quaich.toml"
    settings.write_text('certfile = "adhoc"\n')
    with running(site, "--config", "quaich.toml", workers=1) as service:
        settings.write_text('certfile = "adhoc"\nworkers = 0\n')
        (site / "site_app.py").rename(site / "away")
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: ")
        (site / "away").rename(site / "site_app.py")
        service.send(signal.SIGHUP)
        service.wait_for("reloaded: all workers are new ones")
        assert service.text().count("a certificate for localhost was made") == 1


def test_many_reloads_at_once(site: Path) -> None:
    with running(site, workers=1) as service:
        edit(site, '"first"', '"second one"')
        for _ in range(200):
            service.send(signal.SIGHUP)
            assert ask(service, "/")
        service.wait_for("reloaded: all workers are new ones")
        wait_until(lambda: ask(service, "/version") == "second one", "the last one counts")
        wait_until(lambda: len(children(service.pid)) == 1, "the others to end")
        assert service.stop() == 0


# --- The system ---


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("os.fork", "the system does not fork: Resource temporarily unavailable"),
        ("messages.Channel.pair", "the system has no sockets: Resource temporarily unavailable"),
    ],
)
def test_no_process_to_be_had(site: Path, what: str, line: str) -> None:
    """It is tried again."""
    before = (
        f"{NO_PAUSES}; import os; from quaich.server.supervisor import channel as messages; "
        f"real, failures = {what}, iter([11, 11]); "
        "throw = lambda number: (_ for _ in ()).throw(OSError(number, os.strerror(number))); "
        f"{what} = lambda: next(map(throw, failures), None) or real()"
    )
    with Service("-w", "1", app="site_app:app", directory=site, before=before) as service:
        service.wait_address()
        assert service.text().count(f"no other worker: {line}\n") == 2
        assert ask(service, "/version") == "first"


def test_a_new_program_that_is_no_program(site: Path) -> None:
    """As in the middle of an installation."""
    before = "import sys; sys.executable = '/nowhere/python'"
    with running(site, workers=1, before=before) as service:
        service.send(signal.SIGUSR2)
        service.wait_for("SIGUSR2: the new program cannot be started: .*'/nowhere/python'")
        service.wait_for("the new program has ended with exit code 1; this one goes on")
        assert "Traceback" not in service.text()
        assert ask(service, "/version") == "first"
        assert service.stop() == 0


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_full_disk(site: Path, workers: str) -> None:
    """Lines are lost, and nothing else."""
    options = ("-w", workers, "--error-logfile", "/dev/full", "--access-logfile", "/dev/full")
    with Service(*options, app="site_app:app", directory=site) as service:
        service.wait_address()
        assert ask(service, "/version") == "first"
        service.send(signal.SIGUSR1)
        assert ask(service, "/version") == "first"
        assert service.stop() == 0


# --- The supervisor's end, and what goes with it ---


def test_whoever_asks_knows_of_the_end_before_the_workers_do(site: Path) -> None:
    with running(site, "--admin-bind", "127.0.0.1:0", workers=1) as service:
        (port,) = service.find(r"^Admin pages on http://127\.0\.0\.1:(\d+)$")
        (worker,) = service.workers()
        os.kill(worker, signal.SIGSTOP)
        service.send(signal.SIGTERM)
        service.wait_for("SIGTERM: stopping")
        with Client(("127.0.0.1", int(port))) as client:
            response = client.exchange(get("/readyz"))
        assert response.status == 503
        assert response.content.startswith(b"draining")
        os.kill(worker, signal.SIGCONT)
        assert service.wait() == 0


def test_nobody_stays_without_a_supervisor(site: Path) -> None:
    """Nor a worker that a thread of the application keeps, nor the process of the pages."""
    edit(
        site,
        'VERSION = "first"',
        'VERSION = "first"; threading.Thread(target=threading.Event().wait).start()',
    )
    before = "import quaich.server.supervisor.worker as worker; worker._SPARE_TIME = 0.1"
    options = ("--admin-bind", "127.0.0.1:0", "--graceful-timeout", "0")
    with running(site, *options, workers=1, before=before) as service:
        pids = children(service.pid)
        assert len(pids) == 2
        os.kill(service.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, pids)), "all of them to end")


def test_one_that_is_not_ready_does_not_stay_without_a_supervisor(site: Path) -> None:
    """An import may last for ever, with the sockets."""
    get_stuck(site)
    before = "import quaich.server.supervisor.worker as it; it._PARENT_LOOK = 0.05"
    with Service("-w", "1", app="site_app:app", directory=site, before=before) as service:
        service.wait_for("^stuck$")
        (worker,) = children(service.pid)
        os.kill(service.pid, signal.SIGKILL)
        wait_until(lambda: not is_running(worker), "it ends")


def test_a_supervisor_that_fails_leaves_nobody_behind(site: Path) -> None:
    before = (
        "import quaich.server.supervisor.supervisor as it; "
        "it.Supervisor._reopen_logs = lambda self: 1 / 0; "
        "import quaich.server.supervisor.reloading as reloading; reloading.QUICK = -0.9"
    )
    pidfile, path = site / "pid", site / "socket"
    options = ("--pidfile", str(pidfile), "-b", f"unix:{path}", "--admin-bind", "127.0.0.1:0")
    with running(site, *options, workers=1, before=before) as service:
        get_stuck(site)
        service.send(signal.SIGTTIN)
        service.wait_for("^stuck$")
        pids = children(service.pid)
        assert len(pids) == 3
        service.send(signal.SIGUSR1)
        assert service.wait() == 1
        assert "ZeroDivisionError" in service.text()
        assert not any(map(is_running, pids))
        assert not path.exists()
        assert not pidfile.exists()


def test_one_that_is_ready_when_the_end_has_begun(site: Path) -> None:
    """It is not announced: the sockets are closed."""
    fifo = site / "fifo"
    os.mkfifo(fifo)
    edit(
        site,
        'VERSION = "first"',
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f'os.write(1, b"stuck\\n"); open({str(fifo)!r}).read(); VERSION = "first"',
    )
    before = "import quaich.server.supervisor.plan as it; it.ABORT_TIME = 1e9"
    with Service("-w", "1", app="site_app:app", directory=site, before=before) as service:
        service.wait_for("^stuck$")
        service.send(signal.SIGTERM)
        service.wait_for("SIGTERM: stopping")
        fifo.write_text("")
        assert service.wait() == 0
        service.wait_for("is ready")
        assert "Listening on" not in service.text()
        assert "Traceback" not in service.text()


def test_an_end_before_there_is_a_supervisor_leaves_nothing(site: Path) -> None:
    before = (
        "import os, signal, quaich.server.supervisor as it; real = it.open_all; "
        "it.open_all = lambda *args: (real(*args), os.kill(os.getpid(), signal.SIGTERM))[0]"
    )
    path = site / "socket"
    options = ("-w", "1", "-b", f"unix:{path}")
    with Service(*options, app="site_app:app", directory=site, before=before) as service:
        assert service.wait() == 0
        assert not path.exists()
        assert service.find("SIGTERM: stopping")
        assert not service.find("started")


def test_without_standard_error(site: Path) -> None:
    """As with ``2>&-``. Where else is the error log for?"""
    log = site / "error.log"
    options = ("-w", "1", "--error-logfile", str(log))
    before = "sys.stderr = None"
    with Service(*options, app="site_app:app", directory=site, before=before) as service:
        wait_until(lambda: log.exists() and "is ready" in log.read_text(), "it serves")
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("Signals = None", "NoneType"),
        ("_Worker.serve = lambda self: 1 / 0", "worker failed: ZeroDivisionError: division by"),
    ],
)
def test_a_worker_that_fails_beside_the_application(site: Path, fault: str, words: str) -> None:
    """Before and after it was ready. There may be no standard error for a traceback."""
    log = site / "error.log"
    options = ("-w", "1", "--error-logfile", str(log))
    before = f"import quaich.server.supervisor.worker as it; it.{fault}"
    with Service(*options, app="site_app:app", directory=site, before=before) as service:
        if "Signals" in fault:
            assert service.wait() == 1
            assert "quaich: the worker failed: TypeError: 'NoneType'" in service.text()
        else:
            wait_until(lambda: log.exists() and words in log.read_text(), "the line")
            assert "    before = " not in service.text()


def test_of_two_programs_the_one_that_serves_says_whether_it_is_ready(site: Path) -> None:
    """The new one is silent until it serves, and the old one when it ends."""
    with running(site, "--admin-bind", "127.0.0.1:0", workers=1) as service:
        (port,) = service.find(r"^Admin pages on http://127\.0\.0\.1:(\d+)$")

        def is_ready() -> bool:
            statuses = set()
            for _ in range(20):
                with Client(("127.0.0.1", int(port))) as client:
                    statuses.add(client.exchange(get("/readyz", "Connection: close")).status)
            return statuses == {200}

        wait_until(is_ready, "it is ready")
        get_stuck(site)
        service.send(signal.SIGUSR2)
        service.wait_for("^stuck$")
        assert is_ready()
        (new,) = service.find(r"SIGUSR2: the new program is (\d+)")
        os.kill(int(new), signal.SIGTERM)
        service.wait_for("the new program has ended with exit code 0; this one goes on")
        get_unstuck(site)
        with held(service, site) as (_, let_end):
            service.send(signal.SIGUSR2)
            service.wait_for("is ready", 2)
            service.send(signal.SIGTERM)
            service.wait_for("SIGTERM: stopping")
            wait_until(is_ready, "the old one has no say")
            assert service.is_alive()
            let_end()
            assert service.wait() == 0
        assert is_ready()


def test_of_no_workers_there_is_not_one_less(site: Path) -> None:
    with running(site, workers=1) as service:
        service.send(signal.SIGTTOU)
        service.wait_for("1 worker from now on")
        service.send(signal.SIGWINCH)
        service.wait_workers(0)
        service.send(signal.SIGTTOU)
        service.wait_for("0 workers from now on", 2)
        assert service.stop() == 0


def test_a_signal_that_comes_again_at_once_is_one() -> None:
    assert _once([1, 21, 1, 21, 1, 15], 1) == [21, 21, 1, 15]
    assert _once([21, 21], 1) == [21, 21]
    assert _once([], 1) == []


# --- What is said at the start ---


@pytest.mark.parametrize("workers", ["0", "1"])
def test_addresses_of_both_are_said(site: Path, workers: str) -> None:
    options = ("-w", workers, "--certfile", "adhoc", "--admin-bind", "127.0.0.1:0")
    with Service(*options, app="site_app:app", directory=site) as service:
        service.wait_for("^Admin pages on ")
        assert service.find(r"^Listening on https://127\.0\.0\.1:\d+\nAdmin pages on (http://.*)$")
        assert "Listening on http:" not in service.text()
        (port,) = service.find(r"^Admin pages on http://127\.0\.0\.1:(\d+)$")
        with Client(("127.0.0.1", int(port))) as client:
            assert client.exchange(get("/healthz")).status == 200


# --- Owners ---


def test_what_workers_may_not_read_is_read_for_them(site: Path) -> None:
    """And neither they nor the process of the pages are root."""
    if os.geteuid():
        if "CI" in os.environ:
            pytest.fail("only root may become another user")
        pytest.skip("only root may become another user")
    closed = site / "closed"
    closed.mkdir(mode=0o700)
    authority = Authority(site)
    path = closed / "both.pem"

    def renew() -> bytes:
        issued = authority.issue("localhost")
        issued.write(path)
        return ssl.PEM_cert_to_DER_cert(issued.certificate_in_pem.decode())

    def served(service: Service) -> bytes:
        text = ssl.get_server_certificate(service.address, timeout=10)
        return ssl.PEM_cert_to_DER_cert(text)

    first = renew()
    options = ("--preload", "--certfile", str(path), "--user", NOBODY, "--group", NOBODY)
    before = "import quaich.server.supervisor.renewal as it; it.CERTIFICATES = 0.1"
    more = ("--admin-bind", "127.0.0.1:0")
    with running(site, *options, *more, workers=1, before=before) as service:
        pids = children(service.pid)
        assert len(pids) == 2
        is_nobody = f"\nUid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n"
        wait_until(
            lambda: all(is_nobody in Path(f"/proc/{pid}/status").read_text() for pid in pids),
            "both to be nobody",  # the process of the pages may not have got that far
        )
        assert served(service) == first
        second = renew()
        service.wait_for(r"has ended \(certificate\)")
        assert served(service) == second
