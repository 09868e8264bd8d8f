"""``util``: the contract of ``wsgiref.util``, the manual's words, and D117 to D125."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

# --- guess_scheme -----------------------------------------------------------------------


@pytest.mark.parametrize("value", ["yes", "on", "1"])
def test_https_is_guessed(wsgiref: SimpleNamespace, value: str) -> None:
    assert wsgiref.util.guess_scheme({"HTTPS": value}) == "https"


@pytest.mark.parametrize("value", ["", "off", "no", "0", "2", "http", None, 1, True, " on"])
def test_http_is_guessed(wsgiref: SimpleNamespace, value: Any) -> None:
    assert wsgiref.util.guess_scheme({"HTTPS": value}) == "http"
    assert wsgiref.util.guess_scheme({}) == "http"


@pytest.mark.defect("D123")
@pytest.mark.parametrize(
    "environ",
    [
        {"HTTPS": "ON"},
        {"HTTPS": "On"},
        {"HTTPS": "true"},
        {"HTTPS": "YES"},
        {"REQUEST_SCHEME": "https"},
        {"HTTPS": "", "REQUEST_SCHEME": "https"},
    ],
)
def test_https_in_other_words(wsgiref: SimpleNamespace, environ: dict[str, str]) -> None:
    assert wsgiref.util.guess_scheme(environ) == "https"


# --- URIs -------------------------------------------------------------------------------

SERVER = {"wsgi.url_scheme": "http", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80"}


@pytest.mark.parametrize(
    ("environ", "uri"),
    [
        ({}, "http://127.0.0.1/"),
        ({"SCRIPT_NAME": "/foo"}, "http://127.0.0.1/foo"),
        ({"SCRIPT_NAME": "/foo", "PATH_INFO": "/bar", "QUERY_STRING": "a"}, "http://127.0.0.1/foo"),
        ({"SCRIPT_NAME": "/foo/"}, "http://127.0.0.1/foo/"),
        ({"SCRIPT_NAME": "/\xc3\xa9 ;=,~"}, "http://127.0.0.1/%C3%A9%20%3B%3D%2C~"),
        ({"SERVER_PORT": "8080"}, "http://127.0.0.1:8080/"),
        ({"SERVER_PORT": "443"}, "http://127.0.0.1:443/"),
        ({"wsgi.url_scheme": "https", "SERVER_PORT": "443"}, "https://127.0.0.1/"),
        ({"wsgi.url_scheme": "https"}, "https://127.0.0.1:80/"),
        ({"wsgi.url_scheme": "ws"}, "ws://127.0.0.1/"),
        ({"HTTP_HOST": "a:99"}, "http://a:99/"),
        ({"HTTP_HOST": "a/b@c"}, "http://a/b@c/"),  # D122, kept
        ({"HTTP_HOST": "", "SERVER_NAME": "b"}, "http://b/"),
    ],
)
def test_application_uri(wsgiref: SimpleNamespace, environ: dict[str, str], uri: str) -> None:
    assert wsgiref.util.application_uri(SERVER | environ) == uri


@pytest.mark.parametrize(
    ("environ", "uri"),
    [
        ({}, "http://127.0.0.1/"),
        ({"PATH_INFO": "/"}, "http://127.0.0.1/"),
        ({"PATH_INFO": "/a/b"}, "http://127.0.0.1/a/b"),
        ({"SCRIPT_NAME": "/foo", "PATH_INFO": "/bar"}, "http://127.0.0.1/foo/bar"),
        ({"SCRIPT_NAME": "/foo", "PATH_INFO": ""}, "http://127.0.0.1/foo"),
        ({"SCRIPT_NAME": "/foo", "PATH_INFO": "bar"}, "http://127.0.0.1/foobar"),
        ({"SCRIPT_NAME": "/", "PATH_INFO": "/x"}, "http://127.0.0.1//x"),
        ({"SCRIPT_NAME": "", "PATH_INFO": "//x"}, "http://127.0.0.1//x"),
        ({"PATH_INFO": "/\xc3\xa9 ~"}, "http://127.0.0.1/%C3%A9%20~"),
        # D120, kept: the escapes of PEP 3333's algorithm
        ({"PATH_INFO": "/;=,:@&+$"}, "http://127.0.0.1/;=,%3A%40%26%2B%24"),
        ({"QUERY_STRING": "say=x%20y&é"}, "http://127.0.0.1/?say=x%20y&é"),
        ({"QUERY_STRING": ""}, "http://127.0.0.1/"),
    ],
)
def test_request_uri(wsgiref: SimpleNamespace, environ: dict[str, str], uri: str) -> None:
    assert wsgiref.util.request_uri(SERVER | environ) == uri


def test_request_uri_without_the_query(wsgiref: SimpleNamespace) -> None:
    environ = SERVER | {"PATH_INFO": "/a", "QUERY_STRING": "b"}
    assert wsgiref.util.request_uri(environ) == "http://127.0.0.1/a?b"
    assert wsgiref.util.request_uri(environ, False) == "http://127.0.0.1/a"
    assert wsgiref.util.request_uri(environ, include_query=0) == "http://127.0.0.1/a"


@pytest.mark.parametrize("missing", ["wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT"])
def test_a_uri_needs_scheme_and_server(wsgiref: SimpleNamespace, missing: str) -> None:
    environ = {key: value for key, value in SERVER.items() if key != missing}
    for function in (wsgiref.util.application_uri, wsgiref.util.request_uri):
        with pytest.raises(KeyError, match=missing):
            function(environ)
    if missing != "wsgi.url_scheme":
        assert wsgiref.util.application_uri(environ | {"HTTP_HOST": "a"}) == "http://a/"


@pytest.mark.parametrize("key", ["SCRIPT_NAME", "PATH_INFO"])
def test_a_path_is_iso_8859_1(wsgiref: SimpleNamespace, key: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        wsgiref.util.request_uri(SERVER | {key: "/€"})


@pytest.mark.defect("D120")
@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("abc", "http://127.0.0.1/abc"),
        ("*", "http://127.0.0.1/%2A"),
        (" a", "http://127.0.0.1/%20a"),
    ],
)
def test_request_uri_loses_nothing_of_a_path_without_a_slash(
    wsgiref: SimpleNamespace, path: str, uri: str
) -> None:
    assert wsgiref.util.request_uri(SERVER | {"PATH_INFO": path}) == uri


@pytest.mark.defect("D121")
@pytest.mark.parametrize(
    ("name", "port", "uri"),
    [("::1", "8000", "http://[::1]:8000/"), ("2001:db8::1", "80", "http://[2001:db8::1]/")],
)
def test_an_ipv6_address_stands_in_brackets(
    wsgiref: SimpleNamespace, name: str, port: str, uri: str
) -> None:
    environ = SERVER | {"SERVER_NAME": name, "SERVER_PORT": port}
    assert wsgiref.util.application_uri(environ) == uri
    assert wsgiref.util.request_uri(environ) == uri


def test_an_ipv6_address_in_brackets_is_left_alone(wsgiref: SimpleNamespace) -> None:
    environ = SERVER | {"SERVER_NAME": "[::1]", "SERVER_PORT": "8000"}
    assert wsgiref.util.application_uri(environ) == "http://[::1]:8000/"


# --- shift_path_info --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script_name", "path_info", "name", "new_script_name", "new_path_info"),
    [
        ("/foo", "/bar/baz", "bar", "/foo/bar", "/baz"),  # the manual's
        ("/", "", None, "/", ""),
        ("", "", None, "", ""),
        ("", "/", "", "/", ""),
        ("/a", "/", "", "/a/", ""),
        ("/a", "//", "", "/a/", ""),
        ("/", "/", "", "/", ""),
        ("//", "/", "", "/", ""),
        ("//a", "/", "", "//a/", ""),
        ("/a/", "/x", "x", "/a/x", ""),
        ("", "/x", "x", "/x", ""),
        ("", "/x/", "x", "/x", "/"),
        ("/a", "/x/y", "x", "/a/x", "/y"),
        ("/a", "//x//y/", "x", "/a/x", "/y/"),
        ("/a", "/./x/./y", "x", "/a/x", "/y"),
        ("/a", "/x/.", "x", "/a/x", "/."),
        ("/a", "/.", None, "/a", ""),
        ("/a", "/./", "", "/a/", ""),
        ("/a/b", "/../y", "..", "/a", "/y"),  # D119, kept
        ("", "/..", "..", "", ""),
        ("/a", "/.x", ".x", "/a/.x", ""),
        ("//a", "/x", "x", "//a/x", ""),
        ("a", "/x", "x", "a/x", ""),
        ("/a//b", "/x", "x", "/a/b/x", ""),
        ("/a/../b", "/x", "x", "/b/x", ""),
    ],
)
def test_shift_path_info(
    wsgiref: SimpleNamespace,
    script_name: str,
    path_info: str,
    name: str | None,
    new_script_name: str,
    new_path_info: str,
) -> None:
    environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path_info}
    assert wsgiref.util.shift_path_info(environ) == name
    assert environ == {"SCRIPT_NAME": new_script_name, "PATH_INFO": new_path_info}


def test_shift_path_info_without_variables(wsgiref: SimpleNamespace) -> None:
    environ: dict[str, str] = {}
    assert wsgiref.util.shift_path_info(environ) is None
    assert environ == {}
    environ = {"PATH_INFO": "/a"}
    assert wsgiref.util.shift_path_info(environ) == "a"
    assert environ == {"SCRIPT_NAME": "/a", "PATH_INFO": ""}


def test_x_and_x_slash_can_be_told_apart(wsgiref: SimpleNamespace) -> None:
    shift = wsgiref.util.shift_path_info
    without, with_slash = {"PATH_INFO": "/x"}, {"PATH_INFO": "/x/"}
    assert [shift(without), shift(without)] == ["x", None]
    assert [shift(with_slash), shift(with_slash), shift(with_slash)] == ["x", "", None]
    assert with_slash == {"SCRIPT_NAME": "/x/", "PATH_INFO": ""}


@pytest.mark.defect("D118")
@pytest.mark.parametrize(
    ("path_info", "name", "rest"), [("foo", "foo", ""), ("foo/bar", "foo", "/bar"), ("*", "*", "")]
)
def test_a_path_without_a_slash_has_a_first_segment(
    wsgiref: SimpleNamespace, path_info: str, name: str, rest: str
) -> None:
    environ = {"SCRIPT_NAME": "/a", "PATH_INFO": path_info}
    assert wsgiref.util.shift_path_info(environ) == name
    assert environ == {"SCRIPT_NAME": f"/a/{name}", "PATH_INFO": rest}


# --- setup_testing_defaults -------------------------------------------------------------

DEFAULTS: dict[str, Any] = {
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PROTOCOL": "HTTP/1.0",
    "HTTP_HOST": "127.0.0.1",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "wsgi.version": (1, 0),
    "wsgi.run_once": 0,
    "wsgi.multithread": 0,
    "wsgi.multiprocess": 0,
    "wsgi.url_scheme": "http",
    "SERVER_PORT": "80",
}


def test_testing_defaults(wsgiref: SimpleNamespace) -> None:
    environ: dict[str, Any] = {}
    wsgiref.util.setup_testing_defaults(environ)
    assert environ.pop("wsgi.input").read() == b""
    assert environ.pop("wsgi.errors").getvalue() == ""
    environ.pop("QUERY_STRING", None)
    assert environ == DEFAULTS


@pytest.mark.parametrize("key", [*DEFAULTS, "QUERY_STRING", "wsgi.input", "wsgi.errors"])
def test_testing_defaults_replace_nothing(wsgiref: SimpleNamespace, key: str) -> None:
    environ = {key: None}
    wsgiref.util.setup_testing_defaults(environ)
    assert environ[key] is None


@pytest.mark.parametrize(
    ("given", "defaults"),
    [
        ({"SERVER_NAME": "a"}, {"HTTP_HOST": "a"}),
        ({"HTTPS": "on"}, {"wsgi.url_scheme": "https", "SERVER_PORT": "443"}),
        ({"wsgi.url_scheme": "https"}, {"SERVER_PORT": "443"}),
        ({"SCRIPT_NAME": "/a"}, {"PATH_INFO": "absent"}),
        ({"PATH_INFO": "/a"}, {"SCRIPT_NAME": "absent"}),
        ({"wsgi.url_scheme": "ws"}, {"SERVER_PORT": "absent"}),
    ],
)
def test_testing_defaults_depend_on_what_is_there(
    wsgiref: SimpleNamespace, given: dict[str, Any], defaults: dict[str, Any]
) -> None:
    environ = dict(given)
    wsgiref.util.setup_testing_defaults(environ)
    assert {key: environ.get(key, "absent") for key in defaults} == defaults


@pytest.mark.defect("D124")
def test_query_string_is_among_the_testing_defaults(wsgiref: SimpleNamespace) -> None:
    environ: dict[str, Any] = {}
    wsgiref.util.setup_testing_defaults(environ)
    assert environ["QUERY_STRING"] == ""


# --- is_hop_by_hop ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "PROXY-AUTHORIZATION",
        "te",
        "Trailers",  # D117, kept
        "Transfer-Encoding",
        "Upgrade",
    ],
)
def test_hop_by_hop(wsgiref: SimpleNamespace, name: str) -> None:
    assert wsgiref.util.is_hop_by_hop(name) is True


@pytest.mark.parametrize(
    "name", ["Accept", "", "Trailer", "Proxy-Connection", "Connection ", b"te"]
)
def test_not_hop_by_hop(wsgiref: SimpleNamespace, name: Any) -> None:
    assert wsgiref.util.is_hop_by_hop(name) is False


# --- FileWrapper ------------------------------------------------------------------------


class Blocks:
    """A file-like that gives these blocks and remembers the sizes it was asked for."""

    def __init__(self, *blocks: Any) -> None:
        self._blocks = list(blocks)
        self.sizes: list[int] = []

    def read(self, size: int) -> Any:
        self.sizes.append(size)
        return self._blocks.pop(0) if self._blocks else b""


def test_a_file_is_iterated_in_blocks(wsgiref: SimpleNamespace) -> None:
    filelike = io.StringIO("This is an example file-like object" * 10)  # the manual's
    wrapper = wsgiref.util.FileWrapper(filelike, blksize=5)
    assert wrapper.filelike is filelike
    assert wrapper.blksize == 5
    assert iter(wrapper) is wrapper
    assert list(wrapper) == ["This ", "is an", " exam", "ple f", "ile-l", "ike o", "bject"] * 10


def test_the_block_size_is_what_read_is_asked_for(wsgiref: SimpleNamespace) -> None:
    blocks = Blocks(b"a", b"bc")
    assert list(wsgiref.util.FileWrapper(blocks, 3)) == [b"a", b"bc"]
    assert blocks.sizes == [3, 3, 3]
    assert wsgiref.util.FileWrapper(blocks).blksize == 8192


def test_close_is_that_of_the_file(wsgiref: SimpleNamespace) -> None:
    filelike = io.BytesIO(b"x")
    wrapper = wsgiref.util.FileWrapper(filelike)
    wrapper.close()
    assert filelike.closed
    assert not hasattr(wsgiref.util.FileWrapper(Blocks()), "close")


def test_nothing_is_read_before_it_is_asked_for(wsgiref: SimpleNamespace) -> None:
    blocks = Blocks(b"a")
    wrapper = wsgiref.util.FileWrapper(blocks)
    assert blocks.sizes == []
    assert next(wrapper) == b"a"
    assert len(blocks.sizes) == 1


@pytest.mark.defect("D125")
def test_iteration_ends_for_good(wsgiref: SimpleNamespace) -> None:
    blocks = Blocks(b"a", b"", b"b")
    wrapper = wsgiref.util.FileWrapper(blocks)
    assert list(wrapper) == [b"a"]
    assert list(wrapper) == []
    with pytest.raises(StopIteration):
        next(wrapper)
    assert len(blocks.sizes) == 2


@pytest.mark.defect("D125")
def test_an_index_is_answered_with_the_next_block(wsgiref: SimpleNamespace) -> None:
    wrapper = wsgiref.util.FileWrapper(Blocks(b"a", b"b"))
    assert wrapper[0] == b"a"
    assert wrapper[7] == b"b"
    with pytest.raises(IndexError):
        wrapper[2]
    with pytest.raises(IndexError):
        wrapper[0]
