"""The middleware as a whole, called as a server calls it, with the checker between them."""

import io
import os
import wsgiref.handlers
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import quaich.handlers
from quaich.conformance import Report
from quaich.conformance.checker import checker
from quaich.settings import Files, SettingError
from quaich.static import Route, StaticFiles, wrap
from quaich.static.content_types import content_type_of
from quaich.util import FileWrapper, setup_testing_defaults

CONTENT = bytes(range(256)) * 1000
CSS = b"p { color: red }\n" * 100
MODIFIED = 1_700_000_000
NOW = 1_800_000_000.25


class Answer(NamedTuple):
    status: str
    headers: dict[str, str]
    content: bytes
    result: Any


class Site:
    """A directory of files, and what is sent of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.report = Report("collect")
        self.static = self.served()

    def served(self, **options: Any) -> StaticFiles:
        return StaticFiles(application, [f"/static={self.root}"], clock=lambda: NOW, **options)

    def write(self, name: str, content: bytes, modified: int = MODIFIED) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (modified, modified))

    def get(
        self,
        path: str,
        method: str = "GET",
        static: StaticFiles | None = None,
        wrapper: Any = FileWrapper,
        query: str = "",
        script_name: str = "",
        fields: Mapping[str, str] = {},
        **more_fields: str,
    ) -> Answer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": script_name,
            "PATH_INFO": path,
            "QUERY_STRING": query,
        }
        setup_testing_defaults(environ)
        if wrapper is not None:
            environ["wsgi.file_wrapper"] = wrapper
        environ |= {
            f"HTTP_{name.upper()}": value for name, value in {**fields, **more_fields}.items()
        }
        seen: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            seen[:] = [status, headers]
            return lambda data: None

        checked = checker(static or self.static, self.report)
        result = checked(environ, start_response)
        content = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        status, headers = seen
        assert len(dict(headers)) == len(headers)
        return Answer(status, dict(headers), content, result)


def application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "11")])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"application"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """No rule is broken, and no descriptor stays open."""
    site = Site(tmp_path / "root")
    site.write("file.bin", CONTENT)
    site.write("style.css", CSS)
    site.write("empty.txt", b"")
    site.write("sub/index.html", b"<p>index")
    site.write("bare/file.txt", b"text")
    site.write("grüße.txt", b"text")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    yield site
    assert [str(each) for each in site.report.findings] == []
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# --- Files -------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapper", [FileWrapper, None, lambda file, size=1: file])
def test_a_file(site: Site, wrapper: Any) -> None:
    answer = site.get("/static/file.bin", wrapper=wrapper)
    assert answer.status == "200 OK"
    assert answer.content == CONTENT
    assert answer.headers == {
        "ETag": f'"{MODIFIED * 10**9:x}-{len(CONTENT):x}"',
        "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "Cache-Control": "no-cache",
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": "application/octet-stream",
        "Content-Length": str(len(CONTENT)),
    }


def test_the_server_may_send_it(site: Site) -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/static/file.bin"}
    result = site.static(
        environ | {"wsgi.file_wrapper": FileWrapper}, lambda *args: lambda data: None
    )
    assert type(result) is FileWrapper
    result.close()


def test_head(site: Site) -> None:
    got, head = site.get("/static/file.bin"), site.get("/static/file.bin", "HEAD")
    assert (head.status, head.headers, head.content) == (got.status, got.headers, b"")
    ranged = site.get("/static/file.bin", "HEAD", range="bytes=0-1")  # only GET has ranges
    assert (ranged.status, ranged.headers) == (got.status, got.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"])
def test_other_methods(site: Site, method: str) -> None:
    answer = site.get("/static/file.bin", method)
    assert (answer.status, answer.headers["Allow"]) == ("405 Method Not Allowed", "GET, HEAD")
    assert site.get("/static/none", method).content == b"application"
    assert site.get("/static/sub", method).content == b"application"
    assert site.get("/static/sub/", method).status == "405 Method Not Allowed"


def test_an_empty_one(site: Site) -> None:
    for fields in ({}, {"range": "bytes=-1"}):
        answer = site.get("/static/empty.txt", fields=fields)
        assert (answer.status, answer.content) == ("200 OK", b"")
        assert answer.headers["Content-Length"] == "0"


def test_a_name_that_is_not_ascii(site: Site) -> None:
    assert site.get("/static/grüße.txt".encode().decode("latin-1")).content == b"text"


@pytest.mark.parametrize(
    "path",
    [
        "/", "", "/statics/file.bin", "/static/none", "/static/bare", "/static/bare/",
        "/static/", "/static", "/static/file.bin/", "/static/file.bin/x", "/static/../secret",
        "/static/sub/../file.bin", "/static//file.bin", "/static/.hidden", "/static/./file.bin",
        "/static/file.bin\0", "/static/sub\\index.html",
    ],
)  # fmt: skip
def test_the_rest_is_the_applications(site: Site, path: str) -> None:
    (site.root.parent / "secret").write_bytes(b"secret")
    site.write(".hidden", b"hidden")
    assert site.get(path).content == b"application"


SECRET = b"the secret"
PIECES = [
    "/",
    "..",
    ".",
    "\\",
    "\0",
    "%2e%2e",
    "%2f",
    "sub",
    "up",
    "out",
    "secret",
    "file.txt",
    "//",
]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.sampled_from(["", "/"]))
@example("/../secret", "")
@example("/up/secret", "")
def test_no_path_gives_what_is_outside(
    tmp_path_factory: pytest.TempPathFactory, rest: str, slash: str
) -> None:
    top = Path(tmp_path_factory.getbasetemp()) / "traversal"
    if not top.exists():
        (top / "root" / "sub").mkdir(parents=True)
        (top / "secret").write_bytes(SECRET)
        (top / "index.html").write_bytes(SECRET)
        (top / "root" / "sub" / "file.txt").write_bytes(b"inside")
        (top / "root" / "up").symlink_to("..")
        (top / "root" / "out").symlink_to(top / "secret")
    for symlinks in ("inside", "refuse"):
        site = Site(top / "root")
        static = site.served(symlinks=symlinks)
        for path in (f"/static{rest}", f"/static/{rest}{slash}"):
            assert SECRET not in site.get(path, static=static).content


# --- Directories -------------------------------------------------------------------------


def test_the_index(site: Site) -> None:
    answer = site.get("/static/sub/")
    assert (answer.status, answer.content) == ("200 OK", b"<p>index")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "query", "script_name", "location"),
    [
        ("/static/sub", "", "", "/static/sub/"),
        ("/static/sub", "a=b&c=%20", "", "/static/sub/?a=b&c=%20"),
        ("/static/sub", "x\r\ny\xff", "", "/static/sub/?x%0D%0Ay%FF"),
        ("/static/sub", "", "/mounted here", "/mounted%20here/static/sub/"),
        ("/static/sub", "", "//evil.example", "/evil.example/static/sub/"),
    ],
)
def test_the_slash_at_its_end(
    site: Site, path: str, query: str, script_name: str, location: str
) -> None:
    answer = site.get(path, query=query, script_name=script_name)
    assert (answer.status, answer.headers["Location"]) == ("301 Moved Permanently", location)
    assert site.get(path, "HEAD").content == b""


def test_the_directory_of_the_route(site: Site) -> None:
    site.write("index.html", b"top")
    assert site.get("/static").headers["Location"] == "/static/"
    assert site.get("/static/").content == b"top"


def test_a_route_for_all_paths(site: Site) -> None:
    site.write("index.html", b"top")
    static = StaticFiles(application, [Route("", str(site.root))])
    assert site.get("/", static=static).content == b"top"
    assert site.get("/sub/", static=static).content == b"<p>index"
    assert site.get("/none", static=static).content == b"application"
    # No path that begins with two slashes can name another host.
    assert site.get("//sub", static=static).content == b"application"


def test_of_several_routes_the_longest_is_asked_first(site: Site, tmp_path: Path) -> None:
    site.write("sub/a.txt", b"general")
    site.write("sub/b.txt", b"general")
    other = Site(tmp_path / "other")
    other.write("a.txt", b"special")
    static = StaticFiles(
        application, [f"/static={site.root}", f"/static/sub={other.root}"], clock=lambda: NOW
    )
    assert site.get("/static/sub/a.txt", static=static).content == b"special"
    assert site.get("/static/sub/b.txt", static=static).content == b"general"


# --- Conditions --------------------------------------------------------------------------


def test_not_modified(site: Site) -> None:
    got = site.get("/static/style.css")
    for method in ("GET", "HEAD"):
        for fields in (
            {"if_none_match": got.headers["ETag"]},
            {"if_modified_since": got.headers["Last-Modified"]},
        ):
            answer = site.get("/static/style.css", method, fields=fields)
            assert (answer.status, answer.content) == ("304 Not Modified", b"")
            assert answer.headers == {name: got.headers[name] for name in ("ETag", "Cache-Control")}


def test_a_condition_that_fails(site: Site) -> None:
    answer = site.get("/static/file.bin", if_match='"x"', range="bytes=0-1")
    assert answer.status == "412 Precondition Failed"
    assert "ETag" not in answer.headers


def test_how_long_it_may_be_used(site: Site) -> None:
    static = site.served(expires=3600.0)
    for path in ("/static/style.css", "/static/sub"):
        assert site.get(path, static=static).headers["Cache-Control"] == "max-age=3600"


# --- Ranges ------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapper", [FileWrapper, None])
@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-199999", 1000, 200_000),
        ("bytes=-10", len(CONTENT) - 10, len(CONTENT)),
        ("bytes=255999-", len(CONTENT) - 1, len(CONTENT)),
        ("bytes=0-999999", 0, len(CONTENT)),
        ("bytes=0-9,5-14", 0, 15),
    ],
)
def test_one_range(site: Site, wrapper: Any, text: str, start: int, stop: int) -> None:
    answer = site.get("/static/file.bin", wrapper=wrapper, range=text)
    assert answer.status == "206 Partial Content"
    assert answer.content == CONTENT[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["ETag"] == site.get("/static/file.bin").headers["ETag"]


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    """The ranges and bytes of a response of several, read strictly."""
    kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    before, *parts, after = answer.content.split(b"--" + boundary.encode())
    assert (before, after) == (b"", b"--\r\n")
    found = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        assert content.endswith(b"\r\n")
        _, content_type, content_range = head.decode().split("\r\n")
        assert content_type == "Content-Type: application/octet-stream"
        found.append((content_range.removeprefix("Content-Range: bytes "), content[:-2]))
    return found


def test_several_ranges(site: Site) -> None:
    answer = site.get("/static/file.bin", range="bytes=200000-255999, 0-0, 5-69999")
    assert answer.status == "206 Partial Content"
    assert "Content-Range" not in answer.headers
    size = len(CONTENT)
    assert parts_of(answer) == [
        (f"200000-255999/{size}", CONTENT[200_000:256_000]),
        (f"0-0/{size}", CONTENT[:1]),
        (f"5-69999/{size}", CONTENT[5:70_000]),
    ]
    again = site.get("/static/file.bin", range="bytes=0-0,2-2")
    assert again.headers["Content-Type"] != answer.headers["Content-Type"]


def test_no_range_that_can_be_had(site: Site) -> None:
    answer = site.get("/static/file.bin", range="bytes=256000-")
    assert answer.status == "416 Range Not Satisfiable"
    assert answer.headers["Content-Range"] == "bytes */256000"
    assert "Cache-Control" not in answer.headers


@pytest.mark.parametrize("text", ["lines=1-2", "bytes=2-1", "bytes=x", "bytes=" + "0-0," * 20])
def test_a_range_that_is_ignored(site: Site, text: str) -> None:
    assert site.get("/static/file.bin", range=text).status == "200 OK"


def test_a_range_of_a_file_that_is_no_more(site: Site) -> None:
    etag = site.get("/static/file.bin").headers["ETag"]
    for if_range, status in ((etag, "206 Partial Content"), ('"x"', "200 OK")):
        answer = site.get("/static/file.bin", range="bytes=0-1", if_range=if_range)
        assert answer.status == status
    site.write("file.bin", CONTENT, int(NOW))  # it may change again without that being seen
    new = site.get("/static/file.bin").headers["ETag"]
    assert new.startswith("W/")
    answer = site.get("/static/file.bin", range="bytes=0-1", if_range=new.removeprefix("W/"))
    assert answer.status == "200 OK"


# --- Compressed files --------------------------------------------------------------------


def test_a_compressed_file(site: Site) -> None:
    site.write("style.css.gz", b"gzipped")
    site.write("style.css.br", b"br")
    plain = site.get("/static/style.css")
    assert plain.content == CSS
    etags = {plain.headers["ETag"]}
    for accepted, coding, content in (
        ("gzip, br", "br", b"br"),
        ("gzip", "gzip", b"gzipped"),
        ("br;q=0, *", "gzip", b"gzipped"),
    ):
        answer = site.get("/static/style.css", accept_encoding=accepted)
        assert answer.content == content
        assert answer.headers["Content-Encoding"] == coding
        assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
        assert answer.headers["Content-Length"] == str(len(content))
        etags.add(answer.headers["ETag"])
    assert len(etags) == 3
    for accepted in ("", "deflate", "gzip;q=0"):
        answer = site.get("/static/style.css", accept_encoding=accepted)
        assert answer.content == CSS
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Vary"] == "Accept-Encoding"


def test_conditions_and_ranges_are_about_what_would_be_sent(site: Site) -> None:
    site.write("style.css.gz", b"gzipped")
    plain = site.get("/static/style.css").headers["ETag"]
    fields = {"accept_encoding": "gzip"}
    packed = site.get("/static/style.css", fields=fields).headers["ETag"]
    for etag, status in ((plain, "200 OK"), (packed, "304 Not Modified")):
        answer = site.get("/static/style.css", if_none_match=etag, fields=fields)
        assert (answer.status, answer.headers["Vary"]) == (status, "Accept-Encoding")
    answer = site.get("/static/style.css", range="bytes=1-2", fields=fields)
    assert (answer.content, answer.headers["Content-Range"]) == (b"zi", "bytes 1-2/7")
    assert answer.headers["Content-Encoding"] == "gzip"


def test_what_is_not_worth_it_is_not_looked_for(site: Site) -> None:
    site.write("picture.png", b"png")
    site.write("picture.png.gz", b"gzipped")
    answer = site.get("/static/picture.png", accept_encoding="gzip")
    assert answer.content == b"png"
    assert "Vary" not in answer.headers
    assert "Vary" not in site.get("/static/style.css").headers  # there is no choice


def test_a_compressed_file_alone_is_a_file_like_others(site: Site) -> None:
    site.write("x.css.gz", b"gzipped")
    assert site.get("/static/x.css", accept_encoding="gzip").content == b"application"
    answer = site.get("/static/x.css.gz", accept_encoding="gzip")
    assert answer.headers["Content-Type"] == content_type_of(b"x.gz") == "application/gzip"
    assert "Content-Encoding" not in answer.headers


def test_a_directory_of_that_name(site: Site) -> None:
    site.write("style.css.gz/index.html", b"x")
    assert site.get("/static/style.css", accept_encoding="gzip").content == CSS


# --- What goes wrong ---------------------------------------------------------------------


def test_the_file_is_closed_if_the_response_cannot_begin(site: Site) -> None:
    def fail(*args: Any) -> Callable[[bytes], object]:
        raise ConnectionError

    for fields in ({}, {"HTTP_RANGE": "bytes=0-0,2-2"}, {"HTTP_IF_NONE_MATCH": "*"}):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/static/file.bin"} | fields
        with pytest.raises(ConnectionError):
            site.static(environ, fail)


def test_no_descriptor_is_left_for_a_compressed_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open

    def fail(path: Any, *args: Any, **keywords: Any) -> int:
        if str(path).endswith("style.css.gz'"):
            raise OSError(24, "Too many open files")
        return real_open(path, *args, **keywords)

    monkeypatch.setattr(os, "open", fail)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/static/style.css"}
    with pytest.raises(OSError, match="Too many open files"):
        site.static(environ, lambda *args: lambda data: None)


# --- Other servers -------------------------------------------------------------------------


@pytest.mark.parametrize("handlers", [quaich.handlers, wsgiref.handlers])
def test_a_server_that_sends_what_it_is_given(site: Site, handlers: Any) -> None:
    """Nobody there cuts what comes behind Content-Length."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/static/file.bin"}
    setup_testing_defaults(environ)
    for text, content in (
        (None, CONTENT),
        ("bytes=1000-100999", CONTENT[1000:101_000]),
        ("bytes=-1", CONTENT[-1:]),
    ):
        out = io.BytesIO()
        fields = {} if text is None else {"HTTP_RANGE": text}
        handler = handlers.SimpleHandler(io.BytesIO(), out, io.StringIO(), environ | fields)
        handler.run(site.static)
        head, _, sent = out.getvalue().partition(b"\r\n\r\n")
        assert f"Content-Length: {len(content)}".encode() in head
        assert sent == content


# --- From the settings -------------------------------------------------------------------


def test_without_the_setting_it_is_the_application() -> None:
    assert wrap(application, Files()) is application


def test_the_settings(site: Site) -> None:
    files = Files(static=(f"/static={site.root}",), static_expires=60.0, static_symlinks="refuse")
    static = wrap(application, files)
    assert isinstance(static, StaticFiles)
    (site.root / "link.txt").symlink_to("empty.txt")
    assert site.get("/static/link.txt", static=static).content == b"application"
    answer = site.get("/static/empty.txt", static=static)
    assert answer.headers["Cache-Control"] == "max-age=60"


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_directory_that_is_not(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError) as caught:
        wrap(application, Files(static=(f"/static={tmp_path}/{name}",)))
    assert str(caught.value) == f"static: '{tmp_path}/{name}' is no directory"
