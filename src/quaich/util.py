"""Helpers for the environ: URLs, path shifting, test defaults, a file as an iterable.

The interface is that of ``wsgiref.util``.
"""

import io
import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from quaich.protocol.response import HOP_BY_HOP
from quaich.types import WSGIEnvironment

__all__ = [
    "FileWrapper",
    "application_uri",
    "guess_scheme",
    "is_hop_by_hop",
    "request_uri",
    "setup_testing_defaults",
    "shift_path_info",
]

_hoppish = HOP_BY_HOP.__contains__


class FileWrapper:
    """A file as an iterable of its blocks (PEP 3333, Optional Platform-Specific File Handling).

    ``filelike`` needs ``read(size)``; ``blksize`` is the size of a block. The object has a
    ``close()`` only if the file has one. Once the file gave nothing, iteration has ended for
    good. For code written for Python 2.1 and Jython it also answers ``wrapper[i]``: the next
    block, whatever ``i`` is; IndexError at the end.
    """

    _ended = False  # of the class, for subclasses with a constructor of their own

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._ended:
            data = self.filelike.read(self.blksize)
            if data:
                return data
            self._ended = True
        raise StopIteration

    def __getitem__(self, key: object) -> Any:
        try:
            return next(self)
        except StopIteration:
            raise IndexError("the file has ended") from None


def guess_scheme(environ: WSGIEnvironment) -> str:
    """``"https"`` if HTTPS is ``yes``, ``on``, ``1`` or ``true`` in any case, or
    REQUEST_SCHEME is ``https``; else ``"http"`` (for gateways; D123)."""
    https = environ.get("HTTPS")
    if https and isinstance(https, str) and https.lower() in ("yes", "on", "1", "true"):
        return "https"
    return "https" if environ.get("REQUEST_SCHEME") == "https" else "http"


def application_uri(environ: WSGIEnvironment) -> str:
    """The application's URI, without PATH_INFO and QUERY_STRING (PEP 3333, URL
    Reconstruction).

    Needs ``wsgi.url_scheme``, and SERVER_NAME and SERVER_PORT unless HTTP_HOST is there
    (KeyError). Host and SCRIPT_NAME are believed; UnicodeEncodeError if SCRIPT_NAME is not
    ISO-8859-1.
    """
    scheme = environ["wsgi.url_scheme"]
    host = environ.get("HTTP_HOST")
    if not host:
        host = environ["SERVER_NAME"]
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"  # an IPv6 address (D121)
        port = environ["SERVER_PORT"]
        if port != ("443" if scheme == "https" else "80"):
            host += ":" + port
    path = quote(environ.get("SCRIPT_NAME") or "/", encoding="latin1")
    return f"{scheme}://{host}{path}"


def request_uri(environ: WSGIEnvironment, include_query: bool = True) -> str:
    """The request's URI, with its query unless ``include_query`` is false (PEP 3333, URL
    Reconstruction). Raises what :func:`application_uri` raises."""
    uri = application_uri(environ)
    path = quote(environ.get("PATH_INFO", ""), safe="/;=,", encoding="latin1")
    if not environ.get("SCRIPT_NAME"):
        # application_uri() has ended in "/": one slash, and no other character, is too many.
        path = path.removeprefix("/")
    uri += path
    query = environ.get("QUERY_STRING")
    return f"{uri}?{query}" if include_query and query else uri


def shift_path_info(environ: WSGIEnvironment) -> str | None:
    """Move the first segment of PATH_INFO to the end of SCRIPT_NAME and return it.

    ``environ`` is changed in place. None if PATH_INFO has no segment left. Empty segments and
    ``.`` within the path are skipped; but of a PATH_INFO that is only ``/`` the empty segment
    is moved and ``""`` returned, and SCRIPT_NAME gets a ``/`` at its end, so that ``/x`` and
    ``/x/`` can be told apart. ``..`` is returned like any name and takes a segment off
    SCRIPT_NAME.
    """
    path_info: str = environ.get("PATH_INFO", "")
    if not path_info:
        return None
    if path_info[0] == "/" and "//" not in path_info and "/." not in path_info:
        name, slash, rest = path_info[1:].partition("/")
        environ["PATH_INFO"] = slash + rest
    else:
        # A path without a leading slash has a first segment all the same (D118).
        *inner, last = path_info.removeprefix("/").split("/")
        segments = [segment for segment in inner if segment and segment != "."]
        segments.append(last)
        name, segments[0] = segments[0], ""
        environ["PATH_INFO"] = "/".join(segments)

    script_name = f"{environ.get('SCRIPT_NAME', '')}/{name}"
    if not name or "/." in script_name or "//" in script_name or script_name[0] != "/":
        script_name = posixpath.normpath(script_name).removesuffix("/")
    # Of two slashes at the start, which normpath() leaves, one may be there still.
    environ["SCRIPT_NAME"] = script_name if name else script_name.removesuffix("/") + "/"
    return None if name == "." else name


def setup_testing_defaults(environ: WSGIEnvironment) -> None:
    """Fill ``environ`` with made-up values for tests, in place.

    Only what is missing is set. For tests of servers and applications; a server must not use
    it. QUERY_STRING is among the defaults (D124).
    """
    default = environ.setdefault
    default("SERVER_NAME", "127.0.0.1")
    default("SERVER_PROTOCOL", "HTTP/1.0")
    default("HTTP_HOST", environ["SERVER_NAME"])
    default("REQUEST_METHOD", "GET")
    if "SCRIPT_NAME" not in environ and "PATH_INFO" not in environ:
        default("SCRIPT_NAME", "")
        default("PATH_INFO", "/")
    default("QUERY_STRING", "")
    default("wsgi.version", (1, 0))
    # Numbers, not booleans: they are printed by tutorials that show the environ.
    default("wsgi.run_once", 0)
    default("wsgi.multithread", 0)
    default("wsgi.multiprocess", 0)
    default("wsgi.input", io.BytesIO())
    default("wsgi.errors", io.StringIO())
    default("wsgi.url_scheme", guess_scheme(environ))
    port = {"http": "80", "https": "443"}.get(environ["wsgi.url_scheme"])
    if port is not None:
        default("SERVER_PORT", port)


def is_hop_by_hop(header_name: str) -> bool:
    """Whether the name, in any case, is one of the hop-by-hop headers that RFC 2616 lists."""
    return _hoppish(header_name.lower())
