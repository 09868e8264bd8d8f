"""``quaich check --middleware``: each rule for middleware that it looks at, broken and kept."""

import io
from collections.abc import Iterator
from typing import Any

import pytest

from quaich.conformance.check.middleware import PROBES, Middlewares
from quaich.conformance.findings import Finding, Report
from quaich.types import WSGIApplication


def findings_of(factory: Any) -> list[Finding]:
    report = Report()
    Middlewares(factory, report).run()
    return report.findings


# --- Sound ------------------------------------------------------------------------------------


def nothing(app: WSGIApplication) -> WSGIApplication:
    return app


def calling(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        return app(environ, start_response)

    return middleware


def adding_a_header(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("X-Added", "1")], exc_info)

        return app(environ, start)

    return middleware


class _Upper:
    """Changes each block, and keeps len() out of it."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.blocks = iter(result)

    def __iter__(self) -> "_Upper":
        return self

    def __next__(self) -> bytes:
        return bytes(next(self.blocks)).upper()

    def close(self) -> None:
        if hasattr(self.result, "close"):
            self.result.close()


def upper(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            write = start_response(status, headers, exc_info)
            return lambda block: write(block.upper())

        return _Upper(app(environ, start))

    return middleware


def mounting(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/probe", "/path"
        return app(environ, start_response)

    return middleware


def reading_and_replacing(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        return app(environ, start_response)

    return middleware


SOUND = [nothing, calling, adding_a_header, upper, mounting, reading_and_replacing]


@pytest.mark.parametrize("factory", SOUND)
def test_nothing_is_found_in_a_sound_one(factory: Any) -> None:
    assert findings_of(factory) == []


# --- Broken -----------------------------------------------------------------------------------


def keywords(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        return app(environ=environ, start_response=start_response)  # type: ignore[call-arg]  # S07

    return middleware


def own_dict(app: WSGIApplication) -> WSGIApplication:
    class Environ(dict[str, Any]):
        pass

    def middleware(environ: Any, start_response: Any) -> Any:
        return app(Environ(environ), start_response)

    return middleware


def all_at_once(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        result = app(environ, start_response)
        try:
            return [b"".join(result)]
        finally:
            if hasattr(result, "close"):
                result.close()

    return middleware


def joining(app: WSGIApplication) -> WSGIApplication:
    class Joined:
        def __init__(self, result: Any) -> None:
            self.result = result

        def __iter__(self) -> Iterator[bytes]:
            yield b"".join(self.result)

        def close(self) -> None:
            if hasattr(self.result, "close"):
                self.result.close()

    def middleware(environ: Any, start_response: Any) -> Any:
        return Joined(app(environ, start_response))

    return middleware


def not_closing(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        return map(bytes, app(environ, start_response))

    return middleware


def closing_twice(app: WSGIApplication) -> WSGIApplication:
    class Twice(_Upper):
        def close(self) -> None:
            super().close()
            super().close()

    def middleware(environ: Any, start_response: Any) -> Any:
        return Twice(app(environ, start_response))

    return middleware


def two_arguments(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any) -> Any:
            return start_response(status, headers)

        inner: Any = app
        return inner(environ, start)

    return middleware


def sooner_than_known(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        seen: list[Any] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            seen.append(headers)
            return start_response(status, headers, exc_info)

        result = app(environ, start)
        seen[0]  # a generator has not called it yet
        return result

    return middleware


def swallowing_the_content(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        return app(environ, start_response)

    return middleware


def losing_the_path(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/probe", "/"
        return app(environ, start_response)

    return middleware


BROKEN = [
    (keywords, "S07"),
    (own_dict, "S08"),
    (all_at_once, "M13"),
    (joining, "M10"),
    (not_closing, "M16"),
    (closing_twice, "M16"),
    (two_arguments, "M04"),
    (sooner_than_known, "M26"),
    (swallowing_the_content, "M24"),
    (losing_the_path, "M22"),
]


@pytest.mark.parametrize(("factory", "rule"), BROKEN)
def test_a_broken_one_is_found(factory: Any, rule: str) -> None:
    found = [finding for finding in findings_of(factory) if finding.rule == rule]
    assert found
    assert {finding.party for finding in found} == {"middleware"}


def test_each_probe_is_asked() -> None:
    middleware = Middlewares(nothing, Report())
    middleware.run()
    assert {name for name, _ in PROBES} <= set(middleware.by_trial)
