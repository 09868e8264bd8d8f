"""A whole check: what its outcome says of the pages, beside the findings."""

import pytest

from quaich.conformance.check.gateway import environ_of
from quaich.conformance.check.run import check_application
from quaich.conformance.check.targets import parse_path
from quaich.conformance.findings import Report
from quaich.conformance.reports import Outcome
from quaich.types import StartResponse, WSGIEnvironment

# What a framework does: one place in the source for all pages.
STATUSES = {"/": "200 OK", "/twice": "200 OK", "/twice/too": "200 OK"}


def framework(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    path = environ["PATH_INFO"]
    if path == "/raises":
        raise ValueError(path)
    headers = [("Content-Type", "text/html")]
    if path.startswith("/twice"):
        headers.append(("Connection", "close"))
    start_response(STATUSES.get(path, "404 Not Found"), headers)
    return [b'<a href="/twice/too">too</a>'] if path == "/" else []


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("localhost:8000", "localhost", "8000"),
        ("shop.example", "shop.example", "80"),
        ("shop.example:443", "shop.example", "443"),
        ("shop.example:", "shop.example", "80"),
        ("[::1]", "[::1]", "80"),
        ("[::1]:81", "[::1]", "81"),
    ],
)
def test_the_server_is_where_the_host_says(host: str, name: str, port: str) -> None:
    environ = environ_of(host=host)
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (
        host,
        name,
        port,
    )


def checked(*paths: str, crawl: int = 0) -> Outcome:
    return check_application(framework, "shop:app", Report(), map(parse_path, paths), crawl)


def test_a_finding_has_the_pages_that_showed_it_each_once() -> None:
    (finding,) = checked("/", "/twice?a=1", crawl=3).findings
    assert finding.rule == "A11"
    assert finding.count > 5
    assert finding.requests == ("GET /twice?a=1", "GET /twice/too")


def test_a_finding_has_some_of_many_pages() -> None:
    (finding,) = checked(*(f"/twice?{number}" for number in range(9))).findings
    assert len(finding.requests) == 5


def test_each_page_has_its_answer() -> None:
    ended = checked("/", "POST /none", "/raises", crawl=1)
    assert ended.answers == (
        ("GET /", "200 OK"),
        ("POST /none", "404 Not Found"),
        ("GET /raises", "ValueError"),
        ("GET /twice/too", "200 OK"),
    )
    assert ended.unanswered == ended.answers[1:3]
