"""A server as a process: found, given the probe's application, and ended with all that is its."""

import ast
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from quaich.conformance.probe import application, launching
from quaich.conformance.probe.judging import Probe
from quaich.conformance.probe.launching import CannotStart, launched
from quaich.conformance.probe.wire import Client
from server.wire import wait_until

APPLICATION = Path(str(application.__file__)).parent


# --- The application stands alone ---------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(APPLICATION.glob("*.py")), ids=lambda path: path.name)
def test_the_application_is_written_for_old_pythons(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 8))
    modules = [
        name
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    ]
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names


@pytest.mark.parametrize("how", ["module", "file"])
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (None, "function"),
        ("function", "function"),
        ("instance", "instance"),
        ("bound method", "bound method"),
        ("class", "class"),
        ("partial", "partial"),
    ],
)
def test_the_application_needs_nothing_of_ours(
    tmp_path: Path, how: str, kind: str | None, told: str
) -> None:
    """Copied as it is for a server, in a Python that has nothing installed."""
    file = launching._put_application(tmp_path)
    find = {
        "module": "import quaich_probe_app as module",
        "file": "import runpy, types;"
        f" module = types.SimpleNamespace(**runpy.run_path({str(file)!r}))",
    }
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {find[how]};"
        " environ = {'PATH_INFO': '/call', 'QUERY_STRING': ''};"
        " print(*[each.decode() for each in module.application(environ, lambda *_: None)]);"
        " print(sorted(name for name in sys.modules if name.startswith('quaich.')))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code],
        capture_output=True,
        text=True,
        env={"WSGI_PROBE_CALLABLE": kind} if kind else {},
        check=True,
    )
    assert done.stdout.splitlines() == [
        f'{{"arguments": [2, []], "callable": "{told}"}}',
        "[]",
    ]


# --- Servers ------------------------------------------------------------------------------------


@pytest.mark.live
def test_a_server_is_started_and_ended() -> None:
    command = (
        "python -c 'from {module} import application; from wsgiref.simple_server import"
        ' make_server; make_server("{host}", {port}, application).serve_forever()\''
    )
    with launched(command) as running:
        probe = Probe(Client(running.host, running.port))
        probe.begin("S08")
        assert probe.environ()["REQUEST_METHOD"] == ["str", "GET"]
        assert [each["event"] for each in probe.log("called")] == ["called"]
    assert running.process.returncode is not None


def serving(text: str = "", *, host: str = "{host}") -> str:
    """A command: a small server that says what the probe's application says, and more behind it."""
    return shlex.join(
        [
            sys.executable,
            "-c",
            f"import os, socket, subprocess, sys, time\n"
            f"family = socket.AF_INET6 if ':' in '{host}' else socket.AF_INET\n"
            f"server = socket.create_server(('{host}', {{port}}), family=family)\n{text}\n"
            "while True:\n"
            "    sock, _ = server.accept()\n"
            "    sock.recv(65536)\n"
            "    sock.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nHello, probe!\\n')\n"
            "    sock.close()\n",
        ]
    )


def is_alive(pid: int) -> bool:
    """A process that has ended and that nobody has waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("own_session", [True, False])
def test_nothing_that_a_server_has_started_is_left(tmp_path: Path, own_session: bool) -> None:
    """Not what has a session of its own, nor what does not want to end."""
    note = tmp_path / "pid"
    sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    text = (
        f"child = subprocess.Popen([sys.executable, '-c', {sleeper!r}],"
        f" start_new_session={own_session})\nopen({str(note)!r}, 'w').write(str(child.pid))"
    )
    with launched(serving(text)) as running:
        pid = int(note.read_text())
        assert is_alive(pid)
    assert running.process.returncode is not None
    wait_until(lambda: not is_alive(pid), "the end of what the server had started")


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")
def test_a_server_that_goes_into_the_background_is_ended_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "_ANSWER_SECONDS", 0.2)
    note = tmp_path / "pid"
    text = (
        f"child = os.fork()\nif child: open({str(note)!r}, 'w').write(str(child)), os._exit(0)\n"
        "os.setsid(); time.sleep(600)"
    )
    with pytest.raises(CannotStart, match="stay in the foreground"):
        launched(serving(text)).__enter__()
    # It was killed, and is nobody's child who would wait for it.
    wait_until(lambda: not is_alive(int(note.read_text())), "it has ended")


@pytest.mark.live
def test_a_server_that_prints_without_end_serves_and_its_last_words_are_kept() -> None:
    text = (
        "import threading\n"
        "def shout():\n"
        "    while True: sys.stdout.write('last words ' * 10000)\n"
        "threading.Thread(target=shout, daemon=True).start()"
    )
    with launched(serving(text)) as running:
        wait_until(lambda: "last words" in running.said(), "what it prints")
        assert len(running._said) <= 1 << 17


@pytest.mark.live
def test_a_server_of_ipv6_is_found() -> None:
    with launched(serving(host="::1")) as running:
        assert running.host == "::1"
        assert Client(running.host, running.port).authority == f"[::1]:{running.port}".encode()


@pytest.mark.live
def test_a_server_of_something_else_is_not_judged_unless_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launching, "_OTHER_SECONDS", 0.2)
    command = serving().replace("Hello, probe!", "Nothing here")
    with pytest.raises(CannotStart, match="does not serve the probe's application"):
        launched(command).__enter__()
    with launched(command, is_ours=False) as running:
        assert running.process.poll() is None


@pytest.mark.live
@pytest.mark.parametrize("answer", ["time.sleep(600)", "sock.sendall(b'x' * 65536)"])
def test_a_server_that_never_answers_is_waited_for_so_long(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "_START_SECONDS", 0.5)
    monkeypatch.setattr(launching, "_OTHER_SECONDS", 0.2)
    monkeypatch.setattr(launching, "_ANSWER_SECONDS", 0.2)
    loop = (
        f"while True:\n    sock, _ = server.accept()\n    try:\n        while True: {answer}\n"
        "    except OSError: pass"
    )
    with pytest.raises(CannotStart, match=r"did not answer|does not serve"):
        launched(serving(loop)).__enter__()


@pytest.mark.live
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("python -c 'raise SystemExit(\"not today\")'", "not today"),
        ("no-such-server --port {port}", "No such file"),
        ("", "empty"),
        ("python 'run", "cannot be split"),
    ],
)
def test_why_a_server_does_not_start_is_said(command: str, said: str) -> None:
    with pytest.raises(CannotStart, match=said), launched(command):
        pass
