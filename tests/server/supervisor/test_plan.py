"""What is done about the workers: as many as there should be, and no others."""

import signal

import pytest

from quaich.server.supervisor.notes import Retire, Signal, Start, State
from quaich.server.supervisor.plan import (
    ABORT_TIME,
    BACKOFF_ALONE,
    BACKOFF_MAX,
    QUICK_DEATH,
    SETTLING,
    backoff,
)
from server.supervisor.world import World, two_that_serve


@pytest.fixture
def world() -> World:
    return two_that_serve()


# --- As many as there should be ------------------------------------------------------------------


def test_all_are_started_at_once() -> None:
    world = World(3)
    assert world.step() == [Start(None, "")] * 3
    assert world.step() == []
    world.ready(0, 1, 2)
    assert world.step(1) == []


def test_one_that_has_died_is_replaced_at_once(world: World) -> None:
    ended = world.died(0)
    assert (ended.restart, ended.why) == ("crash", "crash")
    assert world.step() == [Start(None, "")]


def test_one_that_has_ended_by_itself_has_not_crashed(world: World) -> None:
    """Somebody has sent it a signal."""
    assert world.crowd.died(0, world.now, was_asked=True).restart == "signal"


def test_more_are_wanted(world: World) -> None:
    world.crowd.set_target(3)
    assert world.step() == [Start(None, "")]


def test_fewer_are_wanted_and_the_oldest_goes(world: World) -> None:
    world.crowd.workers[1].born -= 500
    world.crowd.set_target(1)
    assert world.step() == [Retire(1)]
    assert world.step() == []
    assert world.died(1).restart is None


def test_one_that_is_not_ready_goes_first(world: World) -> None:
    world.crowd.set_target(3)
    world.step()
    world.crowd.set_target(2)
    assert world.step() == [Retire(2), Signal(2, signal.SIGTERM)]
    assert world.states()[2] is State.ABORTING


def test_one_that_was_ready_before_the_signal_came_may_finish(world: World) -> None:
    """It may have got requests."""
    world.crowd.set_target(3)
    world.step()
    world.crowd.set_target(2)
    world.step()
    world.ready(2)
    assert world.states()[2] is State.RETIRING
    assert world.step(ABORT_TIME + 1) == []


def test_no_workers_and_then_some_again(world: World) -> None:
    world.crowd.set_target(0)
    assert world.step() == [Retire(0), Retire(1)]
    world.crowd.set_target(2)
    assert world.step() == [Start(None, "")] * 2


# --- Deaths ---------------------------------------------------------------------------------------


def test_the_pauses_grow() -> None:
    assert [backoff(deaths) for deaths in range(7)] == [1, 2, 4, 8, 16, BACKOFF_MAX, BACKOFF_MAX]


def test_quick_deaths_are_followed_by_pauses(world: World) -> None:
    world.died(0)
    world.step()
    begun = []
    for index in range(2, 6):
        world.died(index)
        assert world.step() == []
        before = world.now
        while not world.step(0.5):
            assert world.now < before + 60
        begun.append(world.now - before)
    assert begun == [1, 2, 4, 8]


@pytest.mark.parametrize("dies", ["before", "after"])
def test_where_none_serves_the_pauses_stay_short(world: World, dies: str) -> None:
    """What let them die may be over; and nobody is there meanwhile."""
    world.died(0)
    world.step()
    if dies == "before":
        world.died(1)
    for index in range(2, 9):
        world.died(index)
        while index + 1 not in world.crowd.workers:
            world.step(0.5)
    world.died(9)
    assert world.step() == []
    before = world.now
    if dies == "after":
        world.step(2)
        world.died(1)  # which had served for long
    while not world.step(0.5):
        pass
    assert world.now - before <= BACKOFF_ALONE


def test_deaths_in_the_same_moment_count_once(world: World) -> None:
    world.crowd.set_target(4)
    world.step()
    world.ready(2, 3)
    world.died(2)
    world.died(3)
    assert world.crowd.quick_deaths == 1
    assert world.step() == []
    assert len(world.step(1)) == 2


def test_after_a_life_there_is_no_pause(world: World) -> None:
    world.died(0)
    world.step()
    world.died(2)
    world.step(1)
    world.ready(3)
    world.now += QUICK_DEATH
    world.died(3)
    assert world.step() == [Start(None, "")]
    assert world.crowd.quick_deaths == 0


def test_quiet_makes_deaths_forgotten(world: World) -> None:
    world.died(0)
    world.step()
    world.died(2)
    world.step(1)
    world.ready(3)
    world.look(1)
    assert world.crowd.quick_deaths == 1
    world.look(QUICK_DEATH)
    assert world.crowd.quick_deaths == 0


