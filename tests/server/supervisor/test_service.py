"""A supervised server as a process: what signals do to it, and what becomes of its workers."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loss.clients import is_refused
from loss.service import Service
from server.supervisor.sites import ask, edit, held, is_running, running, write_site
from server.wire import Client, Ending, Truncated, get, wait_until
from stress.process import environment

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The directory of an application, ``site:app`` in it."""
    return write_site(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two workers of the application."""
    directory = tmp_path_factory.mktemp("shared")
    write_site(directory)
    with running(directory) as service:
        yield service


# --- What is served ---


@pytest.mark.rule("S46")
def test_there_are_other_processes(shared: Service) -> None:
    assert ask(shared, "/flags") == "True True"
    assert int(ask(shared)) in shared.workers()
    assert int(ask(shared, "/loaded")) in shared.workers()


@pytest.mark.rule("S46")
def test_one_worker_is_not_alone_while_it_is_replaced(site: Path) -> None:
    with running(site, "--threads", "1", workers=1) as service:
        assert ask(service, "/flags") == "True False"


def test_as_many_as_there_are_processors(site: Path) -> None:
    from quaich.server.supervisor.cpus import available

    with Service("-w", "auto", app="site_app:app", directory=site) as service:
        service.wait_address()
        assert len(service.wait_workers(available())) == available()


def test_the_first_line_on_the_way(shared: Service) -> None:
    """Where it listens is said when somebody answers there."""
    lines = shared.text().splitlines()
    listening = next(number for number, line in enumerate(lines) if "Listening on" in line)
    assert not any("is ready" in line for line in lines[:listening])
    assert "is ready" in lines[listening + 1]


# --- Starting ---


def test_an_application_that_does_not_import(site: Path) -> None:
    """The traceback as with one process, once, and no second attempt."""
    (site / "site_app.py").write_text("import surely_not_installed\n")
    with Service("-w", "3", app="site_app:app", directory=site) as service:
        assert service.wait() == 3
        text = service.text()
    assert text.endswith(
        "Traceback (most recent call last):\n"
        f'  File "{site / "site_app.py"}", line 1, in <module>\n'
        "    import surely_not_installed\n"
        "ModuleNotFoundError: No module named 'surely_not_installed'\n"
        "quaich: cannot load 'site_app:app': the import of module 'site_app' failed: "
        "ModuleNotFoundError: No module named 'surely_not_installed'\n"
    )
    assert text.count("Traceback") == 1
    assert text.count(" started\n") == 3
    assert "Listening" not in text


def test_an_application_that_kills_its_process(site: Path) -> None:
    (site / "site_app.py").write_text("import os; os.kill(os.getpid(), 9)\n")
    with Service("-w", "1", app="site_app:app", directory=site) as service:
        assert service.wait() == 3
        assert "was killed by SIGKILL while it loaded the application\n" in service.text()


def test_an_application_that_is_not_ready(site: Path) -> None:
    options = ("-w", "1", "--ready-path", "/refuse")
    with Service(*options, app="site_app:app", directory=site) as service:
        assert service.wait() == 3
        assert service.text().endswith(
            "quaich: ready_path: the application answers GET /refuse with 503\n"
        )


def test_an_application_that_says_that_it_is_ready(site: Path) -> None:
    """The private question is in no access log."""
    with running(site, "--ready-path", "/version", "--access-logfile", "-") as service:
        assert ask(service, "/there") == "/there"
        service.stop()
        assert service.text().count("GET /") == 1


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (("--max-requests", "5"), "--max-requests 5: it needs --workers 1 or more\n"),
        (("--preload",), "--preload: it needs --workers 1 or more\n"),
        (("--reuse-port",), "--reuse-port: it needs --workers 1 or more\n"),
    ],
)
def test_what_needs_workers(site: Path, option: tuple[str, ...], line: str) -> None:
    with Service(*option, app="site_app:app", directory=site) as service:
        assert service.wait() == 2
        assert service.text() == f"quaich: {line}"


def test_the_library_function(site: Path) -> None:
    """``quaich.serve(app, workers=1)``: what comes after it is done once, and by no worker."""
    (site / "program.py").write_text(
        "import os, quaich, site_app\n"
        "try:\n"
        "    quaich.serve(site_app.app, bind='127.0.0.1:0', workers=1)\n"
        "finally:\n"
        "    print('after', os.getpid(), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=site,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            lines: list[str] = []
            while not (lines and "is ready" in lines[-1]):
                lines.append(process.stderr.readline())
            process.send_signal(signal.SIGHUP)
            while "reloaded" not in lines[-1]:
                lines.append(process.stderr.readline())
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert out == f"after {process.pid}\n"
    assert sum("its code cannot be loaded anew" in line for line in lines) == 1


# --- Reloading ---


def test_a_reload_loads_the_application_anew(site: Path) -> None:
    with running(site) as service:
        assert ask(service, "/version") == "first"
        edit(site, '"first"', '"second one"')
        service.send(signal.SIGHUP)
        service.wait_for("reloaded: all workers are new ones")
        assert ask(service, "/version") == "second one"


def test_a_reload_that_fails_is_said_loudly_and_changes_nothing(site: Path) -> None:
    with running(site) as service:
        before = service.workers()
        edit(site, 'VERSION = "first"', "1 / 0")
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: ")
        wait_until(lambda: service.workers() == before, "the new worker to end")
        assert ask(service, "/version") == "first"
        assert "    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero\n" in service.text()
        assert "; 2 workers with the former application go on\n" in service.text()
        edit(site, "1 / 0", 'VERSION = "third one"')
        service.send(signal.SIGHUP)
        service.wait_for("reloaded: all workers are new ones")
        assert ask(service, "/version") == "third one"


def test_a_reload_reads_the_settings_anew(site: Path) -> None:
    settings = site / "quaich.toml"
    settings.write_text("threads = 2\n")
    with running(site, "--config", "quaich.toml") as service:
        assert ask(service, "/flags") == "True True"
        settings.write_text("threads = 1\n")
        service.send(signal.SIGHUP)
        service.wait_for("reloaded: all workers are new ones")
        assert ask(service, "/flags") == "True False"
        settings.write_text("threads = 0\n")
        service.send(signal.SIGHUP)
        service.wait_for("NOT RELOADED: .*threads")
        assert ask(service, "/flags") == "True False"


def test_preloading(site: Path) -> None:
    """One process has loaded it; what a fork does to it is said."""
    edit(
        site,
        "import threading\n",
        "import socket, threading\n"
        "threading.Thread(target=threading.Event().wait, name='my thread', daemon=True).start()\n"
        "ours = socket.create_server(('127.0.0.1', 0))\n",
    )
    with running(site, "--preload") as service:
        assert ask(service, "/loaded") == str(service.pid)
        text = service.text()
        assert re.search("has started threads, .*: my thread\n", text)
        assert re.search(r"has opened sockets, .*: one at 127\.0\.0\.1:\d+\n", text)
        service.send(signal.SIGHUP)
        service.wait_for("its code cannot be loaded anew")
        service.wait_for("reloaded: all workers are new ones")
        assert ask(service, "/loaded") == str(service.pid)


# --- Workers that end ---


def test_a_worker_that_gets_sigterm_is_replaced_first(shared: Service) -> None:
    victim = shared.workers()[0]
    os.kill(victim, signal.SIGTERM)
    shared.wait_for(rf"worker {victim} has ended \(signal\)")
    started, retires = (
        shared.text().index(words)
        for words in (f"to replace {victim} (signal)", f"worker {victim} retires (signal)")
    )
    assert started < retires
    assert len(shared.wait_workers(2)) == 2


def stop(pid: int) -> None:
    """Let a process do nothing any more. Its threads stop when the system comes to it."""
    os.kill(pid, signal.SIGSTOP)

    def states() -> set[str]:
        tasks = Path(f"/proc/{pid}/task").glob("*/stat")
        return {task.read_text("utf-8").rpartition(")")[2].split()[0] for task in tasks}

    wait_until(lambda: states() == {"T"}, "the process has stopped")


def test_a_connection_that_waits_is_not_lost_with_a_worker(site: Path) -> None:
    """It waits at the listener, which is not that worker's alone."""
    with running(site, workers=1) as service:
        (victim,) = service.workers()
        stop(victim)
        with Client(service.address) as client:
            client.send(get("/"))
            os.kill(victim, signal.SIGKILL)
            service.wait_for(f"worker {victim} was killed by SIGKILL; another one takes its place")
            assert int(client.response().content) != victim


def test_a_connection_is_not_forgotten_with_the_worker_that_was_told_of_it(site: Path) -> None:
    """Of those that wait at the listener the system wakes one, and here that one is killed. The
    other one is told to look, though nobody takes the first one's place."""
    before = "import quaich.server.supervisor.plan as it; it.QUICK_DEATH = it.BACKOFF_MAX = 1e9"
    before += "; it.backoff = lambda deaths: 1e9"
    with running(site, workers=2, before=before) as service, Client(service.address) as first:
        # Whoever has got a connection goes to the end of the queue: so the next is the other's.
        other = int(first.exchange(get("/")).content)
        (victim,) = {*service.workers()} - {other}
        stop(victim)
        with Client(service.address) as client:
            client.send(get("/"))
            os.kill(victim, signal.SIGKILL)
            service.wait_for(f"worker {victim} was killed by SIGKILL")
            assert int(client.response().content) == other


def test_connections_are_shared_out(shared: Service) -> None:
    """The system wakes the first in a queue that does not turn by itself."""
    with contextlib.ExitStack() as stack:
        pids = []
        for _ in range(60):
            client = stack.enter_context(Client(shared.address))
            pids.append(int(client.exchange(get("/")).content))
    assert sorted(set(pids)) == sorted(shared.workers())
    assert all(pids.count(pid) >= 10 for pid in set(pids)), pids


def test_a_worker_that_hangs_says_where_and_is_replaced(site: Path) -> None:
    before = "import quaich.server.supervisor.reloading as it; it.SILENCE = 1.0"
    with running(site, workers=1, before=before) as service:
        (victim,) = service.workers()
        with Client(service.address) as client:
            client.send(get("/hang"))
            service.wait_for(f"worker {victim} has given no sign of life for ")
            with pytest.raises(Truncated):
                client.response()
        service.wait_for(rf"worker {victim} has ended \(stuck\)")
        assert re.search(r'File ".*site_app\.py", line \d+ in hang\n', service.text())
        assert int(ask(service)) != victim


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--max-worker-lifetime", "500ms"), "lifetime"),
        (("--max-worker-memory", "1m"), "memory"),
        (("--max-requests", "1"), "max-requests"),
    ],
)
def test_a_worker_that_has_had_enough_is_replaced(
    site: Path, option: tuple[str, ...], reason: str
) -> None:
    before = "import quaich.server.supervisor.plan as it; it.SETTLING = 0.0"
    with Service("-w", "1", *option, app="site_app:app", directory=site, before=before) as service:
        service.wait_address()
        first = int(ask(service))
        service.wait_for(rf"worker {first} has ended \({reason}\)")
        assert service.text().index(f"to replace {first} ({reason})") < service.text().index(
            f"worker {first} retires ({reason})"
        )


