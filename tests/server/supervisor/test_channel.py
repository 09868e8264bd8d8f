"""What a supervisor and a worker say to each other."""

import threading

import pytest

from quaich.server.starting import CannotStart
from quaich.server.supervisor import channel as messages
from quaich.server.supervisor.channel import Channel, decode, encode


def test_messages_in_both_directions() -> None:
    ours, theirs = Channel.pair()
    theirs.send(messages.READY)
    theirs.send(messages.STUCK)
    assert ours.receive() == (b"RS", False)
    assert ours.receive() == (b"", False)
    ours.send(messages.RETIRE)
    assert theirs.receive() == (b"r", False)
    theirs.close()
    ours.close()


def test_the_end_is_a_message() -> None:
    ours, theirs = Channel.pair()
    theirs.send(messages.READY)
    theirs.close()
    assert ours.receive() == (b"R", True)
    ours.send(messages.RETIRE)  # nobody hears it
    ours.close()


def test_a_failure_of_any_length() -> None:
    ours, theirs = Channel.pair()
    failure = CannotStart("cannot load 'x'", "Traceback é\n" * 50_000, 3)

    def fail() -> None:
        theirs.send_failure(failure)
        theirs.close()

    thread = threading.Thread(target=fail)
    thread.start()
    ended = False
    while not ended:
        said, ended = ours.receive()
        assert said in (b"", b"F")
    thread.join()
    ours.close()
    assert ours.failure is not None
    heard = decode(bytes(ours.failure))
    assert (str(heard), heard.report, heard.exit_code) == (str(failure), failure.report, 3)


@pytest.mark.parametrize("data", [b"", b"[", b"[]", b'["a"]', b"7", b"\xff"])
def test_a_failure_that_did_not_come_whole(data: bytes) -> None:
    assert str(decode(data)) == "the worker could not say why it does not start"


def test_what_was_said_can_be_read() -> None:
    failure = decode(encode(CannotStart("line", "report", 2)))
    assert (str(failure), failure.report, failure.exit_code) == ("line", "report", 2)


def test_nobody_waits_for_who_does_not_listen() -> None:
    ours, theirs = Channel.pair()
    for _ in range(100_000):
        ours.send(messages.LOOK)
    theirs.close()
    ours.close()
