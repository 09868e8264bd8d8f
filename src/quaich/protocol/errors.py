"""Whose fault it is: the peer's, as exceptions, and the application's, as values.

A fault of the peer interrupts whoever reads its bytes, so it is an exception. A fault of the
application is found in a value it handed over and is told to it by its caller, who knows
which type of exception its users expect: so that is a value, :class:`Fault`.
"""

from typing import Final, NamedTuple

PEER_GONE: Final = (ConnectionAbortedError, BrokenPipeError, ConnectionResetError)
"""What reading from or writing to a peer that has gone raises."""


class ProtocolError(Exception):
    """The peer broke a rule of HTTP.

    ``rule`` is the rule's number, ``status`` the status code the rule asks for, ``message``
    says what was wrong. The message never repeats the peer's bytes. ``span`` says where it
    was, if that is known: the octets of a head, from where the head begins.
    """

    span: tuple[int, int] | None = None

    def __init__(self, rule: str, status: int, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} ({self.rule})"


class BodyError(ProtocolError, OSError):
    """A request body that cannot be read to its end: bad framing, or too little of it.

    It is an :class:`OSError` because it is raised from ``wsgi.input``, and reading code knows
    an ``OSError`` as "the client's fault" (Django turns it into ``UnreadablePostError``).
    """


class IncompleteBody(BodyError):
    """The peer stopped sending before the body's end (RFC 9112, section 6.3; H077, H091)."""


class Fault(NamedTuple):
    """What an application did wrong.

    ``rule`` is the number of the rule, ``error`` the type of exception that ``wsgiref``'s
    users know for it, ``message`` what was wrong, what is allowed and how to mend it.
    """

    rule: str
    error: type[Exception]
    message: str

    def exception(self) -> Exception:
        """The fault as an exception of the type that ``wsgiref`` raises."""
        return self.error(self.message)
