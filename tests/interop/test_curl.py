"""curl: what people type."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from interop.conftest import FILE_SIZE
from interop.reference import GREETING, digest, pattern
from interop.serving import PATIENCE, Served, serve

pytestmark = pytest.mark.live

DATA = pattern(FILE_SIZE)


class Outcome(NamedTuple):
    code: int  # curl's own
    out: bytes
    err: str  # what -v says
    told: list[dict[str, Any]]  # by curl's -w, of each transfer


class Curl:
    def __init__(self, path: str, served: Served) -> None:
        self._path = path
        self.served = served

    def __call__(
        self, *arguments: str, stdin: bytes = b"", url: str = "/", okay: bool = True
    ) -> Outcome:
        command = [self._path, "-q", "-sSv", "--noproxy", "*", "--max-time", f"{PATIENCE:g}"]
        # Whoever waits for a 100 that does not come waits longer than that.
        command += ["--expect100-timeout", f"{PATIENCE * 2:g}"]
        command += ["-w", "%{stderr}told: %{json}\n", *arguments, self.served.url + url]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE * 2)
        err = done.stderr.decode("utf-8", "replace")
        told = [
            json.loads(line.removeprefix("told: "))
            for line in err.splitlines()
            if line.startswith("told: ")
        ]
        assert not okay or done.returncode == 0, err
        return Outcome(done.returncode, done.stdout, err, told)


@pytest.fixture
def curl(program: Callable[[str], str], served: Served) -> Curl:
    return Curl(program("curl"), served)


def statuses(outcome: Outcome) -> list[int]:
    return [transfer["http_code"] for transfer in outcome.told]


def check_upload(outcome: Outcome, data: bytes = DATA) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(outcome.out)
    assert (told["size"], told["sha256"]) == (len(data), digest(data))
    return told


def test_get(curl: Curl) -> None:
    outcome = curl()
    assert outcome.out == GREETING
    assert statuses(outcome) == [200]
    assert outcome.told[0]["http_version"] == "1.1"


def test_head(curl: Curl) -> None:
    head = curl("-I", url=f"/bytes?size={FILE_SIZE}").out.decode().lower().split("\r\n")
    assert head[0] == "http/1.1 200 ok"
    assert f"content-length: {FILE_SIZE}" in head
    assert head[-2:] == ["", ""]  # and nothing behind it


def test_post_form(curl: Curl) -> None:
    told = json.loads(curl("-d", "a=1", "--data-urlencode", "b=ä&ö", url="/echo").out)
    assert told["type"] == "application/x-www-form-urlencoded"
    assert told["sha256"] == digest(b"a=1&b=%C3%A4%26%C3%B6")


def test_multipart(curl: Curl, file: Path) -> None:
    told = json.loads(curl("-F", "a=1", "-F", f"file=@{file}", url="/echo").out)
    assert told["type"].startswith("multipart/form-data; boundary=")
    assert told["size"] > FILE_SIZE


def test_upload(curl: Curl, file: Path) -> None:
    told = check_upload(curl("-T", str(file), url="/echo"))
    assert (told["method"], told["length"]) == ("PUT", str(FILE_SIZE))


def test_upload_that_waits_for_100(curl: Curl, file: Path) -> None:
    outcome = curl("-H", "Expect: 100-continue", "-T", str(file), url="/echo")
    check_upload(outcome)
    assert "< HTTP/1.1 100 Continue" in outcome.err
    assert outcome.err.count("< HTTP/1.1 ") == 2


def test_upload_chunked(curl: Curl) -> None:
    outcome = curl("-H", "Expect:", "-T", "-", url="/echo", stdin=DATA)
    assert "> Transfer-Encoding: chunked" in outcome.err
    length = check_upload(outcome)["length"]
    assert length == (None if curl.served.is_streamed else str(FILE_SIZE))


def test_upload_chunked_that_waits_for_100(curl: Curl) -> None:
    """As ``curl -T -`` does unasked."""
    outcome = curl("-H", "Expect: 100-continue", "-T", "-", url="/echo", stdin=DATA)
    # Without a length, many frameworks would take it for a request without content.
    length = check_upload(outcome)["length"]
    assert length == (None if curl.served.is_streamed else str(FILE_SIZE))
    assert "< HTTP/1.1 100 Continue" in outcome.err


def test_refused_instead_of_100(curl: Curl, file: Path) -> None:
    """The content is not sent at all."""
    outcome = curl("-H", "Expect: 100-continue", "-T", str(file), url="/refuse")
    assert (outcome.out, statuses(outcome)) == (b"no\n", [403])
    if not curl.served.has_one_thread:
        assert outcome.told[0]["size_upload"] == 0
        assert "100 Continue" not in outcome.err


@pytest.mark.parametrize("expect", ["100-continue", ""])
def test_too_large(program: Callable[[str], str], file: Path, expect: str) -> None:
    with serve("reference:app", "--limit-request-body", "1m") as served:
        curl = Curl(program("curl"), served)
        outcome = curl("-H", f"Expect: {expect}", "-T", str(file), url="/echo")
        assert statuses(outcome) == [413]
        outcome = curl("-T", "-", url="/echo", stdin=DATA)
        assert statuses(outcome) == [413]
        served.stop()
        assert served.said == []


@pytest.mark.parametrize(
    ("range", "wanted"),
    [
        ("1000-1999", DATA[1000:2000]),
        ("-500", DATA[-500:]),
        (f"{FILE_SIZE - 1_000_000}-", DATA[-1_000_000:]),
        ("0-0", DATA[:1]),
    ],
)
def test_part_of_a_file(curl: Curl, range: str, wanted: bytes) -> None:
    outcome = curl("-r", range, url="/file")
    assert statuses(outcome) == [206]
    assert outcome.out == wanted


def test_continue_a_download(curl: Curl, tmp_path: Path) -> None:
    begun = tmp_path / "begun.bin"
    begun.write_bytes(DATA[:1_234_567])
    curl("-C", "-", "-o", str(begun), url="/file")
    assert begun.read_bytes() == DATA


def test_slow_download(curl: Curl) -> None:
    for url in ("/file", f"/stream?size={FILE_SIZE}"):
        assert curl("--limit-rate", "6M", url=url).out == DATA


def test_kept_alive(curl: Curl) -> None:
    others = [curl.served.url + path for path in ("/", "/file", "/stream?size=100000", "/nothing")]
    outcome = curl(*others)
    assert outcome.out == GREETING + DATA + pattern(100_000) + b"nothing here\n" + GREETING
    assert statuses(outcome) == [200, 200, 200, 404, 200]
    assert [transfer["num_connects"] for transfer in outcome.told] == [1, 0, 0, 0, 0]


def test_closed_on_demand(curl: Curl) -> None:
    outcome = curl("-H", "Connection: close", curl.served.url + "/")
    assert outcome.out == GREETING * 2
    assert [transfer["num_connects"] for transfer in outcome.told] == [1, 1]


@pytest.mark.parametrize("url", ["/file", f"/bytes?size={FILE_SIZE}", f"/stream?size={FILE_SIZE}"])
def test_http_1_0(curl: Curl, url: str) -> None:
    outcome = curl("--http1.0", url=url)
    assert outcome.out == DATA
    assert "transfer-encoding" not in outcome.err.lower()


def test_http_1_0_kept_alive(curl: Curl) -> None:
    outcome = curl("--http1.0", "-H", "Connection: keep-alive", curl.served.url + "/")
    assert outcome.out == GREETING * 2
    assert [transfer["num_connects"] for transfer in outcome.told] == [1, 0]


def test_http_1_0_post(curl: Curl, file: Path) -> None:
    told = check_upload(curl("--http1.0", "--data-binary", f"@{file}", url="/echo"))
    assert told["protocol"] == "HTTP/1.0"


def test_asks_for_http_2(curl: Curl) -> None:
    """Whom the upgrade is offered to may ignore it (RFC 9110, section 7.8)."""
    outcome = curl("--http2", curl.served.url + "/")
    assert outcome.out == GREETING * 2
    assert {transfer["http_version"] for transfer in outcome.told} == {"1.1"}


@pytest.mark.parametrize("option", ["--http2-prior-knowledge", "--haproxy-protocol"])
def test_another_protocol_is_refused_at_once(curl: Curl, option: str) -> None:
    outcome = curl(option, okay=False)
    assert outcome.out != GREETING
    assert outcome.told[0]["time_total"] < PATIENCE / 2
    assert curl().out == GREETING


def test_path_beyond_ascii(curl: Curl) -> None:
    told = json.loads(curl(url="/echo/%C3%A4%20%E2%82%AC?q=%C3%B6").out)
    assert (told["path"], told["query"]) == ("/echo/ä €", "q=%C3%B6")


def test_no_fields(curl: Curl) -> None:
    told = json.loads(curl("-H", "Accept:", "-H", "User-Agent:", url="/echo").out)
    assert told["fields"] == ["HTTP_HOST"]


def test_many_at_once(curl: Curl) -> None:
    url = f"{curl.served.url}/bytes?size=100003&number=[1-100]"
    outcome = curl("-Z", "--parallel-max", "50", url)
    assert statuses(outcome) == [200] * 101
    assert [transfer["size_download"] for transfer in outcome.told].count(100_003) == 100


def test_gone_in_the_middle(curl: Curl) -> None:
    """The next one is served, and the log says nothing of it (see the fixture)."""
    for url in ("/file", f"/bytes?size={FILE_SIZE}", f"/stream?size={2**28}"):
        done = curl("--max-time", "0.1", "--limit-rate", "1k", url=url, okay=False)
        assert done.code == 28
    assert curl().out == GREETING
