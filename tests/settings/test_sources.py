"""The table, and what becomes of keyword arguments and variables."""

import dataclasses
from typing import Any

import pytest

import quaich.settings as package
from quaich.settings import (
    GROUPS,
    TABLE,
    Given,
    Limits,
    Setting,
    SettingError,
    Settings,
    UnknownSetting,
    from_environment,
    from_keywords,
    merge,
    settings,
)
from settings_support import EXAMPLES, beside

every_setting = pytest.mark.parametrize("setting", TABLE.values(), ids=TABLE)


def expected(setting: Setting) -> Settings:
    """The settings that differ from the defaults in the example of one, and what it needs."""
    found = Settings()
    for name, value in (beside(setting.name) | {setting.name: EXAMPLES[setting.name][1]}).items():
        group = next(key for key, each in GROUPS.items() if each.__name__ == TABLE[name].group)
        changed: dict[str, Any] = {
            group: dataclasses.replace(getattr(found, group), **{name: value})
        }
        found = dataclasses.replace(found, **changed)
    return found


# --- The table ---------------------------------------------------------------------------


def test_each_setting_has_an_example() -> None:
    assert [*EXAMPLES] == [*TABLE]
    assert all(value != TABLE[name].default for name, (_, value) in EXAMPLES.items())


def test_no_two_settings_share_a_name() -> None:
    flags = [
        flag
        for each in TABLE.values()
        for flag in {each.flag, *each.aliases, *each.switches, each.short} - {None}
    ]
    assert len(flags) == len({*flags})
    assert len(TABLE) == sum(len(dataclasses.fields(group)) for group in GROUPS.values())


@every_setting
def test_a_default_is_a_value_that_the_setting_takes(setting: Setting) -> None:
    if setting.default is not None:
        assert setting.kind.parse(setting.kind.show(setting.default)) == setting.default
    assert setting.kind.parse(setting.default) == setting.default


@every_setting
def test_what_is_said_is_sentences(setting: Setting) -> None:
    assert setting.help.endswith(".")
    assert setting.precedents == "" or setting.precedents.endswith(".")
    assert len(setting.summary) <= 170
    assert setting.summary[0].isupper()


def test_records_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().limit_request_line = 1  # type: ignore[misc]


def test_public_names() -> None:
    assert all(hasattr(package, name) for name in package.__all__)


# --- Keyword arguments -------------------------------------------------------------------


def test_defaults() -> None:
    assert settings() == merge() == Settings()


@every_setting
def test_as_a_keyword(setting: Setting) -> None:
    text, value = EXAMPLES[setting.name]
    keywords: dict[str, object] = beside(setting.name) | {setting.name: text}
    assert settings(**keywords) == expected(setting)
    assert settings(**keywords | {setting.name: value}) == expected(setting)


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        (
            {"header_timeout": "30x"},
            "header_timeout='30x': a duration is a number of seconds, or 500ms, 30s, 5m, 1h",
        ),
        ({"keep_alive": -1}, "keep_alive=-1: it takes 0 or more than 0"),
        ({"threads": 0}, "threads=0: it takes a whole number from 1 to 2147483647"),
        ({"bind": [":1", ":1"]}, "bind=[':1', ':1']: :1 is given twice"),
        ({"poller": "kqueue"}, "poller='kqueue': it takes auto, epoll or selectors"),
        (
            {"access_logformat": ""},
            "access_logformat='': it takes a text that is not empty",
        ),
        ({"log_level": "a\n" * 100}, "log_level='" + "a\\n" * 26 + "a…: it takes debug, info, "),
    ],
)
def test_a_keyword_with_a_wrong_value(keywords: dict[str, object], line: str) -> None:
    with pytest.raises(SettingError) as caught:
        settings(**keywords)
    assert str(caught.value).startswith(line)
    assert str(caught.value) == f"{caught.value.given}: {caught.value.reason}"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("thread", "threads"),
        ("header_timeuot", "header_timeout"),
        ("Threads", "threads"),
        ("limit_concurrency", "worker_connections"),
        ("timeout_keep_alive", "keep_alive"),
        ("access_log", "access_logfile"),
        ("port", "bind"),
        ("loglevel", "log_level"),
        ("wsgi_app", "app"),
        ("frobnicate", None),
    ],
)
def test_a_keyword_that_is_none(name: str, meant: str | None) -> None:
    keywords: dict[str, object] = {name: "x"}
    with pytest.raises(UnknownSetting) as caught:
        settings(**keywords)
    assert isinstance(caught.value, TypeError)
    hint = f"; did you mean {meant}?" if meant else ""
    assert str(caught.value) == f"{name}='x': there is no such setting{hint}"


