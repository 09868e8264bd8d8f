"""Stands in for tests/utils.py, which WhiteNoise's source release lacks.

The names are those which WhiteNoise's tests import, and the URLs those which they ask for; the
server is `wsgiref`'s, as it is there.
"""

# mypy: disable-error-code="import-not-found,import-untyped"

import threading
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import shift_path_info

import requests

TEST_FILES = Path(__file__).parent / "test_files"


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class AppServer:
    """An application on a real socket, below a prefix, so that SCRIPT_NAME is not empty."""

    PREFIX = "subdir"

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application
        self.server = make_server("127.0.0.1", 0, self.serve, handler_class=QuietHandler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self.thread.start()

    def serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if shift_path_info(environ) == self.PREFIX:
            return self.application(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"outside the prefix\n"]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def get(self, url: str, **options: Any) -> Any:
        return self.request("get", url, **options)

    def request(self, method: str, url: str, **options: Any) -> Any:
        address = f"http://127.0.0.1:{self.server.server_port}{url}"
        return requests.request(method, address, timeout=10, **options)


class Files:
    """Files of one directory: for each name given, `name_path`, `name_url`, `name_content`."""

    def __init__(self, directory: str, **paths: str) -> None:
        self.directory = str(TEST_FILES / directory)
        for name, path in paths.items():
            setattr(self, f"{name}_path", path)
            setattr(self, f"{name}_url", f"/{AppServer.PREFIX}/{path}")
            setattr(self, f"{name}_content", (TEST_FILES / directory / path).read_bytes())
