"""The commands as far as they do not serve: options, help, errors."""

import errno
import os
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

import quaich
from quaich.cli import main
from quaich.cli.commands import quaich as command
from quaich.server import running
from quaich.server.server import Server
from quaich.settings import TABLE, Address, Settings, habits
from quaich.settings.gunicorn import SETTINGS, Same

OWN_OPTIONS = {"-c", "--config", "--check-config", "--print-config"}


def run(*args: str) -> Result:
    return CliRunner().invoke(command, args)


class Served(NamedTuple):
    """What a command has served: where, with which settings, and its answer to ``GET /``."""

    address: Address
    settings: Settings
    content: bytes


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, signal_handlers: None, loggers: Any) -> list[Served]:
    """What was served by the commands, each for one request."""
    found: list[Served] = []

    def serve_one(server: Server, *how_it_ends: object) -> None:
        server.start()
        with urllib.request.urlopen(server.url, timeout=10) as response:
            address = server.addresses[0]
            assert isinstance(address, Address)
            found.append(Served(address, server.settings, response.read()))

    monkeypatch.setattr(running, "run", serve_one)
    return found


# --- Help and versions -------------------------------------------------------------------


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",), ("help",)])
def test_help(args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.exit_code == 0
    assert "APP | COMMAND" in result.stdout
    assert {"demo", "serve"} <= {line.split()[0] for line in result.stdout.splitlines() if line}


@pytest.mark.parametrize("args", [("serve", "--help"), ("-b", ":1", "-h"), ("help", "serve")])
def test_help_on_serve(args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.exit_code == 0
    assert "MODULE:NAME" in result.stdout


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(option: str) -> None:
    result = run(option)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"quaich {quaich.__version__} (")
    assert sys.version.split()[0] in result.stdout


def test_main_exits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("quaich ")


def test_without_click(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "quaich.cli.commands")
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as caught:
        main(["demo"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "pip install 'quaich[cli]'" in err


def test_without_another_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only click's absence is explained so."""
    monkeypatch.delitem(sys.modules, "quaich.cli.commands")
    monkeypatch.setitem(sys.modules, "quaich.cli.load", None)
    with pytest.raises(ModuleNotFoundError):
        main(["demo"])


# --- What is served, and where -----------------------------------------------------------


@pytest.mark.live
@pytest.mark.parametrize(
    "args",
    [
        ("serve", "shop:app", "-b", "127.0.0.1:0"),
        ("shop:app", "--bind", "127.0.0.1:0"),
        ("-b", "127.0.0.1:0", "shop:app"),
        ("--port", "0", "shop.py"),
        ("shop", "--port", "0", "--host", "localhost"),
        ("hidden:app", "--port=0", "--app-dir", "types,src"),
        ("hidden:app", "--port=0", "--pythonpath", "types", "--pythonpath", "src"),
        ("hidden:app", "--port=0", "--chdir", "src"),
    ],
)
def test_serves(project: Path, served: list[Served], args: tuple[str, ...]) -> None:
    result = run(*args)
    assert (result.exit_code, result.output) == (0, "")
    ((address, _, content),) = served
    assert content == b"shop"
    assert address.host == "127.0.0.1"
    assert address.port != 0


@pytest.mark.live
@pytest.mark.parametrize(("args", "host"), [((), "0.0.0.0"), (("--port", "0"), "127.0.0.1")])
def test_a_variable_counts_unless_the_command_line_says_else(
    served: list[Served], args: tuple[str, ...], host: str
) -> None:
    result = CliRunner().invoke(command, ["demo", *args], env={"QUAICH_BIND": ":0"})
    assert result.exit_code == 0, result.stderr
    assert served[0].address.host == host


@pytest.mark.live
def test_serves_the_demonstration(served: list[Served]) -> None:
    assert run("demo", "--port", "0").exit_code == 0
    assert served[0].content.startswith(b"Hello world!")


@pytest.mark.live
def test_each_setting_may_come_from_either(served: list[Served]) -> None:
    result = CliRunner().invoke(
        command,
        ["demo", "--port", "0", "--header-timeout", "5m"],
        env={"QUAICH_KEEP_ALIVE": "2m", "QUAICH_HEADER_TIMEOUT": "1", "QUAICH_THREADS": "3"},
    )
    assert result.exit_code == 0, result.stderr
    settings = served[0].settings
    assert settings.timeouts.keep_alive == 120
    assert settings.timeouts.header_timeout == 300
    assert settings.concurrency.threads == 3


@pytest.mark.live
def test_an_ipv6_host_may_stand_in_brackets(served: list[Served]) -> None:
    result = run("demo", "--host", "[::1]", "--port", "0")
    if "no address" in result.stderr or "not supported" in result.stderr:
        pytest.skip("no IPv6 here")
    assert served[0].address.host == "::1"


# --- Errors ------------------------------------------------------------------------------


@pytest.mark.usefixtures("project", "served")
@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("shop", "-b", "8000"), "--bind 8000: a port alone is :8000"),
        (("shop", "-b", ":1", "-b", ":1"), "--bind :1 --bind :1: :1 is given twice"),
        (("shop", "-b", ":1", "--port", "2"), "--bind :1: either this or --host and --port"),
        (
            ("shop", "--access-logfile", "log", "--no-access-log"),
            "--access-logfile log --no-access-log: either the one or the other",
        ),
        (("shop", "--frobnicate"), "no such option"),
        (("serve",), "no application is given: write MODULE:NAME, or app ="),
        (("shop", "--app", "shop"), "shop --app shop: either the one or the other"),
        (("demo", "shop"), "got unexpected extra argument (shop) (see quaich demo --help)"),
        (("shop", "--port"), "option '--port' requires an argument"),
        (
            ("shop", "--worker-class", "x"),
            "--worker-class x: there is one kind of worker, with threads, as many as --threads says"
            ": leave it out",
        ),
        (("-kgevent", "shop"), "--worker-class gevent: there is one kind of worker, with threads"),
        (
            ("shop", "-k", "sync"),
            "--worker-class sync: there is one kind of worker, with threads, as many as --threads "
            "says: leave it out; with --threads 1 it is as sync was",
        ),
        (("shop", "--channel-timeout", "9"), "--channel-timeout: it is called --keep-alive here"),
        (("shop", "--thraeds", "9"), "no such option '--thraeds'; did you mean --threads? (see"),
        (("--theads", "4", "shop"), "no such option '--theads'; did you mean --threads? (see qu"),
        (("shop", "--worker", "4"), "no such option '--worker'; did you mean --workers?"),
        (("shop", "--keepalive", "4"), "no such option '--keepalive'; did you mean --keep-alive?"),
        (("shop", "--accesslog", "-"), "no such option '--accesslog'; did you mean --access-log"),
        (("serve", "--check-confg"), "no such option '--check-confg'; did you mean --check-config"),
        (("check", "shop", "--pth", "/"), "no such option '--pth'; did you mean --path? (see qua"),
        (("demo", "--app", "shop"), "no such option '--app' (see quaich demo --help)"),
        (("shop", "more"), "got unexpected extra argument (more), and there is no command 'shop'"),
        (("serve", "shop", "more"), "got unexpected extra argument (more)"),
        (("shop", "--umask", "99"), "--umask 99: it takes a mode in octal digits, such as 027"),
        (("shop", "-b", "http://h:1/"), "--bind http://h:1/: it takes an address, not a URL: wri"),
        (("check", "shop", "--crawl", "-1"), "invalid value for '--crawl': it takes a whole num"),
        (("top", "h:1", "--interval", "9ms"), "invalid value for '--interval': it takes 100ms"),
        (("check", "--middleware"), "no middleware is given: write MODULE:NAME"),
        (("shop", "--port", "http"), "--port http: 'http' is not a port number"),
        (("shop", "--threads", "0"), "--threads 0: it takes a whole number from 1"),
        (("--threads", "0", "shop"), "--threads 0: it takes a whole number from 1"),
        (("shop", "--chdir", "nowhere"), "--chdir: 'nowhere': No such file or directory"),
        (("shop", "--app-dir", "src,nowhere"), "--app-dir: there is no directory 'nowhere'"),
        (("shop", "-c", "nowhere"), "nowhere: cannot be read: No such file or directory"),
        (("shop", "--keyfile", "key"), "--keyfile key: it needs --certfile"),
        (
            ("shop", "--max-requests", "9", "-w", "0"),
            "--max-requests 9: it needs --workers 1 or more, not --workers 0",
        ),
        (
            ("shop", "--certfile", "adhoc", "--keyfile", "key"),
            "--keyfile key: it needs --certfile with a file",
        ),
        (
            ("shop", "-w", "1", "--ready-path", "ready"),
            "--ready-path ready: it takes a path such as /ready, perhaps with ?NAME",
        ),
        (
            ("shop", "--keyfile-password", "sesame"),
            "--keyfile-password …: it needs --certfile",
        ),
        (
            ("demo", "--access-logfile", "nowhere/log"),
            "--access-logfile: cannot write to 'nowhere/log': No such file",
        ),
        (
            ("demo", "--log-file", "nowhere/log"),
            "--log-file: cannot write to 'nowhere/log': No such file",
        ),
        (
            ("demo", "--access-logformat", "%(z)s"),
            "--access-logformat %(z)s: there is no '%(z)s' in an access log format; the nearest",
        ),
        (
            ("demo", "--access-logformat", "jsn"),
            "--access-logformat jsn: 'jsn' is no name of an access log format and has no atom",
        ),
        (
            ("demo", "-b", "surely.invalid:0"),
            "cannot listen on surely.invalid:0: the host 'surely.invalid' has no known address",
        ),
        (
            ("demo", "-b", f"{'x' * 64}.invalid:0"),
            f"cannot listen on {'x' * 64}.invalid:0: the host '{'x' * 64}.invalid' has no known",
        ),
        # RFC 5737: an address for documentation, which no host has.
        (
            ("demo", "-b", "192.0.2.1:0"),
            "cannot listen on 192.0.2.1:0: this host has no address 192.0.2.1",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(args: tuple[str, ...], line: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"quaich: {line}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.usefixtures("project", "served")
@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("QUAICH_THREADS", "0", "QUAICH_THREADS=0: it takes a whole number from 1"),
        ("QUAICH_THREAD", "9", "QUAICH_THREAD=9: there is no such setting; did you mean QUAICH_TH"),
        ("QUAICH_ACCESS_LOGFORMAT", "%(z)s", "QUAICH_ACCESS_LOGFORMAT=%(z)s: there is no '%(z)s'"),
    ],
)
def test_a_wrong_variable_is_one_line(variable: str, value: str, line: str) -> None:
    result = CliRunner().invoke(command, ["shop"], env={variable: value})
    assert result.exit_code == 2
    assert result.stderr.startswith(f"quaich: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.EACCES, "no permission for port 80; those below 1024"),
        (errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT)),
    ],
)
def test_an_address_that_cannot_be_bound_is_one_line(
    monkeypatch: pytest.MonkeyPatch, served: list[Served], number: int, line: str
) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    result = run("demo", "-b", "127.0.0.1:80")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"quaich: cannot listen on 127.0.0.1:80: {line}")


