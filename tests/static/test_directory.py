"""Opening files: what is below the directory, and what leads out of it."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quaich.settings.operations import Symlinks
from quaich.static.directory import WAY, Directory, Way

Read = Callable[..., bytes | str | None]

POLICIES: Sequence[Symlinks] = get_args(Symlinks)


@pytest.fixture(params=Way, ids=[way.value for way in Way])
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "file").write_bytes(b"file")
    (root / "sub" / "deep" / "file").write_bytes(b"deep")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"secret")
    return root


def read(root: Path, path: str, symlinks: Symlinks, way: Way = WAY) -> bytes | str | None:
    """The content of a file; ``"directory"``; or None."""
    opened = Directory(str(root), symlinks, way).open(
        [os.fsencode(name) for name in path.split("/")]
    )
    if opened is None:
        return None
    if opened.is_directory:
        return "directory"
    with open(opened.fd, "rb") as file:  # noqa: PTH123
        content = file.read()
    assert opened.size == len(content)
    return content


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.parametrize("symlinks", POLICIES)
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("file", b"file"),
        ("sub/deep/file", b"deep"),
        ("sub", "directory"),
        ("sub/deep", "directory"),
        ("nothing", None),
        ("nothing/file", None),
        ("file/file", None),
        ("sub/nothing", None),
        ("x" * 300, None),
        ("/".join(["sub"] * 3000), None),
        ("\udcff", None),
    ],
)
def test_opens(root: Path, symlinks: Symlinks, way: Way, path: str, content: bytes | None) -> None:
    before = open_descriptors()
    assert read(root, path, symlinks, way) == content
    assert open_descriptors() == before


@pytest.mark.parametrize("symlinks", POLICIES)
def test_what_is_neither_file_nor_directory(root: Path, symlinks: Symlinks, way: Way) -> None:
    """And a pipe without a writer is not waited for."""
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(root / "socket"))
        before = open_descriptors()
        assert read(root, "pipe", symlinks, way) is None
        assert read(root, "socket", symlinks, way) is None
        assert open_descriptors() == before


def test_the_directory_may_be_a_link_and_may_be_replaced(
    tmp_path: Path, root: Path, way: Way
) -> None:
    """As those do who deploy: the next request is for the new one."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_bytes(b"new")
    current = tmp_path / "current"
    current.symlink_to(root)
    for symlinks in POLICIES:
        assert read(current, "file", symlinks, way) == b"file"
    current.unlink()
    for symlinks in POLICIES:
        assert read(current, "file", symlinks, way) is None
    current.symlink_to(other)
    for symlinks in POLICIES:
        assert read(current, "file", symlinks, way) == b"new"


def test_a_failure_is_no_missing_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **keywords: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    for symlinks in POLICIES:
        with pytest.raises(OSError, match="Too many open files"):
            Directory(str(root), symlinks).open([b"file"])


# --- Links -------------------------------------------------------------------------------

LINKS: list[tuple[str, str, str, bytes | str | None]] = [
    # link, its target, what is asked for, what comes if links stay inside
    ("link", "file", "link", b"file"),
    ("link", "sub", "link/deep/file", b"deep"),
    ("link", "sub/deep/file", "link", b"deep"),
    ("link", "./sub//deep/./file", "link", b"deep"),
    ("link", "sub/", "link/deep/file", b"deep"),
    ("link", "sub", "link", "directory"),
    ("link", ".", "link/file", b"file"),
    ("link", ".", "link", "directory"),
    ("sub/link", "..", "sub/link", "directory"),
    ("sub/link", "../file", "sub/link", b"file"),
    ("sub/link", "..", "sub/link/file", b"file"),
    ("sub/link", "../sub/../sub/deep", "sub/link/file", b"deep"),
    ("link", "{root}/sub/deep", "link/file", b"deep"),
    ("link", "{root}/file", "link", b"file"),
    ("link", "{root}", "link/file", b"file"),
    ("link", "sub/file", "link", None),
    # out of the directory
    ("link", "..", "link/secret", None),
    ("link", "../secret", "link", None),
    ("link", "../outside", "link/file", None),
    ("sub/link", "../../secret", "sub/link", None),
    ("sub/link", "../..", "sub/link/secret", None),
    ("link", "{root}/../secret", "link", None),
    ("link", "{outside}/file", "link", None),
    ("link", "{outside}", "link/file", None),
    ("link", "{root}2/file", "link", None),
    ("link", "/etc/passwd", "link", None),
    ("link", "/proc/self/cwd", "link", None),
    # in circles
    ("link", "link", "link", None),
    ("link", "link/x", "link/x", None),
    ("sub/link", "../sub/link", "sub/link/x", None),
]


@pytest.fixture
def linked(root: Path) -> Callable[[str, str], None]:
    sibling = root.with_name("root2")  # whose name begins with that of the directory
    sibling.mkdir()
    (sibling / "file").write_bytes(b"secret")

    def link(name: str, target: str) -> None:
        outside = root.with_name("outside")
        (root / name).symlink_to(target.format(root=root, outside=outside))

    return link


