"""Quaich and the standard library's ``wsgiref``, on the same random inputs.

They may differ only where ``docs/differences.md`` says so: each comparison gives the set of
D-numbers that explain what it saw, and fails over what none of them explains. Each number is
also shown to occur, by an example. A number that ends in ``?`` is mended by newer releases of
CPython too, so there it need not occur.
"""

import os
import re
import wsgiref.headers
import wsgiref.simple_server
import wsgiref.util
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quaich.headers
import quaich.simple_server
import quaich.util
from support import exchange

Explained = set[str]


def outcome(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The result, or the type of the exception."""
    try:
        return function(*arguments, **keywords)
    except Exception as error:
        return type(error)


def unexplained(what: object, ours: object, theirs: object) -> AssertionError:
    return AssertionError(f"{what!r}: Quaich {ours!r}, the standard library {theirs!r}")


# --- Headers ----------------------------------------------------------------------------

Operation = tuple[str, tuple[Any, ...], dict[str, Any]]

names = st.sampled_from(["A", "a", "B", "Content-Type", "", "a b", "é", "A\n", "\x7f", Ellipsis])
names = names.map(lambda name: b"A" if name is Ellipsis else name)
values = st.sampled_from(
    ["", "x", "y z", 'a"b\\', "caf\xe9", "\xa0\xad\x85", "€", "a\tb", "a\r\nEvil: 1", b"x", None, 7]
)
parameters = st.dictionaries(st.sampled_from(["p", "p_q", "r\n"]), values, max_size=2)


def operation(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    return st.tuples(st.just(name), st.tuples(*arguments), st.just({}))


operations = st.one_of(
    operation("__setitem__", names, values),
    operation("setdefault", names, values),
    operation("__delitem__", names),
    operation("__getitem__", names),
    operation("__contains__", names),
    operation("get", names),
    operation("get", names, values),
    operation("get_all", names),
    *[
        operation(name)
        for name in ("keys", "values", "items", "__len__", "__str__", "__bytes__", "__repr__")
    ],
    operation("__iter__"),
    st.tuples(st.just("add_header"), st.tuples(names, values), parameters),
)


def _has_control(step: Operation) -> bool:
    texts = [*step[1], *step[2], *step[2].values()]
    return any(isinstance(text, str) and re.search(r"[\x00-\x1f\x7f]", text) for text in texts)


def compare_headers(fields: list[tuple[str, str]], steps: list[Operation]) -> Explained:
    explained: Explained = set()
    ours, theirs = fields[:], fields[:]
    pair = (quaich.headers.Headers(ours), wsgiref.headers.Headers(theirs))
    for step in steps:
        name, arguments, keywords = step
        before = ours[:]
        results = [
            outcome(lambda h: getattr(h, name)(*arguments, **keywords), headers)  # noqa: B023
            for headers in pair
        ]
        if name == "__iter__":
            results = [outcome(list, headers) for headers in pair]
        if results[0] == results[1] and ours == theirs:
            continue
        if name == "__iter__":
            explained.add("D111")
        elif _has_control(step) and results[0] is ValueError and ours == before:
            explained.add("D076?")
        elif _has_control(step) and results[1] is ValueError and ours == before:
            explained.add("D076?")  # a newer one, which does not even look for such a name
        elif name == "__setitem__" and results[0] == results[1] and ours == before:
            explained.add("D110")
        elif results[0] == results[1] and name == "add_header" and _is_d112(step):
            assert [item[0] for item in ours] == [item[0] for item in theirs]
            explained.add("D112")
        else:
            raise unexplained(step, (results[0], ours), (results[1], theirs))
        theirs[:] = ours
    return explained


def _is_d112(step: Operation) -> bool:
    given = step[2].values()
    return any(isinstance(text, str) and (not text or not text.isascii()) for text in given)


@given(
    fields=st.lists(st.tuples(st.sampled_from(["A", "a", "B", ""]), st.sampled_from(["1", "2"]))),
    steps=st.lists(operations, max_size=8),
)
def test_headers(fields: list[tuple[str, str]], steps: list[Operation]) -> None:
    compare_headers(fields, steps)


@pytest.mark.parametrize(
    ("defect", "step"),
    [
        ("D110", ("__setitem__", ("A", b"x"), {})),
        ("D111", ("__iter__", (), {})),
        ("D112", ("add_header", ("B", "x"), {"p": "é"})),
        ("D112", ("add_header", ("B", "x"), {"p": ""})),
        ("D076?", ("__setitem__", ("A", "\n"), {})),
        ("D076?", ("setdefault", ("B", "\n"), {})),
        ("D076?", ("add_header", ("B", None), {"r\n": None})),
    ],
)
def test_the_differences_of_headers(defect: str, step: Operation) -> None:
    seen = compare_headers([("A", "1")], [step])
    assert defect in seen or (defect.endswith("?") and not seen)


# --- util -------------------------------------------------------------------------------

paths = st.lists(
    st.sampled_from(["/", "/", "//", ".", "..", "a", "b c", "caf\xe9", ";=,:@", "€", "*"]),
    max_size=6,
).map("".join)


def compare_shift(environ: dict[str, str]) -> Explained:
    ours, theirs = dict(environ), dict(environ)
    results = [
        outcome(module.shift_path_info, copy)
        for module, copy in ((quaich.util, ours), (wsgiref.util, theirs))
    ]
    if results[0] == results[1] and ours == theirs:
        return set()
    if not environ["PATH_INFO"].startswith("/"):
        return {"D118"}
    raise unexplained(environ, (results[0], ours), (results[1], theirs))


@given(environ=st.fixed_dictionaries({"PATH_INFO": paths}, optional={"SCRIPT_NAME": paths}))
def test_shift_path_info(environ: dict[str, str]) -> None:
    compare_shift(environ)


def test_the_differences_of_shift_path_info() -> None:
    assert compare_shift({"SCRIPT_NAME": "/a", "PATH_INFO": "foo"}) == {"D118"}


def compare_uris(environ: dict[str, str]) -> Explained:
    explained: Explained = set()
    for name in ("application_uri", "request_uri"):
        ours = outcome(getattr(quaich.util, name), environ)
        theirs = outcome(getattr(wsgiref.util, name), environ)
        if ours == theirs:
            continue
        if not isinstance(ours, str) or not isinstance(theirs, str):
            raise unexplained((name, environ), ours, theirs)
        if not environ.get("HTTP_HOST") and ":" in environ["SERVER_NAME"]:
            explained.add("D121")
            host = environ["SERVER_NAME"]
            ours = ours.replace(f"//[{host}]", f"//{host}", 1)
        if name == "request_uri" and ours != theirs:
            path = environ.get("PATH_INFO", "")
            if path[:1] in ("", "/") or environ.get("SCRIPT_NAME"):
                raise unexplained((name, environ), ours, theirs)
            explained.add("D120")
        elif ours != theirs:
            raise unexplained((name, environ), ours, theirs)
    return explained


@given(
    environ=st.fixed_dictionaries(
        {"wsgi.url_scheme": st.sampled_from(["http", "https", "ws"])},
        optional={
            "SERVER_NAME": st.sampled_from(["127.0.0.1", "::1", "[::1]", ""]),
            "SERVER_PORT": st.sampled_from(["80", "443", "8000", ""]),
            "HTTP_HOST": st.sampled_from(["", "a", "a:80", "[::1]:80"]),
            "SCRIPT_NAME": paths,
            "PATH_INFO": paths,
            "QUERY_STRING": paths,
        },
    )
)
def test_uris(environ: dict[str, str]) -> None:
    compare_uris(environ)


SERVER = {"wsgi.url_scheme": "http", "SERVER_NAME": "a", "SERVER_PORT": "80"}


def test_the_differences_of_uris() -> None:
    assert compare_uris(SERVER | {"SERVER_NAME": "::1"}) == {"D121"}
    assert compare_uris(SERVER | {"PATH_INFO": "*"}) == {"D120"}


def compare_scheme(environ: dict[str, Any]) -> Explained:
    ours, theirs = quaich.util.guess_scheme(environ), wsgiref.util.guess_scheme(environ)
    if ours == theirs:
        return set()
    words = environ.get("HTTPS") in ("ON", "On", "YES", "true", "TRUE")
    if (ours, theirs) == ("https", "http") and (words or environ.get("REQUEST_SCHEME") == "https"):
        return {"D123"}
    raise unexplained(environ, ours, theirs)


schemes = st.fixed_dictionaries(
    {},
    optional={
        "HTTPS": st.sampled_from(["", "on", "ON", "1", "yes", "true", "off", "0", None, 1, True]),
        "REQUEST_SCHEME": st.sampled_from(["http", "https", "HTTPS", ""]),
    },
)


@given(environ=schemes)
def test_guess_scheme(environ: dict[str, Any]) -> None:
    compare_scheme(environ)


@pytest.mark.parametrize("environ", [{"HTTPS": "ON"}, {"REQUEST_SCHEME": "https"}])
def test_the_differences_of_guess_scheme(environ: dict[str, Any]) -> None:
    assert compare_scheme(environ) == {"D123"}


def compare_defaults(environ: dict[str, Any]) -> Explained:
    ours, theirs = dict(environ), dict(environ)
    quaich.util.setup_testing_defaults(ours)
    wsgiref.util.setup_testing_defaults(theirs)
    explained: Explained = set()
    for key in ("wsgi.input", "wsgi.errors"):
        ours[key], theirs[key] = type(ours[key]), type(theirs[key])
    if "QUERY_STRING" not in theirs and ours.pop("QUERY_STRING") == "":
        explained.add("D124")
    if compare_scheme(environ) and "wsgi.url_scheme" not in environ:
        explained.add("D123")
        theirs["wsgi.url_scheme"] = "https"
        if "SERVER_PORT" not in environ:
            theirs["SERVER_PORT"] = "443"
    if list(ours.items()) != list(theirs.items()):
        raise unexplained(environ, ours, theirs)
    return explained


@given(
    scheme=schemes,
    others=st.dictionaries(
        st.sampled_from(
            [
                *[
                    "SERVER_NAME",
                    "SERVER_PROTOCOL",
                    "HTTP_HOST",
                    "REQUEST_METHOD",
                    "SCRIPT_NAME",
                    "PATH_INFO",
                ],
                *[
                    "QUERY_STRING",
                    "SERVER_PORT",
                    "wsgi.version",
                    "wsgi.input",
                    "wsgi.url_scheme",
                    "X",
                ],
            ]
        ),
        st.sampled_from(["", "http", "https", "x", None]),
    ),
)
def test_setup_testing_defaults(scheme: dict[str, Any], others: dict[str, Any]) -> None:
    compare_defaults(scheme | others)


def test_the_differences_of_setup_testing_defaults() -> None:
    assert compare_defaults({}) == {"D124"}
    assert compare_defaults({"HTTPS": "ON", "QUERY_STRING": ""}) == {"D123"}


@given(name=st.sampled_from(["te", "TE", "Trailer", "trailers", "Upgrade", "X"]) | st.text())
def test_is_hop_by_hop(name: str) -> None:
    assert quaich.util.is_hop_by_hop(name) is wsgiref.util.is_hop_by_hop(name)


# --- The environ of a request -----------------------------------------------------------


class Served(NamedTuple):
    """What became of a request: the application's environ, or the answer of the server."""

    environ: dict[str, Any] | None
    out: bytes
    crash: type[Exception] | None = None

    @property
    def code(self) -> str:
        match = re.match(rb"HTTP/1\.0 ([0-9]{3}) ", self.out)
        return match[1].decode() if match else ""

    @property
    def rule(self) -> str:
        match = re.search(rb"\((H[0-9]{3})\)", self.out)
        return match[1].decode() if match else ""


def serve(module: ModuleType, data: bytes) -> Served:
    environs: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(dict(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    try:
        out = exchange(SimpleNamespace(simple_server=module), app, data).out
    except Exception as error:
        return Served(None, b"", type(error))
    return Served(environs[0] if environs else None, out)


# Requests that Quaich refuses and the standard library serves, by the rule that is named.
REFUSED = {
    "H003": "D037",
    "H004": "D037",
    "H013": "D028",
    "H016": "D055a",
    "H017": "D053",
    "H021": "D029",
    "H023": "D029",
    "H025": "D021",
    "H026": "D024",
    "H028": "D021",
    "H030": "D021",
    "H032": "D021",
    "H031": "D023",
    "H033": "D022",
    "H038": "D033",
    "H039": "D033",
    "H040": "D033",
    "H043": "D035",
    "H044": "D035",
    "H045": "D034",
    "H047": "D036",
    "H048": "D038",
    "H049": "D038",
    "H053": "D045",
    "H062": "D040",
    "H063": "D040",
    "H064": "D039",
    "H067": "D042",
    "H068": "D042",
    "H069": "D042",
    "H070": "D042",
    "H071": "D041",
    "H072": "D042",
}

# Variables that only Quaich has, and those that are compared elsewhere.
ADDED = {"REQUEST_URI": "D026", "RAW_URI": "D026", "REMOTE_PORT": "D049"}
ADDED |= {"wsgi.input_terminated": "D069"}
OBJECTS = {"wsgi.input": "D068", "wsgi.errors": "D070", "wsgi.file_wrapper": "D125"}


def explain_variable(key: str, ours: Any, theirs: Any, data: bytes) -> str | None:
    """The number of the difference. ``None`` stands for a value that is absent."""
    target = data.lstrip(b"\r\n").split(b" ")[1].split(b"\r")[0].decode("latin-1")
    names = [line.split(b":")[0].decode("latin-1") for line in data.split(b"\r\n")[1:]]
    http09 = data.lstrip(b"\r\n").split(b"\r\n")[0].count(b" ") == 1
    if http09 and key.startswith(("HTTP_", "CONTENT_")):
        return "D031"  # it has no fields
    if theirs is None and key in ADDED:
        return ADDED[key]
    if key in OBJECTS:
        return OBJECTS[key]
    if ours is None and key in os.environ and theirs == os.environ[key]:
        return "D056"
    if key == "SERVER_SOFTWARE":
        return "D050"
    if key == "wsgi.multithread":
        return "D010"
    if key in ("PATH_INFO", "QUERY_STRING", "HTTP_HOST") and "://" in target:
        return "D021"
    if key == "PATH_INFO" and target == "*":
        return "D022"
    if ours is None and key == "HTTP_PROXY":
        return "D061"
    if ours is None and key == "HTTP_TRANSFER_ENCODING":
        return "D003"
    if key == "CONTENT_LENGTH" and theirs == "" and "transfer-encoding" in map(str.lower, names):
        return "D003"  # of the decoded body
    if any("_" in name and "HTTP_" + name.upper().replace("-", "_") == key for name in names):
        return "D043"
    if key == "HTTP_COOKIE" and ours.replace("; ", ",") == theirs.replace("; ", ","):
        return "D044"
    if theirs is None and key.removeprefix("HTTP_") in OWN_VARIABLES:
        return "D051"
    return None


OWN_VARIABLES = {"SERVER_NAME", "REQUEST_METHOD", "SCRIPT_NAME", "REMOTE_HOST", "PATH_INFO"}


def compare_requests(data: bytes) -> Explained:
    ours, theirs = serve(quaich.simple_server, data), serve(wsgiref.simple_server, data)
    if ours.crash:
        raise unexplained(data, ours, theirs)
    if ours.environ is None:
        if theirs.environ is not None and ours.rule in REFUSED:
            return {REFUSED[ours.rule]}
        if theirs.environ is None and ours.code and not theirs.code:
            return {"D030"}  # refused without a status line
        if theirs.environ is None and (ours.rule or ours.code == theirs.code):
            return set()  # refused by both
        raise unexplained(data, ours, theirs)
    if theirs.environ is None:
        if data.startswith(b"\r\n"):
            return {"D032"}
        raise unexplained(data, ours, theirs)
    explained: Explained = set()
    for key in ours.environ.keys() | theirs.environ.keys():
        mine, other = ours.environ.get(key), theirs.environ.get(key)
        if mine != other:
            number = explain_variable(key, mine, other, data)
            if number is None:
                raise unexplained((data, key), mine, other)
            explained.add(number)
    return explained


methods = st.sampled_from(["GET", "GET", "GET", "POST", "OPTIONS", "get", "X-Y", "CONNECT", "G(T"])
targets = st.sampled_from(
    [
        *[
            "/",
            "/",
            "/a/b?c=d&e",
            "/a%20b%C3%A9%2F?x=%20",
            "/%zz%",
            "//a//b",
            "//evil.example/",
            "/café",
            "/a;b=c?",
        ],
        *[
            "/?",
            "*",
            "http://a/b?c",
            "http://[::1]:8/",
            "https://a",
            "ftp://a/",
            "http://u@a/",
            "foo",
            "a:80",
            "/a#b",
        ],
    ]
)
versions = st.sampled_from(
    ["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "http/1.1", ""]
)
field_names = st.sampled_from(
    [
        *[
            "Host",
            "Host",
            "Accept",
            "accept",
            "X-A",
            "x-a",
            "X_A",
            "Cookie",
            "Content-Type",
            "Content-Length",
            "Connection",
        ],
        *[
            "Transfer-Encoding",
            "Proxy",
            "Server-Name",
            "Script-Name",
            "User-Agent",
            "X.Y|Z",
            "Expect",
            "Bad(",
            "X-é",
        ],
        *["Bad ", " Folded", ""],
    ]
)
field_values = st.sampled_from(
    ["a", "b", "", "5", "0", "chunked", "a=1; b=2", "caf\xe9", "a, b", "x\ty", "a\x01", "-1", "a b"]
)
fields = st.tuples(field_names, st.sampled_from([":", ": ", ":  \t"]), field_values).map("".join)
requests = st.builds(
    lambda start, method, target, version, lines: (
        "\r\n".join([start + f"{method} {target} {version}".rstrip(), *lines, "", ""])
    ).encode("latin-1"),
    st.sampled_from(["", "", "", "\r\n"]),
    methods,
    targets,
    versions,
    st.lists(fields, max_size=4).map(lambda lines: ["Host: a", *lines])
    | st.lists(fields, max_size=4),
)


@given(data=requests)
def test_requests(data: bytes) -> None:
    compare_requests(data)


HOST = b" HTTP/1.1\r\nHost: a\r\n"
EXAMPLES = [
    ("D003", b"POST /" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("D021", b"GET http://b/c" + HOST + b"\r\n"),
    ("D021", b"GET http://u@b/c" + HOST + b"\r\n"),
    ("D021", b"GET foo" + HOST + b"\r\n"),
    ("D022", b"OPTIONS *" + HOST + b"\r\n"),
    ("D022", b"GET *" + HOST + b"\r\n"),
    ("D023", b"CONNECT a:80" + HOST + b"\r\n"),
    ("D024", b"GET /a#b" + HOST + b"\r\n"),
    ("D026", b"GET /" + HOST + b"\r\n"),
    ("D028", b"GET  /" + HOST + b"\r\n"),
    ("D029", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    ("D030", b"GET / FTP/1.0\r\n\r\n"),
    ("D031", b"GET /\r\nA: b\r\n\r\n"),
    ("D032", b"\r\nGET /" + HOST + b"\r\n"),
    ("D033", b"GET / HTTP/1.1\r\n\r\n"),
    ("D033", b"GET /" + HOST + b"Host: a\r\n\r\n"),
    ("D034", b"GET /" + HOST + b"A : b\r\n\r\n"),
    ("D035", b"GET /" + HOST + b"A\r\n\r\n"),
    ("D036", b"GET /" + HOST + b" A: b\r\n\r\n"),
    ("D037", b"GET /" + HOST + b"A: b\rC: d\r\n\r\n"),
    ("D038", b"GET /" + HOST + b"A: \x01\r\n\r\n"),
    ("D039", b"GET /" + HOST + b"Content-Length: 0\r\nContent-Length: 1\r\n\r\n"),
    ("D040", b"GET /" + HOST + b"Content-Length: +0\r\n\r\n"),
    ("D041", b"GET /" + HOST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("D042", b"GET /" + HOST + b"Transfer-Encoding: gzip\r\n\r\n"),
    ("D043", b"GET /" + HOST + b"X-A: 1\r\nX_A: 2\r\n\r\n"),
    ("D044", b"GET /" + HOST + b"Cookie: a=1\r\nCookie: b=2\r\n\r\n"),
    ("D045", b"GET /" + HOST + b"Content-Type: a\r\nContent-Type: b\r\n\r\n"),
    ("D049", b"GET /" + HOST + b"\r\n"),
    ("D050", b"GET /" + HOST + b"\r\n"),
    ("D051", b"GET /" + HOST + b"Server-Name: x\r\n\r\n"),
    ("D053", b"A" * 65 + b" /" + HOST + b"\r\n"),
    ("D055a", b"G(T /" + HOST + b"\r\n"),
    ("D056", b"GET /" + HOST + b"\r\n"),
    ("D061", b"GET /" + HOST + b"Proxy: x\r\n\r\n"),
    ("D068", b"GET /" + HOST + b"\r\n"),
    ("D069", b"GET /" + HOST + b"\r\n"),
]


@pytest.mark.parametrize(("defect", "data"), EXAMPLES)
def test_the_differences_of_requests(defect: str, data: bytes) -> None:
    assert defect in compare_requests(data)
