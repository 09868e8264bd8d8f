"""Quaich under the name ``wsgiref``, for a whole program.

In the program, before or after it imports ``wsgiref``::

    import quaich.dropin

    quaich.dropin.install()

or from outside, without touching it::

    python -m quaich.dropin script.py arg …
    python -m quaich.dropin -m module arg …

which is ``python script.py`` or ``python -m module`` in all that a program sees of itself: its
``__main__``, ``sys.path``, ``sys.argv``, tracebacks and exit status. (``-c`` and a program on
standard input are not supported.)

Two things stay with the standard library, and nothing tells of it:

- A name that was imported *out of* the standard modules before (``from wsgiref.headers import
  Headers``). Nobody can find all of those.
- Another interpreter that the program starts: by :mod:`subprocess`, or by :mod:`multiprocessing`
  with the start methods ``spawn`` and ``forkserver``. (A child made by ``fork`` is a copy, Quaich
  and all.) For children of multiprocessing, call :func:`install` at the top of the program's main
  module, outside ``if __name__ == "__main__"``: they import that module first. For others, call
  it in them, or start them with ``python -m quaich.dropin`` as well.
"""

import builtins
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import module_from_spec
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final

import quaich

__all__ = ["MODULES", "install", "installed", "uninstall"]

MODULES: Final = ("util", "headers", "handlers", "simple_server", "validate", "types")
"""The modules of ``wsgiref`` that Quaich replaces: all of them."""

_ABSENT: Final = object()


def _ours(name: str) -> ModuleType:
    return importlib.import_module(f"quaich.{name}")


class _Importer:
    """Gives Quaich's modules to whoever imports ``wsgiref``.

    ``sys.modules`` has them from the start; this is for those who take an entry out of it and
    import anew, and who ask where a module comes from. What install() replaced is kept here and
    not in this module, whose variables a reload would empty.

    It inherits from nothing: importlib.abc takes longer to import than all of this.
    """

    # By this, and not by its class, an importer is known: a reload makes another class.
    gives_quaich_as_wsgiref = True

    def __init__(self) -> None:
        self.modules_before: dict[str, object] = {}
        # For those who hold the standard package.
        self.standard_package: ModuleType | None = None
        self.attributes_before: dict[str, object] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package != "wsgiref":
            return None
        name, _, below = rest.partition(".")
        if below:
            # quaich.handlers is a package, so "import wsgiref.handlers.base" would find a file
            # and load a second copy of quaich.handlers.base. Python's words for a plain module:
            parent = fullname.rpartition(".")[0]
            raise ModuleNotFoundError(
                f"No module named {fullname!r}; {parent!r} is not a package", name=fullname
            )
        loader: Any = self  # it lacks load_module(), which the types ask for and nobody calls
        if not name:
            spec = ModuleSpec(fullname, loader, origin=quaich.__file__, is_package=True)
        elif name in MODULES:
            spec = ModuleSpec(fullname, loader, origin=_ours(name).__file__)
        else:
            return None
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # as usual

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.partition(".")[2]
        if name:
            # The import system hands out what stands here afterwards.
            sys.modules[module.__name__] = _ours(name)
        else:
            module.__doc__ = "Quaich under the name wsgiref."
            for name in MODULES:
                setattr(module, name, _ours(name))

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of a module, for ``-m wsgiref.simple_server``."""
        module: Any = _ours(fullname.partition(".")[2])
        code: CodeType | None = module.__loader__.get_code(module.__name__)
        return code


def _importer() -> Any:
    """The importer in use, if any. It may be of another copy of this module."""
    package = sys.modules.get("wsgiref")
    for candidate in (getattr(package, "__loader__", None), *sys.meta_path):
        if getattr(candidate, "gives_quaich_as_wsgiref", False):
            return candidate
    return None


def installed() -> bool:
    """Whether ``import wsgiref`` gives Quaich's modules."""
    return _importer() is not None


def install() -> None:
    """Make ``wsgiref`` and its modules mean Quaich's, from here on, in this process.

    Where the standard package is imported already, it stays what it is, and its attributes
    (``wsgiref.util`` …) are set to Quaich's modules too. A second call changes nothing. Call
    it from one thread, early.
    """
    if installed():
        return
    importer = _Importer()
    spec: Any = importer.find_spec("wsgiref")
    package = module_from_spec(spec)
    importer.exec_module(package)
    # All is imported: nothing below can fail half-way.
    standard = sys.modules.get("wsgiref")
    replaced = {"wsgiref": package, **{f"wsgiref.{name}": _ours(name) for name in MODULES}}
    for name, module in replaced.items():
        importer.modules_before[name] = sys.modules.get(name, _ABSENT)
        sys.modules[name] = module
    if isinstance(standard, ModuleType):
        importer.standard_package = standard
        for name in MODULES:
            importer.attributes_before[name] = getattr(standard, name, _ABSENT)
            setattr(standard, name, _ours(name))
    sys.meta_path.insert(0, importer)


def uninstall() -> None:
    """Undo :func:`install`: ``import wsgiref`` gives the standard package again."""
    importer = _importer()
    if importer is None:
        return
    if importer in sys.meta_path:
        sys.meta_path.remove(importer)
    for name, module in importer.modules_before.items():
        if isinstance(module, ModuleType):
            sys.modules[name] = module
        else:
            sys.modules.pop(name, None)
    for name, attribute in importer.attributes_before.items():
        # What was absent is told by its type: a reload makes another _ABSENT.
        if isinstance(attribute, ModuleType):
            setattr(importer.standard_package, name, attribute)
        else:
            delattr(importer.standard_package, name)


