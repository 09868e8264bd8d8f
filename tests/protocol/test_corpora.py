"""The corpora of gunicorn and llhttp, and the files of tests/corpus, read as connections: whole,
singly, in pieces, and with another request behind them."""

import random
import re
from collections.abc import Iterable

import pytest

from protocol.connection import Outcome, read_connection
from protocol.corpora import EXPECTED, RECORDS, Record, read_case
from protocol.wire import cut, singly
from quaich.protocol.http1 import HeadLimits, HeadOptions

# Of gunicorn's settings for the two cases with long lines.
LONG_LINES = HeadOptions(limits=HeadLimits(request_line=8200, field_size=8210))
NEXT = b"GET /next HTTP/1.1\r\nHost: next.example\r\n\r\n"


def finely(data: bytes) -> list[bytes]:
    """Singly; but of a long text, what is between its line ends comes in larger pieces."""
    return singly(data) if len(data) < 1000 else re.findall(rb"[^\r\n]{1,100}|[\r\n]", data)


def pieces(data: bytes, source: random.Random) -> list[bytes]:
    """In a random number of blocks of random sizes."""
    longest = source.choice((2 + len(data) // 100, 10 + len(data) // 10, len(data)))
    return cut(data, [source.randint(1, longest) for _ in data])


def splits(data: bytes, seed: str) -> Iterable[list[bytes]]:
    yield finely(data)
    source = random.Random(seed)
    for _ in range(4):
        yield pieces(data, source)


def is_followed(outcome: Outcome) -> bool:
    """Whether another request that is sent behind this one is read."""
    return outcome.verdict == "ok" and all(message.persists for message in outcome.messages)


def check_splits(record: Record, data: bytes, expected: Outcome) -> None:
    for blocks in splits(data, record.id):
        assert read_connection(blocks, record.options) == expected


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_a_case_comes_to_what_its_record_says_in_every_split(record: Record) -> None:
    outcome = read_connection([record.data], record.options)
    assert outcome.verdict == record.ours
    assert len(outcome.messages) == len(record.requests)
    for message, request in zip(outcome.messages, record.requests, strict=True):
        assert message.method == request["method"]
        assert message.variables["REQUEST_URI"] == request["target"]
        assert message.content == request["content"].encode("latin-1")
        assert [list(field) for field in message.trailers] == request.get("trailers", [])
    if outcome.refusal is None:
        assert outcome.rest == record.rest
    check_splits(record, record.data, outcome)


@pytest.mark.rule("H108")
@pytest.mark.rule("H106")
@pytest.mark.rule("H109")
@pytest.mark.parametrize(
    "record", [record for record in RECORDS if record.ours != "incomplete"], ids=lambda r: r.id
)
def test_a_request_behind_it_is_read_unless_the_connection_ends_there(record: Record) -> None:
    alone = read_connection([record.data], record.options)
    outcome = read_connection([record.data + NEXT], record.options)
    check_splits(record, record.data + NEXT, outcome)
    if is_followed(alone):
        assert outcome.messages[:-1] == alone.messages
        assert outcome.messages[-1].variables["REQUEST_URI"] == "/next"
        assert (outcome.verdict, outcome.rest) == ("ok", b"")
    else:
        # Refused, or it was the last one: no byte that follows is taken for a request.
        assert outcome.messages == alone.messages
        assert outcome.refusal == alone.refusal


@pytest.mark.rule("H113")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_request_that_comes_again_comes_to_the_same(name: str) -> None:
    data = read_case(name)
    alone = read_connection([data])
    again = read_connection([data] * 3)
    assert again == read_connection([data] * 3, repeats=False)
    if is_followed(alone) and not alone.rest:
        assert again.messages == alone.messages * 3


VERDICTS = {"ok": "accept", "incomplete": "incomplete"}


def is_other(record: Record) -> bool:
    """Whether the project expects another outcome, as far as its record here can tell."""
    ours = VERDICTS.get(record.ours, "reject")
    return ours != record.theirs or (
        ours == "accept" and len(record.requests) != record.their_requests
    )


def test_every_difference_from_a_project_s_own_expectation_names_its_rule() -> None:
    assert [record.id for record in RECORDS if is_other(record) and not record.differs] == []
    named = [record for record in RECORDS if record.differs]
    # The method's case is the one difference that the verdict does not show.
    assert {record.id for record in named if not is_other(record)} == {
        "gunicorn valid/031compat+host"
    }
    for record in named:
        assert re.fullmatch(r"H\d{3}: .+", record.differs)
        if record.ours not in VERDICTS:
            assert record.ours.split()[1] == record.differs[:4]
    counts = {
        project: sum(record.id.startswith(project) for record in named)
        for project in ("gunicorn", "llhttp")
    }
    assert counts == {"gunicorn": 52, "llhttp": 115}


def test_a_case_that_is_refused_for_its_want_of_host_is_there_again_with_one() -> None:
    ids = {record.id for record in RECORDS}
    for record in RECORDS:
        if record.ours == "400 H038":
            base = record.id.removesuffix("+end")
            assert {f"{base}+host", f"{base}+host+end"} & ids, record.id
    # Of HTTP/1.0 with keep-alive, and HTTP/1.1 behind it: the second has none.
    assert not any(record.ours == "400 H038" for record in RECORDS if "+host" in record.id)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_of_the_corpus_comes_to_its_strict_verdict_in_every_split(name: str) -> None:
    expected, data = EXPECTED[name], read_case(name)
    outcome = read_connection([data], LONG_LINES)
    strict = expected["strict"]
    if strict == "400 H009":
        # Only who reads the connection knows that nothing will follow.
        assert outcome.verdict == "incomplete"
    elif strict == "ok":
        assert outcome.messages
    elif outcome.verdict == "incomplete" and not outcome.messages:
        # Nothing counts before the head is complete.
        assert read_connection([data, b"\r\n\r\n"]).verdict == strict
    else:
        assert outcome.verdict == strict
    if strict == "ok":
        message = outcome.messages[0]
        assert message.method == expected["method"]
        assert message.variables["REQUEST_URI"] == expected["target"]
        assert len(message.content) == expected.get("content_size", len(message.content))
        content = message.content.decode("latin-1")
        assert content == expected.get("content", content)
        assert [list(field) for field in message.trailers] == expected.get("trailers", [])
    for blocks in splits(data, name):
        assert read_connection(blocks, LONG_LINES) == outcome
