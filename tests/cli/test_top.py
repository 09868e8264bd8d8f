"""quaich top: what a server does, in a terminal."""

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from quaich import Server
from quaich.cli.commands import quaich as command
from quaich.cli.errors import ConfigurationError
from quaich.cli.top import address_of
from quaich.cli.top_figures import Look, parse_metrics, rates
from quaich.cli.top_view import frame, plain, show_rate, show_size, show_time
from quaich.server.admin import Facts, application
from quaich.server.admin.looking import look
from quaich.server.admin.metrics import format_metrics
from quaich.server.admin.status import status_of
from quaich.server.figures.board import Board
from quaich.server.figures.counters import Counters
from quaich.settings import Address
from quaich.settings.address import UnixAddress

FACTS = Facts(version="9.8", python="3.11", addresses=("127.0.0.1:8000",))


class Made:
    """A board with one worker, and what it has counted."""

    def __init__(self) -> None:
        self.board = Board(slots=2)
        self.counters = Counters()
        self.slot = self.board.begin(0, pid=4711)
        self.slot.state = "ready"

    def count(self, times: int, code: int = 200, seconds: float = 0.02) -> None:
        for _ in range(times):
            self.counters.answered("GET", code, 2048, seconds, 0.0004)
        self.slot.requests += times
        self.slot.write_counters(self.counters.values())

    def look(self, time: float) -> Look:
        """As it comes from the server."""
        view = look(self.board)
        status = json.loads(json.dumps(status_of(view, FACTS)))
        return Look(time, status, parse_metrics(format_metrics(view, FACTS)))


@pytest.fixture
def made() -> Made:
    return Made()


def drawn(found: Look, before: Look | None = None, problem: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(frame(found, rates(found, before), problem))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


# --- Figures ------------------------------------------------------------------------------


def test_what_has_happened_between_two_looks_is_per_second(made: Made) -> None:
    made.count(100)
    before = made.look(10.0)
    made.count(30)
    made.count(10, code=503, seconds=0.2)
    found = rates(made.look(14.0), before)
    assert found.seconds == 4.0
    assert found.requests == 10.0
    assert found.by_class == {"2xx": 7.5, "5xx": 2.5}
    assert found.content_bytes == 40 * 2048 / 4
    assert found.duration.median is not None
    assert found.duration.p99 is not None
    assert 0.01 < found.duration.median <= 0.025
    assert 0.1 < found.duration.p99 <= 0.25


def test_where_nothing_has_happened_there_are_no_times(made: Made) -> None:
    made.count(5)
    before = made.look(1.0)
    found = rates(made.look(2.0), before)
    assert found.requests == 0
    assert found.duration == (None, None, None)


def test_a_first_look_is_about_the_time_since_the_start(made: Made) -> None:
    made.count(50)
    found = made.look(1.0)
    found = found._replace(status={**found.status, "uptime": 25.0})
    assert rates(found, None).requests == 2.0


def test_another_server_in_its_place_begins_anew(made: Made) -> None:
    made.count(50)
    before = made.look(1.0)
    other = Made()
    other.count(8)
    assert rates(other.look(3.0), before).requests == 4.0


def test_metrics_are_read_with_their_labels() -> None:
    text = '# HELP a b\n# TYPE a gauge\na{x="1\\"\\\\\\n",y="}"} 2.5\nb 1\na{x="2"} +Inf\n\n'
    found = parse_metrics(text)
    assert found["a"] == [({"x": '1"\\\n', "y": "}"}, 2.5), ({"x": "2"}, float("inf"))]
    assert found["b"] == [({}, 1.0)]


@pytest.mark.parametrize("line", ["<!DOCTYPE html>", "a", "a{b} ", "a 1 2 3"])
def test_what_is_no_metric_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"sample|float"):
        parse_metrics(line)


# --- The frame ----------------------------------------------------------------------------


def test_a_frame_has_workers_requests_and_figures(made: Made) -> None:
    made.count(100)
    before = made.look(10.0)
    made.count(40)
    made.slot.in_flight, made.slot.queued, made.slot.memory = 1, 3, 50 * 2**20
    made.slot.text.write(b'[{"method":"PUT","path":"/big","client":"10.1.1.1","since":0}]')
    text = drawn(made.look(12.0), before)
    assert "Quaich 9.8" in text
    assert "20/s" in text
    assert "saturated" in text
    assert "4711" in text
    assert "/big" in text
    assert "10.1.1.1" in text
    assert "50.0 MiB" in text
    assert "1 in flight, 3 queued" in text


def test_the_last_restarts_are_shown_with_their_reason(made: Made) -> None:
    made.board.begin(1, pid=4700)
    made.board.retire(1, "memory")
    text = drawn(made.look(1.0))
    assert "4700" in text
    assert "replaced so far: memory 1" in text


def test_a_problem_is_shown_above_what_there_was(made: Made) -> None:
    assert "nobody answers" in drawn(made.look(1.0), problem="nobody answers")