_USAGE: Final = """\
usage: python -m quaich.dropin script.py [argument ...]
       python -m quaich.dropin -m module [argument ...]

Runs a program with Quaich under the name wsgiref.
"""


def main(arguments: list[str]) -> int:
    """Run a program as ``python`` would, with Quaich under the name ``wsgiref``.

    Returns 2 for wrong usage; else the program has run, and its exceptions are its own. What is
    changed for it (``sys.modules["__main__"]``, ``sys.argv``, ``sys.path``) stays: it may have
    threads that outlive its last line.
    """
    name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    as_module = name.startswith("-m")
    if as_module:
        # Joined or apart, as python takes it.
        name, rest = (name[2:], rest) if name != "-m" else (rest[0] if rest else "", rest[1:])
    if not name or (not as_module and name.startswith("-")):
        asked = name in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(_USAGE)
        return 0 if asked else 2
    try:
        return _run_module(name, rest) if as_module else _run_path(name, rest)
    except SystemExit:
        raise
    except BaseException:
        _show_only_the_programs_frames()
        raise


def _run_module(name: str, arguments: list[str]) -> int:
    # sys.path[0] is right: "python -m quaich.dropin" has set it as "python -m" would.
    install()
    if name.startswith("wsgiref."):
        # In sys.modules it is found under Quaich's name; without, the importer is asked.
        sys.modules.pop(name, None)
    sys.argv = ["-m", *arguments]
    _run_as_main(name)
    return 0


def _run_path(name: str, arguments: list[str]) -> int:
    from pkgutil import get_importer  # costs start-up time, which install() must not

    path = _absolute(name)
    if get_importer(path) is not None:  # a directory or a zip file
        install()
        # Python prepends it even in safe mode. In the other mode the place is taken already, by
        # what was right for "-m quaich.dropin".
        sys.path[: 0 if sys.flags.safe_path else 1] = [path]
        sys.argv = [name, *arguments]
        _run_as_main("__main__", alter_argv=False)
        return 0
    loader: SourceFileLoader | SourcelessFileLoader
    if path.endswith(".pyc"):
        loader = SourcelessFileLoader("__main__", path)
    else:
        loader = SourceFileLoader("__main__", path)
    try:
        source = loader.get_data(path)
    except OSError as error:
        sys.stderr.write(
            f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}\n"
        )
        return 2
    install()
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
    sys.argv = [name, *arguments]
    namespace = _fresh_main()
    namespace.update(__file__=path, __loader__=loader)
    if sys.version_info < (3, 15):
        namespace["__cached__"] = None
    code: Any
    if isinstance(loader, SourcelessFileLoader):
        code = loader.get_code("__main__")
    else:
        code = compile(source, path, "exec", dont_inherit=True)
    exec(code, namespace)
    return 0


def _absolute(name: str) -> str:
    """The path as python makes it absolute: on POSIX nothing of it is normalised, but ``.``."""
    if os.name == "nt" or name == ".":
        return os.path.abspath(name)  # noqa: PTH100
    if os.path.isabs(name):  # noqa: PTH117
        return name  # and the current directory need not exist
    return os.path.join(os.getcwd(), name)  # noqa: PTH109, PTH118


def _fresh_main() -> dict[str, Any]:
    """Put an empty ``__main__`` into the place of this program's; give its namespace."""
    module = sys.modules["__main__"] = ModuleType("__main__")
    namespace = module.__dict__
    namespace["__builtins__"] = builtins  # exec() alone would put in the dictionary
    if sys.version_info < (3, 14):  # later, annotations are made when asked for
        namespace["__annotations__"] = {}
    return namespace


def _run_as_main(name: str, *, alter_argv: bool = True) -> None:
    """Run a module by the function that the interpreter's own main program calls.

    The public ``runpy.run_module`` takes its ``__main__`` away at the end, and answers with a
    traceback where python has one line.
    """
    import runpy  # costs start-up time, which install() must not

    _fresh_main()
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]


def _show_only_the_programs_frames() -> None:
    """Let the exception that is leaving be shown without the frames that it passes from here on.

    They cannot be cut off now, for each is added when the exception comes by.
    """
    programs_hook = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        sys.excepthook = programs_hook
        sys.last_traceback = traceback = _programs_part(traceback)
        programs_hook(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = hook


def _programs_part(traceback: TracebackType | None) -> TracebackType | None:
    """What follows this file's frames. A program may call this file in turn: the first ones."""
    here = main.__code__.co_filename
    while traceback and traceback.tb_frame.f_code.co_filename != here:
        traceback = traceback.tb_next
    while traceback and traceback.tb_frame.f_code.co_filename == here:
        traceback = traceback.tb_next
    return traceback


if __name__ == "__main__":
    # Not this copy, which is called __main__, but the one that a program finds by importing.
    from quaich import dropin

    # A program that ends by itself ends python by itself: "python -i" stays, without a word.
    if status := dropin.main(sys.argv[1:]):
        sys.exit(status)
