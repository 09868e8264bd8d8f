"""Range requests: which bytes a field asks for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaich.static.ranges import RANGES_MAX, ByteRange, Multipart, parse_range


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-9", [(0, 10)]),
        ("bytes=9-", [(9, 10)]),
        ("bytes=3-100", [(3, 10)]),
        ("bytes=-1", [(9, 10)]),
        ("bytes=-10", [(0, 10)]),
        ("bytes=-100", [(0, 10)]),
        ("bytes=3-" + "9" * 5000, [(3, 10)]),
        ("bytes=-" + "9" * 5000, [(0, 10)]),
        ("bytes=" + "0" * 5000 + "3-4", [(3, 5)]),
        ("BYTES = 0-1", [(0, 2)]),
        ("bytes= 0-1 ,\t3-4,", [(0, 2), (3, 5)]),
        ("bytes=3-4,0-1", [(3, 5), (0, 2)]),  # in the order asked for
        ("bytes=0-1,-1", [(0, 2), (9, 10)]),
        ("bytes=0-1,20-30", [(0, 2)]),
        # Those that overlap are one
        ("bytes=0-4,2-7", [(0, 8)]),
        ("bytes=0-,0-,0-", [(0, 10)]),
        ("bytes=8-9,0-4,3-5", [(0, 6), (8, 10)]),
        ("bytes=2-3,0-9", [(0, 10)]),
        # None can be had
        ("bytes=10-", []),
        ("bytes=10-20", []),
        ("bytes=-0", []),
        ("bytes=10-,-0", []),
        ("bytes=" + "9" * 5000 + "-", []),
        # To be ignored
        ("bytes=", None),
        ("bytes=,", None),
        ("bytes", None),
        ("", None),
        ("lines=0-1", None),
        ("bytes=1-0", None),
        ("bytes=0-1,5-3", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=--1", None),
        ("bytes=+1-2", None),
        ("bytes=1", None),
        ("bytes=0 - 1", None),
        ("bytes=٣-", None),
        ("bytes=" + ",".join(["0-0"] * (RANGES_MAX + 1)), None),
    ],
)
def test_parses(text: str, ranges: list[tuple[int, int]] | None) -> None:
    """Of ten bytes."""
    assert parse_range(text, 10) == ranges


@pytest.mark.parametrize(
    ("text", "ranges"), [("bytes=0-", []), ("bytes=-1", None), ("bytes=-0", [])]
)
def test_of_nothing(text: str, ranges: list[ByteRange] | None) -> None:
    assert parse_range(text, 0) == ranges


SPECS = st.one_of(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    st.integers(0, 30).map("{}-".format),
    st.integers(0, 30).map("-{}".format),
)


@given(st.lists(SPECS, min_size=1, max_size=RANGES_MAX), st.integers(1, 25))
def test_the_bytes_are_those_asked_for(specs: list[str], size: int) -> None:
    wanted = set()
    for spec in specs:
        first, _, last = spec.partition("-")
        if not first:
            wanted |= set(range(max(0, size - int(last)), size))
        else:
            wanted |= set(range(int(first), min(size, int(last) + 1 if last else size)))
    ranges = parse_range("bytes=" + ",".join(specs), size)
    assert ranges is not None
    sent = [byte for each in ranges for byte in range(each.start, each.stop)]
    assert len(sent) == len(set(sent)) <= size  # never more than the file has
    assert set(sent) == wanted
    assert all(0 <= each.start < each.stop <= size for each in ranges)


@given(st.text(alphabet="bytes=0123456789-, \t\x00é", max_size=40), st.integers(0, 20))
def test_no_text_is_a_failure(text: str, size: int) -> None:
    for each in parse_range(text, size) or []:
        assert 0 <= each.start < each.stop <= size


def test_several_parts() -> None:
    """Their length is known beforehand; each says which bytes it has."""
    data = bytes(range(100))
    ranges = [ByteRange(0, 10), ByteRange(50, 100)]
    parts = Multipart(ranges, len(data), "text/css; charset=utf-8", "xyz")
    assert parts.content_type == "multipart/byteranges; boundary=xyz"
    content = (
        b"".join(
            head + data[each.start : each.stop]
            for head, each in zip(parts.heads, ranges, strict=True)
        )
        + parts.end
    )
    assert parts.length == len(content)
    assert content == (
        b"--xyz\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes 0-9/100\r\n\r\n"
        + data[:10]
        + b"\r\n--xyz\r\nContent-Type: text/css; charset=utf-8\r\n"
        b"Content-Range: bytes 50-99/100\r\n\r\n" + data[50:] + b"\r\n--xyz--\r\n"
    )
    assert re.fullmatch(rb"--xyz\r\n.*\r\n--xyz--\r\n", content, re.DOTALL)
