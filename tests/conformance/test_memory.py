"""What the checker remembers to be sound makes it quick, and hides nothing: it finds what a copy
finds that has seen nothing yet."""

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.copies import a_copy
from conformance.gateway import REQUEST, FileWrapper, Gateway
from conformance.odd import Incomparable, Str, Tuple, Unhashable
from quaich.conformance import Report, checker

TEXTS: list[Any] = [
    *("", " ", "/", "/a", "/a/", "a", "*", "5", " 5", "-5", "\xb2", "\xe9", "\u0100", "80", "joe"),
    *("GET", "G T", "HTTP/1.1", "HTTP/", "http", "https", "on", "localhost", Str("GET"), Str("5")),
    *(None, 5, b"5", Incomparable(), Unhashable("GET")),
]
OBJECTS: list[Any] = [
    *(True, False, 0, 1, None, "False", "", (1, 0), (1, 1), [1, 0], Tuple((1, 0)), (1.0, False)),
    *("http", "https", "ws", Str("http"), FileWrapper, io.BytesIO(), io.StringIO(), Incomparable()),
]
KEYS: list[str] = [
    *("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS"),
    *("REMOTE_USER", "REMOTE_HOST", "REMOTE_ADDR", "REMOTE_IDENT", "AUTH_TYPE", "HTTP_X"),
    *("HTTP_CONTENT_TYPE", "wsgi.file_wrapper", "gateway.key", "Gateway.key"),
]
DOTTED = [key for key in [*REQUEST, *KEYS, "wsgi.input", "wsgi.errors"] if "." in key]
PLAIN = [key for key in [*REQUEST, *KEYS] if "." not in key]

changes = st.dictionaries(st.sampled_from(PLAIN), st.sampled_from(TEXTS), max_size=3)
objects = st.dictionaries(st.sampled_from(DOTTED), st.sampled_from(OBJECTS), max_size=2)
statuses = st.sampled_from(
    [
        *(
            "200 OK",
            "200  OK",
            "204 No",
            "405 No",
            "200",
            "999 X",
            "103 X",
            "200 \u0100",
            b"200 OK",
        ),
        *(Str("200 OK"), Unhashable("200 OK"), "200 OK\n", "500 Error"),
    ]
)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["X", "Allow", "Date", "content-length", "Connection", "X Y", Str("X"), b"X", ""]
        ),
        st.sampled_from(["", "1", "5", " 5 ", "\u0100", "a\n", 5, Str("1"), "\xe9"]),
    ),
    max_size=3,
)


def found(checker: Any, changes: dict[str, Any], status: Any, headers: list[Any]) -> list[Any]:
    """What a checker finds in a request."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, list(headers))
        return [b"12345"]

    report = Report()
    gateway = Gateway()
    gateway.environ.update(changes)
    try:
        gateway.serve(checker(application, report))
    except Exception as error:
        return [*report.findings, repr(error)]
    return list(report.findings)


@settings(max_examples=200)
@given(changes, objects, statuses, headers)
def test_what_was_sound_hides_nothing(
    texts: dict[str, Any], objects: dict[str, Any], status: Any, headers: list[Any]
) -> None:
    before = {key: REQUEST.get(key, "/a" if key.endswith("E") else "5") for key in texts}
    found(checker, before, "200 OK", [])
    expected = found(a_copy(), {**texts, **objects}, status, headers)
    for _ in range(2):
        assert found(checker, {**texts, **objects}, status, headers) == expected
