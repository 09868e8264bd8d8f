"""Any bytes, in any split, give the same content, trailers and excess and the same BodyError or
none; never another error, and never content that was not sent."""

from fuzz.harness import pieces, run
from protocol.corpora import all_requests
from protocol.wire import Decoded, decode, singly
from quaich.protocol.body import Chunked, ChunkLimits

TOKENS = [
    *[
        b"0",
        b"1",
        b"5",
        b"a",
        b"F",
        b"\r\n",
        b"\r",
        b"\n",
        b";",
        b"=",
        b'"',
        b"\\",
        b" ",
        b"\t",
        b"x",
    ],
    *[b"0\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n", b"A: b\r\n", b"Host: x\r\n", b";a=b", b';a="b"'],
]
LIMITS = ChunkLimits(size_line=64, extensions=128, trailer_section=128, trailers=3)


def check(data: bytes) -> None:
    for limits in (None, LIMITS):
        whole = decode(Chunked(limits), [data])
        for blocks in (pieces(data), [*singly(data[:400]), data[400:]]):
            if decode(Chunked(limits), blocks) != whole:
                raise AssertionError(f"a split makes a difference: {whole}, {blocks}")
        check_body(data, whole)


def check_body(data: bytes, body: Decoded) -> None:
    if len(body.content) + len(body.excess) > len(data):
        raise AssertionError(f"more than was sent: {body}")
    if (body.done and body.error) or (body.excess and not body.done):
        raise AssertionError(f"that cannot be: {body}")
    if body.error is not None and body.error[1] not in (400, 431):
        raise AssertionError(f"{body.error[1]} is not for a body")


def seeds() -> list[bytes]:
    """What is behind the heads of the requests in chunks."""
    parts = [data.partition(b"\r\n\r\n") for data in all_requests()]
    return [body for head, _, body in parts if b"chunked" in head]


if __name__ == "__main__":
    run(check, TOKENS, seeds())
