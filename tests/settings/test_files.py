"""Settings in a file: what is read, and what is wrong in which line."""

from pathlib import Path
from typing import Any

import pytest

from quaich.settings import (
    GROUPS,
    TABLE,
    Setting,
    SettingError,
    UnknownSetting,
    from_keywords,
    merge,
    settings,
)
from quaich.settings.files import find_file, from_file
from quaich.settings.writing import format_value
from settings_support import EXAMPLES, beside

every_setting = pytest.mark.parametrize("setting", TABLE.values(), ids=TABLE)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def write(directory: Path, text: str, name: str = "quaich.toml") -> Path:
    path = directory / name
    path.write_text(text, "utf-8", newline="")
    return path


def values(directory: Path, text: str, name: str = "quaich.toml") -> dict[str, Any]:
    return {key: each.value for key, each in from_file(write(directory, text, name)).items()}


# --- Which file --------------------------------------------------------------------------


def test_the_file_in_a_directory(directory: Path) -> None:
    assert find_file(directory) is None
    project = write(directory, "[tool.black]\n", "pyproject.toml")
    assert find_file(directory) is None
    project.write_text("[tool.quaich]\n")
    assert find_file(directory) == project
    own = write(directory, "")
    assert find_file(directory) == own


@pytest.mark.parametrize("content", [b"[tool", b"\xff", b'name = "quaich"', b"tool = 'quaich'"])
def test_a_project_that_does_not_speak_of_us(directory: Path, content: bytes) -> None:
    """Whatever is wrong with it; if it may speak of us, it has to be right."""
    (directory / "pyproject.toml").write_bytes(content)
    assert find_file(directory) is None


def test_a_project_that_speaks_of_us_and_is_wrong(directory: Path) -> None:
    write(directory, "[tool.quaich]\nthreads =\n", "pyproject.toml")
    with pytest.raises(SettingError, match=r"^pyproject.toml: it is not TOML: invalid value"):
        find_file(directory)


# --- What is read ------------------------------------------------------------------------


@every_setting
def test_as_text(directory: Path, setting: Setting) -> None:
    text, value = EXAMPLES[setting.name]
    found = from_file(write(directory, f'{setting.key} = "{text}"\n'))
    needed = from_keywords(beside(setting.name))
    keywords: dict[str, object] = beside(setting.name) | {setting.name: value}
    assert merge(found, needed) == settings(**keywords)


@every_setting
@pytest.mark.parametrize(
    "form", ["{key} = {value}", "{name} = {value}", "[{group}]\n{key}={value}"]
)
def test_as_a_value_of_toml(directory: Path, setting: Setting, form: str) -> None:
    """With hyphens, with underscores, and in the table of its group."""
    group = next(name for name, each in GROUPS.items() if each.__name__ == setting.group)
    _, value = EXAMPLES[setting.name]
    text = form.format(
        key=setting.key, name=setting.name, group=group, value=format_value(setting, value)
    )
    assert values(directory, text) == {setting.name: value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing\r\n", {}),
        ("workers = 4", {"workers": 4}),
        ("[workers]\nworkers = 4\nmax-requests = 1", {"workers": 4, "max_requests": 1}),
        ("timeouts.keep-alive = 5", {"keep_alive": 5.0}),
        ("keep-alive = 0.5", {"keep_alive": 0.5}),
        ('bind = [":1", "unix:x"]', {"bind": (":1", "unix:x")}),
        ('umask = "022"', {"umask": 0o022}),
        ('[env]\nA = "1"\nB = "x,y"', {"env": ("A=1", "B=x,y")}),
        ('[process.env]\nA = "1"', {"env": ("A=1",)}),
        ('env = ["A=1"]', {"env": ("A=1",)}),
        ("pythonpath = []", {"pythonpath": ()}),
    ],
)
def test_reads(directory: Path, text: str, expected: dict[str, Any]) -> None:
    assert values(directory, text) == expected


def test_reads_the_table_of_a_project(directory: Path) -> None:
    text = '[project]\nthreads = "x"\n[tool.quaich]\nthreads = 3\n[tool.quaich.workers]\nworkers=1'
    assert values(directory, text, "pyproject.toml") == {"threads": 3, "workers": 1}


def test_says_where_a_value_is_from(directory: Path) -> None:
    text = (
        '# threads = 9\nthreads = 3\n"backlog" = 4 # four\n'
        "\n[ timeouts ] # of clients\nkeep-alive = 5\n"
    )
    found = from_file(write(directory, text), "quaich.toml")
    assert [each.origin for each in found.values()] == [
        "quaich.toml, line 2",
        "quaich.toml, line 3",
        "quaich.toml, line 6",
    ]
    assert found["threads"].spelling == "quaich.toml, line 2: threads = 3"


