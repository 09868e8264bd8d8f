"""Where in somebody's code something happened.

Asked only once there is a finding: a frame costs nothing until it is looked at.
"""

import functools
import os
import sys
from pathlib import Path
from types import CodeType, FrameType, GeneratorType
from typing import Any, Final

from quaich.conformance.findings import NOWHERE, Where

OURS: Final = str(Path(__file__).parent.parent)


# The standard library calls what it is given, and is not at fault; but wsgiref is a server.
_LIBRARY: Final = str(Path(functools.__file__).parent) + os.sep
_OTHERS: Final = tuple(_LIBRARY + name for name in ("site-packages", "dist-packages", "wsgiref"))


def caller() -> Where:
    """The innermost frame that is not the checker's; nor the standard library's, if it was called
    by somebody on this side of the checker."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    if frame is None:
        return NOWHERE
    innermost = frame
    while frame is not None and _is_library(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename.startswith(OURS):
        frame = innermost
    return _of_code(frame.f_code, frame.f_lineno)


def _is_library(file: str) -> bool:
    return file.startswith(_LIBRARY) and not file.startswith(_OTHERS)


def mark(depth: int) -> tuple[CodeType, int] | None:
    """What is needed to find a frame's place later, without the frame; as ``sys._getframe``."""
    try:
        frame = sys._getframe(depth + 1)
    except ValueError:
        return None  # a server in C
    return frame.f_code, frame.f_lasti


def of_mark(marked: tuple[CodeType, int] | None) -> Where | None:
    """The place that was marked, if it is not the checker's."""
    if marked is None or marked[0].co_filename.startswith(OURS):
        return None
    code, offset = marked
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return _of_code(code, line)
    return _of_code(code, code.co_firstlineno)


def is_handling() -> bool:
    """Whether the innermost code that is not the checker's is called by an exception's handler.
    One in which the checker itself has been called does not count."""
    error = sys.exc_info()[1]
    if error is None:
        return False
    traceback = error.__traceback__
    if traceback is None:
        return True
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    while frame is not None and not frame.f_code.co_filename.startswith(OURS):
        if frame is traceback.tb_frame:  # where it has been caught
            return True
        frame = frame.f_back
    return False


def of_server(thing: Any) -> Where | None:
    """Where a callable of the server's was written, if that is known."""
    where = of(thing)
    return where if where.line else None


def of(thing: Any) -> Where:
    """Where a callable or an iterable was written; a generator: the line where it stands."""
    # By type() throughout: a proxy's attributes may fail, __class__ too.
    if type(thing) is GeneratorType:
        frame = thing.gi_frame
        line = thing.gi_code.co_firstlineno if frame is None else frame.f_lineno
        return _of_code(thing.gi_code, line)
    code = _code_of(thing)
    if code is not None:
        return _of_code(code, code.co_firstlineno)
    kind = thing if issubclass(type(thing), type) else type(thing)
    for name in ("__next__", "__iter__", "__getitem__", "__call__", "__init__"):
        code = getattr(getattr(kind, name, None), "__code__", None)
        if code is not None:
            return Where(code.co_filename, code.co_firstlineno, kind.__qualname__)
    module = sys.modules.get(kind.__module__)
    return Where(getattr(module, "__file__", None) or kind.__module__, 0, kind.__qualname__)


def _code_of(thing: Any) -> CodeType | None:
    """The code of a function, a method, a partial, or an object with ``__call__``."""
    for _ in range(16):  # a partial of a partial, a method of a callable object
        if issubclass(type(thing), functools.partial):
            thing = thing.func
            continue
        try:
            code = getattr(getattr(thing, "__func__", thing), "__code__", None)
        except Exception:
            code = None
        if type(code) is CodeType:
            return code
        if issubclass(type(thing), type) or not callable(thing):
            return None
        thing = type(thing).__call__
    return None


def _of_code(code: CodeType, line: int) -> Where:
    return Where(code.co_filename, line, code.co_qualname)
