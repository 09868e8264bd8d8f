"""Is an object a WSGI application, by its looks? And if not, what is it?

Nothing is called here. Where Python cannot tell, the object passes: the first request tells.
"""

import inspect
from types import ModuleType
from typing import Any


def fault_of(candidate: Any, name: str, called: str | None = None) -> str | None:
    """Why ``candidate`` is no WSGI application, on one line; None if it may be one.

    ``name`` is what to call it, ``called`` how to write a call of it, where that may help.
    """
    called = called or f"{name}()"
    if not callable(candidate):
        return f"{name} is {kind_of(candidate)}, which cannot be called"
    if isinstance(candidate, type):
        return _fault_of_class(candidate, name, called)
    call = candidate if inspect.isroutine(candidate) else type(candidate).__call__
    if _is_asynchronous(candidate) or _is_asynchronous(call):
        if accepts(candidate, 3):
            return (
                f"{name} is an ASGI application, which an ASGI server runs (uvicorn, hypercorn); "
                "Quaich serves WSGI applications"
            )
        return f"{name} is a coroutine function; a WSGI application is a plain one"
    if accepts(candidate, 2):
        return None
    if accepts(candidate, 0):
        verb = "needs" if inspect.signature(candidate).parameters else "takes"
        return (
            f"{name} {verb} no arguments, a WSGI application takes environ and start_response; "
            f"if it makes the application, write {called!r}"
        )
    return (
        f"{name} takes {_parameters(candidate)}, "
        "a WSGI application takes environ and start_response"
    )


def _fault_of_class(candidate: Any, name: str, called: str) -> str | None:
    """A class is an application if its instances are the response: it takes both arguments,
    and what it makes can be iterated over (PEP 3333, "The Application/Framework Side")."""
    if type(candidate).__call__ is not type.__call__ or candidate.__new__ is not object.__new__:
        return None  # what it makes is anybody's guess
    if hasattr(candidate, "__iter__") or hasattr(candidate, "__getitem__"):
        if accepts(candidate, 2):
            return None
    elif "__call__" in dir(candidate) and accepts(candidate, 0):
        return f"{name} is a class; if an instance of it is the application, write {called!r}"
    return f"{name} is a class, and its instances are no responses to a WSGI request"


def kind_of(value: Any) -> str:
    """What a value is, in words: "None", "a module", "an int", "a flask.config.Config"."""
    if value is None:
        return "None"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__!r}"
    if inspect.iscoroutine(value):
        return "a coroutine"
    cls = type(value)
    name = cls.__qualname__
    if cls.__module__ not in ("builtins", "__main__"):
        name = f"{cls.__module__}.{name}"
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def accepts(candidate: Any, count: int) -> bool:
    """Whether ``count`` positional arguments fit its signature; True if that is not known."""
    try:
        signature = inspect.signature(candidate)
    except Exception:  # a proxy, such as Flask's `current_app`, may raise anything
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _is_asynchronous(candidate: Any) -> bool:
    try:
        return inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate)
    except Exception:
        return False


def _parameters(candidate: Any) -> str:
    return str(inspect.signature(candidate)).partition(" -> ")[0]
