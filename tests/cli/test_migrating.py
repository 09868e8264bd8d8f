"""From gunicorn's settings to a file of ours."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from quaich.cli.commands import quaich as command
from quaich.cli.errors import ConfigurationError
from quaich.cli.migrating import migrate
from quaich.settings import TABLE, Settings, merge, settings
from quaich.settings.files import from_file
from quaich.settings.gunicorn import SETTINGS, VERSION, Other, Same

LIST = Path(__file__).with_name("gunicorn-settings.txt")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])


def run(*args: str, **variables: str) -> Result:
    return CliRunner().invoke(command, ["migrate", *args], env=variables)


def read_back(text: str) -> Settings:
    Path("quaich.toml").write_text(text, "utf-8")
    return merge(from_file(Path("quaich.toml")))


def migrated(config: str, *arguments: str) -> tuple[Settings, str]:
    """What our reader makes of a gunicorn.conf.py that was migrated, and the text of it."""
    Path("gunicorn.conf.py").write_text(config)
    text = migrate("gunicorn.conf.py", arguments, {})
    return read_back(text), text


def notes(text: str) -> list[str]:
    return [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]


# --- The table ---------------------------------------------------------------------------


def test_each_setting_of_gunicorn_is_known() -> None:
    """The list is gunicorn's own, with its flags::

    for each in sorted(gunicorn.config.KNOWN_SETTINGS, key=lambda each: each.name):
        print(" ".join([each.name, *(each.cli or ())]))
    """
    first, *lines = LIST.read_text().splitlines()
    assert first.startswith(f"# Of gunicorn {VERSION}: ")
    known = {line.split()[0]: tuple(line.split()[1:]) for line in lines}
    assert {name: row.flags for name, row in SETTINGS.items()} == known


def test_each_is_the_same_here_or_explained() -> None:
    for row in SETTINGS.values():
        if isinstance(row, Same):
            assert row.name in TABLE
        else:
            assert row.reason
            assert not row.reason.endswith(".")


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if isinstance(row, Other)])
def test_what_has_no_equal_is_named(name: str) -> None:
    """And the file is one that can be read."""
    found, text = migrated(f"{name} = 'some'\nthreads = 2\n")
    assert found == settings(workers=1, threads=2)
    (note,) = notes(text)
    assert note.startswith(f"{name} = 'some': ")


# --- What is the same --------------------------------------------------------------------


def plain(**keywords: Any) -> Settings:
    """The settings, and what gunicorn does unless it is told otherwise."""
    return settings(**{"workers": 1, "threads": 1, "timeout": 30} | keywords)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", plain()),
        ("bind = ':1'", plain(bind=":1")),
        ("bind = ['127.0.0.1:1', '[::1]:1']", plain(bind="127.0.0.1:1,[::1]:1")),
        ("bind = 'unix:/run/x'", plain(bind="unix:/run/x", uds_permissions="777")),
        ("bind = 'unix:/run/x'; umask = 0o007", plain(bind="unix:/run/x", uds_permissions="770")),
        ("umask = '0o117'", plain(uds_permissions="660")),
        ("umask = '007'", plain(uds_permissions="770")),  # as of a command line
        ("bind = '[::]:1'", plain(bind=":1,[::]:1")),  # gunicorn's takes IPv4 too
        ("workers = 4; threads = 8", settings(workers=4, threads=8)),
        ("workers = 4; worker_class = 'gthread'", settings(workers=4, threads=1)),
        ("worker_class = 'sync'; timeout = 0", plain(timeout=0)),
        ("worker_class = 'gthread'; timeout = 0", settings(workers=1, threads=1)),
        ("worker_class = 'gunicorn.workers.sync.SyncWorker'", plain()),
        ("worker_class = 'egg:gunicorn#gthread'; threads = 8", settings(workers=1, threads=8)),
        ("class ThreadWorker: pass\nworker_class = ThreadWorker", settings(workers=1, threads=1)),
        ("timeout = 99; graceful_timeout = 9", plain(timeout=99, graceful_timeout=9)),
        ("keepalive = 0", plain(keep_alive=0)),
        ("max_requests = 5; max_requests_jitter = 2", plain(max_requests=5, max_requests_jitter=2)),
        ("max_requests = 0; max_requests_jitter = 0", plain()),
        ("preload_app = True; reuse_port = True", plain(preload=True, reuse_port=True)),
        ("daemon = False; reload = False; spew = False; logconfig_dict = {}", plain()),
        ("accesslog = '-'; errorlog = '/e'", plain(access_logfile="-", error_logfile="/e")),
        ("accesslog = None; certfile = None; pythonpath = None", plain()),
        ("access_log_format = '%(h)s %({x-id}i)s'", plain(access_logformat="%(h)s %({x-id}i)s")),
        ("loglevel = 'WARNING'", plain(log_level="warning")),
        ("raw_env = ['A=1,2', 'B=\"']", plain(env=["A=1,2", 'B="'])),
        ("pythonpath = '/a,/b'; chdir = '/c'", plain(pythonpath="/a,/b", chdir="/c")),
        ("user = 33; group = 'www-data'", plain(user="33", group="www-data")),
        ("wsgi_app = 'shop:make(\"de\")'", plain(app='shop:make("de")')),
        ("proc_name = 'shop'; pidfile = '/p'", plain(name="shop", pidfile="/p")),
        ("forwarded_allow_ips = '*'", plain(forwarded_allow_ips="*")),
        ("forwarded_allow_ips = ''", plain(forwarded_allow_ips="none")),
        ("proxy_protocol = True", plain(proxy_protocol="auto")),
        ("proxy_protocol = 'v2'; proxy_allow_ips = '10.0.0.0/8'",
         plain(proxy_protocol="v2", proxy_allow_from="10.0.0.0/8")),
        ("import ssl; certfile = 'c'; ca_certs = 'a'; cert_reqs = ssl.CERT_REQUIRED",
         plain(certfile="c", ca_certs="a", cert_reqs="required")),
        ("statsd_host = 'unix:///run/s'; statsd_prefix = 'x'; dogstatsd_tags = 'a:b,c'",
         plain(statsd_host="unix:/run/s", statsd_prefix="x", dogstatsd_tags="a:b,c")),
        ("def count():\n    return 2\nworkers = count()\nx = y = 1", plain(workers=2)),
    ],
)  # fmt: skip
def test_the_same_settings(config: str, expected: Settings) -> None:
    found, text = migrated(config)
    assert found == expected
    assert notes(text) == []


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ("limit_request_line = 0", "limit_request_line = 0: 0 is no limit there"),
        ("workers = 'many'", "workers = 'many': it takes a whole number from 0"),
        ("bind = '8000'", "bind = '8000': a port alone is :8000"),
        ("access_log_format = '%(zz)s'", "access_log_format = '%(zz)s': there is no '%(zz)s' in"),
        ("cert_reqs = 7", "cert_reqs = 7: IndexError"),
        ("umask = 'x'", "umask = 'x': ValueError"),
        ("keyfile = 'k'", "keyfile = 'k': it needs certfile"),
        ("worker_class = 'gthread'; timeout = 9; threads = 2", "timeout = 9: with this kind of"),
        ("threads = 2; timeout = 9", "timeout = 9: with this kind of worker it was not for a re"),
        ("worker_class = 'gevent'; threads = 1", "worker_class = 'gevent': there is one kind of"),
        ("worker_class = 'uvicorn.workers.UvicornWorker'; threads = 1", "worker_class = 'uvicorn."),
        ("class Own: pass\nworker_class = Own\nthreads = 1", "worker_class: there is one kind"),
        (
            "def post_fork(server, worker): pass",
            "post_fork: there are no hooks of the server; each",
        ),
        ("daemon = True", "daemon = True: it stays in the foreground"),
        ("raw_paste_global_conf = ['a\\nb']", "raw_paste_global_conf = ['a\\nb']: a function"),
    ],
)
def test_a_value_that_has_no_equal(config: str, note: str) -> None:
    _, text = migrated(config)
    (found,) = notes(text)
    assert found.startswith(note)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("gevent", "calls that wait do: set threads"),
        ("uvicorn.workers.UvicornWorker", "it is for ASGI"),
        ("asgi", "it is for ASGI"),
        ("own.Worker", "there is one kind of worker, with threads, as many as threads says"),
    ],
)
def test_a_kind_of_worker_is_explained(kind: str, words: str) -> None:
    _, text = migrated(f"worker_class = {kind!r}")
    (note,) = notes(text)
    assert words in note
    assert ("set threads" in note) == (kind == "gevent")


def test_a_name_needs_a_package() -> None:
    """gunicorn goes on without it, and without the name."""
    _, text = migrated("proc_name = 'shop'")
    assert '\nname = "shop"  # needs the extra title, for setproctitle\n' in text


def test_what_was_computed_is_marked() -> None:
    _, text = migrated("import os\nworkers = len(os.listdir('.')) + 2\nthreads = 2\n")
    assert "\nworkers = 3  # computed here, for this machine\nthreads = 2\n" in text


@pytest.mark.parametrize(
    "count",
    [
        "import os; workers = os.cpu_count() + 1",
        "import multiprocessing as m\ndef count(): return m.cpu_count()\nworkers = count()",
    ],
)
def test_a_number_of_processors_need_not_be_computed(count: str) -> None:
    _, text = migrated(count)
    assert '  # computed here, for this machine; "auto" is one for each processor\n' in text


def test_who_is_believed_decides_more_here() -> None:
    for value in ("'*'", "str('*')"):
        _, text = migrated(f"forwarded_allow_ips = {value}")
        assert 'forwarded-allow-ips = ["*"]  # ' in text
        assert "here it decides REMOTE_ADDR too, so name the proxies\n" in text
    assert "REMOTE_ADDR" not in migrated("forwarded_allow_ips = '10.0.0.1'")[1]


def test_a_name_that_is_misspelt() -> None:
    """It is like one of a setting, and the file does not use it itself."""
    config = """