def test_a_worker_with_a_thread_that_does_not_come_back_is_replaced(site: Path) -> None:
    """The others of its requests are finished first."""
    options = ("--timeout", "200ms", "--graceful-timeout", "100ms")
    with running(site, *options, workers=1) as service:
        (victim,) = service.workers()
        with Client(service.address) as client:
            assert client.exchange(get("/block")).status == 504
        service.wait_for(rf"worker {victim} has ended \(stuck\)")
        assert int(ask(service)) != victim


def test_nothing_is_left_of_workers_that_were_replaced(site: Path) -> None:
    with running(site, workers=1) as service:

        def descriptors() -> int:
            return len(list(Path(f"/proc/{service.pid}/fd").iterdir()))

        before = descriptors()
        for number in range(5):
            service.send(signal.SIGHUP)
            service.wait_for("reloaded", number + 1)
            service.wait_workers(1)
        assert descriptors() == before


def test_workers_end_when_their_supervisor_is_no_more(site: Path) -> None:
    with running(site) as service:
        workers = service.workers()
        os.kill(service.pid, signal.SIGKILL)
        wait_until(lambda: is_refused(service.address), "the listener to be closed")
        wait_until(lambda: not any(map(is_running, workers)), "the workers to end")
        assert service.text().count("the supervisor is no more") == 2


