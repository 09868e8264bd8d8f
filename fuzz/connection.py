"""Any bytes of a connection, in any split, give the same requests with the same contents, and
the same refusal or none; never another error, and never content that was not sent."""

from itertools import pairwise

from fuzz.chunked import LIMITS
from fuzz.chunked import TOKENS as CHUNK_TOKENS
from fuzz.harness import pieces, run
from fuzz.head import TOKENS as HEAD_TOKENS
from protocol.connection import read_connection
from protocol.corpora import all_requests
from quaich.protocol.http1 import HeadLimits, HeadOptions

TOKENS = [
    *HEAD_TOKENS,
    *CHUNK_TOKENS,
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
]
OPTIONS = [
    HeadOptions(),
    HeadOptions(HeadLimits(request_line=40, fields=4, field_size=40, head=120), LIMITS),
]


def check(data: bytes) -> None:
    for options in OPTIONS:
        whole = read_connection([data], options)
        others = {
            "in blocks": read_connection(pieces(data), options),
            "each head for itself": read_connection([data], options, repeats=False),
        }
        for how, outcome in others.items():
            if outcome != whole:
                raise AssertionError(f"{how}: {outcome}, not {whole}")
        contents = [message.content for message in whole.messages]
        if sum(map(len, contents)) + len(whole.rest) > len(data):
            raise AssertionError(f"more than was sent: {whole}")
        if not all(content in data for content in contents if len(content) < 2):
            raise AssertionError(f"other content than was sent: {whole}")
        if not all(message.persists for message in whole.messages[:-1]):
            raise AssertionError(f"a request behind the last one: {whole}")


def seeds() -> list[bytes]:
    """Each request, twice over, and each behind another."""
    requests = all_requests()
    return [
        *requests,
        *[data * 2 for data in requests],
        *[b"".join(pair) for pair in pairwise(requests)],
    ]


if __name__ == "__main__":
    run(check, TOKENS, seeds())
