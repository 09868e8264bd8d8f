"""The question that a worker asks its own application before it serves."""

from typing import Any

import pytest

from quaich.server.starting import CannotStart
from quaich.server.supervisor import worker
from quaich.settings import Settings

pytestmark = pytest.mark.live


def answering(status: str) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(
            status if environ["HTTP_HOST"] == "localhost" else "500 Oh",
            [("Content-Length", "0")],
        )
        return []

    return app


@pytest.mark.parametrize("status", ["200 OK", "301 Moved", "399 Odd"])
def test_an_application_is_ready(status: str) -> None:
    worker._ask(answering(status), Settings(), "/ready")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("404 Not Found", "ready_path: the application answers GET /ready with 404"),
        (
            "400 Bad Request",
            "ready_path: the application answers GET /ready with 400; it was asked with Host: "
            "localhost, which it may have to allow",
        ),
    ],
)
def test_an_application_is_not_ready(status: str, line: str) -> None:
    """400 is what a list of hosts has for those that are not in it (Django's ALLOWED_HOSTS)."""
    with pytest.raises(CannotStart) as caught:
        worker._ask(answering(status), Settings(), "/ready")
    assert str(caught.value) == line
