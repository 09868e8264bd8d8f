"""Who holds a port, from a /proc that the tests write."""

import sys
from pathlib import Path

import pytest

from quaich.cli.ports import describe_holder

HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
    "timeout inode\n"
)
LISTEN, ESTABLISHED = "0A", "01"


def line(address: str, port: int, state: str, uid: int, inode: int) -> str:
    """A line of /proc/net/tcp; ``address`` is given in network order."""
    words = [bytes.fromhex(address[i : i + 8]) for i in range(0, len(address), 8)]
    native = "".join((w[::-1] if sys.byteorder == "little" else w).hex() for w in words).upper()
    return (
        f"   0: {native}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 "
        f"00000000 {uid:5} 0 {inode} 1 0000000000000000 100 0 0 10 0\n"
    )


LOOPBACK, OTHER, ANY = "7F000001", "0A000001", "00000000"
ANY6, MAPPED = "0" * 32, "0" * 20 + "FFFF" + LOOPBACK


class Proc:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "net").mkdir()
        (root / "meminfo").write_text("")

    def tcp(self, *lines: str, name: str = "tcp") -> None:
        (self.root / "net" / name).write_text(HEAD + "".join(lines))

    def process(self, pid: int, *inodes: int, command: bytes | None = None) -> None:
        fds = self.root / str(pid) / "fd"
        fds.mkdir(parents=True)
        (fds / "0").symlink_to("/dev/null")
        for number, inode in enumerate(inodes, 3):
            (fds / str(number)).symlink_to(f"socket:[{inode}]")
        if command is not None:
            (self.root / str(pid) / "cmdline").write_bytes(command)


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.mark.parametrize(
    ("name", "bound", "host"),
    [
        ("tcp", LOOPBACK, "127.0.0.1"),
        ("tcp", ANY, "127.0.0.1"),
        ("tcp", LOOPBACK, "0.0.0.0"),
        ("tcp6", ANY6, "127.0.0.1"),
        ("tcp6", MAPPED, "127.0.0.1"),
        ("tcp6", "0" * 31 + "1", "::1"),
        ("tcp6", ANY6, "fe80::1%eth0"),
    ],
)
def test_names_the_process(proc: Proc, name: str, bound: str, host: str) -> None:
    proc.tcp(line(bound, 8000, LISTEN, 0, 77), name=name)
    proc.process(12, 76)
    proc.process(4711, 76, 77, command=b"/usr/bin/gunicorn\0shop:app\0")
    assert describe_holder(host, 8000, proc.root) == "held by pid 4711 (gunicorn shop:app)"


def test_names_the_first_of_several(proc: Proc) -> None:
    """A server and its workers hold the same socket."""
    proc.tcp(line(LOOPBACK, 8000, LISTEN, 0, 77))
    for pid in (30, 10, 20):
        proc.process(pid, 77, command=b"server\0")
    text = describe_holder("127.0.0.1", 8000, proc.root)
    assert text == "held by pid 10 (server) and 2 other processes"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (None, ""),
        (b"", ""),
        (b"a\x1b[31m\nb\0\xff", " (a [31m b \N{REPLACEMENT CHARACTER})"),
        (b"x" * 100, f" ({'x' * 60}…)"),
    ],
)
def test_shows_a_command_line_as_far_as_it_can(
    proc: Proc, command: bytes | None, shown: str
) -> None:
    proc.tcp(line(LOOPBACK, 8000, LISTEN, 0, 77))
    proc.process(10, 77, command=command)
    assert describe_holder("127.0.0.1", 8000, proc.root) == f"held by pid 10{shown}"


@pytest.mark.skipif(sys.platform != "linux", reason="the advice is Linux's")
@pytest.mark.parametrize(("uid", "user"), [(0, "user root"), (4_000_000, "user 4000000")])
def test_names_the_user_of_a_process_it_cannot_see(proc: Proc, uid: int, user: str) -> None:
    proc.tcp(line(LOOPBACK, 8000, LISTEN, uid, 77))
    (proc.root / "99").mkdir()  # its fd directory is not to be had
    assert describe_holder("127.0.0.1", 8000, proc.root) == (
        f"held by a process of {user}; this shows who holds it: sudo ss -ltnp 'sport = :8000'"
    )


@pytest.mark.parametrize(
    "other",
    [
        line(LOOPBACK, 8001, LISTEN, 0, 77),
        line(OTHER, 8000, LISTEN, 0, 77),
        line(LOOPBACK, 8000, ESTABLISHED, 0, 77),
    ],
)
def test_other_sockets_do_not_count(proc: Proc, other: str) -> None:
    proc.tcp(other)
    proc.process(10, 77)
    assert "pid" not in describe_holder("127.0.0.1", 8000, proc.root)


@pytest.mark.parametrize(
    ("platform", "advice"),
    [
        ("linux", "ss -ltnp 'sport = :8000'"),
        ("darwin", "lsof -nP -iTCP:8000 -sTCP:LISTEN"),
        ("win32", "netstat -ano | findstr :8000"),
    ],
)
def test_says_how_to_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, advice: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    text = describe_holder("127.0.0.1", 8000, tmp_path / "nowhere")
    assert text == f"this shows who holds it: {advice}"
