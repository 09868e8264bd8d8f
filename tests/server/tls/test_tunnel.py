"""The state machine of TLS between two buffers, and the outbox over it: without a server."""

import socket
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from quaich.exchange.call import PeerGone
from quaich.server.clock import Clock
from quaich.server.connections.connection import NotTls, State
from quaich.server.connections.ending import Ending
from quaich.server.connections.registry import Connections
from quaich.server.poller import open_poller
from quaich.server.recording import Recorder
from quaich.server.tls import connection, tunnel
from quaich.server.tls.connection import _SEAL_MAX, TlsConnection, TlsOutbox
from quaich.server.tls.tunnel import _RESPONSES_MAX, RECORD_MAX, Tunnel
from quaich.settings import Timeouts
from server.wire import LOCALHOST, PATIENCE

pytestmark = pytest.mark.live

DATA = bytes(range(256)) * 4096


def wrap(incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST)
    return context.wrap_bio(incoming, outgoing, server_side=True)


def descriptors() -> int:
    """How many this process has."""
    return len([*Path("/dev/fd").iterdir()])


class Peer:
    """A client of a tunnel, in the same thread."""

    def __init__(self) -> None:
        ours, self.socket = socket.socketpair()
        ours.setblocking(False)
        self.socket.settimeout(PATIENCE)
        self.tunnel = Tunnel(ours, wrap)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=LOCALHOST)
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def shake_hands(self) -> "Peer":
        is_done = False
        for _ in range(4):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            self.push()
            is_done = is_done or self.tunnel.shake_hands()
            self.pull()
        assert is_done
        return self

    def take(self) -> bytes:
        """The records that are to be sent."""
        return self._outgoing.read()

    def push(self) -> None:
        self.socket.sendall(self.take())

    def pull(self) -> None:
        """Take what has come."""
        self.socket.setblocking(False)
        try:
            while data := self.socket.recv(65536):
                self._incoming.write(data)
        except BlockingIOError:
            pass
        self.socket.settimeout(PATIENCE)

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.push()

    def read(self) -> bytes:
        """All that has come, in plain."""
        self.pull()
        blocks = []
        while True:
            try:
                block = self.tls.read(65536)
            except ssl.SSLWantReadError:
                break
            if not block:
                break
            blocks.append(block)
        return b"".join(blocks)

    def fill(self) -> int:
        """Let the system take no more from the tunnel; how many bytes it had to be given."""
        given = 0
        while True:
            try:
                given += self.tunnel.socket.send(bytes(65536))
            except BlockingIOError:
                return given

    def drain(self, size: int) -> None:
        while size:
            size -= len(self.socket.recv(min(size, 65536)))


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.socket.close()
    made.tunnel.socket.close()


