"""The program ``play``, which takes the steps that a trial has written, and ``keep``."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
# mypy: disable-error-code="var-annotated, type-arg"

import ast
import gc
import sys
import time
import weakref

from .programs import TEXT, name_of, program


class ProbeError(Exception):
    """What programs raise, unless they are to raise something else."""


class Play:
    """Takes the steps that a trial has written, in the call and in the iteration."""

    def __init__(self, start_response, request):
        self.start_response = start_response
        self.request = request
        self.write = None

    def take(self, step):
        """Take a step. Returns a block to be yielded, or None."""
        if not isinstance(step, tuple):
            return step
        action, arguments = step[0], list(step[1:])
        if action == "zeros":
            return bytes(arguments[0])
        if action == "octets":
            return bytes(range(256))
        if action == "view":
            return memoryview(arguments[0])
        if action == "array":
            return bytearray(arguments[0])
        if action == "sleep":
            time.sleep(arguments[0])
        elif action == "note":
            self.request.note(arguments[0])
        elif action == "fail":
            kind = ConnectionResetError if arguments[0] == "ConnectionResetError" else ProbeError
            raise kind("of the probe's application")
        elif action == "start":
            self.start(arguments)
        else:
            self.attempt("write", self.write, arguments)
        return None

    def start(self, arguments):
        """Call start_response; a third argument ``"raised"`` is an exc_info."""
        if arguments[2:] == ["raised"]:
            try:
                raise ProbeError("of the probe's application")
            except ProbeError:
                arguments[2] = sys.exc_info()
        result = self.attempt("start", self.start_response, arguments)
        if self.write is None:
            self.write = result

    def attempt(self, event, function, arguments):
        """Call, and note what is raised: ``own`` if it is the exception that was passed."""
        given = arguments[2] if len(arguments) == 3 else None
        try:
            result = function(*arguments)
        except Exception as error:
            facts = {"raised": name_of(error), "message": str(error)}
            self.request.note(event, own=bool(given) and error is given[1], **facts)
            return None
        self.request.note(event, raised=None, callable=callable(result))
        return result

    def blocks(self, steps):
        """The blocks, as a generator. ``("times", 9, step, …)`` takes steps several times."""
        for step in steps:
            if step[:1] == ("times",):
                yield from self.blocks(step[2:] * step[1])
                continue
            block = self.take(step)
            if block is not None:
                yield block


class Iterable:
    """A result that notes calls of close()."""

    def __init__(self, acting, steps):
        self.acting = acting
        self.steps = steps

    def __iter__(self):
        return self.acting.blocks(self.steps)

    def close(self):
        self.acting.request.note("closed")


class Iterator(Iterable):
    """The same that is its own iterator."""

    def __init__(self, acting, steps):
        super().__init__(acting, steps)
        self.generator = acting.blocks(steps)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.generator)


class OtherIterator(Iterable):
    """The same whose iterator has a close() too."""

    def __iter__(self):
        iterator = Iterator(self.acting, self.steps)
        iterator.close = lambda: self.acting.request.note("iterator closed")
        return iterator


class List(list):
    """A list with close()."""

    def __init__(self, acting, steps):
        super().__init__(acting.blocks(steps))
        self.acting = acting

    def close(self):
        self.acting.request.note("closed")


class Indexed:
    """A sequence of the old kind."""

    def __init__(self, acting, steps):
        self._blocks = list(acting.blocks(steps))

    def __getitem__(self, index):
        return self._blocks[index]


class Watched(Iterable):
    """A result that notes which attributes it is asked for. What ``for`` and ``len()`` look up,
    they look up in the type, so none of it is seen here."""

    def __getattribute__(self, name):
        if name not in ("acting", "steps"):
            object.__getattribute__(self, "acting").request.note("attribute", name=name)
        return object.__getattribute__(self, name)


RESULTS = {
    "iterable": Iterable,
    "iterator": Iterator,
    "other iterator": OtherIterator,
    "list": List,
    "plain list": lambda acting, steps: list(acting.blocks(steps)),
    "generator": lambda acting, steps: acting.blocks(steps),
    "indexed": Indexed,
    "watched": Watched,
}


@program
def play(environ, start_response, request):
    """Steps in the call, and a result of some kind whose iteration takes others."""
    request.note("called")
    acting = Play(start_response, request)
    for step in ast.literal_eval(request.query.get("call", "[]")):
        acting.take(step)
    steps = ast.literal_eval(request.query.get("blocks", "[]"))
    return RESULTS[request.query.get("result", "iterable")](acting, steps)


@program
def keep(environ, start_response, request):
    """Whether start_response keeps the exc_info that it is given."""
    references = []

    def fail():
        token = set()  # can be seen to go
        references.append(weakref.ref(token))
        raise ProbeError("of the probe's application")

    start_response("200 OK", list(TEXT))
    try:
        fail()
    except ProbeError:
        start_response("200 OK", list(TEXT), sys.exc_info())
    if sys.implementation.name != "cpython":
        gc.collect()
    return [b"kept" if references[0]() is not None else b"gone"]
