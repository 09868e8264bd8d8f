"""Copies of the checker, run again in memory: one that has seen nothing yet, or one in which a
place is changed. All but the checker's own modules is what is installed."""

import ast
import builtins
import functools
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import quaich.conformance

PACKAGE: Final = "quaich.conformance.checker"
FOLDER: Final = Path(quaich.conformance.__file__).parent / "checker"
FILES: Final = {
    PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}": path
    for path in sorted(FOLDER.glob("*.py"))
}


@functools.cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text("utf-8"))


@functools.cache
def code_of(name: str) -> CodeType:
    return compile(tree_of(name), str(FILES[name]), "exec")


def a_copy(changed: str = "", tree: ast.Module | None = None) -> Any:
    """``checker`` of a copy of the package, in which one module may be another."""
    modules: dict[str, ModuleType] = {}

    def load_module(name: str) -> ModuleType:
        if name not in modules:
            module = modules[name] = ModuleType(name)
            vars(module).update(__builtins__=names, __file__=str(FILES[name]))
            is_changed = name == changed and tree is not None
            code = compile(tree, str(FILES[name]), "exec") if is_changed else code_of(name)  # type: ignore[arg-type]  # not None
            exec(code, vars(module))
        return modules[name]

    def import_name(name: str, *details: Any) -> Any:
        if name not in FILES:
            return builtins.__import__(name, *details)
        package = load_module(name)
        for each in details[2] or ():
            if f"{name}.{each}" in FILES:
                setattr(package, each, load_module(f"{name}.{each}"))
        return package

    names = {**vars(builtins), "__import__": import_name}
    return load_module(PACKAGE).checker