def test_no_path_commands_the_terminal(made: Made) -> None:
    """Nor rich, whose markup is in brackets."""
    entry = {"method": "GET", "path": "/\x1b[2J[red]\u202e", "client": "", "since": 0}
    made.slot.text.write(json.dumps([entry]).encode())
    text = drawn(made.look(1.0))
    assert "\x1b" not in text
    assert "/?[2J[red]?" in text


def test_many_requests_in_flight_are_cut(made: Made) -> None:
    entry = {"method": "GET", "path": "/x", "client": "", "since": 0}
    made.slot.text.write(json.dumps([entry] * 50).encode())
    text = drawn(made.look(1.0))
    assert text.count("/x") == 20
    assert "and 30 more" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0000123, "12 µs"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (119, "119 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (86400 * 3, "3 d"),
    ],
)
def test_a_time_is_shown_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert show_time(seconds) == text


def test_numbers_have_as_many_digits_as_mean_something() -> None:
    assert [show_rate(each) for each in (0, 0.123, 12.34, 1234.5)] == ["0", "0.123", "12.3", "1234"]
    assert [show_size(each) for each in (0, 1023, 1536, 200 * 2**20, 2**41)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "200 MiB",
        "2.0 TiB",
    ]
    assert plain("a\nb\x00ü") == "a?b?ü"


# --- The command --------------------------------------------------------------------------


@pytest.fixture
def url(made: Made) -> Iterator[str]:
    with Server(application(made.board, FACTS), bind="127.0.0.1:0") as server:
        yield server.url


def run(*args: str) -> Result:
    return CliRunner().invoke(command, ["top", *args])


@pytest.mark.live
def test_once_prints_one_frame(made: Made, url: str) -> None:
    made.count(3)
    result = run("--once", url)
    assert result.exit_code == 0
    assert result.stdout.count("Quaich 9.8") == 1
    assert "4711" in result.stdout


@pytest.mark.live
def test_where_the_output_is_no_terminal_it_is_once(url: str) -> None:
    assert run(url.removeprefix("http://")).exit_code == 0


@pytest.mark.live
def test_the_address_may_be_a_variable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUAICH_ADMIN_BIND", url.removeprefix("http://"))
    assert run("--once").exit_code == 0


@pytest.mark.live
def test_a_unix_socket_is_asked_as_well(made: Made, tmp_path: Any) -> None:
    bind = f"unix:{tmp_path}/admin"
    with Server(application(made.board, FACTS), bind=bind):
        assert "Quaich 9.8" in run("--once", bind).stdout


@pytest.mark.live
def test_live_it_is_drawn_until_ctrl_c(
    made: Made, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while nobody answers: it may be about to be replaced."""
    frames: list[str] = []

    class Terminal(Console):
        def __init__(self, **keywords: Any) -> None:
            super().__init__(
                file=io.StringIO(), force_terminal=True, width=120, height=40, **keywords
            )

    def sleep(seconds: float) -> None:
        assert seconds == 2.0
        frames.append("")
        made.count(10)
        if len(frames) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("rich.console.Console", Terminal)
    monkeypatch.setattr("quaich.cli.top.sleep", sleep)
    result = run(url)
    assert result.exit_code == 0
    assert len(frames) == 3


@pytest.mark.live
def test_nobody_there_is_an_error() -> None:
    result = run("--once", "127.0.0.1:1")
    assert result.exit_code == 1
    assert "nobody answers at 127.0.0.1:1" in result.stderr
    assert "--admin-bind" in result.stderr


@pytest.mark.live
def test_another_server_is_an_error() -> None:
    def other(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"[]"]

    with Server(other, bind="127.0.0.1:0") as server:
        result = run("--once", server.url)
    assert result.exit_code == 1
    assert "is not an admin address of Quaich" in result.stderr


def test_without_rich_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    result = run("--once", "127.0.0.1:1")
    assert result.exit_code == 1
    assert "pip install 'quaich[top]'" in result.stderr


def test_without_an_address_it_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUAICH_ADMIN_BIND", raising=False)
    result = run()
    assert result.exit_code == 2
    assert "quaich top http://HOST:PORT" in result.stderr


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:9090", Address("127.0.0.1", 9090)),
        ("HTTP://host:9090/", Address("host", 9090)),
        ("[::1]:9090", Address("::1", 9090)),
        (":9090", Address("", 9090)),
        ("unix:/run/admin", UnixAddress("/run/admin")),
    ],
)
def test_an_address_is_a_url_or_as_the_setting_has_it(text: str, address: Any) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["9090", "fd://3", "host:port", "http://"])
def test_a_wrong_address_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigurationError):
        address_of(text)


@pytest.mark.parametrize("text", ["https://host", "ftp://x", "http://h:1/metrics", "http://h/?x"])
def test_a_url_is_of_a_server_without_tls(text: str) -> None:
    with pytest.raises(ConfigurationError, match="it takes http://HOST:PORT, without TLS and with"):
        address_of(text)
