"""The application that answers an operator; GET and HEAD only, and it changes nothing."""

import json
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from quaich.server.admin.looking import Facts, look, readiness
from quaich.server.admin.metrics import CONTENT_TYPE, format_metrics
from quaich.server.admin.status import status_of
from quaich.server.figures.board import Board
from quaich.types import StartResponse, WSGIApplication, WSGIEnvironment

_TEXT: Final = "text/plain; charset=utf-8"

_INDEX: Final = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Quaich</title>
<h1>Quaich</h1>
<ul>
<li><a href="healthz">healthz</a>: whether this process lives
<li><a href="readyz">readyz</a>: whether requests can be taken, and why not
<li><a href="status">status</a>: workers, requests in flight and restarts, as JSON
<li><a href="metrics">metrics</a>: figures for Prometheus
</ul>
<p><code>quaich top</code> with this address shows it live in a terminal.
"""

Page: TypeAlias = tuple[str, str, str]  # status, Content-Type, content


def application(board: Board, facts: Facts) -> WSGIApplication:
    """Answers from ``board``, as often as it is asked."""

    def healthz() -> Page:
        return "200 OK", _TEXT, "ok\n"

    def readyz() -> Page:
        is_ready, reason = readiness(look(board))
        return ("200 OK" if is_ready else "503 Service Unavailable"), _TEXT, f"{reason}\n"

    def status() -> Page:
        content = json.dumps(status_of(look(board), facts), indent=2)
        return "200 OK", "application/json", f"{content}\n"

    def metrics() -> Page:
        return "200 OK", CONTENT_TYPE, format_metrics(look(board), facts)

    def index() -> Page:
        return "200 OK", "text/html; charset=utf-8", _INDEX

    pages: dict[str, Callable[[], Page]] = {
        "/": index,
        "/healthz": healthz,
        "/readyz": readyz,
        "/status": status,
        "/metrics": metrics,
    }

    def admin(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"])
        more: list[tuple[str, str]] = []
        if page is None:
            paths = ", ".join(pages)
            line, kind, text = "404 Not Found", _TEXT, f"There is no such page; there are {paths}\n"
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            line, kind, text = "405 Method Not Allowed", _TEXT, "It takes GET and HEAD\n"
            more.append(("Allow", "GET, HEAD"))
        else:
            line, kind, text = page()
        content = text.encode()
        start_response(
            line,
            [
                ("Content-Type", kind),
                ("Content-Length", str(len(content))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                *more,
            ],
        )
        return [content]

    return admin
