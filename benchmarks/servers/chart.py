"""The comparison as SVG: for each workload the servers' CPU per request and requests per second.

Bars are relative to the longest of their group, and each has its figure beside it. The background
is the page's. It may be white or black, whatever the screen's preference, which is why there is
one set of colours of middle lightness: each has a contrast of more than 4 to both.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.servers.comparison import Medians, Row
from benchmarks.servers.peers import QUAICH
from benchmarks.servers.workloads import BY_NAME

# Pixels. Two panels beside the servers' names: the first for CPU, the second for requests.
_WIDTH: Final = 920
_MARGIN: Final = 16
_NAMES: Final = 90
_PANEL: Final = 390
_BAR: Final = 270  # the longest; a figure follows
_LINE: Final = 20
_BAR_HEIGHT: Final = 13
_TITLE: Final = 30  # above a group's first bar
_TOP: Final = 64

_STYLE: Final = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
text { fill: #707882; }
.head { font-size: 17px; }
.head, .group, .own { fill: #2a79da; font-weight: 600; }
.bar { fill: #9aa4af; }
.ownbar { fill: #2a79da; }
.line { stroke: #9aa4af; stroke-opacity: 0.4; }
"""


def draw(rows: Sequence[Row], caption: str) -> str:
    """``caption``: a line below all, such as what was measured where."""
    first = _MARGIN + _NAMES
    second = first + _PANEL
    parts = [
        _text(_MARGIN, 26, "WSGI servers, one process on one core", "head"),
        _text(first, 50, "CPU per request, µs (shorter is better)"),
        _text(second, 50, "requests per second (longer is better)"),
    ]
    y = _TOP
    for row in rows:
        if row.medians:
            parts += _draw_group(row, y, first, second)
            y += _TITLE + _LINE * len(row.medians) + 8
    parts.append(_text(_MARGIN, y + 20, caption))
    height = y + 36
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img">',
            "<title>WSGI servers: CPU per request and requests per second</title>",
            f"<style>{_STYLE}</style>",
            *parts,
            "</svg>",
            "",
        ]
    )


def _draw_group(row: Row, y: int, first: int, second: int) -> list[str]:
    servers = sorted(row.medians.values(), key=lambda found: found.cpu)
    most_cpu = max(found.cpu for found in servers) or 1.0
    highest_rate = max(found.rate for found in servers) or 1.0
    parts = [
        f'<line class="line" x1="{_MARGIN}" y1="{y}" x2="{_WIDTH - _MARGIN}" y2="{y}"/>',
        _text(_MARGIN, y + 20, BY_NAME[row.workload].title, "group"),
    ]
    y += _TITLE
    for found in servers:
        mark = "own" if found.server == QUAICH.name else ""
        parts += [
            _text(_MARGIN, y + 12, found.server, mark),
            *_bar(first, y, found.cpu / most_cpu, _format_cpu(found), mark),
            *_bar(second, y, found.rate / highest_rate, _format_rate(found), mark),
        ]
        y += _LINE
    return parts


def _bar(x: int, y: int, share: float, figure: str, mark: str) -> list[str]:
    width = max(1.0, share * _BAR)
    return [
        f'<rect class="{mark}bar" x="{x}" y="{y + 1}" width="{width:.1f}" '
        f'height="{_BAR_HEIGHT}" rx="2"/>',
        _text(x + width + 6, y + 12, figure, mark),
    ]


def _text(x: float, y: float, text: str, mark: str = "") -> str:
    attribute = f' class="{mark}"' if mark else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attribute}>{escape(text)}</text>'


def _format_cpu(found: Medians) -> str:
    return f"{found.cpu:.1f}" if found.cpu < 100 else f"{found.cpu:,.0f}"


def _format_rate(found: Medians) -> str:
    lost = sum(found.errors.values())
    return f"{found.rate:,.0f}" + (f" ({lost} errors)" if lost else "")
