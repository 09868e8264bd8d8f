"""A correct server of one request, in memory, whose steps can be overridden one by one.

    Gateway.serve
      call              the application is called
        start_response    with write(): what the application is given
      iterate           its result is iterated over
        write
      close             and closed

It shares no code with Quaich, on purpose. It does what a server has to, and refuses nothing else:
a program that breaks a rule must be able to go on to its end.
"""

import io
import threading
from collections.abc import Callable
from typing import Any, ClassVar, Final

REQUEST: Final = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_SOFTWARE": "gateway/1.0",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "localhost",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


class FileWrapper:
    """``wsgi.file_wrapper`` as a class."""

    def __init__(self, file: Any, size: int = 8192) -> None:
        self.file = file
        self.size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Any:
        return iter(lambda: self.file.read(self.size), b"")


def wrap_file(file: Any, size: int = 8192) -> Any:
    """``wsgi.file_wrapper`` as a function."""
    return FileWrapper(file, size)


class Gateway:
    """Serves one request. What came of it is in the attributes."""

    method: ClassVar[str] = "GET"
    content: ClassVar[bytes] = b""
    changes: ClassVar[dict[Any, Any]] = {}  # to the environ
    absent: ClassVar[tuple[str, ...]] = ()  # from the environ
    stop_after: ClassVar[int | None] = None  # blocks, after which the result is closed (S20)

    def __init__(self) -> None:
        self.environ = self.make_environ()
        self.status: Any = None
        self.headers: Any = None
        self.blocks: list[Any] = []
        self.sent = False

    def make_environ(self) -> Any:
        environ: dict[Any, Any] = {
            **REQUEST,
            "REQUEST_METHOD": self.method,
            "wsgi.input": io.BytesIO(self.content),
            "wsgi.errors": io.StringIO(),
        }
        if self.content:
            environ["CONTENT_LENGTH"] = str(len(self.content))
        environ.update(self.changes)
        for key in self.absent:
            del environ[key]
        return environ

    def serve(self, application: Any) -> None:
        """Let a request be answered; raises what the application raises."""
        result = self.call(application)
        try:
            self.iterate(result)
        finally:
            self.close(result)

    def call(self, application: Any) -> Any:
        return application(self.environ, self.start_response)  # guilty

    def start_response(
        self, status: Any, headers: Any, exc_info: Any = None, /
    ) -> Callable[[Any], object]:
        if exc_info:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status is not None:
            raise AssertionError("start_response is called again")
        self.status, self.headers = status, headers
        return self.write

    def write(self, block: Any, /) -> None:
        self.blocks.append(block)
        self.sent = self.sent or bool(block)

    def iterate(self, result: Any) -> None:
        if self.stop_after == 0:
            return
        for block in result:  # guilty
            self.write(block)
            if len(self.blocks) == self.stop_after:
                break

    def close(self, result: Any) -> None:
        if hasattr(result, "close"):
            result.close()


def gateway_with(
    changes: dict[Any, Any] | None = None, absent: tuple[str, ...] = (), **attributes: Any
) -> type[Gateway]:
    """A gateway whose environ, or other class attributes, are different."""
    return type("Gateway", (Gateway,), {"changes": changes or {}, "absent": absent, **attributes})


def correct(environ: Any, start_response: Any) -> Any:
    """An application that keeps all the rules."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "7")])
    return [b"correct"]


def meeting(environ: Any, start_response: Any) -> Any:
    """An application in which a call can be made to wait for another one."""
    if "gateway.go" in environ:
        environ["gateway.inside"].set()
        environ["gateway.go"].wait(10)
    return correct(environ, start_response)


class TwoThreads(Gateway):
    """Calls ``meeting`` while another thread is inside."""

    def call(self, application: Any) -> Any:
        inside, go = threading.Event(), threading.Event()
        other = Gateway()
        other.environ.update({**self.changes, "gateway.inside": inside, "gateway.go": go})
        thread = threading.Thread(target=other.serve, args=(application,))
        thread.start()
        inside.wait(10)
        try:
            return super().call(application)
        finally:
            go.set()
            thread.join()
