"""What programs have in common: their register, what a query asks of them, and the log."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
# mypy: disable-error-code="var-annotated, type-arg"

import json
import os
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs

TEXT = [("Content-Type", "text/plain; charset=utf-8")]

LOG_FILE = os.environ.get("WSGI_PROBE_LOG")
_log = []  # where there is no file
_lock = threading.Lock()

PROGRAMS = {}


def program(function):
    """Register a program under its name: called with environ, start_response and the request's
    ``Request``."""
    PROGRAMS[function.__name__] = function
    return function


class Request:
    """What the query says, and a place for notes."""

    def __init__(self, environ):
        self.query = {
            key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()
        }
        self.tag = self.query.get("tag", "")
        self.arguments = []  # with which the application was called: how many, and the keywords
        self.callable = "function"  # of which kind the application is

    def number(self, name, default=0):
        """A number in the query."""
        return int(self.query.get(name, default))

    def note(self, event, **facts):
        """Note something, for the prober to read."""
        note(self.tag, event, **facts)


def note(tag, event, **facts):
    """Put an event into the log."""
    record = {"tag": tag, "event": event, "pid": os.getpid(), "time": time.time()}
    record["thread"] = threading.get_ident()
    record.update(facts)
    if LOG_FILE is None:
        with _lock:
            _log.append(record)
            del _log[:-10000]
    else:
        line = (json.dumps(record) + "\n").encode()
        descriptor = os.open(LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def records(tag):
    """The events of a tag."""
    if LOG_FILE is None:
        with _lock:
            every = list(_log)
    else:
        try:
            with Path(LOG_FILE).open("rb") as file:
                every = [json.loads(line) for line in file if line.endswith(b"\n")]
        except FileNotFoundError:
            every = []
    return [record for record in every if record["tag"] == tag]


def name_of(value):
    """The type of a value."""
    return type(value).__name__


def as_json(start_response, value):
    """A response that any server can end: with its length."""
    data = json.dumps(value).encode()
    length = ("Content-Length", str(len(data)))
    start_response("200 OK", [("Content-Type", "application/json"), length])
    return [data]
