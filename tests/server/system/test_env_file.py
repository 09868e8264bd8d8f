"""Files of variables are read as python-dotenv reads them; what it leaves out is an error."""

import pytest

from quaich.server.system.env_file import parse_env_file


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("\n  \r\n# a comment\n \t# another", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\r\nC=3\rD=4", {"A": "1", "B": "2", "C": "3", "D": "4"}),
        ("\N{BOM}A=1", {"A": "1"}),
        ("  A = b c  ", {"A": "b c"}),
        ("A=", {"A": ""}),
        ("A=1\nA=2", {"A": "2"}),
        ("a.b-c=1", {"a.b-c": "1"}),
        ("'A b'=1", {"A b": "1"}),
        ("A=b=c", {"A": "b=c"}),
        # export, as a shell has it; alone it is a name.
        ("export A=1", {"A": "1"}),
        ("export\tA=1", {"A": "1"}),
        ("export=1", {"export": "1"}),
        # A comment comes after a blank.
        ("A=b # c", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=#c", {"A": "#c"}),
        ("A= #c", {"A": ""}),
        ("A='b#c' # d", {"A": "b#c"}),
        ('A="b #c"#d', {"A": "b #c"}),
        # Quotes, within which a value goes over lines, and escapes.
        ("A='b\nc'\nB=1", {"A": "b\nc", "B": "1"}),
        (r"A='b\n\'\\'", {"A": r"b\n'" + "\\"}),
        (r'A="b\n\t\"\\\z"', {"A": 'b\n\t"\\\\z'}),
        ('A="b\nc"', {"A": "b\nc"}),
        ("A=b'c'", {"A": "b'c'"}),
        # Nothing is expanded.
        ("A=$HOME ${HOME} $(id) `id`", {"A": "$HOME ${HOME} $(id) `id`"}),
        ('A="$HOME"', {"A": "$HOME"}),
    ],
)
def test_reads(text: str, variables: dict[str, str]) -> None:
    assert parse_env_file(text) == variables


QUOTES = "a quote is not closed, or something follows it"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A", "line 1: it is not NAME=VALUE"),
        ("A=1\n\n  B\n", "line 3: it is not NAME=VALUE"),
        ("=1", "line 1: it is not NAME=VALUE"),
        ("A\0B=1", "line 1: a variable has no NUL character"),
        ("A B=1", "line 1: it is not NAME=VALUE"),
        ("export = 1", "line 1: it is not NAME=VALUE"),
        ("'A=1", "line 1: it is not NAME=VALUE"),
        ("'A=B'=1", "line 1: it is not NAME=VALUE"),
        ("A=1\nB='c", f"line 2: {QUOTES}"),
        ('A="c', f"line 1: {QUOTES}"),
        (r"A='c\'", f"line 1: {QUOTES}"),
        ("A='b'c", f"line 1: {QUOTES}"),
        ("A='b\nc'd\nB=1", f"line 1: {QUOTES}"),
        ("A=\0", "line 1: a variable has no NUL character"),
    ],
)
def test_refuses(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_env_file(text)
    assert str(caught.value) == line
