"""The board: what each process of a server says of itself, in memory that all of them share.

    Board.begin            the supervisor has forked a worker: its slot is clean, and "starting"
      Slot.state, …          the worker says how it is
      Slot.counters.write    … and what it has counted, as one whole
      Slot.text.write        … and which requests are in flight
    Board.retire           it has ended: what it had counted is added to the past
    Board.totals           the past, and all that are there; for whoever is asked

The memory is made before the first fork and belongs to no file, so it ends with its processes. A
slot has one writer, its worker; what is the board's own, and the moments when a slot begins and
ends, are the supervisor's. Nobody waits for anybody: there is no lock in it, because a process
that is killed would keep it for ever.
"""

import mmap
import struct
import zlib
from collections.abc import Iterator, Sequence
from time import time
from typing import Final, Literal, NamedTuple, get_args

from quaich.server.figures.counters import SIZE

State = Literal["free", "starting", "ready", "draining"]
Reason = Literal[
    "reload", "max-requests", "memory", "lifetime", "stuck", "crash", "certificate", "signal"
]

STATES: Final[tuple[str, ...]] = get_args(State)
REASONS: Final[tuple[str, ...]] = get_args(Reason)

COUNTERS: Final = SIZE  # numbers of 64 bits

TEXT_MAX: Final = 16 * 1024
"""Bytes of a slot's text, which is cut before it is written. As each slot has two, 512 of them
are 16 MiB; a page that nobody has written to takes no memory."""

RESTARTS_KEPT: Final = 32  # of which the time is known

_TRIES: Final = 100
"""Looks at something that changes. A writer is there four times a second at most, and for
microseconds; so more than a second look is rare."""

_WORD: Final = 8  # bytes
_PART: Final = struct.Struct("@II")  # length and checksum of a copy

# Words of a slot.
_PID, _GENERATION, _STARTED, _BEAT, _STATE = 0, 1, 2, 3, 4
_REQUESTS, _IN_FLIGHT, _QUEUED, _THREADS, _MEMORY, _CONNECTIONS, _THREAD_LIMIT = range(5, 12)
_WORDS: Final = 16

# Words of the board itself.
_VERSION, _PAST_REQUESTS, _LOGGED, _MADE, _IS_STOPPING = 0, 1, 2, 3, 4
_BY_REASON: Final = 5
_LOG: Final = _BY_REASON + len(REASONS)  # time, pid and reason of each
_PAST: Final = _LOG + 3 * RESTARTS_KEPT
_HEADER: Final = _PAST + COUNTERS

_COUNTERS_SIZE: Final = COUNTERS * _WORD


class Restart(NamedTuple):
    """A worker that has ended and was replaced."""

    time: float  # seconds since the epoch
    pid: int
    reason: str


class Totals(NamedTuple):
    """What all workers have counted since the board was made, those that have ended too."""

    requests: int
    counters: list[int]  # for quaich.server.figures.counters.Tally


