"""What is done about the workers: one takes the place of another, by a reload and else."""

import signal

import pytest

from quaich.server.supervisor.notes import Retire, Signal, Start, State
from quaich.server.supervisor.plan import ABORT_TIME, CROWDED
from server.supervisor.world import World, two_that_serve


@pytest.fixture
def world() -> World:
    return two_that_serve()


def test_a_reload_replaces_one_after_the_other(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    assert world.step() == [Start(0, "reload")]
    assert world.step(1) == []
    world.ready(2)
    assert world.step() == [Retire(0)]
    assert world.step() == []  # it is still there, and memory does not double
    assert world.died(0).restart == "reload"
    assert world.step() == [Start(1, "reload")]
    world.ready(3)
    assert world.crowd.is_reloading
    assert world.step() == [Retire(1)]
    assert world.crowd.is_reloading  # who connects now may still meet the old one
    world.crowd.closed(1)
    assert world.step() == []
    assert not world.crowd.is_reloading
    world.died(1)
    assert world.step() == []
    assert sorted(world.states()) == [2, 3]


def test_nobody_goes_before_another_one_is_ready(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    for _ in range(100):
        world.step(1)
    assert [world.states()[index] for index in (0, 1)] == [State.READY, State.READY]


def test_one_that_takes_long_to_end_does_not_hold_up_the_others(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    world.step()
    world.ready(2)
    world.step()
    assert world.step(CROWDED - 1) == []
    assert world.step(1) == [Start(1, "reload")]


def test_of_many_a_few_are_replaced_at_once() -> None:
    world = World(8)
    world.step()
    world.ready(*range(8))
    world.crowd.reload(world.crowd.target)
    assert world.step(100) == [Start(0, "reload"), Start(1, "reload")]


def test_a_reload_while_another_is_under_way(world: World) -> None:
    """The one that was started for the first is replaced too."""
    world.crowd.reload(world.crowd.target)
    world.step()
    world.crowd.reload(world.crowd.target)
    world.ready(2)
    for _ in range(20):
        for action in world.step(1):
            if isinstance(action, Start):
                world.ready(max(world.crowd.workers))
            elif isinstance(action, Retire):
                world.died(action.slot)
    assert not world.crowd.is_reloading
    assert {worker.generation for worker in world.crowd.workers.values()} == {3}
    assert len(world.crowd.workers) == 2


def test_a_reload_that_fails_leaves_the_old_ones(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    world.step()
    world.died(2)
    assert world.crowd.give_up_reload() == 2
    assert not world.crowd.is_reloading
    assert world.step(100) == []
    assert sorted(world.states()) == [0, 1]


def test_a_reload_spares_nobody_until_it_bears_fruit(world: World) -> None:
    """With fewer workers than before, of which the first may never come to serve."""
    world.crowd.reload(1)
    assert world.step() == [Start(0, "reload")]
    world.died(2)
    assert world.crowd.give_up_reload() == 2
    assert world.step(100) == []
    assert world.crowd.target == 2

    world.crowd.reload(1)
    assert world.step(100) == [Start(0, "reload")]
    world.ready(3)
    assert world.step() == [Retire(0), Retire(1)]
    assert world.crowd.target == 1


def test_a_reload_to_more_workers_has_them_once_one_serves(world: World) -> None:
    world.crowd.reload(3)
    assert world.step() == [Start(0, "reload")]
    world.ready(2)
    assert Start(None, "") in world.step()
    assert world.crowd.target == 3


def test_what_the_operator_says_during_a_reload_counts(world: World) -> None:
    world.crowd.reload(1)
    world.step()
    world.crowd.set_target(3)
    world.ready(2)
    world.step()
    assert world.crowd.target == 3


def test_a_reload_where_nobody_serves_is_not_waited_for() -> None:
    world = World(0)
    world.crowd.reload(2)
    assert world.step() == [Start(None, "")] * 2


def test_a_reload_ends_those_that_are_not_ready(world: World) -> None:
    """What they load is out of date, and may never come to an end."""
    world.died(0)
    world.step(100)
    world.crowd.reload(world.crowd.target)
    assert world.step() == [
        Retire(2),
        Signal(2, signal.SIGTERM),
        Start(None, ""),
        Start(1, "reload"),
    ]
    world.died(2)
    world.ready(3)
    assert world.step() == []


def test_a_reload_that_fails_ends_those_that_were_started_for_it(world: World) -> None:
    """They were made with settings that do not count any more."""
    world.crowd.reload(world.crowd.target)
    world.step()
    world.died(2)
    world.died(0)
    world.step(100)
    assert world.crowd.give_up_reload() == 1
    assert world.step() == [
        Retire(3),
        Signal(3, signal.SIGTERM),
        Retire(4),
        Signal(4, signal.SIGTERM),
        Start(None, ""),
    ]
    assert world.crowd.workers[5].generation == world.crowd.workers[1].generation
    world.died(3)
    world.died(4)
    world.ready(5)
    assert world.step() == []


def half_renewed(world: World) -> None:
    """A reload of which one worker serves, and another reload, which fails."""
    world.crowd.reload(world.crowd.target)
    world.step()
    world.ready(2)
    world.step()
    world.died(0)
    world.step()
    world.crowd.reload(world.crowd.target)
    world.step()
    world.died(3)
    world.step(100)


def test_a_reload_that_fails_leaves_the_one_before_it_under_way(world: World) -> None:
    """Else there would be two versions for good."""
    half_renewed(world)
    assert world.states() == {1: State.READY, 2: State.READY, 4: State.STARTING}
    world.died(4)
    assert world.crowd.give_up_reload() == 1
    assert (world.crowd.generation, world.crowd.older) == (2, 1)
    assert world.crowd.is_reloading
    assert world.crowd.has_renewed_one  # so a failure of the next is not the end of it
    assert world.step(100) == [Start(1, "reload")]
    world.ready(5)
    assert world.step() == [Retire(1)]
    world.died(1)
    world.step()
    assert not world.crowd.is_reloading
    assert {each.generation for each in world.crowd.workers.values()} == {2}


def test_what_was_given_up_does_not_come_again(world: World) -> None:
    """One that was started for it is not one of the next reload."""
    half_renewed(world)
    world.crowd.give_up_reload()
    world.crowd.reload(world.crowd.target)
    assert world.crowd.generation == 4
    assert Retire(4) in world.step()


def test_where_nobody_serves_the_last_that_did_counts(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    world.step()
    world.ready(2)
    for index in (0, 1, 2):
        world.died(index)
    world.crowd.reload(world.crowd.target)
    assert world.crowd.give_up_reload() == 0
    assert world.crowd.generation == 2
    assert not world.crowd.is_reloading


def test_a_reload_of_which_one_has_succeeded_is_known(world: World) -> None:
    """Then it is not the application that keeps the next from starting."""
    assert world.crowd.has_renewed_one
    world.crowd.reload(world.crowd.target)
    world.step()
    assert not world.crowd.has_renewed_one
    world.ready(2)
    assert world.crowd.has_renewed_one


def test_one_that_cannot_start_and_does_not_end_is_killed(world: World) -> None:
    """Python waits for threads that are no daemons."""
    world.crowd.reload(world.crowd.target)
    world.step()
    world.crowd.cannot_start(2, world.now)
    assert world.step(ABORT_TIME - 0.1) == []
    assert world.step(0.1) == [Signal(2, signal.SIGKILL)]
    world.crowd.cannot_start(0, world.now)  # what serves is not concerned
    assert world.step(ABORT_TIME) == [Signal(2, signal.SIGKILL)]


def test_the_slot_of_one_that_died_is_another_ones(world: World) -> None:
    """Whoever was to replace it does not replace the next one in it."""
    world.crowd.reload(world.crowd.target)
    world.step()
    assert world.crowd.workers[2].replaces == 0
    world.died(0)
    assert world.crowd.workers[2].replaces is None


def test_those_that_are_not_ready_are_to_be_replaced_too(world: World) -> None:
    world.died(0)
    world.step(100)
    world.crowd.wish_all("certificate")
    world.step()
    world.ready(2, 3)
    world.step()
    assert {each.wish for each in world.crowd.workers.values() if each.index == 2} == {
        "certificate"
    }


def test_the_old_one_dies_before_its_successor_is_ready(world: World) -> None:
    """Then that has the place, and no other one is started."""
    world.crowd.reload(world.crowd.target)
    world.step()
    world.died(0)
    assert world.step() == [Start(1, "reload")]
    world.ready(2, 3)
    assert world.step() == [Retire(1)]


def test_a_successor_that_dies_is_tried_again_after_a_pause(world: World) -> None:
    world.crowd.wish(0, "memory")
    assert world.step() == [Start(0, "memory")]
    world.died(2)
    assert world.step(0.5) == []
    assert world.step(0.5) == [Start(0, "memory")]
    world.ready(3)
    assert world.step() == [Retire(0)]
    assert world.died(0).restart == "memory"


def test_all_are_to_be_replaced(world: World) -> None:
    world.crowd.wish_all("certificate")
    world.step()
    world.ready(2)
    world.step()
    assert world.died(0).restart == "certificate"
    assert world.step() == [Start(1, "certificate")]


def test_the_first_reason_counts(world: World) -> None:
    world.crowd.wish(0, "stuck")
    world.crowd.wish(0, "lifetime")
    assert world.step() == [Start(0, "stuck")]


def test_who_is_to_be_replaced_comes_before_a_reload(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    world.crowd.wish(1, "stuck")
    assert world.step() == [Start(1, "stuck")]