@pytest.mark.parametrize(("name", "target", "path", "content"), LINKS)
def test_links_that_stay_inside(
    root: Path,
    linked: Callable[[str, str], None],
    way: Way,
    name: str,
    target: str,
    path: str,
    content: bytes | str | None,
) -> None:
    linked(name, target)
    before = open_descriptors()
    assert read(root, path, "inside", way) == content
    assert read(root, path, "refuse", way) is None
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("target", "path", "content"),
    [
        ("file", "link", b"file"),
        ("../secret", "link", b"secret"),
        ("{outside}", "link/file", b"secret"),
        ("link", "link", None),
    ],
)
def test_links_that_are_followed_anywhere(
    root: Path, linked: Callable[[str, str], None], target: str, path: str, content: bytes | None
) -> None:
    linked("link", target)
    for way in Way:
        assert read(root, path, "follow", way) == content


def test_a_chain_of_links_that_is_too_long(root: Path) -> None:
    for number in range(50):
        (root / f"link{number}").symlink_to(f"link{number + 1}" if number < 49 else "file")
    for way in (Way.AT_ONCE, Way.WALKING):
        assert read(root, "link49", "inside", way) == b"file"
        assert read(root, "link10", "inside", way) == b"file"  # 40 links
        assert read(root, "link9", "inside", way) is None
        assert read(root, "link0", "inside", way) is None


def test_what_is_checked_is_what_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory on the way becomes a link that leads out, just after it was looked at."""
    real_open = os.open
    swapped = threading.Event()

    def open_then_swap(path: Any, flags: int, mode: int = 0o777, **keywords: Any) -> int:
        fd = real_open(path, flags, mode, **keywords)
        if path == b"sub" and not swapped.is_set():
            swapped.set()
            (root / "sub").rename(root / "was")
            (root / "sub").symlink_to("../outside")
            (root / "was" / "file").write_bytes(b"mine")
        return fd

    monkeypatch.setattr(os, "open", open_then_swap)
    for symlinks in ("inside", "refuse"):
        swapped.clear()
        assert read(root, "sub/file", symlinks, Way.WALKING) == b"mine"
        assert swapped.is_set()
        (root / "sub").unlink()
        (root / "was").rename(root / "sub")


def test_where_it_has_led_is_asked_of_what_is_open(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that leads out is there when the file is opened, and gone when that is looked at."""
    (root / "sub" / "file").write_bytes(b"mine")
    (root / "sub").rename(root / "was")
    (root / "sub").symlink_to("../outside")
    real_open = os.open

    def open_then_swap(path: Any, flags: int, mode: int = 0o777, **keywords: Any) -> int:
        fd = real_open(path, flags, mode, **keywords)
        if (root / "was").exists():
            (root / "sub").unlink()
            (root / "was").rename(root / "sub")
        return fd

    monkeypatch.setattr(os, "open", open_then_swap)
    assert read(root, "sub/file", "inside", Way.AT_ONCE) == b"mine"


def test_without_proc_it_walks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Any, **keywords: Any) -> bytes:
        raise OSError(errno.EINVAL, "Invalid argument")

    directory = Directory(str(root), "inside", Way.AT_ONCE)
    monkeypatch.setattr(os, "readlink", fail)
    opened = directory.open([b"sub", b"deep", b"file"])
    assert opened is not None
    os.close(opened.fd)


# --- Any links at all ----------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "a/x", "a/y", "b/x"])
TARGETS = st.lists(
    st.sampled_from(["..", ".", "a", "b", "c", "x", "y", "secret", "outside"]),
    min_size=1,
    max_size=4,
).map("/".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    links=st.lists(st.tuples(NAMES, TARGETS | TARGETS.map("{root}/".__add__)), max_size=5),
    path=st.lists(st.sampled_from(["a", "b", "c", "x", "y", "file"]), min_size=1, max_size=4),
)
def test_whatever_the_links_nothing_outside_is_read(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[str, str]], path: list[str]
) -> None:
    """And what is inside is what the system itself finds there."""
    top = tmp_path_factory.mktemp("links")
    root = top / "root"
    for name in ("a", "b", "outside"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(b"inside")
    (top / "secret").write_bytes(b"secret")
    (top / "outside").mkdir()
    (top / "outside" / "x").write_bytes(b"secret")
    for name, target in links:
        if not os.path.lexists(root / name):
            (root / name).symlink_to(target.replace("{root}", str(root)))
    found = read(root, "/".join(path), "inside")
    assert found == read(root, "/".join(path), "inside", Way.WALKING)
    assert found in (b"inside", "directory", None)
    try:
        real = os.path.realpath(root / "/".join(path), strict=True)
    except OSError:
        real = "/"
    lexically_inside = Path(real).is_relative_to(os.path.realpath(root))
    if found is not None:
        assert lexically_inside
        assert (found == "directory") == Path(real).is_dir()
    if read(root, "/".join(path), "refuse") is not None:
        assert real == os.path.join(os.path.realpath(root), *path)  # noqa: PTH118


def test_here_each_way_can_be_gone() -> None:
    assert WAY is Way.AT_ONCE
