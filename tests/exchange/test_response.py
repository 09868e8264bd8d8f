"""start_response, the blocks, and closing the iterable, as functions of values."""

import sys
from typing import Any

import pytest

from quaich.exchange.response import (
    check_block,
    check_headers,
    check_restart,
    check_result,
    check_status,
    close_result,
)


def _exc_info() -> Any:
    try:
        raise KeyError("the application's own")
    except KeyError:
        return sys.exc_info()


@pytest.mark.rule("S68")
@pytest.mark.parametrize("headers_sent", [False, True])
def test_the_first_start_is_allowed(headers_sent: bool) -> None:
    check_restart(None, called=False, headers_sent=headers_sent)


@pytest.mark.rule("S70")
@pytest.mark.parametrize("headers_sent", [False, True])
def test_a_second_start_needs_exc_info(headers_sent: bool) -> None:
    with pytest.raises(AssertionError, match="Headers already set"):
        check_restart(None, called=True, headers_sent=headers_sent)
    check_restart(_exc_info(), called=True, headers_sent=False)


@pytest.mark.rule("S69")
def test_after_the_headers_the_exception_goes_on_with_its_traceback() -> None:
    exc_info = _exc_info()
    with pytest.raises(KeyError) as info:
        check_restart(exc_info, called=True, headers_sent=True)
    assert info.value is exc_info[1]
    assert info.traceback[-1].name == "_exc_info"


@pytest.mark.rule("S69")
@pytest.mark.parametrize("exc_info", [(None, None, None), (KeyError, None, None), (1, 2, 3)])
def test_exc_info_without_an_exception_is_a_type_error(exc_info: Any) -> None:
    with pytest.raises(TypeError, match="exc_info must be"):
        check_restart(exc_info, called=True, headers_sent=True)


@pytest.mark.rule("A05")
def test_a_status_is_checked() -> None:
    check_status("200 OK")
    for status, error in (("200", AssertionError), ("200 \n", ValueError)):
        with pytest.raises(error):
            check_status(status)


@pytest.mark.rule("A07")
@pytest.mark.parametrize("headers", [(), None, {}, iter([]), "A"])
def test_headers_are_a_list(headers: Any) -> None:
    with pytest.raises(TypeError, match="must be a list"):
        check_headers(headers)


def test_headers_are_checked_and_copied() -> None:
    headers = [("A", "1")]
    fields = check_headers(headers)[0]
    assert fields == headers
    assert fields is not headers
    for bad, error in ((("A", "\n"), ValueError), (("A", 1), AssertionError)):
        with pytest.raises(error):
            check_headers([bad])


def test_a_header_without_a_name_is_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert check_headers([("", ""), ("A", "1")])[0] == [("A", "1")]
    assert "without a name" in caplog.text
    caplog.clear()
    check_headers([("A", "1")])
    assert caplog.text == ""


@pytest.mark.rule("A18")
def test_a_block_is_bytes() -> None:
    check_block(b"")
    for block in ("x", bytearray(b"x"), memoryview(b"x"), None, 1, type("B", (bytes,), {})()):
        with pytest.raises(AssertionError, match="must be a bytes instance"):
            check_block(block)


@pytest.mark.rule("A17")
def test_a_result_is_an_iterable_of_bytes() -> None:
    results: list[object] = [[], [b"x"], (), iter([b"x"]), b"", "", {}]
    for good in results:
        check_result(good)
    for bad, advice in ((None, "None"), (b"x", r"return \[result\]"), ("x", r"\.encode\(\)")):
        with pytest.raises(TypeError, match=advice):
            check_result(bad)


class Closable:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.mark.rule("S18")
def test_close_is_called_if_there_is_one() -> None:
    result: Any = Closable()
    close_result(result)
    assert result.closed == 1
    others: list[Any] = [[b"x"], None, iter([])]
    for other in others:
        close_result(other)
