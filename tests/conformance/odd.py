"""Values that are nearly what they should be, and values that bite."""

from collections.abc import Iterator
from typing import Any, NoReturn


class Str(str):
    """A subclass of str that is as good as one."""

    __slots__ = ()


class Bytes(bytes):
    """A subclass of bytes that is as good as one."""


class List(list[Any]):
    """A subclass of list that is as good as one."""


class Dict(dict[Any, Any]):
    """A subclass of dict that is as good as one."""


class Tuple(tuple[Any, ...]):
    """A subclass of tuple that is as good as one."""

    __slots__ = ()


class Unhashable(str):
    """A str that cannot be a key."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # this is the point


class Unspeakable:
    """Its repr() fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Incomparable:
    """It cannot be compared, as an array of NumPy's gives no truth."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __ne__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]  # what cannot be compared has none


class Lowered(dict[Any, Any]):
    """A dict whose methods give lists, as before Python 3."""

    def keys(self) -> Any:
        return list(super().keys())

    def items(self) -> Any:
        return list(super().items())


class Proxy:
    """An application that is found only within a request: its attributes fail otherwise."""

    def __init__(self, application: Any) -> None:
        object.__setattr__(self, "_application", application)

    def __call__(self, environ: Any, start_response: Any) -> Any:  # guilty
        return object.__getattribute__(self, "_application")(environ, start_response)

    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(f"{name}: there is no request")


class Counted:
    """Blocks with ``len()``, which may be a lie."""

    def __init__(self, blocks: list[Any], length: int) -> None:
        self.blocks = blocks
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:  # guilty
        return iter(self.blocks)
