"""What a file tells about a response before it is read."""

import bz2
import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaich.exchange.files import FileParts, size_left

CONTENT = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.rule("S113")
@pytest.mark.parametrize(("mode", "buffering"), [("rb", -1), ("rb", 0), ("r+b", -1), ("r+b", 0)])
def test_a_regular_file_in_binary_mode(path: Path, mode: str, buffering: int) -> None:
    with path.open(mode, buffering=buffering) as file:
        assert size_left(file) == 10
        file.seek(4)
        assert size_left(file) == 6
        block = file.read(2)
        assert size_left(file, read=len(block)) == 6
        assert size_left(file) == 4
        file.seek(100)
        assert size_left(file) == 0


def test_a_temporary_file() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(CONTENT)
        file.seek(0)
        assert size_left(file) == 10


def test_a_file_that_grows(path: Path) -> None:
    with path.open("rb") as file, path.open("ab") as other:
        file.read(4)
        other.write(b"more")
        other.flush()
        assert size_left(file, read=4) == 14


@pytest.mark.rule("S116")
def test_what_is_not_a_binary_file_says_nothing(path: Path) -> None:
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(CONTENT))
    squeezed = path.with_suffix(".bz2")
    squeezed.write_bytes(bz2.compress(CONTENT))
    with (
        path.open(encoding="ascii") as text,
        gzip.open(packed) as gzipped,
        bz2.open(squeezed) as bzipped,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        for other in (text, gzipped, bzipped, spooled, io.BytesIO(CONTENT), io.StringIO(), None, 3):
            assert size_left(other) is None


class Halves(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size)[::2]


def test_a_subclass_may_give_other_bytes(path: Path) -> None:
    with Halves(io.FileIO(path)) as file:
        assert size_left(file) is None


def test_a_pipe_has_no_size() -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as file, open(writer, "wb") as other:  # noqa: PTH123
        other.write(CONTENT)
        other.flush()
        assert size_left(file) is None
        assert size_left(file.raw) is None


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="not on this system")  # noqa: PTH110
def test_a_device_has_no_size() -> None:
    with Path("/dev/null").open("rb") as file:
        assert size_left(file) is None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux only")
def test_a_file_of_the_kernel_has_content_beyond_its_size() -> None:
    with Path("/proc/self/status").open("rb") as file:
        assert size_left(file) is None
        assert size_left(file, read=len(file.read(100))) is None


def test_a_file_that_is_closed_or_detached(path: Path) -> None:
    file = path.open("rb")
    raw = file.detach()
    assert size_left(file) is None
    assert size_left(raw) == 10
    raw.close()
    assert size_left(raw) is None
    with path.open("rb") as buffered:
        pass
    assert size_left(buffered) is None


# --- Parts of a file ---------------------------------------------------------------------


def test_a_part(path: Path) -> None:
    """It ends where it is to end, whoever else moves the file's position."""
    with path.open("rb", buffering=0) as file:
        part = FileParts(file, [(2, 6)])
        assert size_left(part) == 6
        assert part.read(2) == b"23"
        file.seek(0)
        assert size_left(part) == 4
        assert size_left(part, read=2) == 6
        assert part.read(100) == b"4567"
        assert part.read(100) == b""
        assert size_left(part) == 0
        assert part.fileno() == file.fileno()
        part.close()
        assert file.closed


def test_a_part_of_a_file_that_has_become_shorter(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        part = FileParts(file, [(2, 6), b"end"])
        os.truncate(path, 4)
        assert part.read(2) == b"23"
        assert part.read(100) == b""
        assert part.read(100) == b""


@given(st.lists(st.integers(1, 12), min_size=1), st.integers(0, 20))
def test_however_it_is_read_the_bytes_are_the_same(sizes: list[int], most: int) -> None:
    """And what is left at any moment is what would be read."""
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(b"0123456789")
        raw: Any = file
        part = FileParts(raw, [b"<", (3, 4), b"|", b"|", (0, 2), b">"])
        whole, found = b"<3456||01>", b""
        for size in sizes:
            left = whole[len(found) :]
            pieces = part.pieces_left(most)
            shown = b"".join(
                each if isinstance(each, bytes) else b"0123456789"[each[0] : sum(each)]
                for each in pieces
            )
            assert shown == left[:most]
            assert size_left(part) == len(left)
            found += part.read(size)
            assert found == whole[: len(found)]
            assert len(found) == min(len(whole), len(whole) - len(left) + size)