# --- What is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("threads = 0", "f.toml, line 1: threads = 0: it takes a whole number from 1 to"),
        ("\n\nthreads = 1.5", "f.toml, line 3: threads = 1.5: it takes a whole number from 1"),
        ("threads = true", "f.toml, line 1: threads = true: it takes a whole number"),
        ("threads = []", "f.toml, line 1: threads = []: it takes a whole number"),
        ("threads = 2020-01-01", "f.toml, line 1: threads = 2020-01-01: it takes a whole number"),
        ("server-header = 1", "f.toml, line 1: server-header = 1: it takes yes or no"),
        ("app = 5", "f.toml, line 1: app = 5: it takes a text"),
        ("bind = [8000]", "f.toml, line 1: bind = [8000]: it takes an address"),
        ('keep-alive = "5x"', "f.toml, line 1: keep-alive = '5x': a duration is a number of"),
        ("umask = 22", 'f.toml, line 1: umask = 22: a mode is written in quotes: umask = "022"'),
        (
            "uds-permissions = 660 # of the group",
            "f.toml, line 1: uds-permissions = 660: a mode is written in quotes: uds-permissions = "
            '"660"',
        ),
        ("umask = 0o77", 'f.toml, line 1: umask = 63: a mode is written in quotes: umask = "077"'),
        ("umask = 99", 'f.toml, line 1: umask = 99: a mode is written in quotes: umask = "027"'),
        ("env = {A = 1}", "f.toml, line 1: [env]: the value of 'A' has to be a text, in quotes"),
        ('keyfile-password = ""', "f.toml, line 1: keyfile-password = …: it takes a text that"),
        ('env = ["sesame"]', "f.toml, line 1: env = …: a variable is written NAME=VALUE"),
        ('threads = """a\nb"""', "f.toml, line 1: threads = 'a\\nb': it takes a whole number"),
        ("backlog = 1\nbacklog=1", "f.toml: it is not TOML: cannot overwrite a value (at"),
        (
            "keep-alive = 1\nkeep_alive = 1",
            "f.toml, line 2: keep_alive = 1: it is given twice, also in f.toml, line 1",
        ),
        (
            "threads = 1\n[concurrency]\nthreads = 1",
            "f.toml, line 3: threads = 1: it is given twice, also in f.toml, line 1",
        ),
        (
            "[workers]\nthreads = 1",
            "f.toml, line 2: threads = 1: it belongs to [concurrency], or above all tables",
        ),
        ("[threads]\na = 1", "f.toml, line 1: [threads]: it takes a whole number"),
    ],
)
def test_refuses(directory: Path, text: str, line: str) -> None:
    with pytest.raises(SettingError) as caught:
        from_file(write(directory, text), "f.toml")
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("thraeds = 1", "line 1: thraeds = 1: there is no such setting; did you mean threads?"),
        ("keepalive = 1", "line 1: keepalive = 1: there is no such setting; did you mean keep-al"),
        ("[timeouts]\nx-y = 1", "line 2: x-y = 1: there is no such setting"),
        ("keyfile_pasword = 's'", "line 1: keyfile_pasword = …: there is no such setting; did you"),
        ("Threads = 1", "line 1: Threads = 1: there is no such setting; did you mean threads?"),
        ("[timeoust]\nx = 1", "line 1: [timeoust]: there is no such table; did you mean [timeout"),
        ("[frobnicate]", "line 1: [frobnicate]: there is no such table"),
        ("[timeouts.x]", "line 1: [timeouts.x]: there is no such setting"),
        ("configg = 'x'", "line 1: configg = 'x': there is no such setting"),
        # What other servers have.
        (
            "worker-class = 'gthread'",
            "line 1: worker-class = 'gthread': there is one kind of worker, with threads, as many "
            "as threads says: leave it out",
        ),
        ("channel_timeout = 5", "line 1: channel_timeout = 5: it is called keep-alive here"),
        ("accesslog = '-'", "line 1: accesslog = '-': there is no such setting; did you mean acce"),
        ("config = 'x'", "line 1: config = 'x': it names the file of settings; --config does so"),
        ("port = 80", 'line 1: port = 80: there is no such setting; did you mean bind = "127.0.0'),
        ("port = 80\nhost = '::'", "line 1: port = 80: there is no such setting; did you mean bi"),
    ],
)
def test_refuses_what_is_no_setting(directory: Path, text: str, line: str) -> None:
    with pytest.raises(UnknownSetting) as caught:
        from_file(write(directory, text), "f.toml")
    assert str(caught.value).startswith(f"f.toml, {line}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("keep-alive = 5m", '; a duration with a unit stands in quotes: keep-alive = "5m"'),
        (
            "x = 1\nbody_buffer = 64KiB # x",
            '; a size with a unit stands in quotes: body_buffer = "64',
        ),
        ("umask = 022", '; a mode stands in quotes: umask = "022"'),
        ("log-level = info", '; a text stands in quotes: log-level = "info"'),
        ("server-header = True", "; it takes true or false"),
        ("threads =", ")"),
        ("thraeds = 5m", ")"),
        ('app = "shop', ")"),
    ],
)
def test_what_is_no_toml_may_want_quotes(directory: Path, text: str, hint: str) -> None:
    with pytest.raises(SettingError, match=r"^f\.toml: it is not TOML: ") as caught:
        from_file(write(directory, text), "f.toml")
    assert hint in str(caught.value)
    assert ("quotes" in hint) == ("quotes" in str(caught.value))


def test_refuses_a_file_that_is_none(directory: Path) -> None:
    def line(path: Path) -> str:
        with pytest.raises(SettingError) as caught:
            from_file(path, path.name)
        return str(caught.value)

    assert line(directory / "x") == "x: cannot be read: No such file or directory"
    assert line(directory / "x.toml") == "x.toml: cannot be read: No such file or directory"
    (directory / "x").write_bytes(b"a = '\xff'")
    assert line(directory / "x") == "x: it is not UTF-8"
    assert "quaich migrate c.py" in line(write(directory, "", "c.py"))
    assert "no table [tool.quaich]" in line(write(directory, "[tool]", "pyproject.toml"))
    table = write(directory, "[tool.quaich]\nthreads = 0", "pyproject.toml")
    assert line(table).startswith("pyproject.toml, line 2: threads = 0: ")
