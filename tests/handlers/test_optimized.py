"""Under ``python -O`` the checks are the same: none is an ``assert`` (D078, D079)."""

import json
from types import SimpleNamespace

import pytest

from handlers.harness import run_python

# Calls what CASE says, in a process where __debug__ is as the option says.
PROGRAM = """
import io, json
from SUBJECT.handlers import SimpleHandler
from SUBJECT.headers import Headers
class Handler(SimpleHandler):
    os_environ = {}
def start(*args):
    handler = Handler(io.BytesIO(), io.BytesIO(), io.StringIO(), {"SERVER_PROTOCOL": "HTTP/1.0"})
    handler.setup_environ()
    return handler.start_response(*args)
try:
    CASE
except Exception as error:
    print(json.dumps([__debug__, type(error).__name__, str(error)]))
else:
    print(json.dumps([__debug__, None, None]))
"""

HEADERS = {
    "control characters": ("Headers([('X', 'a\\r\\nb')])", "ValueError"),
    "not str": ("Headers([('X', 1)])", "AssertionError"),
    "not pairs": ("Headers([('X', 'Y', 'Z')])", "ValueError"),
}
START_RESPONSE = {
    "hop-by-hop": ("start('200 OK', [('Connection', 'close')])", "AssertionError"),
    "name not str": ("start('200 OK', [(b'X', '1')])", "AssertionError"),
    "value not str": ("start('200 OK', [('X', 1)])", "AssertionError"),
    "text written": ("start('200 OK', [])('text')", "AssertionError"),
}
STATUS = {
    "too short": ("start('200', [])", "AssertionError"),
    "not str": ("start(b'200 OK', [])", "AssertionError"),
}


def raised(wsgiref: SimpleNamespace, case: str) -> str | None:
    """The type of the exception that the case raises under ``-O``."""
    answer = run_python(wsgiref, PROGRAM.replace("CASE", case), "-O")
    debug, kind, _ = json.loads(answer.out)
    assert debug is False
    return kind  # type: ignore[no-any-return]


@pytest.mark.defect("D078", upstream="gh-150726")
@pytest.mark.parametrize(("case", "kind"), HEADERS.values(), ids=HEADERS)
def test_headers_are_checked_when_optimized(wsgiref: SimpleNamespace, case: str, kind: str) -> None:
    """D115 as well: ``str()`` trusts what the constructor has let in."""
    assert raised(wsgiref, case) == kind


@pytest.mark.defect("D079")
@pytest.mark.parametrize(("case", "kind"), START_RESPONSE.values(), ids=START_RESPONSE)
def test_start_response_and_write_check_when_optimized(
    wsgiref: SimpleNamespace, case: str, kind: str
) -> None:
    """S63, S88."""
    assert raised(wsgiref, case) == kind


@pytest.mark.parametrize(("case", "kind"), STATUS.values(), ids=STATUS)
def test_the_status_is_checked_when_optimized(case: str, kind: str) -> None:
    """A05; wsgiref checks it so since 3.12 (gh-92886)."""
    from quaich import handlers

    assert raised(SimpleNamespace(handlers=handlers), case) == kind
