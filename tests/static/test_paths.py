"""Which names a path means, and that none of them leads out."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quaich.static.paths import Route, is_sound, split_path

# --- Routes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "directory"),
    [
        ("/static=public", "/static", "public"),
        ("/static/=public", "/static", "public"),
        ("/=public", "", "public"),
        ("/a=b=c", "/a", "b=c"),
        ("/bücher=x", "/bÃ¼cher", "x"),  # as PATH_INFO has it
    ],
)
def test_a_route(text: str, url: str, directory: str) -> None:
    assert Route.parse(text) == Route(url, directory)


@pytest.mark.parametrize("text", ["", "static=x", "/static", "/static=", "=x"])
def test_what_is_no_route(text: str) -> None:
    with pytest.raises(ValueError, match="is not /URL=DIRECTORY"):
        Route.parse(text)


@pytest.mark.parametrize(
    ("url", "path", "rest"),
    [
        ("/static", "/static/x", "/x"),
        ("/static", "/static/", "/"),
        ("/static", "/static", ""),
        ("/static", "/statics/x", None),
        ("/static", "/", None),
        ("/static", "", None),
        ("/static", "/STATIC/x", None),
        ("", "/x", "/x"),
        ("", "/", "/"),
        ("", "", ""),
        ("", "x", None),  # no path that a server gives
    ],
)
def test_what_is_below_it(url: str, path: str, rest: str | None) -> None:
    assert Route(url, "x").rest(path) == rest


# --- Names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "names"),
    [
        ("/x", (b"x",)),
        ("/x/y.css", (b"x", b"y.css")),
        ("/x/", (b"x", b"")),
        ("/", (b"",)),
        ("/bÃ¼cher", ("bücher".encode(),)),
        ("/ÿ", (b"\xff",)),
        ("/%2e%2e", (b"%2e%2e",)),  # decoded once, by the server
        ("/a..b/...c".replace("/...c", "/c.."), (b"a..b", b"c..")),
        ("/.well-known/security.txt", (b".well-known", b"security.txt")),
        ("/con", (b"con",)),
        ("/c:x", (b"c:x",)),
        ("/x y", (b"x y",)),
    ],
)
def test_means(rest: str, names: tuple[bytes, ...]) -> None:
    assert split_path(rest, is_windows=False) == names


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "//x",
        "/x//y",
        "/x//",
        "/..",
        "/../x",
        "/x/..",
        "/x/../y",
        "/.",
        "/./x",
        "/x\0",
        "/x\0/y",
        "/x\\y",
        "/..\\x",
        "/\\\\host\\share",
        "/.env",
        "/.git/config",
        "/x/.htaccess",
        "/...",
        "/.well-known2",
        "/\u0100",
    ],
)
def test_means_no_file(rest: str) -> None:
    assert split_path(rest, is_windows=False) is None


@pytest.mark.parametrize(
    "name",
    [
        "c:x", "c:", "x:y", "x::$DATA", "con", "CON", "nul.txt", "AUX ", "com1", "COM9.log", "lpt1",
        "COM¹", "conin$", "x.", "x ", "x. ", "a*", "a?", "a|b", "a<b", 'a"b', "a\x01",
    ],
)  # fmt: skip
def test_what_windows_takes_for_something_else(name: str) -> None:
    name = name.encode().decode("latin-1")
    assert split_path(f"/{name}", is_windows=True) is None
    assert split_path(f"/{name}/x", is_windows=True) is None
    assert split_path(f"/{name}", is_windows=False) is not None


@pytest.mark.parametrize("name", ["console", "x.con", "com", "com10", "nul1", "lpt.", "a.b c"])
def test_what_windows_does_not(name: str) -> None:
    assert (split_path(f"/{name}", is_windows=True) is None) == name.endswith(".")


PIECES = st.sampled_from(
    ["/", "..", ".", "\\", "\0", ":", "c:", "%2e", "%2f", "x", "~", ".git", " ", "ÿ", "//", "nul"]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20), st.booleans())
@example("/../x", False)
def test_no_path_leads_out(rest: str, is_windows: bool) -> None:
    """Whatever comes out are the very bytes that went in, and each name stays in its directory."""
    names = split_path(rest, is_windows)
    if names is None:
        return
    assert b"/".join((b"", *names)) == rest.encode("latin-1")
    assert is_sound(names if names[-1] else names[:-1], is_windows)
    for number, name in enumerate(names):
        assert name not in (b".", b"..")
        assert name or number == len(names) - 1
        assert not set(name) & set(b"/\\\0")
        assert not name.startswith(b".") or name == b".well-known"
        assert not (is_windows and b":" in name)
