"""What is served: each answer shows which request it answers.

The query has ``id``, which comes back as X-Id; what else it may have is said at each route.
"""

import contextlib
import ctypes
import gc
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

Environ = dict[str, Any]
Answer = tuple[list[tuple[str, str]], Iterable[bytes]]

FILE_SIZE = 2 * 1024 * 1024


def content_for(name: str, size: int) -> bytes:
    """``size`` bytes that no other request has."""
    unit = f"{name}|".encode()
    return (unit * (size // len(unit) + 1))[:size]


def file_content() -> bytes:
    """What the served file holds."""
    return content_for("file", FILE_SIZE)


def summary(method: str, name: str, content: bytes) -> bytes:
    """What ``/echo`` answers."""
    return f"{method} {name} {len(content)} {zlib.crc32(content)}".encode()


class Application:
    """See the module. One for each process."""

    def __init__(self) -> None:
        # Goes when the process ends.
        self._file = tempfile.NamedTemporaryFile(prefix="quaich-stress-")  # noqa: SIM115
        self._file.write(file_content())
        self._file.flush()
        self._hoard: list[int] = []

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        route: Callable[[Environ, dict[str, str]], Answer] = getattr(
            self, "do_" + environ["PATH_INFO"].strip("/")
        )
        fields, blocks = route(environ, query)
        start_response(
            "200 OK",
            [("Content-Type", "application/octet-stream"), ("X-Id", query.get("id", "-")), *fields],
        )
        return blocks

    def do_echo(self, environ: Environ, query: dict[str, str]) -> Answer:
        """A summary of the content."""
        content = environ["wsgi.input"].read()
        return [], [summary(environ["REQUEST_METHOD"], query.get("id", "-"), content)]

    def do_ignore(self, environ: Environ, query: dict[str, str]) -> Answer:
        """Nothing is read."""
        return [], [f"ignored {query['id']}".encode()]

    def do_big(self, environ: Environ, query: dict[str, str]) -> Answer:
        """``size`` bytes in one block."""
        return [], [content_for(query["id"], int(query["size"]))]

    def do_stream(self, environ: Environ, query: dict[str, str]) -> Answer:
        """``blocks`` of ``size`` bytes, one after the other."""
        block = content_for(query["id"], int(query["size"]))

        def blocks() -> Iterator[bytes]:
            for _ in range(int(query["blocks"])):
                yield block

        return [], blocks()

    def do_file(self, environ: Environ, query: dict[str, str]) -> Answer:
        """A file of :data:`FILE_SIZE` bytes."""
        return [], environ["wsgi.file_wrapper"](open(self._file.name, "rb"))  # noqa: PTH123

    def do_sleep(self, environ: Environ, query: dict[str, str]) -> Answer:
        """After ``ms`` milliseconds."""
        time.sleep(float(query["ms"]) / 1000)
        return [], [f"slept {query['id']}".encode()]

    def do_work(self, environ: Environ, query: dict[str, str]) -> Answer:
        """After ``ms`` milliseconds of work for the processor."""
        end = time.monotonic() + float(query["ms"]) / 1000
        while time.monotonic() < end:
            pass
        return [], [f"worked {query['id']}".encode()]

    def do_error(self, environ: Environ, query: dict[str, str]) -> Answer:
        """The application fails."""
        raise ValueError(f"as asked by {query['id']}")

    def do_broken(self, environ: Environ, query: dict[str, str]) -> Answer:
        """The application fails after a block."""

        def blocks() -> Iterator[bytes]:
            yield content_for(query["id"], 1000)
            raise ValueError(f"as asked by {query['id']}")

        return [], blocks()

    def do_facts(self, environ: Environ, query: dict[str, str]) -> Answer:
        """How many objects Python's collector knows. What is free goes back to the system."""
        gc.collect()
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)  # glibc's
        return [], [str(len(gc.get_objects())).encode()]

    def do_hoard(self, environ: Environ, query: dict[str, str]) -> Answer:
        """The application takes all descriptors that are left, but for ``spare``."""
        try:
            while True:
                self._hoard.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            for _ in range(int(query["spare"])):
                os.close(self._hoard.pop())
        return [], [str(len(self._hoard)).encode()]

    def do_release(self, environ: Environ, query: dict[str, str]) -> Answer:
        """The application gives them back."""
        while self._hoard:
            os.close(self._hoard.pop())
        return [], [b"released"]


application = Application()
