"""The requests of tests/corpus: by the rules alone, in both profiles and all splits, and by the
drop-in server."""

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from protocol.wire import Request, read_request, singly
from quaich import simple_server
from quaich.protocol.errors import ProtocolError
from quaich.protocol.request import DROPIN, STRICT, Leniency
from support import exchange

CORPUS = Path(__file__).parent.parent / "corpus"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((CORPUS / "expected.toml").read_text("utf-8"))
NAMES = sorted(EXPECTED)


def test_every_file_has_its_verdict_and_its_rule() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.http")) == NAMES
    rules = [verdict["strict"] for verdict in EXPECTED.values()]
    assert sum(verdict == "ok" for verdict in rules) > 40
    assert sum(verdict[:1] in "45" for verdict in rules) > 80


def _verdict(data: bytes, leniency: Leniency, pieces: Any = None) -> tuple[str, Request | None]:
    try:
        request = read_request(data, leniency, pieces)
    except ProtocolError as error:
        return f"{error.status} {error.rule}", None
    if request.body.error is not None:
        rule, status, _ = request.body.error
        return f"{status} {rule}", None
    return "ok" if request.ended else "incomplete", request


@pytest.mark.parametrize("profile", ["strict", "dropin"])
@pytest.mark.parametrize("name", NAMES)
def test_by_the_rules(name: str, profile: str) -> None:
    expected = EXPECTED[name]
    data = (CORPUS / f"{name}.http").read_bytes()
    leniency = STRICT if profile == "strict" else DROPIN
    for pieces in (None, singly):
        verdict, request = _verdict(data, leniency, pieces)
        assert verdict == expected.get(profile, expected["strict"])
        if request is None:
            continue
        assert request.line.method == expected["method"]
        assert request.line.target == expected["target"]
        content = request.body.content.decode("latin-1")
        assert content == expected.get("content", content)
        assert len(content) == expected.get("content_size", len(content))
        assert request.body.excess.decode("latin-1") == expected.get("rest", "")
        assert [list(pair) for pair in request.body.trailers] == expected.get("trailers", [])


def _echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [content]


@pytest.mark.parametrize("name", NAMES)
def test_by_the_drop_in_server(name: str) -> None:
    expected = EXPECTED[name]
    verdict = expected.get("dropin", expected["strict"])
    data = (CORPUS / f"{name}.http").read_bytes()
    answer = exchange(SimpleNamespace(simple_server=simple_server), _echo, data)
    if expected["strict"] == "400 H024" and verdict == "ok":
        assert answer.out == expected["content"].encode("latin-1")  # HTTP/0.9
    elif verdict == "ok":
        assert answer.status == "HTTP/1.0 200 OK"
        assert answer.body.decode("latin-1") == expected["content"]
    elif verdict == "incomplete":
        assert answer.status.startswith("HTTP/1.0 400 ")
    else:
        status, _, rule = verdict.partition(" ")
        assert answer.status.startswith(f"HTTP/1.0 {status} ")
        assert f"({rule})".encode() in answer.body