@pytest.mark.usefixtures("project", "served", "any_port")
@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("--port", "0", "demo"), "demo"),
        (("--frobnicate", "demo"), "demo"),
        (("unlike_all",), None),
        (("serve:app",), None),
        (("--frobnicate",), None),
    ],
)
def test_a_command_that_was_taken_for_an_app(args: tuple[str, ...], hint: str | None) -> None:
    result = run(*args)
    assert result.exit_code in (2, 3)
    last = result.stderr.splitlines()[-1]
    assert ("the command is written" in last) == (hint is not None)
    assert hint is None or last.endswith(f" (the command is written: quaich {hint} …)")


@pytest.mark.usefixtures("project", "served", "any_port")
@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("chekc", "shop:app"), "there is no command 'chekc'; did you mean check?\n"),
        (("serv", "shop:app"), "there is no command 'serv'; did you mean serve?\n"),
        (
            ("chekc", "--path", "/", "shop:app"),
            "no such option '--path' (there is no command 'chekc'; did you mean check?)\n",
        ),
        (("demmo",), " (there is no command 'demmo'; did you mean demo?)\n"),
        (("frobnicate",), " on sys.path), nor is there such a command (see quaich --help)\n"),
        (("frobnicate", "8000"), " (8000), and there is no command 'frobnicate' (see quaich --he"),
        (("serve", "frobnicate"), "on sys.path)\n"),
        (("frob.nicate",), "on sys.path)\n"),
    ],
)
def test_a_command_that_there_is_not(args: tuple[str, ...], line: str) -> None:
    result = run(*args)
    assert result.exit_code == (3 if "cannot load" in result.stderr else 2)
    assert line in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("project")
