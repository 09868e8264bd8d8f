"""Stands in for the conftest and the static files which WhiteNoise's source release lacks.

The contents are ours; the names, and what the tests require of the contents, are WhiteNoise's.
"""

# mypy: disable-error-code="import-not-found,import-untyped"

import gzip
from pathlib import Path

import django

FILES = Path(__file__).parent / "test_files"

STYLES = b"body { color: black; background: white; }\n" * 20

# Long enough for ranges that start at byte 21 and end at 30.
SCRIPT = b"console.log('the contents of a script, served as it is');\n"

CONTENTS = {
    "assets/compressed.css": STYLES,
    "assets/compressed.css.gz": gzip.compress(STYLES, mtime=0),
    "assets/custom-mime.foobar": b"a type of our own\n",
    "assets/subdir/javascript.js": SCRIPT,
    "assets/with-index/index.html": b"<h1>An index</h1>\n",
    "root/robots.txt": b"User-agent: *\nDisallow: /\n",
    # Large enough that gzip and Brotli make it smaller, or no compressed twin is written.
    "static/app.js": SCRIPT * 20,
    "static/directory/file.txt": b"a file in a directory\n",
    "static/nonascii\u2713.txt": "a tick: \u2713\n".encode(),
    "static/styles.css": STYLES,
    "static/with-index/index.html": b"<h1>An index</h1>\n",
}

for name, content in CONTENTS.items():
    file = FILES / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)

django.setup()