class Copies:
    """Bytes that one process writes and others read, always as a whole.

    There are two copies, and a number that says which one counts. So a writer that is killed
    leaves what it wrote before. The checksum is for processors whose stores may be seen in
    another order than they were made.
    """

    __slots__ = ("_data", "_offset", "_size", "_words")

    def __init__(self, data: mmap.mmap, words: "memoryview[int]", offset: int, size: int) -> None:
        """``size``: most bytes, a multiple of 8, as ``offset`` is."""
        self._data = data
        self._words = words
        self._offset = offset
        self._size = size

    @staticmethod
    def room(size: int) -> int:
        """Bytes of memory that this takes."""
        return _WORD + 2 * (_PART.size + size)

    def write(self, content: bytes) -> None:
        """Put ``content`` in the place of what is there. ValueError if it is too long."""
        if len(content) > self._size:
            raise ValueError(f"{len(content)} bytes do not fit into {self._size}")
        number = self._words[self._offset // _WORD] + 1
        start = self._start(number)
        _PART.pack_into(self._data, start, len(content), zlib.crc32(content))
        start += _PART.size
        self._data[start : start + len(content)] = content
        self._words[self._offset // _WORD] = number

    def read(self) -> bytes:
        """What was written last; ``b""`` if nothing was."""
        content = b""
        for _ in range(_TRIES):
            number = self._words[self._offset // _WORD]
            if not number:
                return b""
            start = self._start(number)
            length, checksum = _PART.unpack_from(self._data, start)
            start += _PART.size
            content = self._data[start : start + min(length, self._size)]
            if zlib.crc32(content) == checksum and self._words[self._offset // _WORD] == number:
                break
        return content

    def clear(self) -> None:
        """As if nothing had been written. Only where nobody writes."""
        self._words[self._offset // _WORD] = 0

    def _start(self, number: int) -> int:
        return self._offset + _WORD + (number & 1) * (_PART.size + self._size)


class _Whole:
    """A word of a slot that is a whole number. Written and read at once, as aligned words are."""

    __slots__ = ("_word",)

    def __init__(self, word: int) -> None:
        self._word = word

    def __get__(self, slot: "Slot", owner: type) -> int:
        return slot._words[slot._first + self._word]

    def __set__(self, slot: "Slot", value: int) -> None:
        slot._words[slot._first + self._word] = value


class _Real:
    """A word of a slot that is a number of seconds."""

    __slots__ = ("_word",)

    def __init__(self, word: int) -> None:
        self._word = word

    def __get__(self, slot: "Slot", owner: type) -> float:
        return slot._reals[slot._first + self._word]

    def __set__(self, slot: "Slot", value: float) -> None:
        slot._reals[slot._first + self._word] = value


class Slot:
    """What one worker says of itself. Each field is written at once; together they are of about
    the same moment. ``requests``, ``counters`` and ``text`` are the worker's alone."""

    __slots__ = ("_first", "_reals", "_words", "board", "counters", "index", "text")

    pid = _Whole(_PID)
    generation = _Whole(_GENERATION)
    """How many times the workers had been replaced as a whole when it was forked."""
    started = _Real(_STARTED)
    """When it was forked, in seconds since the epoch."""
    beat = _Real(_BEAT)
    """When it last said that it lives, in monotonic seconds; 0 if it has not."""
    requests = _Whole(_REQUESTS)
    """Calls of the application that it has begun."""
    in_flight = _Whole(_IN_FLIGHT)
    """Calls that have not ended."""
    queued = _Whole(_QUEUED)
    """Requests that wait for a thread."""
    threads = _Whole(_THREADS)
    """Threads that it has started so far."""
    thread_limit = _Whole(_THREAD_LIMIT)
    """Calls of the application that it may be inside of at once."""
    memory = _Whole(_MEMORY)
    """Bytes of memory that it has in use (its resident set); 0 if that is not known."""
    connections = _Whole(_CONNECTIONS)
    """Connections that are open."""

    def __init__(self, board: "Board", index: int) -> None:
        self.board = board
        self.index = index
        self._words = words = board._words
        self._reals = board._reals
        self._first = _HEADER + index * (_SLOT_SIZE // _WORD)
        offset = (self._first + _WORDS) * _WORD
        self.counters = Copies(board._data, words, offset, _COUNTERS_SIZE)
        self.text = Copies(board._data, words, offset + Copies.room(_COUNTERS_SIZE), TEXT_MAX)

    @property
    def state(self) -> State:
        """``free``, ``starting``, ``ready`` or ``draining``."""
        states: tuple[State, ...] = get_args(State)
        return states[self._words[self._first + _STATE]]

    @state.setter
    def state(self, state: State) -> None:
        self._words[self._first + _STATE] = STATES.index(state)

    def write_counters(self, values: Sequence[int]) -> None:
        """Publish what the worker has counted: all of it, and as one whole."""
        self.counters.write(struct.pack(f"@{len(values)}q", *values))

    def read_counters(self) -> list[int]:
        """What it has published; all zero if nothing."""
        content = self.counters.read()
        values = list(struct.unpack(f"@{len(content) // _WORD}q", content))
        return values + [0] * (COUNTERS - len(values))

    def _clear(self) -> None:
        for word in range(self._first, self._first + _WORDS):
            self._words[word] = 0
        self.counters.clear()
        self.text.clear()


_SLOT_SIZE: Final = _WORDS * _WORD + Copies.room(_COUNTERS_SIZE) + Copies.room(TEXT_MAX)


class Board:
    """See the module. ``slots``: workers at once, those that are replaced among them."""

    def __init__(self, slots: int = 512) -> None:
        # Shared with the processes that are forked from here on.
        self._data = mmap.mmap(-1, _HEADER * _WORD + slots * _SLOT_SIZE)
        self._words: memoryview[int] = memoryview(self._data).cast("q")
        self._reals: memoryview[float] = memoryview(self._data).cast("d")
        self._slots = [Slot(self, index) for index in range(slots)]
        self._reals[_MADE] = time()

    def __len__(self) -> int:
        return len(self._slots)

    def slot(self, index: int) -> Slot:
        """The slot of that number, from 0 on."""
        return self._slots[index]

    def workers(self) -> Iterator[Slot]:
        """The slots that are not free."""
        return (slot for slot in self._slots if slot.state != "free")

    @property
    def made(self) -> float:
        """When the board was made, in seconds since the epoch."""
        return self._reals[_MADE]

    @property
    def is_stopping(self) -> bool:
        """Whether the server as a whole is about to end. The supervisor's to set."""
        return bool(self._words[_IS_STOPPING])

    @is_stopping.setter
    def is_stopping(self, value: bool) -> None:
        self._words[_IS_STOPPING] = value

    # --- The supervisor's ---------------------------------------------------------------------

    def free(self) -> int:
        """The number of a slot that is free. LookupError if none is."""
        for slot in self._slots:
            if slot.state == "free":
                return slot.index
        raise LookupError(f"all {len(self._slots)} slots of the board are taken")

    def begin(self, index: int, pid: int, generation: int = 0) -> Slot:
        """A worker has been forked, or is about to be: its slot is clean, its state
        ``starting``. If the worker may write before this is called, call it with pid 0 before
        the fork, and set ``slot.pid`` afterwards."""
        slot = self._slots[index]
        self._change()
        slot._clear()
        slot.pid, slot.generation, slot.started = pid, generation, time()
        slot.state = "starting"
        self._changed()
        return slot

    def retire(self, index: int, reason: Reason | None = None) -> None:
        """A worker has ended. What it had published is added to the past, and its slot is free.
        ``reason``: why it was, or will be, replaced; None if it is not replaced."""
        slot = self._slots[index]
        words = self._words
        pid, requests, values = slot.pid, slot.requests, slot.read_counters()
        number = None if reason is None else REASONS.index(reason)
        self._change()
        words[_PAST_REQUESTS] += requests
        for word, value in enumerate(values, _PAST):
            if value:
                words[word] += value
        if number is not None:
            words[_BY_REASON + number] += 1
            entry = _LOG + 3 * (words[_LOGGED] % RESTARTS_KEPT)
            self._reals[entry], words[entry + 1], words[entry + 2] = time(), pid, number
            words[_LOGGED] += 1
        slot._clear()
        self._changed()

    def _change(self) -> None:
        self._words[_VERSION] |= 1  # odd while it changes

    def _changed(self) -> None:
        self._words[_VERSION] += 1

    # --- For whoever is asked -----------------------------------------------------------------

    def totals(self) -> Totals:
        """The sums over all workers and the past: no worker twice, and none left out, while one
        ends."""
        totals = Totals(0, [])
        for _ in range(_TRIES):
            version = self._words[_VERSION]
            requests = self._words[_PAST_REQUESTS]
            sums = self._words[_PAST : _PAST + COUNTERS].tolist()
            for slot in self.workers():
                requests += slot.requests
                sums = [one + other for one, other in zip(sums, slot.read_counters(), strict=True)]
            totals = Totals(requests, sums)
            if self._words[_VERSION] == version and not version & 1:
                break
        return totals

    def restarts(self) -> dict[str, int]:
        """How many workers were replaced, by reason; each reason is there."""
        return {name: self._words[_BY_REASON + number] for number, name in enumerate(REASONS)}

    def last_restarts(self) -> list[Restart]:
        """The last ones, the newest last."""
        count = self._words[_LOGGED]
        entries = [
            _LOG + 3 * (number % RESTARTS_KEPT)
            for number in range(max(0, count - RESTARTS_KEPT), count)
        ]
        return [
            Restart(self._reals[at], self._words[at + 1], REASONS[self._words[at + 2]])
            for at in entries
        ]
