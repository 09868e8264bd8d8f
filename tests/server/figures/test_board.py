"""The memory in which the processes of a server say how they are."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from quaich.server.figures.board import COUNTERS, REASONS, TEXT_MAX, Board, Restart, Slot


def in_a_child(work: Callable[[], object]) -> None:
    """Do ``work`` in a process that is forked for it, and wait for its end."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def counted(**values: int) -> list[int]:
    return [values.get(f"c{index}", 0) for index in range(COUNTERS)]


def test_a_slot_is_free_until_a_worker_begins() -> None:
    board = Board(slots=3)
    assert [board.slot(index).state for index in range(len(board))] == ["free"] * 3
    assert list(board.workers()) == []
    board.begin(1, pid=77, generation=4)
    slot = board.slot(1)
    assert (slot.state, slot.pid, slot.generation) == ("starting", 77, 4)
    assert slot.started >= board.made
    assert [each.index for each in board.workers()] == [1]


def test_a_free_slot_is_found_until_none_is() -> None:
    board = Board(slots=2)
    board.begin(0, pid=1)
    assert board.free() == 1
    board.begin(1, pid=2)
    with pytest.raises(LookupError, match="all 2 slots"):
        board.free()


def test_what_a_forked_process_writes_is_read_by_its_parent() -> None:
    board = Board(slots=2)
    board.begin(1, pid=5)

    def work() -> None:
        slot = board.slot(1)
        slot.state = "ready"
        slot.beat = 12.5
        slot.requests, slot.in_flight, slot.queued = 1000, 3, 2
        slot.threads, slot.memory = 8, 2**33
        slot.write_counters(counted(c0=7, c9=2**40))
        slot.text.write(b"[]")

    in_a_child(work)
    slot = board.slot(1)
    assert (slot.state, slot.beat) == ("ready", 12.5)
    assert (slot.requests, slot.in_flight, slot.queued) == (1000, 3, 2)
    assert (slot.threads, slot.memory) == (8, 2**33)
    assert slot.read_counters() == counted(c0=7, c9=2**40)
    assert slot.text.read() == b"[]"
    other = board.slot(0)
    assert (other.state, other.requests, other.text.read()) == ("free", 0, b"")


def test_a_slot_is_clean_for_the_next_worker() -> None:
    board = Board(slots=1)
    slot = board.begin(0, pid=5)
    slot.requests = slot.queued = 9
    slot.beat = 1.0
    slot.write_counters(counted(c1=1))
    slot.text.write(b"[1]")
    board.begin(0, pid=6)
    assert (slot.requests, slot.queued, slot.beat) == (0, 0, 0.0)
    assert slot.read_counters() == counted()
    assert slot.text.read() == b""


def test_totals_are_of_all_workers_and_of_those_that_have_ended() -> None:
    board = Board(slots=3)
    for index, requests in enumerate([10, 20, 30]):
        slot = board.begin(index, pid=index + 1)
        slot.requests = requests
        slot.write_counters(counted(c2=requests, c600=1))
    before = board.totals()
    assert (before.requests, before.counters) == (60, counted(c2=60, c600=3))
    board.retire(1, "reload")
    assert board.slot(1).state == "free"
    assert board.totals() == before
    board.begin(1, pid=9).requests = 5
    assert board.totals().requests == 65
    for index in range(3):
        board.retire(index, "signal")
    assert board.totals() == (65, counted(c2=60, c600=3))


def test_restarts_are_counted_by_their_reason_and_the_last_ones_are_kept() -> None:
    board = Board(slots=1)
    assert board.restarts() == dict.fromkeys(REASONS, 0)
    assert board.last_restarts() == []
    for pid in range(100, 200):
        board.begin(0, pid=pid)
        board.retire(0, "crash" if pid % 2 else "memory")
    assert board.restarts() == {**dict.fromkeys(REASONS, 0), "crash": 50, "memory": 50}
    last = board.last_restarts()
    assert len(last) == 32
    assert [each.pid for each in last] == list(range(168, 200))
    assert last[-1] == Restart(last[-1].time, 199, "crash")
    assert last[-1].time >= last[0].time >= board.made


def test_a_worker_that_is_not_replaced_is_no_restart() -> None:
    board = Board(slots=1)
    board.begin(0, pid=1).requests = 3
    board.retire(0)
    assert sum(board.restarts().values()) == 0
    assert board.totals().requests == 3


def test_a_writer_that_is_killed_leaves_what_it_wrote_before() -> None:
    """Whatever is half written is in the copy that does not count."""
    board = Board(slots=1)
    slot = board.begin(0, pid=1)
    slot.text.write(b"whole")
    start = slot.text._start(slot.text._words[slot.text._offset // 8] + 1)
    slot.text._data[start : start + 16] = b"\xff" * 16
    assert slot.text.read() == b"whole"


def test_what_does_not_fit_is_refused() -> None:
    slot = Board(slots=1).begin(0, pid=1)
    slot.text.write(b"x" * TEXT_MAX)
    with pytest.raises(ValueError, match="do not fit"):
        slot.text.write(b"x" * (TEXT_MAX + 1))
    with pytest.raises(ValueError, match="do not fit"):
        slot.write_counters([0] * (COUNTERS + 1))
    assert slot.text.read() == b"x" * TEXT_MAX


def test_a_reader_sees_one_whole_while_a_writer_writes() -> None:
    slot = Board(slots=1).begin(0, pid=1)
    slot.write_counters([0] * COUNTERS)
    over = threading.Event()

    def write() -> None:
        for number in range(400):
            slot.write_counters([number] * COUNTERS)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not over.is_set():
        seen.append(slot.read_counters())
    writer.join()
    assert all(len(set(each)) == 1 for each in seen)
    assert slot.read_counters() == [399] * COUNTERS


def test_a_worker_that_ends_while_totals_are_read_is_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is neither in the past, which had been read, nor on the board any more; or in both."""
    board = Board(slots=2)
    board.begin(0, pid=1).requests = 7
    board.begin(1, pid=2).requests = 1
    workers = board.workers

    def ending() -> Iterator[Slot]:
        monkeypatch.setattr(board, "workers", workers)
        board.retire(0, "reload")
        return workers()

    monkeypatch.setattr(board, "workers", ending)
    assert board.totals().requests == 8

    def ending_late() -> Iterator[Slot]:
        monkeypatch.setattr(board, "workers", workers)
        there = [*workers()]
        yield from there
        board.retire(1, "reload")

    monkeypatch.setattr(board, "workers", ending_late)
    assert board.totals().requests == 8


def test_a_board_on_which_nothing_changes_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(slots=1)
    board.begin(0, pid=1)
    board.retire(0)
    looks = 0
    workers = board.workers

    def look() -> Iterator[Slot]:
        nonlocal looks
        looks += 1
        return workers()

    monkeypatch.setattr(board, "workers", look)
    board.totals()
    assert looks == 1


@pytest.mark.parametrize("state", ["free", "starting", "ready", "draining"])
def test_a_state_is_read_as_it_was_written(state: str) -> None:
    slot = Board(slots=1).begin(0, pid=1)
    slot.state = state  # type: ignore[assignment]
    assert slot.state == state