def test_no_workers_at_all_and_again_some(shared: Service) -> None:
    """SIGWINCH, and then SIGHUP: who connects meanwhile has to wait, and is answered."""
    shared.send(signal.SIGWINCH)
    shared.wait_workers(0)
    with Client(shared.address) as client:
        client.send(get("/version"))
        shared.send(signal.SIGHUP)
        assert client.response().content == b"first"
    assert len(shared.wait_workers(2)) == 2


# --- Connections of a worker that retires ---


def test_who_sends_in_time_gets_its_answer_and_is_told(site: Path) -> None:
    with running(site, workers=1) as service, Client(service.address) as client:
        (old,) = service.workers()
        assert client.exchange(get("/")).persists
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")  # so the old one has been told
        response = client.exchange(get("/"))
        assert int(response.content) == old
        assert not response.persists
        assert client.ending() is Ending.CLEAN


def test_an_idle_connection_ends_with_an_end(site: Path) -> None:
    with running(site, workers=1) as service, Client(service.address) as client:
        client.exchange(get("/"))
        service.send(signal.SIGHUP)
        assert client.ending() is Ending.CLEAN
        client.close()
        service.wait_for(r"has ended \(reload\)$")


def test_without_workers_there_is_nothing_to_reload(site: Path) -> None:
    with Service(app="site_app:app", directory=site) as service:
        service.wait_address()
        service.send(signal.SIGHUP)
        service.wait_for("SIGHUP: there are no workers to be replaced")
        assert ask(service, "/version") == "first"
        assert service.stop() == 0


