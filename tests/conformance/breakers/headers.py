"""The headers that start_response is given: A07-A11, A25, A36, A37, H121, H134, H136."""

from collections import namedtuple
from typing import Any
from wsgiref.headers import Headers

from conformance.corpus import breaks
from conformance.odd import List, Str, Tuple, Unspeakable

PLAIN = ("Content-Type", "text/plain")


def answering(headers: Any, status: str = "200 OK", blocks: tuple[bytes, ...] = (b"12345",)) -> Any:
    """An application with these headers."""

    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)  # guilty
        return list(blocks)

    return application


# -- A07, A08: the shape --------------------------------------------------------------------

for name, headers in {
    "a tuple": (PLAIN,),
    "a subclass of list": List([PLAIN]),
    "a dict": dict([PLAIN]),
    "items of a dict": dict([PLAIN]).items(),
    "an iterator": iter([PLAIN]),
    "Headers": Headers([PLAIN]),
    "None": None,
    "text": "Content-Type: text/plain",
    "an object whose repr fails": Unspeakable(),
}.items():
    breaks("A07", name)(answering(headers))

Header = namedtuple("Header", "name value")

for name, item in {
    "a list": ["X", "1"],
    "one item": ("X",),
    "three items": ("X", "1", "2"),
    "no item": (),
    "a text of two characters": "ab",
    "a named tuple": Header("X", "1"),
    "a subclass of tuple": Tuple(("X", "1")),
    "a name of bytes": (b"X", "1"),
    "a value of bytes": ("X", b"1"),
    "an int": ("X", 1),
    "None": ("X", None),
    "a subclass of str as name": (Str("X"), "1"),
    "a subclass of str as value": ("X", Str("1")),
    "an object whose repr fails": ("X", Unspeakable()),
    "None for all of it": None,
}.items():
    breaks("A08", name)(answering([PLAIN, item]))

breaks("A08", "two of them", count=2)(answering([("X", 1), PLAIN, ("Y", 2)]))

# -- A09: names -----------------------------------------------------------------------------

for name in (
    "",
    " ",
    "X:",
    "X Y",
    " X",
    "X ",
    "X\t",
    "X\r\nY",
    "X\n",
    "X\x00",
    "X\x7f",
    "(X)",
    "X/Y",
    'X"',
    "X,Y",
    "X;",
    "X=",
    "X@Y",
    "[X]",
    "X\\",
    "{X}",
    "Ünder",
    "Š",
):
    breaks("A09", repr(name))(answering([(name, "1")]))

# -- A10, A25: values -----------------------------------------------------------------------

for name, value in {
    "a header": "1\r\nSet-Cookie: a=b",
    "a line end": "1\r\n",
    "a line feed behind": "1\n",
    "a fold": "1\r\n 2",
    "a carriage return": "1\r2",
    "NUL": "\x00",
    "BS": "1\x08",
    "VT": "1\x0b2",
    "US": "1\x1f2",
}.items():
    breaks("A10", name)(answering([("X", value)]))

breaks("A10", "DEL", misses=("V25",))(answering([("X", "1\x7f")]))

for name, value in {"a sign": "\u20ac", "a lone surrogate": "\udcff", "Ā": "\u0100"}.items():
    breaks("A25", f"header: {name}", misses=("V24",))(answering([("X", value)]))

# -- A11, A36: what is the server's ---------------------------------------------------------

for name, value in {
    "Connection": "close",
    "Keep-Alive": "timeout=5",
    "Proxy-Authenticate": "Basic",
    "Proxy-Authorization": "Basic YTpi",
    "Proxy-Connection": "close",
    "TE": "trailers",
    "Trailer": "Expires",
    "Trailers": "Expires",
    "Upgrade": "websocket",
    "cONNECTION": "keep-alive",
}.items():
    breaks("A11", name, misses=("V26",))(answering([(name, value)]))

for name in ("Transfer-Encoding", "transfer-encoding"):
    breaks("A36", name, misses=("V26",))(answering([(name, "chunked")]))

# -- A37: Content-Length --------------------------------------------------------------------

for value in ("abc", "-3", "+5", "5_0", "", " ", "5, 5", "5.0", "0x5", "5\xb2", "5 5"):
    breaks("A37", repr(value), misses=("V27",))(answering([("Content-Length", value)]))

breaks("A37", "twice the same", misses=("V27",))(
    answering([("Content-Length", "5"), ("content-length", "5")])
)
breaks("A37", "twice, and not the same", misses=("V27",))(
    answering([("Content-Length", "5"), ("Content-Length", "6")])
)

# -- H121, H134, H136: what HTTP asks of them ------------------------------------------------

for value in ("0", "5"):
    breaks("H121", value)(answering([("Content-Length", value)], "204 No Content", ()))

for name in ("Date", "last-modified"):
    for value in (
        "2006-06-05T18:49:54Z",
        "Monday, 05-Jun-06 18:49:54 GMT",
        "Mon Jun  5 18:49:54 2006",
        "Mon, 5 Jun 2006 18:49:54 GMT",
        "Mon, 05 Jun 2006 18:49:54 +0000",
        "Mo, 05 Jun 2006 18:49:54 GMT",
        "mon, 05 jun 2006 18:49:54 gmt",
        "Mon, 05 Jun 2006 18:49:54 GMT ",
        "",
    ):
        breaks("H134", f"{name}: {value}")(answering([(name, value)]))

for status in ("401 Unauthorized", "405 Method Not Allowed"):
    breaks("H136", status)(answering([PLAIN], status))