def test_a_handshake_is_read_to_its_end(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of it has come: no other event will tell of it."""
    monkeypatch.setattr(tunnel, "RECEIVE_MAX", 100)
    with suppress(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    peer.push()
    assert not peer.tunnel.shake_hands()
    peer.pull()
    peer.tls.do_handshake()


# --- Reading --------------------------------------------------------------------------------


def test_each_read_gives_all_that_has_come(peer: Peer) -> None:
    peer.shake_hands()
    for data in (b"x", b"x" * RECORD_MAX, b"y" * (3 * RECORD_MAX + 1)):
        peer.send(data)
        assert peer.tunnel.read() == (data, False)
        with pytest.raises(BlockingIOError):
            peer.tunnel.read()


def test_a_full_read_may_have_left_something(peer: Peer) -> None:
    peer.shake_hands()
    peer.send(DATA[:100_000])
    data, has_more = peer.tunnel.read()
    assert has_more
    assert data + peer.tunnel.read()[0] == DATA[:100_000]


def test_records_are_opened_in_few_steps_however_they_come(peer: Peer) -> None:
    """Also if each piece ends with the first byte of the next record."""

    class Counting:
        reads = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(tls, name)

        def read(self, size: int) -> bytes:
            self.reads += 1
            return tls.read(size)

    peer.shake_hands()
    tls, counting = peer.tunnel.tls, Counting()
    peer.tunnel.tls = cast("Any", counting)
    peer.tls.write(DATA[: 4 * RECORD_MAX])
    records = peer.take()
    size = len(records) // 4
    came = b""
    for start in (0, *range(1, len(records), size)):
        peer.socket.sendall(records[start : start + size] if start else records[:1])
        with suppress(BlockingIOError):
            came += peer.tunnel.read()[0]
    assert came == DATA[: 4 * RECORD_MAX]
    assert counting.reads < 40


def test_a_part_of_a_record_is_nothing_yet(peer: Peer) -> None:
    peer.shake_hands()
    peer.tls.write(b"hello")
    record = peer._outgoing.read()
    for octet in record[:-1]:
        peer.socket.sendall(bytes((octet,)))
        with pytest.raises(BlockingIOError):
            peer.tunnel.read()
    peer.socket.sendall(record[-1:])
    assert peer.tunnel.read() == (b"hello", False)


@pytest.mark.parametrize("says_so", [True, False])
def test_the_end_is_behind_the_bytes(peer: Peer, says_so: bool) -> None:
    peer.shake_hands()
    peer.send(b"last")
    if says_so:
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.unwrap()
        peer.push()
    else:
        peer.socket.shutdown(socket.SHUT_WR)
    data, has_more = peer.tunnel.read()
    assert (data, has_more) == (b"last", says_so)
    assert [peer.tunnel.read() for _ in range(2)] == [(b"", False)] * 2
    assert peer.tunnel.ended


def test_an_end_within_a_record_is_an_end(peer: Peer) -> None:
    peer.shake_hands()
    peer.tls.write(b"hello")
    peer.socket.sendall(peer._outgoing.read()[:-1])
    peer.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(BlockingIOError):
        peer.tunnel.read()
    assert peer.tunnel.read() == (b"", False)


def test_an_end_behind_what_came_with_the_handshake_is_an_end(peer: Peer) -> None:
    peer.shake_hands()
    peer.tls.write(b"hello")
    peer.tunnel.feed(peer._outgoing.read()[:-1])
    peer.socket.shutdown(socket.SHUT_WR)
    assert peer.tunnel.read() == (b"", False)


def test_a_forged_record_is_an_error_and_answered_with_an_alert(peer: Peer) -> None:
    peer.shake_hands()
    peer.socket.sendall(b"\x17\x03\x03\x00\x25" + bytes(0x25))
    with pytest.raises(ssl.SSLError):
        peer.tunnel.read()
    with pytest.raises(ssl.SSLError, match="ALERT"):
        peer.read()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x80\x2e\x01\x00\x02", b"\x17\x03\x03"])
def test_something_else(peer: Peer, data: bytes) -> None:
    peer.socket.sendall(data)
    with pytest.raises(NotTls) as caught:
        peer.tunnel.shake_hands()
    assert caught.value.data == data


def test_who_asks_for_answers_has_to_read_them(peer: Peer) -> None:
    peer.shake_hands()
    peer.fill()
    peer.tunnel._unsent = bytes(_RESPONSES_MAX)
    peer.tunnel._outgoing.write(b"one more")
    peer.send(b"x")
    with pytest.raises(ConnectionAbortedError):
        peer.tunnel.read()


# --- Sending --------------------------------------------------------------------------------


def test_a_handshake_that_finds_no_room(peer: Peer) -> None:
    size = peer.fill()
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    peer.push()
    assert not peer.tunnel.shake_hands()
    assert peer.tunnel.has_unsent
    peer.drain(size)
    peer.shake_hands()
    assert not peer.tunnel.has_unsent


def test_a_send_that_finds_no_room(peer: Peer) -> None:
    peer.shake_hands()
    size = peer.fill()
    assert not peer.tunnel.send(b"one ", b"two ")
    assert not peer.tunnel.send(b"three")
    peer.drain(size)
    with peer.tunnel.lock:
        assert peer.tunnel.push()
    assert peer.read() == b"one two three"


def test_blocks_that_openssl_takes_in_parts(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.shake_hands()
    whole = peer.tunnel.tls

    class InParts:
        def write(self, data: Any) -> int:
            return whole.write(data[:RECORD_MAX])

    monkeypatch.setattr(peer.tunnel, "tls", InParts())
    assert peer.tunnel.send(DATA[:70_000])
    assert peer.read() == DATA[:70_000]


def test_an_outbox_seals_as_the_peer_takes(peer: Peer) -> None:
    """No more is there in records, besides the data, than one send takes; and that some was
    taken shows at once."""
    peer.shake_hands()
    outbox = TlsOutbox(peer.tunnel)
    outbox.put(memoryview(DATA))
    assert not outbox.flush()
    assert len(peer.tunnel._unsent) + peer.tunnel._outgoing.pending < _SEAL_MAX + 1000
    before = outbox.total
    assert before > 0
    peer.pull()
    assert not outbox.flush()
    assert outbox.total > before


def test_all_of_an_outbox_comes_in_its_order(peer: Peer, tmp_path: Path) -> None:
    peer.shake_hands()
    (tmp_path / "file").write_bytes(DATA)
    outbox = TlsOutbox(peer.tunnel)
    blocks: list[bytes] = [b"small ", b"blocks ", DATA[:200_000]]
    for block in blocks:
        outbox.put(block)
    with (tmp_path / "file").open("rb") as file:
        outbox.put_file(file.fileno(), [(100, 150_000)])
    outbox.put(b"last")
    outbox.part()
    expected = b"".join(blocks) + DATA[100:150_100] + b"last"
    assert outbox.size == len(expected)
    came = b""
    while not outbox.flush():
        assert outbox.size > 0
        came += peer.read()
    came += peer.read()
    assert came == expected
    assert outbox.size == 0
    assert peer.tls.read(1) == b"", "it ends with a farewell"


def test_a_file_that_goes_as_fast_as_it_comes_lets_others_have_their_turn(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TURN_MAX", 50_000)
    peer.shake_hands()
    (tmp_path / "file").write_bytes(DATA)
    outbox = TlsOutbox(peer.tunnel)
    with (tmp_path / "file").open("rb") as file:
        outbox.put_file(file.fileno(), [(0, 3 * _SEAL_MAX)])
    for number in (1, 2):
        assert not outbox.flush()
        assert outbox.size == (3 - number) * _SEAL_MAX
        assert len(peer.read()) == _SEAL_MAX
    assert outbox.flush()


def test_a_file_that_became_shorter(peer: Peer, tmp_path: Path) -> None:
    peer.shake_hands()
    path = tmp_path / "file"
    path.write_bytes(b"short")
    outbox = TlsOutbox(peer.tunnel)
    with path.open("rb") as file:
        outbox.put_file(file.fileno(), [(0, 10)])
    outbox.part()
    with pytest.raises(PeerGone, match="shorter"):
        outbox.flush()
    assert peer.read() == b"short"
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.read(1)  # no farewell


def test_an_outbox_that_breaks_closes_its_files(peer: Peer, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    peer.shake_hands()
    outbox = TlsOutbox(peer.tunnel)
    before = descriptors()
    with path.open("rb") as file:
        outbox.put_file(file.fileno(), [(0, len(DATA))])
        outbox.put_file(file.fileno(), [(0, len(DATA))])
    outbox.flush()
    outbox.fail(ConnectionAbortedError("it has gone"))
    assert descriptors() == before
    with pytest.raises(PeerGone):
        outbox.flush()


def test_what_a_send_has_left_is_in_the_outbox(peer: Peer) -> None:
    """Its bytes count until they have gone out."""
    peer.shake_hands()
    size = peer.fill()
    assert not peer.tunnel.send(b"hello")
    outbox = TlsOutbox(peer.tunnel, 5)
    outbox.put(b" world")
    assert outbox.size == 11
    assert not outbox.flush()
    peer.drain(size)
    assert outbox.flush()
    assert (outbox.size, peer.read()) == (0, b"hello world")


# --- The end of a connection ------------------------------------------------------------------


def test_a_farewell_that_finds_no_room_goes_out_later(peer: Peer) -> None:
    """Else a client would take a response without a length for one that was cut off."""
    poller = open_poller()
    owner = SimpleNamespace(origin_fields=lambda has_date, has_server: "")
    listener = SimpleNamespace(certificates=SimpleNamespace(wrap=wrap), environ={})
    connection = TlsConnection(peer.tunnel.socket, ("127.0.0.1", 1), owner, listener)
    peer.tunnel = connection.tunnel
    is_done = False
    for _ in range(4):
        with suppress(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        peer.push()
        is_done = is_done or connection.shake_hands()
        peer.pull()
    assert is_done
    connections = Connections(poller, Timeouts())
    connections.add(connection)
    ready: deque[tuple[int, int]] = deque()
    ending = Ending(connections, poller, Timeouts(), Clock(None), Recorder(None), ready)
    size = peer.fill()
    ending.end(connection, linger=False)
    states = [connection.state]
    peer.drain(size)
    ending.flush(connection)
    states.append(connection.state)
    assert states == [State.FLUSHING, State.CLOSED]
    peer.pull()
    assert peer.tls.read(1) == b"", "the farewell"
    poller.close()