# --- Stopping ---


def test_a_stop_waits_for_what_is_under_way(site: Path) -> None:
    with running(site) as service, held(service, site) as (client, let_end):
        service.send(signal.SIGTERM)
        wait_until(lambda: is_refused(service.address), "the listener to be closed")
        assert service.is_alive()
        let_end()
        assert client.response().content == b"/hold"
        assert service.wait() == 0
        assert service.text().count("has ended (stop)\n") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_stop_does_not_wait_for_long(site: Path, number: int) -> None:
    before = "import quaich.server.running as it; it.QUICK = 0.1"
    options = ("--graceful-timeout", "1h")
    with (
        running(site, *options, before=before) as service,
        held(service, site) as (client, _),
    ):
        service.send(number)
        with pytest.raises(Truncated):
            client.response()
        assert service.wait() == 0
        assert "1 request was cut off\n" in service.text()


def test_a_stop_has_its_time(site: Path) -> None:
    with running(site, "--graceful-timeout", "0") as service, held(service, site) as (client, _):
        assert service.stop() == 0
        with pytest.raises(Truncated):
            client.response()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_signal_ends_all_at_once(site: Path, workers: int) -> None:
    """And no pidfile, no path and no process stays."""
    pidfile, path, admin = (site / name for name in ("pid", "socket", "admin"))
    options = ("--pidfile", str(pidfile), "-b", f"unix:{path}", "--admin-bind", f"unix:{admin}")
    with Service("-w", str(workers), *options, app="site_app:app", directory=site) as service:
        service.wait_address()
        service.wait_workers(workers)
        pids = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text("utf-8").split()
        assert len(pids) == workers + (workers > 0)
        with held(service, site):
            assert all(each.exists() for each in (pidfile, path, admin))
            service.send(signal.SIGTERM)
            wait_until(lambda: is_refused(service.address), "the listener to be closed")
            service.send(signal.SIGINT)
            assert service.wait() == -signal.SIGINT
        wait_until(lambda: not any(map(is_running, map(int, pids))), "the others to end")
        assert not any(each.exists() for each in (pidfile, path, admin))


# --- A new program ---


def test_a_new_program_takes_over(site: Path) -> None:
    """With the same sockets, also a path, which stays when the old one ends."""
    pidfile, path = site / "pid", site / "socket"
    options = ("--pidfile", str(pidfile), "-b", f"unix:{path}", "--chdir", ".")
    with running(site, *options, workers=1) as service:
        edit(site, '"first"', '"second one"')
        service.send(signal.SIGUSR2)
        service.wait_for("is ready", 2)
        new = int((site / "pid.2").read_text())
        assert pidfile.read_text() == f"{service.pid}\n"
        assert service.stop() == 0
        wait_until(lambda: pidfile.exists() and int(pidfile.read_text()) == new, "the new pidfile")
        assert not (site / "pid.2").exists()
        assert ask(service, "/version") == "second one"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(get("/version", "Connection: close"))
            assert client.makefile("rb").read().endswith(b"second one")
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: not is_running(new), "the new one to end")
        assert not pidfile.exists()
        assert not path.exists()


def test_a_new_program_that_cannot_start_changes_nothing(site: Path) -> None:
    path = site / "socket"
    with running(site, "-b", f"unix:{path}", workers=1) as service:
        edit(site, 'VERSION = "first"', "1 / 0")
        service.send(signal.SIGUSR2)
        service.wait_for("the new program has ended with exit code 3; this one goes on")
        assert ask(service, "/version") == "first"
        assert path.exists()
        assert service.stop() == 0
        assert not path.exists()
