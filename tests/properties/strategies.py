"""Bodies and heads for the property tests: sound ones, nearly sound ones, and any bytes."""

from typing import NamedTuple

from hypothesis import strategies as st

sizes = st.lists(st.integers(1, 40), max_size=30)
"""Where to cut some bytes, or how many of them come at a time."""

_tokens = st.text("abzAZ09!#$%&'*+-.^_`|~", min_size=1, max_size=8)
_quoted = st.text('abc \t;=,\\"\xff', max_size=8).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
_white_space = st.sampled_from(["", "", " ", "\t "])


@st.composite
def _extensions(draw: st.DrawFn) -> bytes:
    text = ""
    for _ in range(draw(st.integers(0, 2))):
        text += draw(_white_space) + ";" + draw(_white_space) + draw(_tokens)
        if draw(st.booleans()):
            text += draw(_white_space) + "=" + draw(_white_space) + draw(_tokens | _quoted)
    return text.encode("latin-1")


_hexadecimal = st.tuples(st.booleans(), st.integers(0, 3))


def _size(number: int, how: tuple[bool, int]) -> bytes:
    upper, zeros = how
    return b"0" * zeros + (b"%X" if upper else b"%x") % number


class ChunkedBody(NamedTuple):
    """A body in the chunked coding, as it is sent and as it is meant."""

    data: bytes
    content: bytes
    trailers: list[tuple[str, str]]


@st.composite
def chunked_bodies(draw: st.DrawFn) -> ChunkedBody:
    content = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    data = b"".join(
        _size(len(block), draw(_hexadecimal)) + draw(_extensions()) + b"\r\n" + block + b"\r\n"
        for block in content
    )
    data += _size(0, draw(_hexadecimal)) + draw(_extensions()) + b"\r\n"
    # A name with an X in front is none of those that must not come as trailers.
    trailers = draw(
        st.lists(
            st.tuples(_tokens.map("X".__add__), st.text("ab\xe9 \t:;", max_size=9)), max_size=3
        )
    )
    for name, value in trailers:
        data += f"{name}:{value}\r\n".encode("latin-1")
    meant = [(name, value.strip(" \t")) for name, value in trailers]
    return ChunkedBody(data + b"\r\n", b"".join(content), meant)


_alphabet = st.sampled_from(list(b'0123456789abfAF;="\\ \t\r\n\r\n:xX-\x00\xff'))
alphabet_soup = st.lists(_alphabet, max_size=60).map(bytes)
"""Bytes that occur in framing, in any order."""


@st.composite
def _mutants(draw: st.DrawFn) -> bytes:
    data = draw(chunked_bodies()).data
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(alphabet_soup)[:3] + data[at + draw(st.integers(0, 3)) :]
    return data


any_bodies = _mutants() | alphabet_soup | st.binary(max_size=60)
"""Bodies that are broken, most of them in one place."""


_pieces = st.sampled_from(
    [
        *(b"GET POST OPTIONS CONNECT / /a/b?c * http://a/b http://[::1]:80 a:80 %41 % %zz").split(),
        *(b"HTTP/1.1 HTTP/1.0 HTTP/2.0 http/1.1 HTTP/1.10 Host Host: a : x:y \x16\x03").split(),
        *[b" ", b"  ", b"\t", b"\r", b"\n", b"\r\n", b"\x00", b"\xff", b"#", b"_", b"|", b'"'],
    ]
)
any_lines = st.lists(_pieces, max_size=8).map(b"".join) | st.binary(max_size=40)
"""What may come where a line of a head should be."""
