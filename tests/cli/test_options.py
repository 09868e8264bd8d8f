"""The settings as options of a command."""

import click
import pytest
from click.testing import CliRunner

from quaich.cli.commands import quaich as command
from quaich.cli.options import SettingsCommand, given
from quaich.settings import (
    TABLE,
    Setting,
    SettingError,
    Settings,
    from_keywords,
    merge,
    settings,
)
from quaich.settings.declare import heading
from settings_support import EXAMPLES, beside


def read(*args: str, **others: object) -> Settings:
    """The settings that a command line says, and others."""
    found: list[Settings] = []

    @click.command(cls=SettingsCommand)
    @click.pass_context
    def probe(ctx: click.Context, /, **wishes: object) -> None:
        found.append(merge(given(ctx), from_keywords(others)))

    probe.main(args, standalone_mode=False)
    return found[0]


def example(setting: Setting) -> Settings:
    keywords: dict[str, object] = beside(setting.name)
    return settings(**keywords | {setting.name: EXAMPLES[setting.name][1]})


FLAGS = [
    (each, flag)
    for each in TABLE.values()
    if not each.kind.is_switch
    for flag in (each.flag, each.short, *each.aliases)
    if flag is not None
]
SWITCHES = [(each, flag) for each in TABLE.values() for flag in each.switches]


def test_nothing() -> None:
    assert read() == Settings()


@pytest.mark.parametrize(("setting", "flag"), FLAGS, ids=[flag for _, flag in FLAGS])
def test_as_a_flag(setting: Setting, flag: str) -> None:
    text, _ = EXAMPLES[setting.name]
    others = beside(setting.name)
    assert read(flag, text, **others) == example(setting)
    if flag.startswith("--"):
        assert read(f"{flag}={text}", **others) == example(setting)


@pytest.mark.parametrize(("setting", "flag"), SWITCHES, ids=[flag for _, flag in SWITCHES])
def test_as_a_switch(setting: Setting, flag: str) -> None:
    others = beside(setting.name)
    keywords: dict[str, object] = others | {setting.name: setting.switches[flag]}
    assert read(flag, **others) == settings(**keywords)


def test_the_switches_there_are() -> None:
    assert {flag: value for each in TABLE.values() for flag, value in each.switches.items()} == {
        "--stream-body": True,
        "--no-stream-body": False,
        "--server-header": True,
        "--no-server-header": False,
        "--access-log": "-",
        "--no-access-log": None,
        "--reuse-port": True,
        "--no-reuse-port": False,
        "--preload": True,
        "--no-preload": False,
    }


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        # The last of several counts, under whichever name.
        (("--threads", "2", "--threads", "3"), {"threads": 3}),
        (("--threads", "2", "--blocking-threads", "3"), {"threads": 3}),
        (("--blocking-threads", "3", "--threads", "2"), {"threads": 2}),
        (("-e", "A=1,2", "--env", "B=", "--raw-env", "C=3"), {"env": ["C=3"]}),
        (("-e", "A=1,2", "--env", "B="), {"env": ["A=1,2", "B="]}),
        (("--pythonpath", "a,b", "--pythonpath", "c"), {"pythonpath": "a,b,c"}),
        (("--forwarded-allow-ips", "none"), {"forwarded_allow_ips": []}),
        (("--server-header", "--no-server-header"), {"server_header": False}),
        (("--no-access-log", "--access-log"), {"access_logfile": "-"}),
        # Asking for the lines does not say where.
        (("--access-log", "--access-logfile", "log"), {"access_logfile": "log"}),
        (("--access-logfile", "log", "--access-log"), {"access_logfile": "log"}),
        (("--host", "localhost"), {"bind": "localhost:8000"}),
        (("--host", ""), {"bind": ":8000"}),
        (("--host", "::1"), {"bind": "[::1]:8000"}),
        (("--host", "[::1]", "--port", "1"), {"bind": "[::1]:1"}),
        (("--port", "0"), {"bind": "127.0.0.1:0"}),
        (("-b", ":1,unix:x", "-b", "fd://3"), {"bind": (":1", "unix:x", "fd://3")}),
        (("--uds", "/run/x"), {"bind": "unix:/run/x"}),
        (("--fd", "3"), {"bind": "fd://3"}),
        (("--fd", "3", "--port", "1", "--uds", "x"), {"bind": "127.0.0.1:1,unix:x,fd://3"}),
    ],
)
def test_several_words(args: tuple[str, ...], expected: dict[str, object]) -> None:
    assert read(*args) == settings(**expected)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (
            ("--header-timeout", "30x"),
            "--header-timeout 30x: a duration is a number of seconds, or 500ms, 30s, 5m, 1h",
        ),
        (
            ("--read-timeout=30x",),
            "--read-timeout 30x: a duration is a number of seconds, or 500ms, 30s, 5m, 1h",
        ),
        (("--body-timeout", "0"), "--body-timeout 0: it takes more than 0"),
        (("--threads", ""), "--threads : it takes a whole number from 1 to 2147483647"),
        (
            ("--limit-request-field_size", "x\n"),
            "--limit-request-field_size 'x\\n': a size is a number of bytes, or 64k, 1m, 1g, 64KiB",
        ),
        (("--log-level", "loud"), "--log-level loud: it takes debug, info, warning, error or "),
        (("-b", "8000"), "--bind 8000: a port alone is :8000"),
        (("-b", ":1", "-b", ":1"), "--bind :1 --bind :1: :1 is given twice"),
        (("--uds", "x", "-b", ":1"), "--bind :1: either this or --uds, not both"),
        (("--uds", "x/"), "--uds x/: it takes the path of a socket, not of a directory"),
        (("--fd", "x"), "--fd x: a descriptor is written fd://N, such as fd://3"),
        (("--port", "http"), "--port http: 'http' is not a port number, which goes from 0 to"),
        (("--host", "a b", "--port", "1"), "--host a b --port 1: it takes HOST, HOST:PORT, :PORT"),
        (("--host", "x", "-b", ":1"), "--bind :1: either this or --host and --port, not both"),
        (
            ("--no-access-log", "--access-logfile", "log"),
            "--access-logfile log --no-access-log: either the one or the other",
        ),
    ],
)
def test_wrong_words(args: tuple[str, ...], line: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(*args)
    assert str(caught.value).startswith(line)


def test_help_has_words_of_our_own() -> None:
    """None is called none, as by --print-config, and no range is in click's mathematics."""
    for name in ("serve", "check", "top"):
        text = CliRunner().invoke(command, [name, "--help"]).stdout
        assert "<=" not in text
        assert ">=" not in text
        assert "(default off)" not in text.replace("of which version (default off)", "")
    assert "APP" not in CliRunner().invoke(command, ["demo", "--help"]).stdout.split("Process:")[1]


@pytest.mark.parametrize("name", ["serve", "demo"])
def test_help_has_every_setting_under_its_group(name: str) -> None:
    result = CliRunner().invoke(command, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    sections = dict(
        part.split(":\n", 1) for part in result.stdout.split("\n\n")[1:] if ":\n  " in part
    )
    assert "TLS" in sections
    for setting in TABLE.values():
        if name == "demo" and setting.name == "app":
            continue  # it has its own
        section = sections[heading(setting.group)]
        assert f"{setting.flag} " in section
        assert not any(f"{alias} " in section for alias in setting.aliases)
        said = f"{setting.summary} (default {setting.shown_default})."
        assert "".join(said.split()) in "".join(section.split())  # lines break at hyphens too
    assert "--host HOST" in sections["Listen"]
    assert "--help" in sections["Options"]
    assert "APP" not in sections["Options"]
