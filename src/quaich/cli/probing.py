"""``quaich probe``: which servers are to be judged, and where the report goes."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from quaich.cli.checking import chosen_rules, write_report
from quaich.cli.errors import CommandError, ConfigurationError
from quaich.conformance.findings import Report
from quaich.conformance.probe import reporting
from quaich.conformance.probe import trials as trials  # which registers them
from quaich.conformance.probe.judging import Probe, Verdict, judge, judged_rules
from quaich.conformance.probe.launching import (
    CannotStart,
    ask_hello,
    is_application,
    launched,
    split,
)
from quaich.conformance.probe.presets import PRESETS, version_of
from quaich.conformance.probe.reporting import Judged
from quaich.conformance.probe.wire import Client
from quaich.settings.nearest import nearest

FORMS: Final = tuple(reporting.FORMATS)

APPLICATION: Final = "quaich.conformance.probe.application:application"

_TRIES: Final = 2  # of what a server seems to break


class ServerFailed(CommandError):
    """The probe is over, and the server has broken rules. Its report has been written."""

    exit_code = 1


class NotJudged(CommandError):
    """There is no server that could be judged."""

    exit_code = 2


@dataclass(frozen=True)
class Wish:
    """What the command line says."""

    commands: Sequence[str]
    presets: Sequence[str]
    url: str | None
    python: str | None
    compare: bool
    select: Sequence[str]
    ignore: Sequence[str]
    form: str
    output: str | None
    strict: bool
    exit_zero: bool
    has_application: bool


def probe(wish: Wish, say: Callable[[str], object], progress: Callable[[str], object]) -> None:
    """Judge the servers, and write the report: to a file, or with ``say``. Raises
    :class:`ServerFailed`."""
    servers = _servers(wish)
    if len(servers) > 1 and not wish.compare:
        raise ConfigurationError("several servers at once are compared: add --compare")
    wanted = Report(select=chosen_rules(wish.select), ignore=chosen_rules(wish.ignore))
    rules = [rule for rule in judged_rules() if wanted.is_wanted(rule)]
    if not rules:
        raise ConfigurationError("--select and --ignore leave no rule that servers are judged by")
    if wish.compare and wish.form != "text":
        raise ConfigurationError(f"--format {wish.form}: a comparison is a table in Markdown")
    judged = [_judge(server, rules, progress) for server in servers]
    one = reporting.FORMATS[wish.form]
    text = reporting.compared(judged) if wish.compare else one(judged[0])
    write_report(text, wish.output, say)
    bad = sum(each.count("fail") + (each.count("warn") if wish.strict else 0) for each in judged)
    if bad and not wish.exit_zero:
        raise ServerFailed("; ".join(each.summary() for each in judged))


@dataclass(frozen=True)
class _Server:
    name: str
    version: str = ""
    command: str = ""
    url: str = ""
    has_application: bool = True


def _servers(wish: Wish) -> list[_Server]:
    servers = [_preset(name, wish.python or sys.executable) for name in wish.presets]
    servers += [_command(each, wish.has_application) for each in wish.commands]
    if wish.url is not None and not wish.url.strip():
        raise ConfigurationError("--url: the address is empty; it takes http://HOST:PORT")
    if wish.url is not None:
        servers.append(_Server(wish.url, url=wish.url, has_application=wish.has_application))
    if not servers:
        raise ConfigurationError(
            "which server? name one with --preset gunicorn, --exec 'COMMAND' or --url ADDRESS"
        )
    return servers


def _preset(name: str, python: str) -> _Server:
    preset = PRESETS.get(name)
    if preset is None:
        near = nearest(name, PRESETS)
        hint = f" (is {near} meant?)" if near else ""
        raise ConfigurationError(
            f"--preset {name}: no such preset{hint}; there are {', '.join(PRESETS)}"
        )
    try:
        version = version_of(preset, python)
    except OSError as error:
        raise ConfigurationError(f"--python {python}: {error.strerror}") from error
    if not version:
        raise ConfigurationError(
            f"--preset {name}: {preset.package} is not installed for {python};"
            f" pip install {preset.package}, or name another Python with --python"
        )
    return _Server(name, version, preset.filled(python))


def _command(text: str, has_application: bool) -> _Server:
    try:
        name = Path(split(text)[0]).name
    except CannotStart as error:
        raise ConfigurationError(f"--exec: {error}") from error
    if "{port}" not in text:
        raise ConfigurationError(
            f"--exec {text!r}: it has no {{port}}, which stands for the free port that the probe"
            " then asks at; a server with a port of its own is started before, and named with --url"
        )
    return _Server(name, command=text, has_application=has_application)


def _judge(server: _Server, rules: Sequence[str], progress: Callable[[str], object]) -> Judged:
    def show(verdict: Verdict) -> None:
        progress(f"{server.name}: {verdict.rule} {verdict.verdict}")

    if server.url:
        results = judge(_at(server), rules, show, tries=_TRIES)
    else:
        with _ended_by_signals(), contextlib.ExitStack() as stack:

            def start(kind: str) -> Client:
                stack.close()  # the one before
                running = stack.enter_context(
                    launched(server.command, kind=kind, is_ours=server.has_application)
                )
                return Client(running.host, running.port)

            try:
                client = start("function")
            except CannotStart as error:
                raise NotJudged(f"{server.name}: {error}") from error
            probe = Probe(client, server.has_application, start)
            results = judge(probe, rules, show, tries=_TRIES)
    progress("")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Judged(server.name, server.version, tuple(results), now)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the probe as Ctrl-C does, and with it the server that it has
    started, instead of leaving that behind."""
    numbers = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None))]
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's affair
        return

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _at(server: _Server) -> Probe:
    name = f"--url {server.url}"
    try:
        parts = urlsplit(server.url if "//" in server.url else f"//{server.url}", scheme="http")
        host, port = parts.hostname, 80 if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    if parts.scheme != "http" or not host:
        raise ConfigurationError(f"{name}: takes http://HOST:PORT; TLS cannot be probed")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(
            f"{name}: takes http://HOST:PORT and nothing behind it; a server is probed as a whole"
        )
    answer = ask_hello(host, port)
    if not answer:
        raise NotJudged(f"{name}: nothing answers at {host}, port {port}")
    if server.has_application and not is_application(answer):
        raise ConfigurationError(
            f"{name}: it does not serve {APPLICATION}; serve that, or judge by HTTP alone with"
            " --any-app"
        )
    return Probe(Client(host, port), server.has_application)
