"""What ends a command: a line for the person, and an exit code."""


class CommandError(Exception):
    """A command cannot go on. ``str()`` is one line; ``report`` (lines) is shown before it."""

    exit_code = 1

    def __init__(self, line: str, report: str = "") -> None:
        super().__init__(line)
        self.report = report


class ConfigurationError(CommandError):
    """A setting cannot be had: the line says which, what it got, and what it takes."""

    exit_code = 2


class LoadError(CommandError):
    """APP is not an application; the report is the traceback of its own code, if it ran."""

    exit_code = 3


def describe(error: BaseException) -> str:
    """The type and the message of an exception, on one line."""
    text = " ".join(str(error).split())
    if len(text) > 300:
        text = text[:300] + "…"
    name = type(error).__qualname__
    return f"{name}: {text}" if text else name
