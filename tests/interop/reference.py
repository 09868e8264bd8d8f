"""An application that tells what it was sent, counts, and answers with contents that can be
checked.

    /                    a line of text
    /echo                what the request was, with a hash of its content, as JSON
    /bytes?size=N        N bytes, with their length
    /stream?size=N       the same in blocks, without it
    /file                a file, by wsgi.file_wrapper; also a part of it
    /refuse              403, and the content is not read
    /count               the number of requests for each path, as JSON
    /page, /asset/N.EXT  a page for a browser, and what it is made of
    /report              takes a browser's report; /reported gives it back
"""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs

GREETING = b"Hello from the other side\n"

ASSETS = 60
KINDS = ("css", "js", "svg")

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

# Its length is a prime number: no loss or repetition of 64 KiB goes unnoticed.
_PATTERN = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(2048))[:65521]


def pattern(size: int) -> bytes:
    """``size`` bytes that nobody sends by mistake."""
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blocks(size: int) -> Iterator[bytes]:
    """The bytes of :func:`pattern`, one after the other."""
    for _ in range(size // len(_PATTERN)):
        yield _PATTERN
    if size % len(_PATTERN):
        yield _PATTERN[: size % len(_PATTERN)]


def tell(environ: dict[str, Any]) -> dict[str, Any]:
    """What a request was."""
    content = environ["wsgi.input"]
    seen, size = hashlib.sha256(), 0
    while block := content.read(65536):
        seen.update(block)
        size += len(block)
    return {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"].encode("latin-1").decode("utf-8"),
        "query": environ["QUERY_STRING"],
        "protocol": environ["SERVER_PROTOCOL"],
        "type": environ.get("CONTENT_TYPE"),
        "length": environ.get("CONTENT_LENGTH"),
        "size": size,
        "sha256": seen.hexdigest(),
        "fields": sorted(name for name in environ if name.startswith("HTTP_")),
    }


def page(megabytes: int) -> str:
    """Loads the assets, a download and an upload, and reports what came of each."""
    assets = [f"/asset/{n}.{KINDS[n % len(KINDS)]}" for n in range(ASSETS)]
    tags = {
        "css": '<link rel="stylesheet" href="{}" onload="came()">',
        "js": '<script src="{}" onload="came()"></script>',
        "svg": '<img src="{}" onload="came()">',
    }
    size = megabytes * 1024 * 1024
    return f"""<!doctype html><meta charset="utf-8"><title>a page</title>
<script>
let loaded = 0, ran = 0;
function came() {{ loaded += 1; }}
async function hash(data) {{
  const found = await crypto.subtle.digest("SHA-256", data);
  return [...new Uint8Array(found)].map(n => n.toString(16).padStart(2, "0")).join("");
}}
async function run() {{
  const response = await fetch("/bytes?size={size}");
  const data = await response.arrayBuffer();
  const sent = await fetch("/echo", {{method: "POST", body: data}});
  const told = await sent.json();
  return {{loaded, ran, size: data.byteLength, sha256: await hash(data), told}};
}}
addEventListener("load", () => run().catch(error => ({{error: String(error), loaded, ran}}))
  .then(report => fetch("/report", {{method: "POST", body: JSON.stringify(report)}})));
</script>
{chr(10).join(tags[path.rpartition(".")[2]].format(path) for path in assets)}
"""


def asset(number: int, kind: str) -> bytes:
    """Large ones among small ones: they do not all fit into one send."""
    filler = "x" * (number * number * 40)
    if kind == "css":
        return f"/* {filler} */ .class{number} {{ margin: {number}px }}".encode()
    if kind == "js":
        return f"/* {filler} */ ran += 1;".encode()
    return f'<svg xmlns="http://www.w3.org/2000/svg"><desc>{filler}</desc></svg>'.encode()


class Reference:
    """See the module. ``file``: what ``/file`` sends."""

    def __init__(self, file: str = __file__, megabytes: int = 1) -> None:
        self._file = Path(file)
        self._page = page(megabytes).encode()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._report = b""

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        with self._lock:
            self._counts[path] += 1
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        status, kind, length = "200 OK", "text/plain", -1
        extra: list[tuple[str, str]] = []
        content: Iterable[bytes]
        if path == "/":
            content = [GREETING]
        elif path.startswith("/echo"):
            kind, content = "application/json", [json.dumps(tell(environ)).encode()]
        elif path == "/bytes":
            kind, length = "application/octet-stream", int(query["size"])
            content = blocks(length)
        elif path == "/stream":
            kind, content = "application/octet-stream", blocks(int(query["size"]))
        elif path == "/file":
            status, length, extra, content = self._send_file(environ)
            kind = "application/octet-stream"
        elif path == "/refuse":
            status, content = "403 Forbidden", [b"no\n"]
        elif path == "/count":
            with self._lock:
                kind, content = "application/json", [json.dumps(self._counts).encode()]
        elif path == "/page":
            kind, content = "text/html; charset=utf-8", [self._page]
        elif found := re.fullmatch(r"/asset/([0-9]+)\.(css|js|svg)", path):
            kind, content = _TYPES[found[2]], [asset(int(found[1]), found[2])]
        elif path == "/report":
            self._report = environ["wsgi.input"].read()
            status, content = "204 No Content", []
        elif path == "/reported":
            content = [self._report]
        else:
            status, content = "404 Not Found", [b"nothing here\n"]
        headers = [("Cache-Control", "no-store"), *extra]
        if not status.startswith("204"):
            headers.append(("Content-Type", kind))
        if length >= 0:
            headers.append(("Content-Length", str(length)))
        start_response(status, headers)
        return content

    def _send_file(
        self, environ: dict[str, Any]
    ) -> tuple[str, int, list[tuple[str, str]], Iterable[bytes]]:
        size = self._file.stat().st_size
        file: IO[bytes] = self._file.open("rb")
        extra = [("Accept-Ranges", "bytes")]
        status, first, last = "200 OK", 0, size - 1
        found = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", environ.get("HTTP_RANGE", ""))
        if found is not None:
            status = "206 Partial Content"
            if found[1]:
                first, last = int(found[1]), min(int(found[2] or last), last)
            else:
                first = max(0, size - int(found[2]))
            extra.append(("Content-Range", f"bytes {first}-{last}/{size}"))
            file.seek(first)
        return status, last - first + 1, extra, environ["wsgi.file_wrapper"](file)


app = Reference()
