"""Who holds a TCP port: on Linux from ``/proc``; elsewhere, the command that tells.

/proc/net/tcp, tcp6     listening sockets: address, user, inode
/proc/PID/fd/*          which process has a socket of that inode open, where one may look
/proc/PID/cmdline       what it is
"""

import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"  # TCP_LISTEN in the kernel's include/net/tcp_states.h
_COMMAND_MAX: Final = 60  # characters of a command line that are shown

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class _Listener(NamedTuple):
    uid: int
    inode: str


def describe_holder(host: str, port: int, proc: Path = _PROC) -> str:
    """Who listens on a numeric address, as a clause: "held by pid 4711 (gunicorn shop:app)"."""
    listeners = list(_listeners(host, port, proc))
    holders = sorted(_processes({listener.inode for listener in listeners}, proc))
    if holders:
        pid = holders[0]  # the lowest is as a rule the parent of the others
        command = _command(pid, proc)
        more = len(holders) - 1
        others = f" and {more} other process{'es' if more > 1 else ''}" if more else ""
        return f"held by pid {pid}{f' ({command})' if command else ''}{others}"
    if listeners:
        return f"held by a process of {_user(listeners[0].uid)}; {_how_to_find_out(port, 'sudo ')}"
    return _how_to_find_out(port)


def _listeners(host: str, port: int, proc: Path) -> Iterator[_Listener]:
    wanted = ipaddress.ip_address(host.partition("%")[0])
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue  # not Linux, or no IPv6
        for line in lines:
            fields = line.split()
            address, _, hex_port = fields[1].partition(":")
            if (
                fields[3] == _LISTEN
                and int(hex_port, 16) == port
                and _collide(_parse_hex(address), wanted)
            ):
                yield _Listener(int(fields[7]), fields[9])


def _parse_hex(text: str) -> _IPAddress:
    """An address as /proc/net/tcp writes it: 32-bit words in the host's byte order."""
    step = -1 if sys.byteorder == "little" else 1
    words = [bytes.fromhex(text[i : i + 8])[::step] for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _collide(one: _IPAddress, other: _IPAddress) -> bool:
    return one == other or one.is_unspecified or other.is_unspecified


def _processes(inodes: set[str], proc: Path) -> Iterator[int]:
    sockets = {f"socket:[{inode}]" for inode in inodes}
    if not sockets:
        return
    for directory in proc.iterdir():
        if not directory.name.isdecimal():
            continue
        try:
            if any(str(fd.readlink()) in sockets for fd in (directory / "fd").iterdir()):
                yield int(directory.name)
        except OSError:
            continue  # another user's, or gone in the meantime


def _command(pid: int, proc: Path) -> str:
    """The start of a process's command line, in characters that can be shown; "" if unknown."""
    try:
        raw = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    words = raw.decode("utf-8", "replace").rstrip("\0").split("\0")
    words[0] = words[0].rpartition("/")[2]
    text = "".join(c if c.isprintable() else " " for c in " ".join(words)).strip()
    return text if len(text) <= _COMMAND_MAX else text[:_COMMAND_MAX] + "…"


def _user(uid: int) -> str:
    import pwd  # Unix only, as is whoever gets here

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _how_to_find_out(port: int, prefix: str = "") -> str:
    if sys.platform == "win32":
        return f"this shows who holds it: netstat -ano | findstr :{port}"
    if sys.platform == "linux":
        return f"this shows who holds it: {prefix}ss -ltnp 'sport = :{port}'"
    return f"this shows who holds it: {prefix}lsof -nP -iTCP:{port} -sTCP:LISTEN"
