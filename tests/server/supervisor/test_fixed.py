"""Settings that are not heeded until there is another program, and what is said of them."""

import json

import pytest

from quaich.server.supervisor import fixed
from quaich.settings import Settings, settings

FIRST = settings(bind="127.0.0.1:1", admin_bind="127.0.0.1:2", pidfile="/one", workers=1)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return [line.partition(" has changed, which ")[0] for line in lines]


OTHER = {
    "bind": "127.0.0.1:9",
    "backlog": 9,
    "uds_permissions": "600",
    "reuse_port": True,
    "admin_bind": "127.0.0.1:9",
    "pidfile": "/other",
    "preload": True,
}


def with_other(name: str) -> Settings:
    given = {
        "bind": "127.0.0.1:1",
        "admin_bind": "127.0.0.1:2",
        "pidfile": "/one",
        "workers": 1,
        "threads": 7,  # heeded
    }
    return settings(**given | {name: OTHER[name]})


@pytest.mark.parametrize("name", OTHER)
def test_a_reload_says_what_it_does_not_heed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    fixed.warn_of_reload(fixed.of_sockets(FIRST), FIRST, with_other(name))
    assert said(caplog) == [name]


def test_a_reload_without_such_changes_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fixed.warn_of_reload(fixed.of_sockets(FIRST), FIRST, FIRST)
    assert said(caplog) == []


@pytest.mark.parametrize("name", OTHER)
def test_a_new_program_heeds_all_but_what_is_about_sockets(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    handed_on = json.loads(json.dumps(fixed.of_sockets(FIRST)))
    fixed.warn_of_new_program(handed_on, with_other(name))
    assert said(caplog) == [name] * (name not in ("pidfile", "preload"))
    fixed.warn_of_new_program(handed_on, FIRST)
    fixed.warn_of_new_program({}, with_other(name))  # a former version told nothing
    assert said(caplog) == []


def test_pages_for_an_operator_come_and_go_with_a_new_program(
    caplog: pytest.LogCaptureFixture,
) -> None:
    without = settings(bind="127.0.0.1:1", workers=1)
    fixed.warn_of_new_program(fixed.of_sockets(FIRST), without)
    fixed.warn_of_new_program(fixed.of_sockets(without), FIRST)
    assert said(caplog) == []
