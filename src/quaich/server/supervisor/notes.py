"""What is noted of a worker, and what may be done about it: the words of the plan."""

from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import NamedTuple, TypeAlias

from quaich.server.figures.board import Reason


class State(Enum):
    """What a worker is doing."""

    STARTING = "loads the application"
    READY = "serves"
    RETIRING = "finishes what it has"
    ABORTING = "is being killed"


@dataclass(slots=True)
class Worker:
    """What is known of one worker."""

    index: int  # of its slot on the board
    pid: int
    generation: int
    born: float
    replaces: int | None = None  # the index of the worker whose place it is to take
    state: State = State.STARTING
    ready_since: float = inf
    wish: Reason | None = None  # it is to be replaced, and why
    restart: Reason | None = None  # it ends, and another one takes its place
    why: str = ""  # it ends; words for the log
    is_closed: bool = False  # it retires, and accepts no more
    is_cancelled: bool = False  # it was told to end before it was ready
    retiring_since: float = inf
    kill_at: float = inf
    ends_at: float = inf  # its lifetime
    most_requests: float = inf
    silence: float = 0.0  # seconds without a sign of life
    beat: float = -1.0  # the last sign of life, by the worker's clock


class Figures(NamedTuple):
    """What the board says of a worker."""

    beat: float
    requests: int
    memory: int


class Start(NamedTuple):
    """Start a worker, in the place of another one or in a free one."""

    replaces: int | None
    why: str


class Retire(NamedTuple):
    """Tell a worker to finish what it has."""

    slot: int


class Signal(NamedTuple):
    """Send a worker a signal."""

    slot: int
    number: int


Action: TypeAlias = Start | Retire | Signal


@dataclass(slots=True)
class Limits:
    """When a worker is replaced or killed; seconds and bytes. Infinite is never."""

    memory: float = inf
    silence: float = inf
    graceful: float = 30.0
    quick: float = 2.0
