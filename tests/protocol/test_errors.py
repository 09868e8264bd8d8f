"""Whose fault it is."""

import pytest

from quaich.protocol.errors import BodyError, Fault, IncompleteBody, ProtocolError


def test_a_protocol_error_has_its_rule_and_its_status() -> None:
    error = ProtocolError("H038", 400, "no Host")
    assert (error.rule, error.status, error.message) == ("H038", 400, "no Host")
    assert str(error) == "no Host (H038)"
    assert not isinstance(error, OSError)


@pytest.mark.parametrize("kind", [BodyError, IncompleteBody])
def test_a_body_error_is_an_os_error_and_no_other(kind: type[BodyError]) -> None:
    error = kind("H077", 400, "it broke off")
    assert isinstance(error, ProtocolError)
    assert isinstance(error, OSError)
    assert not isinstance(error, ConnectionError)
    assert error.errno is None
    assert (error.rule, error.status, str(error)) == ("H077", 400, "it broke off (H077)")


@pytest.mark.parametrize("kind", [AssertionError, ValueError, TypeError])
def test_a_fault_becomes_an_exception_of_its_type(kind: type[Exception]) -> None:
    exception = Fault("A05", kind, "that is no status").exception()
    assert type(exception) is kind
    assert exception.args == ("that is no status",)
