"""Settings as a file that is read again."""

import tomllib
from pathlib import Path

import pytest

from quaich.settings import TABLE, Given, Setting, from_environment, from_keywords, merge, settings
from quaich.settings.files import from_file
from quaich.settings.writing import format_settings, format_text, format_value
from settings_support import EXAMPLES, beside

every_setting = pytest.mark.parametrize("setting", TABLE.values(), ids=TABLE)


@pytest.mark.parametrize(
    "text", ["", "a b", 'a"b', r"a\b", "a\nb\tc\r\b\f", "\x00\x1b\x7f", "é😀", "\u2028", "#'="]
)
def test_a_text_is_read_as_it_was(text: str) -> None:
    written = format_text(text)
    assert tomllib.loads(f"a = {written}") == {"a": text}
    assert written.isprintable()


def test_a_name_that_is_no_text() -> None:
    assert format_text("a\ud800\udcff\udfff") == '"a???"'


@every_setting
def test_a_value_is_read_as_it_was(setting: Setting) -> None:
    for value in (EXAMPLES[setting.name][1], setting.default):
        if value is not None:
            read = tomllib.loads(f"a = {format_value(setting, value)}")["a"]
            assert setting.kind.parse(read) == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("threads", 8, "8"),
        ("workers", "auto", '"auto"'),
        ("umask", 0o022, '"022"'),
        ("body_buffer", 65_536, '"64KiB"'),
        ("body_buffer", 100, "100"),
        ("keep_alive", 0.0, "0"),
        ("keep_alive", 75.0, '"75s"'),
        ("reuse_port", True, "true"),
        ("bind", (":1", ":2"), '[":1", ":2"]'),
        ("root_path", "", '""'),
    ],
)
def test_as_one_would_write_it(name: str, value: object, text: str) -> None:
    assert format_value(TABLE[name], value) == text


def read_back(tmp_path: Path, text: str) -> dict[str, Given]:
    path = tmp_path / "quaich.toml"
    path.write_text(text, "utf-8")
    return from_file(path)


def test_the_defaults(tmp_path: Path) -> None:
    text = format_settings()
    assert merge(read_back(tmp_path, text)) == settings()
    assert text.count("  # default\n") == len(TABLE)
    assert '\nkeep-alive = "75s"  # default\n' in text
    assert "\n# pidfile = none  # default\n" in text


@every_setting
def test_each_setting(tmp_path: Path, setting: Setting) -> None:
    """What is printed is what counts, but what is secret is not printed."""
    given = from_keywords(beside(setting.name) | {setting.name: EXAMPLES[setting.name][1]})
    text = format_settings(given)
    if setting.is_secret:
        assert f"# {setting.key} = " in text
        assert EXAMPLES[setting.name][0] not in text
        assert "(not shown)" in text
    else:
        assert merge(read_back(tmp_path, text)) == merge(given)


def test_who_gave_it() -> None:
    words = {"threads": Given(1, "--threads 1", "--threads"), "pidfile": Given(None, "", "x")}
    text = format_settings(
        words, from_environment({"QUAICH_THREADS": "2", "QUAICH_BACKLOG": "3", "QUAICH_ENV": "A=b"})
    )
    assert "\nthreads = 1  # --threads\n" in text
    assert "\nbacklog = 3  # QUAICH_BACKLOG\n" in text
    assert "\n# pidfile = none  # x\n" in text
    assert "\n# env = A=… (not shown)  # QUAICH_ENV\n" in text
