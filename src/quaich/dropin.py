"""Quaich under the name ``wsgiref``, for a whole program.

In the program, before or after it imports ``wsgiref``::

    import quaich.dropin

    quaich.dropin.install()

or from outside, without touching it::

    python -m quaich.dropin script.py arg …
    python -m quaich.dropin -m module arg …

A name that was imported *out of* the standard modules before (``from wsgiref.headers import
Headers``) stays what it was: nobody can find all of those.
"""

import importlib
import os
import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["MODULES", "install", "installed", "uninstall"]

MODULES: Final = ("util", "headers", "handlers", "simple_server", "validate", "types")
"""The modules of ``wsgiref`` that Quaich replaces: all of them."""

_ABSENT: Final = object()

# What install() replaced, for uninstall(): entries of sys.modules, and attributes of the
# standard package for those who hold it.
_modules_before: dict[str, object] = {}
_package_before: dict[str, object] = {}
_standard_package: ModuleType | None = None


def installed() -> bool:
    """Whether ``import wsgiref`` gives Quaich's modules."""
    return bool(_modules_before)


def install() -> None:
    """Make ``wsgiref`` and its modules mean Quaich's, from here on.

    Where the standard package is imported already, it stays what it is, and its attributes
    (``wsgiref.util`` …) are set to Quaich's modules too. A second call changes nothing. Call
    it from one thread, early.
    """
    global _standard_package
    if installed():
        return
    ours = {name: importlib.import_module(f"quaich.{name}") for name in MODULES}
    standard = sys.modules.get("wsgiref")
    package = _package(ours)
    replaced: dict[str, ModuleType] = {"wsgiref": package}
    replaced.update((f"wsgiref.{name}", module) for name, module in ours.items())
    for name, module in replaced.items():
        _modules_before[name] = sys.modules.get(name, _ABSENT)
        sys.modules[name] = module
    if isinstance(standard, ModuleType):
        _standard_package = standard
        for name, module in ours.items():
            _package_before[name] = getattr(standard, name, _ABSENT)
            setattr(standard, name, module)


def uninstall() -> None:
    """Undo :func:`install`: ``import wsgiref`` gives the standard package again."""
    global _standard_package
    for name, module in _modules_before.items():
        if isinstance(module, ModuleType):
            sys.modules[name] = module
        else:
            sys.modules.pop(name, None)
    if _standard_package is not None:
        for name, module in _package_before.items():
            if module is _ABSENT:
                delattr(_standard_package, name)
            else:
                setattr(_standard_package, name, module)
    _standard_package = None
    _modules_before.clear()
    _package_before.clear()


def _package(modules: dict[str, ModuleType]) -> ModuleType:
    """A package ``wsgiref`` that holds the modules and finds no others."""
    package = ModuleType("wsgiref", "Quaich under the name wsgiref.")
    spec = ModuleSpec("wsgiref", None, is_package=True)
    package.__spec__ = spec
    package.__path__ = spec.submodule_search_locations = []
    for name, module in modules.items():
        setattr(package, name, module)
    return package


_USAGE: Final = """\
usage: python -m quaich.dropin script.py [argument ...]
       python -m quaich.dropin -m module [argument ...]

Runs a program with Quaich under the name wsgiref."""


def main(arguments: list[str]) -> int:
    """Run a program as ``python`` would, with Quaich under the name ``wsgiref``.

    Returns 2 for wrong usage; else the program has run, and its exceptions are its own.
    """
    as_module = arguments[:1] == ["-m"]
    program = arguments[1:] if as_module else arguments
    if not program or (not as_module and program[0].startswith("-")):
        asked = bool(program) and program[0] in ("-h", "--help")
        print(_USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    name, *rest = program
    if not as_module and not Path(name).exists():
        print(f"quaich.dropin: there is no file {name!r}", file=sys.stderr)
        return 2
    install()
    sys.argv = [name, *rest]
    if as_module and name.startswith("wsgiref."):
        # A module's own loader knows it by its own name only, so runpy gets the file.
        runpy.run_path(str(importlib.import_module(name).__file__), run_name="__main__")
    elif as_module:
        # "python -m quaich.dropin" has put the current directory first, as "python -m" would.
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(name))  # noqa: PTH100, PTH120
        runpy.run_path(name, run_name="__main__")
    return 0


if __name__ == "__main__":
    # Not this copy, which is called __main__, but the one that a program finds by importing.
    from quaich import dropin

    sys.exit(dropin.main(sys.argv[1:]))