@pytest.mark.parametrize(
    ("keywords", "meant"),
    [
        ({"port": 9}, "bind='127.0.0.1:9'"),  # as --port 9 is
        ({"host": "0.0.0.0", "port": 9}, "bind='0.0.0.0:9'"),
        ({"host": "::1"}, "bind='[::1]:8000'"),
        ({"listen": "*:80"}, "bind='*:80'"),
        ({"uds": "/run/x"}, "bind='unix:/run/x'"),
        ({"fd": 3}, "bind='fd://3'"),
        ({"port": "http"}, "bind"),
        ({"uds": "/"}, "bind"),
    ],
)
def test_an_address_in_parts_is_put_together(keywords: dict[str, object], meant: str) -> None:
    with pytest.raises(UnknownSetting) as caught:
        settings(**keywords)
    assert caught.value.reason == f"there is no such setting; did you mean {meant}?"


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        (
            {"worker_class": "gthread"},
            "there is one kind of worker, with threads, as many as threads says: leave it out",
        ),
        ({"inbuf_overflow": 1}, "it is called body_buffer here"),
    ],
)
def test_a_keyword_of_another_server(keywords: dict[str, object], reason: str) -> None:
    with pytest.raises(UnknownSetting) as caught:
        settings(**keywords)
    assert caught.value.reason == reason


# --- Variables ---------------------------------------------------------------------------


@every_setting
def test_as_a_variable(setting: Setting) -> None:
    environ = {"PATH": "/bin", setting.variable: EXAMPLES[setting.name][0]}
    needed = from_keywords(beside(setting.name))
    assert merge(from_environment(environ), needed) == expected(setting)


def test_variables_that_say_nothing() -> None:
    environ = {
        "PATH": "x",
        "quaich_threads": "x",
        "QUAICH_THREADS": "",
        "QUAICH_FROBNICATE": "",
        # Of Kubernetes, for services that are called "quaich" and "quaich-threads".
        "QUAICH_SERVICE_HOST": "10.0.0.1",
        "QUAICH_SERVICE_PORT": "80",
        "QUAICH_SERVICE_PORT_HTTP": "80",
        "QUAICH_PORT": "tcp://10.0.0.1:80",
        "QUAICH_PORT_80_TCP": "tcp://10.0.0.1:80",
        "QUAICH_PORT_80_TCP_ADDR": "10.0.0.1",
        "QUAICH_THREADS_SERVICE_HOST": "10.0.0.2",
        "QUAICH_THREADS_PORT": "udp://10.0.0.2:80",
    }
    assert from_environment(environ) == {}


@pytest.mark.parametrize(
    ("environ", "name", "value", "origin"),
    [
        ({"WEB_CONCURRENCY": "3"}, "workers", 3, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "3", "QUAICH_WORKERS": "2"}, "workers", 2, "QUAICH_WORKERS"),
        ({"WEB_CONCURRENCY": "3", "QUAICH_WORKERS": ""}, "workers", 3, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": ""}, "workers", None, None),
        ({"FORWARDED_ALLOW_IPS": "*"}, "forwarded_allow_ips", ("*",), "FORWARDED_ALLOW_IPS"),
    ],
)
def test_variables_of_other_programs(
    environ: dict[str, str], name: str, value: object, origin: str | None
) -> None:
    """They count after our own."""
    found = from_environment(environ)
    assert (found[name].value if name in found else None) == value
    assert (found[name].origin if name in found else None) == origin


