"""Which of the compressed files a client gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaich.static.coding import CODINGS, accepted_codings, choose_coding
from quaich.static.content_types import content_type_of, is_compressible


@pytest.mark.parametrize(
    ("text", "codings"),
    [
        (None, []),
        ("", []),
        ("gzip", ["gzip"]),
        ("gzip, deflate, br", ["br", "gzip"]),  # the better one, of equals
        ("GZIP", ["gzip"]),
        ("x-gzip", ["gzip"]),
        ("gzip;q=1.0, br;q=0.5", ["gzip", "br"]),
        ("gzip ; q=0.5", ["gzip"]),
        ("gzip;q=0", []),
        ("gzip;q=0.000", []),
        ("*", ["br", "gzip"]),
        ("*;q=0.1, gzip;q=0", ["br"]),
        ("*;q=0", []),
        ("br, *;q=0", ["br"]),
        ("identity", []),
        ("identity;q=0.5, gzip;q=0.4, br;q=0.6", ["br"]),
        ("identity;q=0", []),
        ("identity, gzip", ["gzip"]),
        ("gzip;q=2", []),
        ("gzip;q=0.1234", []),
        ("gzip;level=1", []),
        ("gzip br", []),
        (",,gzip,", ["gzip"]),
        ("zstd", []),
    ],
)
def test_accepts(text: str | None, codings: list[str]) -> None:
    assert accepted_codings(text) == codings


@given(st.text(alphabet="gzipbr*identy;q=01., \t\x00é", max_size=60))
def test_no_text_is_a_failure(text: str) -> None:
    assert set(accepted_codings(text)) <= set(CODINGS)


def test_chooses_what_is_there() -> None:
    assert choose_coding(["br", "gzip"], ["", "gzip"]) == "gzip"
    assert choose_coding(["br", "gzip"], ["", "gzip", "br"]) == "br"
    assert choose_coding([], ["", "gzip"]) == ""
    assert choose_coding(["gzip"], [""]) == ""


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        (b"index.html", "text/html; charset=utf-8"),
        (b"INDEX.HTM", "text/html; charset=utf-8"),
        (b"app.js", "text/javascript; charset=utf-8"),
        (b"app.min.css", "text/css; charset=utf-8"),
        (b"app.js.map", "application/json"),
        (b"x.svg", "image/svg+xml"),
        (b"x.tar.gz", "application/gzip"),
        (b"x.woff2", "font/woff2"),
        (b"x.unknown", "application/octet-stream"),
        (b"README", "application/octet-stream"),
        (b"html", "application/octet-stream"),
        (b".html", "application/octet-stream"),
        (b"x.", "application/octet-stream"),
        (b"x.h\xffml", "application/octet-stream"),
        (b"x.html\n", "application/octet-stream"),
    ],
)
def test_the_content_type(name: bytes, content_type: str) -> None:
    assert content_type_of(name) == content_type


def test_what_is_worth_compressing() -> None:
    for name in (b"x.html", b"x.svg", b"x.json", b"x.xml", b"x.wasm", b"x.geojson", b"x"):
        assert is_compressible(content_type_of(name)), name
    for name in (b"x.png", b"x.woff2", b"x.gz", b"x.mp4", b"x.docx"):
        assert not is_compressible(content_type_of(name)), name
