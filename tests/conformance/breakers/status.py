"""The status that start_response is given: A05, A06, A25, H116, H139."""

from http import HTTPStatus
from typing import Any

from conformance.corpus import breaks
from conformance.odd import Str, Unhashable, Unspeakable


def answering(status: Any) -> Any:
    """An application with this status."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, [("Content-Type", "text/plain")])  # guilty
        return [b"content"]

    return application


NO_STATUS: dict[str, Any] = {
    "bytes": b"200 OK",
    "an int": 200,
    "None": None,
    "an enum": HTTPStatus.OK,
    "a tuple": (200, "OK"),
    "a subclass of str": Str("200 OK"),
    "a subclass of str without a hash": Unhashable("200 OK"),
    "an object whose repr fails": Unspeakable(),
    "no space": "200OK",
    "no reason": "200",
    "a hyphen": "200-OK",
    "a no-break space": "200\xa0OK",
    "two digits": "20 OK",
    "four digits": "2000 OK",
    "a sign": "+20 OK",
    "a fraction": "200.1 OK",
    "an underscore": "2_0 OK",
    "letters": "2OO OK",
    "the version": "HTTP/1.1 200 OK",
}
for name, status in NO_STATUS.items():
    breaks("A05", name)(answering(status))

for name, status in {
    "two spaces": "200  OK",
    "an empty reason": "200 ",
    "a space in front": " 200 OK",
    "a space behind": "200 OK ",
}.items():
    breaks("A05", name, misses=("V21",))(answering(status))

for name, status in {
    "Arabic digits": "\u0662\u0660\u0660 OK",
    "wide digits": "\uff12\uff10\uff10 OK",
}.items():
    breaks("A05", name, misses=("V22",))(answering(status))

for name, status in {"nothing": "", "no code": "abc OK"}.items():
    breaks("A05", name, misses=("V23",))(answering(status))

for name, status in {
    "a line end": "200 OK\r\n",
    "a line feed behind": "200 OK\n",
    "a header": "200 OK\r\nSet-Cookie: a=b",
    "NUL": "200 O\x00K",
}.items():
    breaks("A06", name, misses=("V20",))(answering(status))

for name, status in {
    "a tab for the space": "200\tOK",
    "a tab in front": "\t200 OK",
    "a carriage return in front": "\r200 OK",
    "a tab in the reason": "200 O\tK",
    "DEL": "200 OK\x7f",
    "ESC": "200 \x1b[31mOK",
    "US": "200 O\x1fK",
}.items():
    breaks("A06", name)(answering(status))

for status in ("000 Nothing", "099 Low", "600 High", "999 Highest"):
    breaks("H116", status, misses=("V22",))(answering(status))

for status in ("100 Continue", "101 Switching Protocols", "103 Early Hints", "199 Any"):
    breaks("H139", status, misses=("V22",))(answering(status))

for name, status in {
    "beyond ISO-8859-1": "200 \u0100",
    "a sign": "200 \u2603",
    "a lone surrogate": "200 \ud800",
    "a smile": "200 \U0001f600",
}.items():
    breaks("A25", f"status: {name}", misses=("V24",))(answering(status))
