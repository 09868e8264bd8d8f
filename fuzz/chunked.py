"""Any bytes, in any split, give the same content, trailers and excess and the same BodyError or
none; never another error, and never content that was not sent."""

from fuzz.harness import run

from quaich.protocol.body import Chunked, ChunkLimits
from quaich.protocol.errors import BodyError

PIECES = [
    *(
        b"0",
        b"1",
        b"5",
        b"a",
        b"F",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b";",
        b"=",
        b'"',
        b"\\",
    ),
    *(b"0\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n", b"A: b\r\n", b"Host: x\r\n", b" ", b"\t", b"x"),
]
LIMITS = ChunkLimits(size_line=64, extensions=128, trailer_section=128, trailers=3)

Outcome = tuple[bytes, list[tuple[str, str]], bytes, bool, str]


def decode(blocks: list[bytes]) -> Outcome:
    decoder = Chunked(LIMITS)
    content, error = b"", ""
    try:
        for block in blocks:
            content += decoder.feed(block)
        error = str(decoder.fault or "")
    except BodyError as fault:
        error = str(fault)
    return content, decoder.trailers, decoder.excess, decoder.done, error


def check(data: bytes) -> None:
    whole = decode([data])
    singly = decode([data[at : at + 1] for at in range(len(data))])
    middle = len(data) // 2
    halves = decode([data[:middle], data[middle:]])
    if not whole == singly == halves:
        raise AssertionError(f"a split makes a difference: {whole}, {singly}, {halves}")
    content, _, excess, done, error = whole
    if len(content) + len(excess) > len(data) or (done and error) or (excess and not done):
        raise AssertionError(f"that cannot be: {whole}")


if __name__ == "__main__":
    run(check, PIECES)