def test_the_kind_of_worker_that_there_is_may_be_named() -> None:
    for kind in ("gthread", "gunicorn.workers.gthread.ThreadWorker"):
        result = run("shop", "-k", kind, "--check-config")
        assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.usefixtures("project", "served", "any_port")
def test_an_application_that_cannot_be_loaded() -> None:
    result = run("factory:application")
    assert result.exit_code == 3
    assert result.stderr == (
        "quaich: cannot load 'factory:application': module 'factory' (factory.py) has no "
        "'application'; it has create(); did you mean 'factory:create()'?\n"
    )


OPTIONS = {flag for each in TABLE.values() for flag in (each.flag, each.short, *each.aliases)}
OTHERS = [
    *(name for names in habits.NOTES for name in names),
    *(flag for row in SETTINGS.values() for flag in row.flags),
]


def test_each_option_of_gunicorn_is_one_or_has_a_note() -> None:
    assert {flag for row in SETTINGS.values() if isinstance(row, Same) for flag in row.flags} <= (
        OPTIONS
    )


@pytest.mark.parametrize("option", sorted({*OTHERS} - OPTIONS - OWN_OPTIONS))
def test_an_option_of_another_server(option: str) -> None:
    """Each has its note, and none is an option that there is here."""
    note = habits.note_on(option, lambda setting: setting.flag)
    assert note is not None
    assert "{" not in note
    if option in ("-k", "--worker-class"):
        return  # it is one, with the value that says what is so here anyway
    result = run("shop", option)
    assert result.exit_code == 2
    assert result.stderr == f"quaich: {option}: {note}\n"
