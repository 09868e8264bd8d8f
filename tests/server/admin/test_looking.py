"""What the board says, and whether that means ready."""

from time import monotonic, time

from quaich.server.admin.looking import STALE, look, readiness
from quaich.server.figures.board import Board, Slot


def ready(board: Board, index: int, queued: int = 0) -> Slot:
    slot = board.begin(index, pid=100 + index)
    slot.state = "ready"
    slot.beat = monotonic()
    slot.queued = queued
    return slot


def test_a_worker_is_seen_as_it_says() -> None:
    board = Board(slots=4)
    slot = ready(board, 2, queued=3)
    slot.requests, slot.in_flight, slot.threads, slot.memory, slot.connections = 9, 2, 4, 2**20, 8
    slot.text.write(b'[{"method":"GET","path":"/x","client":"::1","since":%f}]' % (monotonic() - 2))
    view = look(board)
    (worker,) = view.workers
    assert (worker.index, worker.pid, worker.state) == (2, 102, "ready")
    assert (worker.requests, worker.in_flight, worker.queued) == (9, 2, 3)
    assert (worker.threads, worker.memory, worker.connections) == (4, 2**20, 8)
    assert 0 <= worker.age < 60
    assert worker.silence is not None
    assert 0 <= worker.silence < 60
    (call,) = worker.calls
    assert (call.method, call.path, call.client) == ("GET", "/x", "::1")
    assert 2 <= call.age < 60
    assert view.started <= view.time <= time()
    assert (view.total("requests"), view.total("memory")) == (9, 2**20)


def test_a_text_that_is_no_json_shows_no_calls() -> None:
    board = Board(slots=1)
    ready(board, 0).text.write(b'[{"met')
    assert look(board).workers[0].calls == ()


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    board = Board(slots=1)
    ready(board, 0).started = time() + 1000
    assert look(board).workers[0].age == 0


# --- Readiness ----------------------------------------------------------------------------


def test_without_a_worker_nobody_is_ready() -> None:
    board = Board(slots=2)
    assert readiness(look(board)) == (False, "no worker is ready")
    board.begin(0, pid=1)
    assert readiness(look(board)) == (False, "no worker is ready")


def test_one_worker_that_is_ready_is_enough() -> None:
    board = Board(slots=4)
    board.begin(0, pid=1)
    board.begin(1, pid=2).state = "draining"
    ready(board, 2)
    assert readiness(look(board)) == (True, "ready")


def test_a_server_of_which_all_workers_finish_is_draining() -> None:
    board = Board(slots=2)
    board.begin(0, pid=1).state = "draining"
    is_ready, reason = readiness(look(board))
    assert not is_ready
    assert reason.startswith("draining")


def test_a_server_that_is_told_to_stop_is_draining_before_its_workers_are() -> None:
    board = Board(slots=1)
    ready(board, 0)
    assert readiness(look(board))[0]
    board.is_stopping = True
    is_ready, reason = readiness(look(board))
    assert not is_ready
    assert reason.startswith("draining")


def test_saturated_is_a_server_where_requests_wait_in_each_worker() -> None:
    board = Board(slots=2)
    busy, other = ready(board, 0, queued=4), ready(board, 1)
    assert readiness(look(board))[0]
    other.queued = 3
    assert readiness(look(board)) == (
        False,
        "saturated: all threads are busy, and 7 requests wait for one",
    )
    busy.queued = 0
    assert readiness(look(board))[0]


def test_a_worker_that_has_fallen_silent_is_not_ready() -> None:
    board = Board(slots=2)
    ready(board, 0).beat = monotonic() - STALE - 1
    assert readiness(look(board)) == (False, "no worker is ready")
    ready(board, 1)
    assert readiness(look(board))[0]


def test_a_worker_that_has_just_begun_need_not_have_beaten() -> None:
    board = Board(slots=1)
    ready(board, 0).beat = 0.0
    assert look(board).workers[0].silence is None
    assert readiness(look(board))[0]
