"""What is done about the workers: decisions, without a process."""

import signal
from typing import Any

import pytest

from quaich.server.supervisor.plan import (
    ABORT_TIME,
    BACKOFF_ALONE,
    BACKOFF_MAX,
    CROWDED,
    QUICK_DEATH,
    SETTLING,
    Action,
    Crowd,
    Figures,
    Limits,
    Retire,
    Signal,
    Start,
    State,
    Worker,
    backoff,
)


class World:
    """A crowd and a clock; what is decided is done at once, by workers that do as they are told
    only when the test says so."""

    def __init__(self, target: int = 2, **limits: float) -> None:
        self.crowd = Crowd(target, Limits(**limits))
        self.now = 100.0
        self.done: list[Action] = []
        self._next = 0

    def step(self, seconds: float = 0.0) -> list[Action]:
        """Let time go by, and decide; what was done."""
        self.now += seconds
        done = []
        for action in self.crowd.decide(self.now):
            done.append(action)
            if isinstance(action, Start):
                self.crowd.started(
                    Worker(
                        index=self._next,
                        pid=1000 + self._next,
                        generation=self.crowd.generation,
                        born=self.now,
                        replaces=action.replaces,
                    )
                )
                self._next += 1
        self.done += done
        return done

    def ready(self, *indexes: int) -> None:
        for index in indexes:
            self.crowd.ready(index, self.now)

    def died(self, index: int) -> Worker:
        return self.crowd.died(index, self.now)

    def states(self) -> dict[int, State]:
        return {index: worker.state for index, worker in self.crowd.workers.items()}

    def look(self, seconds: float = 0.0, **beats: Any) -> None:
        """Let time go by, and look at the board. All give signs of life, but those in
        ``silent``."""
        self.now += seconds
        silent = beats.get("silent", ())
        self.crowd.look(
            {
                index: Figures(
                    beat=1.0 if index in silent else self.now,
                    requests=beats.get("requests", {}).get(index, 0),
                    memory=beats.get("memory", {}).get(index, 0),
                )
                for index in self.crowd.workers
            },
            self.now,
        )


@pytest.fixture
def world() -> World:
    """Two workers that have served for long."""
    world = World()
    world.step()
    world.ready(0, 1)
    world.now += 1000
    world.done.clear()
    return world


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


def test_no_process_to_be_had(world: World) -> None:
    world.died(0)
    world.crowd.not_started(world.now)
    assert world.step() == []
    assert world.step(1) == [Start(None, "")]


# --- Replacing ------------------------------------------------------------------------------------


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


def test_a_reload_that_fails_leaves_those_that_are_not_ready(world: World) -> None:
    world.crowd.reload(world.crowd.target)
    world.step()
    world.died(2)
    world.died(0)
    world.step(100)
    assert world.crowd.give_up_reload() == 1
    assert world.step() == []
    world.ready(3)
    assert world.step() == []


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
