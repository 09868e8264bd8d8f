"""Workers that are none: for decisions, without a process."""

from typing import Any

from quaich.server.supervisor.notes import Action, Figures, Limits, Start, State, Worker
from quaich.server.supervisor.plan import Crowd


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


def two_that_serve() -> World:
    """Two workers that have served for long."""
    world = World()
    world.step()
    world.ready(0, 1)
    world.now += 1000
    world.done.clear()
    return world
