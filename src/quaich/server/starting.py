"""The error of a server that cannot begin to serve: a line, what to show before it, an exit
code."""


class CannotStart(Exception):
    """The application cannot be served. ``str()`` is one line; ``report``, lines, is shown before
    it."""

    def __init__(self, line: str, report: str = "", exit_code: int = 3) -> None:
        super().__init__(line)
        self.report = report
        self.exit_code = exit_code
