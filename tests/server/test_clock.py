"""Date and Server."""

import pytest

from quaich.server import clock
from quaich.server.clock import Clock

EPOCH = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
LATER = "Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n"


class Time:
    """A time that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    stopped = Time()
    monkeypatch.setattr(clock, "time", stopped)
    return stopped


@pytest.mark.rule("S61")
@pytest.mark.rule("H133")
@pytest.mark.rule("H134")
@pytest.mark.rule("H135")
def test_the_fields_that_the_application_has_not_given(time: Time) -> None:
    both = Clock("quaich")
    assert both.fields() == f"Server: quaich\r\n{EPOCH}"
    assert both.fields(has_date=True) == "Server: quaich\r\n"
    assert both.fields(has_server=True) == EPOCH
    assert both.fields(has_date=True, has_server=True) == ""


@pytest.mark.rule("H135")
@pytest.mark.parametrize("software", [None, ""])
def test_without_a_name_there_is_no_server_field(time: Time, software: str | None) -> None:
    assert Clock(software).fields() == EPOCH


def test_it_goes_on_by_seconds(time: Time) -> None:
    date = Clock(None)
    time.now = 0.999
    date.refresh()
    assert date.fields() == EPOCH
    time.now = 1.0
    date.refresh()
    assert date.fields() == LATER


def test_it_follows_a_time_that_is_set_back(time: Time) -> None:
    time.now = 1.0
    date = Clock(None)
    time.now = 0.0
    date.refresh()
    assert date.fields() == EPOCH
