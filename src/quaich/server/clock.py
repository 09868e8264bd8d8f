"""Date and Server, the fields that every response has and that change once a second."""

from time import time

from quaich.protocol.date import format_imf_fixdate


class Clock:
    """The fields that an origin server adds (S61; H133-H135).

    Reading the time for each response would cost as much as all else about these fields. So the
    leader does it whenever it has waited for events, which is several times a second at least
    while there is a connection.
    """

    __slots__ = ("_both", "_date", "_second", "_server")

    def __init__(self, software: str | None) -> None:
        """``software``: the value of Server, None for no such field."""
        self._server = f"Server: {software}\r\n" if software else ""
        self._second = -1
        self.refresh()

    def refresh(self) -> None:
        """Read the time."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._date = f"Date: {format_imf_fixdate(second)}\r\n"
            self._both = self._server + self._date

    def fields(self, has_date: bool = False, has_server: bool = False) -> str:
        """Date and Server as lines, without what the response has already."""
        if has_date or has_server:
            return ("" if has_server else self._server) + ("" if has_date else self._date)
        return self._both