import logging as loglevell
wrkers = 4
kepalive: int = 3
thread = 2
threads = thread * 4
Bind = _bind = ":1"
lockfile = "x"
timeoutt = object()

def backlogg(): pass
"""
    _, text = migrated(config)
    assert [line for line in text.splitlines() if "no setting of gunicorn's" in line] == [
        "# kepalive: no setting of gunicorn's; did you mean keepalive?",
        "# wrkers: no setting of gunicorn's; did you mean workers?",
    ]


def test_a_default_stands_for_what_has_no_equal() -> None:
    _, text = migrated("workers = 'x'")
    assert "\nworkers = 1  # not what is given; see below\n" in text


def test_a_file_without_a_setting_is_told_from_one_with_defaults() -> None:
    line = "\n# There is no setting of gunicorn's in gunicorn.conf.py.\n"
    assert line in migrated("def app(environ, start_response): pass")[1]
    assert line not in migrated("workers = 1")[1]


# --- Where settings are ------------------------------------------------------------------


def test_a_command_line_comes_first_and_the_file_last() -> None:
    Path("gunicorn.conf.py").write_text("workers = 1\nthreads = 2\nbacklog = 3\nprint('hello')\n")
    result = run(
        "--", "gunicorn", "-w", "9", "-b", ":1", "-b", ":2", "shop:app", "--preload",
        GUNICORN_CMD_ARGS="--workers=8 --threads 7 --proxy-protocol --env 'A=b c'",
    )  # fmt: skip
    assert result.stderr == "hello\n"
    assert result.stdout.startswith(
        "# Made by quaich migrate, from gunicorn.conf.py and GUNICORN_CMD_ARGS and a command line"
    )
    assert read_back(result.stdout) == settings(
        workers=9,
        threads=7,
        backlog=3,
        bind=":1,:2",
        app="shop:app",
        preload=True,
        proxy_protocol="auto",
        env=["A=b c"],
    )


@pytest.mark.parametrize(
    ("args", "variables"),
    [
        (("etc/g.py",), {}),
        (("file:etc/g.py",), {}),
        (("python:etc.g",), {}),
        (("--", "-c", "etc/g.py"), {"GUNICORN_CMD_ARGS": "-c nowhere"}),
        ((), {"GUNICORN_CMD_ARGS": "-c etc/g.py"}),
        (("etc/without",), {}),
    ],
)
def test_the_file_may_be_named(args: tuple[str, ...], variables: dict[str, str]) -> None:
    Path("etc").mkdir()
    Path("other.py").write_text("COUNT = 7\n")
    for name in ("g.py", "without"):
        Path("etc", name).write_text("import other\nbacklog = other.COUNT\n")
    Path("gunicorn.conf.py").write_text("backlog = 1\n")
    result = run(*args, **variables)
    assert result.exit_code == 0, result.stderr
    assert read_back(result.stdout).listen.backlog == 7
    for name in ("etc.g", "etc", "other"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ((), "there is no gunicorn.conf.py here; name the file, or give gunicorn's options after"),
        (("nowhere.py",), "there is no file 'nowhere.py'"),
        (("python:surely_not_here",), "python:surely_not_here cannot be run: ModuleNotFoundError"),
        (("wrong.py",), "wrong.py cannot be run: ZeroDivisionError: division by zero"),
        (("invalid.py",), "invalid.py cannot be run: SyntaxError"),
        (("leaves.py",), "leaves.py cannot be run: SystemExit: 4"),
        (("--", "--frobnicate"), "the command line is none of gunicorn's: unrecognized arguments"),
    ],
)
def test_what_cannot_be_migrated(args: tuple[str, ...], line: str) -> None:
    Path("wrong.py").write_text("1 / 0\n")
    Path("invalid.py").write_text("def f(:\n")
    Path("leaves.py").write_text("import sys\nsys.exit(4)\n")
    result = run(*args)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"quaich: {line}")
    assert result.stdout == ""


def test_a_wrong_variable() -> None:
    with pytest.raises(ConfigurationError, match=r"^GUNICORN_CMD_ARGS is none of gunicorn's: "):
        migrate(None, (), {"GUNICORN_CMD_ARGS": "--frobnicate"})
    with pytest.raises(ConfigurationError, match=r"^GUNICORN_CMD_ARGS: ValueError: No closing"):
        migrate(None, (), {"GUNICORN_CMD_ARGS": "--env 'A=b"})


def test_it_is_written_to_a_file_that_is_new() -> None:
    assert run(os.devnull, "-o", "quaich.toml").output == ""
    assert merge(from_file(Path("quaich.toml"))) == plain()
    result = run(os.devnull, "-o", "quaich.toml")
    assert result.exit_code == 2
    assert result.stderr == (
        "quaich: --output quaich.toml: it is there already; remove it, or give another name\n"
    )
    assert run(os.devnull, "-o", "no/quaich.toml").stderr.endswith("No such file or directory\n")


def test_the_example_in_the_manual() -> None:
    page = Path(__file__).parents[2] / "docs" / "migrating" / "gunicorn.md"
    text = page.read_text("utf-8")
    (config,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    (expected,) = re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S)
    assert migrated(config)[1] == expected
