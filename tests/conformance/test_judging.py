"""The prober's frame: verdicts, a server that dies, and reports."""

import json
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from quaich.conformance.probe import judging
from quaich.conformance.probe.judging import Broken, Probe, Untestable, Verdict, judge
from quaich.conformance.probe.launching import CannotStart
from quaich.conformance.probe.reporting import FORMATS, Judged, compared
from quaich.conformance.probe.trials.refusing import must_refuse
from quaich.conformance.probe.wire import Client
from quaich.conformance.rules import catalogue

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(answer: bytes = ANSWER) -> Iterator[Client]:
    """A server that says the same to whatever comes, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(65536):
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Client("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """No trials but those that a test puts here."""
    trials: dict[str, Any] = {}
    monkeypatch.setattr(judging, "TRIALS", trials)
    monkeypatch.setattr(judging, "_PAUSE", 0.0)
    return trials


def verdicts(
    client: Client, start: Callable[[str], Client] | None = None, **more: Any
) -> dict[str, Verdict]:
    return {each.rule: each for each in judge(Probe(client, start=start), **more)}


# --- Verdicts ---------------------------------------------------------------------------------


def test_each_rule_for_servers_has_a_verdict(trials: dict[str, Any]) -> None:
    with answering() as client:
        found = verdicts(client)
    assert list(found) == [rule for rule in catalogue() if rule[0] in "SH"]
    assert {each.verdict for each in found.values()} == {"untestable"}
    assert all(each.detail for each in found.values())


@pytest.mark.parametrize(
    ("rule", "error", "verdict"),
    [
        ("H045", None, "pass"),
        ("H045", Broken("as was seen"), "fail"),
        ("H133", Broken("as was seen"), "warn"),  # a warning, by the catalogue
        ("H045", Untestable("as was seen"), "untestable"),
        ("H045", ConnectionRefusedError("as was seen"), "fail"),
        ("H045", ValueError("as was seen"), "untestable"),
    ],
)
def test_what_a_trial_says_becomes_a_verdict(
    trials: dict[str, Any], rule: str, error: Exception | None, verdict: str
) -> None:
    def trial(probe: Probe) -> str:
        probe.client.get("/")
        if error is not None:
            raise error
        return "as was seen"

    trials[rule] = trial
    with answering() as client:
        (found,) = verdicts(client, rules=[rule]).values()
    assert found.verdict == verdict
    assert "as was seen" in found.detail
    ((sent, received),) = found.talks
    assert sent.startswith(r"GET / HTTP/1.1\r\n")
    assert received == ANSWER.decode().replace("\r\n", r"\r\n")


def test_a_trial_that_ends_the_server_is_at_fault_and_the_next_is_not(
    trials: dict[str, Any],
) -> None:
    with answering() as first, answering() as second:

        def deadly(probe: Probe) -> None:
            # From here on there is nobody at that address.
            probe.client.port = _nobody()

        trials["H045"] = deadly
        trials["H046"] = lambda probe: str(probe.client.get("/").status)
        found = verdicts(first, rules=["H045", "H046"], start=lambda kind: second)
    assert found["H045"].verdict == "fail"
    assert "answers nobody any more" in found["H045"].detail
    assert (found["H046"].verdict, found["H046"].detail) == ("pass", "200")


@pytest.mark.parametrize("can_start", [True, False])
def test_behind_the_end_of_the_server_nothing_is_said_of_it(
    trials: dict[str, Any], can_start: bool
) -> None:
    """What is known stays known, though the server is gone and cannot be started again."""

    def deadly(probe: Probe) -> None:
        probe.client.port = _nobody()

    def start(kind: str) -> Client:
        raise CannotStart("not today")

    trials["H044"] = lambda probe: None
    trials["H045"] = deadly
    trials["H046"] = lambda probe: str(probe.client.get("/").status)
    with answering() as client:
        found = verdicts(client, rules=["H044", "H045", "H046"], start=start if can_start else None)
    assert [each.verdict for each in found.values()] == ["pass", "fail", "untestable"]
    assert "since the trial of H045" in found["H046"].detail
    assert ("not today" in found["H046"].detail) == can_start


@pytest.mark.parametrize(
    ("tries", "broken", "verdict"),
    [(1, 1, "fail"), (2, 1, "pass"), (2, 2, "fail"), (3, 2, "pass")],
)
def test_a_breach_has_to_show_each_time(
    trials: dict[str, Any], tries: int, broken: int, verdict: str
) -> None:
    times = iter(range(10))

    def trial(probe: Probe) -> str:
        number = next(times)
        if number < broken:
            raise Broken(f"at time {number}")
        return "as it should"

    trials["H045"] = trial
    with answering() as client:
        (found,) = verdicts(client, rules=["H045"], tries=tries).values()
    assert found.verdict == verdict
    assert "at time 0" in found.detail
    assert next(times) == min(tries, broken + 1)


def _nobody() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", True),
        (b"", True),  # dropped
        (ANSWER, False),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_what_must_be_refused_may_be_dropped_and_not_be_served(
    answer: bytes, refused: bool
) -> None:
    with answering(answer) as client:
        probe = Probe(client)
        if refused:
            must_refuse(probe, b"GET / HTTP/1.1\r\n\r\n", 400, what="it")
        else:
            with pytest.raises(Broken, match="not 400"):
                must_refuse(probe, b"GET / HTTP/1.1\r\n\r\n", 400, what="it")


# --- Reports ----------------------------------------------------------------------------------

JUDGED = Judged(
    "toy",
    "1.0",
    (
        Verdict("H045", "fail", 'it says <b>"yes"</b> & more\x01', ((r"GET /\r\n", ""),), 0.5),
        Verdict("H133", "warn", "no Date\nat all"),
        Verdict("S02", "untestable", "for want of\tsight"),
        Verdict("S51", "pass", "as a file does"),
    ),
    "2026-01-01T00:00:00+00:00",
)


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_names_what_is_broken(form: str) -> None:
    text = FORMATS[form](JUDGED)
    assert "H045" in text
    assert text.endswith("\n")


def test_json_has_a_verdict_for_each_rule() -> None:
    record = json.loads(FORMATS["json"](JUDGED))
    assert (record["server"], record["version"]) == ("toy", "1.0")
    assert [each["verdict"] for each in record["results"]] == ["fail", "warn", "untestable", "pass"]
    assert record["results"][0]["talks"] == [{"sent": r"GET /\r\n", "received": ""}]


def test_the_xml_is_well_formed_whatever_a_detail_holds() -> None:
    suite = ET.fromstring(FORMATS["junit"](JUDGED))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")


def test_the_page_escapes_what_a_server_says() -> None:
    class Tags(HTMLParser):
        seen: set[str] = set()  # of one parser

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.seen.add(tag)

    text = FORMATS["html"](JUDGED)
    assert "&lt;b&gt;&quot;yes&quot;" in text
    parser = Tags()
    parser.feed(text)
    assert "script" not in parser.seen


def test_a_line_for_github_is_one_line() -> None:
    assert len(FORMATS["github"](JUDGED).splitlines()) == 2


def test_a_colon_of_an_address_ends_no_property_of_github() -> None:
    lines = FORMATS["github"](replace(JUDGED, server="http://127.0.0.1:80")).splitlines()
    assert lines[0].startswith("::error title=http%3A//127.0.0.1%3A80 H045::")


def test_a_table_has_each_rule_that_somebody_breaks() -> None:
    other = Judged("other", "2", tuple(Verdict(r, "pass", "") for r in ("H045", "H133", "S51")))
    table = compared([JUDGED, other])
    assert "| | toy 1.0 | other 2 |" in table
    assert "| broken ✗ | 1 | 0 |" in table
    rows = [line for line in table.splitlines() if line.startswith(("| H", "| S"))]
    assert [row.split("|")[1].strip() for row in rows] == ["H133", "H045"][::-1]
    assert rows[0].endswith("| ✗ | ✓ |")