def test_the_pauses_grow_while_others_serve(world: World) -> None:
    """That these go on to live tells nothing of the next one."""
    world.died(0)
    world.step()
    begun = []
    for index in range(2, 6):
        world.died(index)
        before = world.now
        while not world.step():
            world.look(0.5)
            assert world.now < before + 60
        begun.append(world.now - before)
    assert begun == [1, 2, 4, 8]


def test_what_is_long_ago_is_forgotten(world: World) -> None:
    """Though nobody was started since."""
    world.died(0)
    world.step()
    world.died(2)
    world.crowd.set_target(1)
    world.look(2 * BACKOFF_MAX)
    assert world.crowd.quick_deaths == 1
    world.look(1)
    assert world.crowd.quick_deaths == 0


def test_no_process_to_be_had(world: World) -> None:
    world.died(0)
    world.crowd.not_started(world.now)
    assert world.step() == []
    assert world.step(1) == [Start(None, "")]


# --- What the board says --------------------------------------------------------------------------


def test_enough_requests(world: World) -> None:
    world.crowd.workers[1].most_requests = 500
    world.look(1, requests={0: 9999, 1: 499})
    assert world.step() == []
    world.look(1, requests={1: 500})
    assert world.step() == [Start(1, "max-requests")]


def test_too_much_memory(world: World) -> None:
    world.crowd.limits.memory = 1000
    world.look(1, memory={0: 1001, 1: 1000})
    assert world.step() == [Start(0, "memory")]


def test_a_limit_of_memory_that_is_too_low_does_not_spin() -> None:
    world = World(1, memory=1000)
    world.step()
    world.ready(0)
    world.look(SETTLING - 1, memory={0: 1001})
    assert world.step() == []
    world.look(1, memory={0: 1001})
    assert world.step() == [Start(0, "memory")]


def test_the_end_of_a_lifetime(world: World) -> None:
    world.crowd.workers[0].ends_at = world.now + 10
    world.look(9)
    assert world.step() == []
    world.look(1)
    assert world.step() == [Start(0, "lifetime")]


def test_one_that_hangs_says_where_and_is_killed() -> None:
    world = World(1, silence=60)
    world.step()
    world.ready(0)
    for _ in range(61):
        world.look(1, silent=[0])
        assert world.step() == []
    world.look(1, silent=[0])
    assert world.step() == [Signal(0, signal.SIGABRT), Start(None, "")]
    assert world.step(ABORT_TIME) == [Signal(0, signal.SIGKILL)]
    assert world.died(0).restart == "stuck"


def test_a_sign_of_life_begins_the_silence_anew() -> None:
    world = World(1, silence=60)
    world.step()
    world.ready(0)
    for _ in range(50):
        world.look(1, silent=[0])
    world.look(1)
    for _ in range(50):
        world.look(1, silent=[0])
    assert world.step() == []


def test_nobody_was_silent_while_the_supervisor_did_not_run() -> None:
    """The container was paused, for example."""
    world = World(1, silence=60)
    world.step()
    world.ready(0)
    world.look(1, silent=[0])
    world.look(3600, silent=[0])
    assert world.step() == []


def test_one_that_loads_the_application_has_no_time_limit() -> None:
    world = World(1, silence=60)
    world.step()
    for _ in range(600):
        world.look(1, silent=[0])
    assert world.step() == []


# --- The end -----------------------------------------------------------------------------------


def test_the_end_is_for_all(world: World) -> None:
    world.crowd.set_target(3)
    world.step()
    world.crowd.stop(world.now, quick=False)
    assert world.step() == [Retire(0), Retire(1), Retire(2), Signal(2, signal.SIGTERM)]
    assert world.died(0).restart is None
    assert world.step(10) == [Signal(2, signal.SIGKILL)]


@pytest.mark.parametrize(("quick", "seconds"), [(False, 30), (True, 2)])
def test_one_that_does_not_end_in_time_is_killed(world: World, quick: bool, seconds: int) -> None:
    world.crowd.stop(world.now, quick=quick)
    world.step()
    assert world.step(seconds - 1) == []
    assert world.step(1) == [Signal(0, signal.SIGKILL), Signal(1, signal.SIGKILL)]


def test_a_quick_end_hurries_those_that_retire_already(world: World) -> None:
    world.crowd.set_target(1)
    world.step()
    world.crowd.stop(world.now, quick=True)
    world.step()
    assert Signal(0, signal.SIGKILL) in world.step(2)


def test_at_the_end_nobody_is_started(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    world.crowd.stop(world.now, quick=False)
    world.step()
    assert world.died(0).restart is None
    world.died(1)
    assert world.step(100) == []
    assert not any(isinstance(action, Start) for action in world.done)


def test_one_that_dies_at_the_end_has_not_crashed(world: World) -> None:
    world.crowd.stop(world.now, quick=False)
    assert world.died(0).restart is None
