"""``quaich check --middleware``: each rule for middleware that it looks at, broken and kept."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quaich
from quaich.conformance.check.middleware import Middlewares
from quaich.conformance.check.probes import PROBES
from quaich.conformance.findings import Finding, Report
from quaich.conformance.rules import Rule, catalogue
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


def with_a_banner(app: WSGIApplication) -> WSGIApplication:
    """A block in front, once start_response has been called: another is not asked for before the
    first is given."""

    class Banner(_Upper):
        held: bytes | None = None
        has_begun = False

        def __next__(self) -> bytes:
            if self.held is not None:
                held, self.held = self.held, None
                return held
            block = bytes(next(self.blocks))
            if self.has_begun or not block:
                return block
            self.has_begun, self.held = True, block
            return b"banner "

    def middleware(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            headers = [item for item in headers if item[0].lower() != "content-length"]
            return start_response(status, headers, exc_info)

        return Banner(app(environ, start))

    return middleware


def only_below_the_path(app: WSGIApplication) -> WSGIApplication:
    """Is not there a second time: the path is another."""

    def middleware(environ: Any, start_response: Any) -> Any:
        if not environ["PATH_INFO"].startswith("/probe"):
            raise LookupError(environ["PATH_INFO"])
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/probe", environ["PATH_INFO"][6:]
        return app(environ, start_response)

    return middleware


SOUND = [
    with_a_banner,
    only_below_the_path,
    nothing,
    calling,
    adding_a_header,
    upper,
    mounting,
    reading_and_replacing,
]


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


def behind_by_one(app: WSGIApplication) -> WSGIApplication:
    class Behind(_Upper):
        held = b""

        def __next__(self) -> bytes:
            held, self.held = self.held, next(self.blocks, b"")
            if not held and not self.held:
                raise StopIteration
            return held

    def middleware(environ: Any, start_response: Any) -> Any:
        return Behind(app(environ, start_response))

    return middleware


def losing_what_is_written(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            start_response(status, headers, exc_info)
            return lambda block: None

        return app(environ, start)

    return middleware


def not_twice(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        if "demo.seen" in environ:
            raise RuntimeError("demo.seen")
        environ["demo.seen"] = True
        return app(environ, start_response)

    return middleware


def leaving_exc_info_out(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            return start_response(status, headers)

        return app(environ, start)

    return middleware


class _ReadOnly:
    """Has read() alone."""

    def __init__(self, stream: Any) -> None:
        self.read = stream.read


def narrowing_the_input(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"] = _ReadOnly(environ["wsgi.input"])
        return app(environ, start_response)

    return middleware


def failing(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Any:
        raise RuntimeError("whoever asks")

    return middleware


def closing_what_yield_from_closes(app: WSGIApplication) -> WSGIApplication:
    def middleware(environ: Any, start_response: Any) -> Iterator[bytes]:
        result = app(environ, start_response)
        try:
            yield from result
        finally:
            if hasattr(result, "close"):
                result.close()

    return middleware


def never_made(app: WSGIApplication) -> WSGIApplication:
    raise RuntimeError("no settings")


BROKEN = [
    (behind_by_one, "M09"),
    (losing_what_is_written, "S83"),
    (not_twice, "M02"),
    (leaving_exc_info_out, "A14"),
    (narrowing_the_input, "S49"),
    (narrowing_the_input, "M23"),
    (failing, "M02"),
    (never_made, "M02"),
    (closing_what_yield_from_closes, "M16"),
    (closing_what_yield_from_closes, "S18"),
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


# --- The catalogue's examples -----------------------------------------------------------------

SEEN_AS = {
    "M01": "A07",
    "M03": "S08",
    "M07": "A11",
    "M08": "A36",
    "M11": "M10",
    "M17": "A37",
    "M18": "A19",
    "M19": "S22",
}
"""What the checkers on both sides report, or another rule for the same."""

UNSEEN = {"M22"}  # its example is about a path that no probe is asked for

CHECKED = [rule for rule in catalogue().values() if rule.id[0] == "M" and "check" in rule.checked]


def factory_of(rule: Rule, example: str) -> Any:
    names: dict[str, Any] = {"gzip": gzip, "io": io}
    exec(compile(example, rule.id, "exec"), names)
    return list(names.values())[-1]


@pytest.mark.parametrize("rule", CHECKED, ids=lambda rule: rule.id)
def test_the_good_example_of_a_rule_breaks_none(rule: Rule) -> None:
    assert findings_of(factory_of(rule, rule.good)) == []


@pytest.mark.parametrize(
    "rule", [each for each in CHECKED if each.id not in UNSEEN], ids=lambda rule: rule.id
)
def test_the_bad_example_of_a_rule_is_found(rule: Rule) -> None:
    found = findings_of(factory_of(rule, rule.bad))
    assert SEEN_AS.get(rule.id, rule.id) in {finding.rule for finding in found}
    assert {finding.party for finding in found} == {"middleware"}
    here = str(Path(quaich.__file__).parent)
    assert not [each for each in found if each.where.file.startswith(here)]


def test_each_probe_is_asked() -> None:
    middleware = Middlewares(nothing, Report())
    middleware.run()
    assert PROBES.keys() <= set(middleware.by_trial)
