"""How values are written."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from quaich.settings import kinds, places
from quaich.settings.kinds import Kind

MODE = kinds.mode_or_none("660")
CHOICE: Kind[Any] = kinds.choice(("drop", "refuse", "dangerous"))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (kinds.whole_number(1), "32", 32),
        (kinds.whole_number(1), 32, 32),
        (kinds.whole_number(0), "0", 0),
        (kinds.whole_number(1), "2147483647", 2147483647),
        (kinds.size(1), "8190", 8190),
        (kinds.size(1), 8190, 8190),
        (kinds.size(1), "64k", 65_536),
        (kinds.size(1), "64K", 65_536),
        (kinds.size(1), "64KiB", 65_536),
        (kinds.size(1), "1m", 2**20),
        (kinds.size(1), "1MIB", 2**20),
        (kinds.size(1), "2g", 2**31),
        (kinds.size(0), "0", 0),
        (kinds.memory(), "0", 0),
        (kinds.memory(), "1m", 2**20),
        (kinds.memory(), 2**20, 2**20),
        (kinds.duration(), "30", 30.0),
        (kinds.duration(), 30, 30.0),
        (kinds.duration(), 0.5, 0.5),
        (kinds.duration(), "0.5", 0.5),
        (kinds.duration(), "500ms", 0.5),
        (kinds.duration(), "30s", 30.0),
        (kinds.duration(), "1.5m", 90.0),
        (kinds.duration(), "1h", 3600.0),
        (kinds.duration(), "576h", kinds.DURATION_MAX),
        (kinds.duration(zero=True), "0", 0.0),
        (kinds.duration(zero=True), "0ms", 0.0),
        (CHOICE, "refuse", "refuse"),
        (CHOICE, "Refuse", "refuse"),
        (kinds.TRUTH, True, True),
        (kinds.TRUTH, "Yes", True),
        (kinds.TRUTH, "1", True),
        (kinds.TRUTH, "off", False),
        (kinds.TEXT, " ", " "),
        (kinds.FILE, "-", "-"),
        (kinds.FILE, Path("log"), "log"),
        (kinds.FILE_OR_NONE, None, None),
        (kinds.FILE_OR_NONE, Path("log"), "log"),
        (kinds.DIRECTORY_OR_NONE, Path("src"), "src"),
        (kinds.DIRECTORY_OR_NONE, None, None),
        (MODE, "022", 0o022),
        (MODE, "0o22", 0o022),
        (MODE, 0o022, 0o022),
        (kinds.TEXT_OR_EMPTY, "", ""),
        (kinds.TEXT_OR_EMPTY, "none", ""),
        (kinds.NETWORKS, "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        (kinds.NETWORKS, "none", ()),
        (kinds.NETWORKS, [], ()),
        (kinds.PAIRS, "A=1,2", ("A=1,2",)),
        (kinds.PAIRS, "A=1\nB= 2 ", ("A=1", "B= 2 ")),
        (kinds.PAIRS, ["A=1\n2", "B="], ("A=1\n2", "B=")),
        (kinds.PAIRS, {"A": "1", "B": "x=y"}, ("A=1", "B=x=y")),
        (kinds.PAIRS, "none", ()),
        (kinds.PAIRS, {}, ()),
        (places.ADDRESSES, ":80", (":80",)),
        (places.ADDRESSES, [":80"], (":80",)),
        (places.ADDRESSES, (" :80 ",), (":80",)),
    ],
)
def test_parses(kind: Kind[Any], value: object, expected: object) -> None:
    found = kind.parse(value)
    assert (found, type(found)) == (expected, type(expected))


NUMBER_REASON = "it takes a whole number from 1 to 2147483647"
SIZE_REASON = "a size is a number of bytes, or 64k, 1m, 1g, 64KiB"
SIZE_RANGE = "it takes a size from 1 to 9223372036854775807 bytes"
DURATION_REASON = "a duration is a number of seconds, or 500ms, 30s, 5m, 1h"
TRUTH_REASON = "it takes yes or no, true or false, on or off, 1 or 0"
FILE_REASON = "it takes the name of a file, or -"


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        *(
            (kinds.whole_number(1), value, NUMBER_REASON)
            for value in ("", "x", "-1", "0", 0, "1.0", 1.0, " 1", "1_0", "٣", "9" * 5000, 2**31)
        ),
        *((kinds.whole_number(1), value, NUMBER_REASON) for value in (True, None, [1])),
        *(
            (kinds.size(1), value, SIZE_REASON)
            for value in ("", "x", "-1", "64kb", "64 k", "1.5m", 1.5, "1t", True, None, "9" * 5000)
        ),
        # ſ and K are letters that lower-case to s and k.
        (kinds.size(1), "64\N{KELVIN SIGN}", SIZE_REASON),
        *((kinds.size(1), value, SIZE_RANGE) for value in ("0", 0, -1, "8589934592g", 2**63)),
        *(
            (kinds.memory(), value, "it takes 0, or 1MiB at least; is 512m meant?")
            for value in ("512", 512)
        ),
        (kinds.memory(), "10k", "it takes 0, or 1MiB at least"),
        (kinds.memory(), "1mm", SIZE_REASON),
        *(
            (kinds.duration(), value, DURATION_REASON)
            for value in ("", "30x", "-1", "1e3", "nan", ".5", "5.", "1 s", "1h30m", "1S", "٣")
        ),
        *((kinds.duration(), value, DURATION_REASON) for value in (True, None, float("nan"))),
        (kinds.duration(), datetime.timedelta(1), DURATION_REASON),
        *((kinds.duration(), value, "it takes more than 0") for value in ("0", "0ms", 0, -1.0)),
        (kinds.duration(zero=True), -1, "it takes 0 or more than 0"),
        *(
            (kinds.duration(), value, "it takes at most 24 days, which is 576h")
            for value in ("577h", "9" * 5000, float("inf"), 10**400)
        ),
        *(
            (CHOICE, value, "it takes drop, refuse or dangerous")
            for value in ("", "keep", None, True)
        ),
        *((kinds.TRUTH, value, TRUTH_REASON) for value in ("", "maybe", "2", 1, None)),
        *((kinds.TEXT, value, "it takes a text that is not empty") for value in ("", None, b"x")),
        *((kinds.FILE, value, FILE_REASON) for value in ("", "a\0b", None, b"x", 1)),
        *((kinds.FILE_OR_NONE, value, FILE_REASON) for value in ("", 1)),
        *(
            (kinds.DIRECTORY_OR_NONE, value, "it takes the name of a directory")
            for value in ("", "a\0b", 1)
        ),
        *(
            (MODE, value, "it takes a mode in octal digits, such as 660")
            for value in ("", "22", "888", 0o10000, -1, True)
        ),
        *(
            (kinds.PAIRS, value, "a variable is written NAME=VALUE")
            for value in ("A", "=1", ["A=\0"], "A=1\nB")
        ),
        *(
            (kinds.PAIRS, value, "it takes NAME=VALUE, or a list of them")
            for value in (1, None, [1])
        ),
        (kinds.PAIRS, {"A": 1}, "the value of 'A' has to be a text, in quotes"),
        (kinds.PAIRS, {"A=B": "1"}, "the value of 'A=B' has to be a text, in quotes"),
        *(
            (places.ADDRESSES, value, "it takes an address, which is a text, or a list of them")
            for value in (8000, None, [8000], b":80", {":80"})
        ),
        (places.ADDRESSES, (), "it takes at least one address"),
        (places.ADDRESSES, ":1,:1", ":1 is given twice"),
        (places.ADDRESSES, ["unix:/x", ":1,unix:///x"], "unix:///x is given twice"),
        (places.ADDRESSES, "", "it takes HOST, HOST:PORT, :PORT, [IPV6]:PORT, unix:PATH or fd://N"),
        (places.ADDRESSES, ":http", "'http' is not a port number, which goes from 0 to 65535"),
    ],
)
def test_refuses(kind: Kind[Any], value: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        kind.parse(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (kinds.size(0), 0, "0"),
        (kinds.size(0), 8190, "8190"),
        (kinds.size(0), 65_536, "64KiB"),
        (kinds.size(0), 3 * 2**20, "3MiB"),
        (kinds.size(0), 2**30 + 2**20, "1025MiB"),
        (kinds.size(0), 2**40, "1024GiB"),
        (kinds.duration(), 30.0, "30s"),
        (kinds.duration(), 0.5, "500ms"),
        (kinds.duration(), 1.25, "1.25s"),
        (kinds.duration(), 1e-7, "0.0000001s"),
        (kinds.duration(zero=True), 0.0, "0"),
        (kinds.TRUTH, True, "yes"),
        (kinds.TRUTH, False, "no"),
        (kinds.FILE_OR_NONE, None, "none"),
        (kinds.FILE_OR_NONE, "log", "log"),
        (places.ADDRESSES, (":1", ":2"), ":1,:2"),
    ],
)
def test_shows(kind: Kind[Any], value: object, text: str) -> None:
    assert kind.show(value) == text