def test_the_variable_that_names_a_file_is_no_setting() -> None:
    assert from_environment({"QUAICH_CONFIG": "quaich.toml"}) == {}


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "QUAICH_HEADER_TIMEOUT",
            "30x",
            "QUAICH_HEADER_TIMEOUT=30x: a duration is a number of seconds, or 500ms, 30s, 5m, 1h",
        ),
        (
            "QUAICH_LIMIT_REQUEST_BODY",
            "64 k\n",
            "QUAICH_LIMIT_REQUEST_BODY='64 k\\n': a size is a number of bytes, or 64k, 1m, 1g, "
            "64KiB",
        ),
        (
            "QUAICH_SERVER_HEADER",
            "maybe",
            "QUAICH_SERVER_HEADER=maybe: it takes yes or no, true or false, on or off, 1 or 0",
        ),
        ("QUAICH_BIND", ":1,:1", "QUAICH_BIND=:1,:1: :1 is given twice"),
        (
            "QUAICH_THREAD",
            "3",
            "QUAICH_THREAD=3: there is no such setting; did you mean QUAICH_THREADS?",
        ),
        (
            "QUAICH_threads",
            "3",
            "QUAICH_threads=3: there is no such setting; did you mean QUAICH_THREADS?",
        ),
        (
            "QUAICH_PORT",
            "9000",
            "QUAICH_PORT=9000: there is no such setting; did you mean QUAICH_BIND=127.0.0.1:9000?",
        ),
        (
            "QUAICH_WORKER_CLASS",
            "gevent",
            "QUAICH_WORKER_CLASS=gevent: there is one kind of worker, with threads, as many as "
            "QUAICH_THREADS says: leave it out",
        ),
        (
            "QUAICH_KEYFILE_PASWORD",
            "sesame",
            "QUAICH_KEYFILE_PASWORD=…: there is no such setting; did you mean "
            "QUAICH_KEYFILE_PASSWORD?",
        ),
        (
            "WEB_CONCURRENCY",
            "many",
            "WEB_CONCURRENCY=many: it takes a whole number from 0 to 2147483647, or auto",
        ),
        ("QUAICH_", "x", "QUAICH_=x: there is no such setting"),
        ("QUAICH_X", "y" * 100, f"QUAICH_X={'y' * 80}…: there is no such setting"),
    ],
)
def test_a_wrong_variable(variable: str, value: str, line: str) -> None:
    with pytest.raises(SettingError) as caught:
        from_environment({variable: value})
    assert str(caught.value) == line


# --- Several sources ---------------------------------------------------------------------


def test_an_earlier_source_counts() -> None:
    first = from_keywords({"threads": 1, "backlog": 1})
    second = from_environment({"QUAICH_THREADS": "2", "QUAICH_POLLER": "selectors"})
    merged = merge(first, second)
    assert merged.concurrency.threads == 1
    assert merged.listen.backlog == 1
    assert merged.concurrency.poller == "selectors"
    assert merge(second, first).concurrency.threads == 2
    assert merged.limits == Limits()


def refuse(value: object) -> None:
    raise ValueError(f"no {value}")


def test_a_check_of_what_was_given() -> None:
    first = {"access_logformat": Given("%(q)s", "--access-logformat %(q)s")}
    second = from_environment({"QUAICH_ACCESS_LOGFORMAT": "x"})
    with pytest.raises(SettingError) as caught:
        merge(first, second, checks={"access_logformat": refuse})
    assert str(caught.value) == "--access-logformat %(q)s: no %(q)s"
    seen: list[object] = []
    merge(second, first, checks={"access_logformat": seen.append, "threads": refuse})
    assert seen == ["x"]  # the default needs no check
