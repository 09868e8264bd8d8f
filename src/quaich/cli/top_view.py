"""A frame of ``quaich top``, drawn with ``rich``. Knows no socket and no clock."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quaich.cli.top_figures import Look, Rates, Times

_CALLS_MAX: Final = 20  # requests in flight that are shown
_RESTARTS_MAX: Final = 3  # of the last ones

_STATES: Final = {"ready": "green", "starting": "yellow", "draining": "yellow"}
_CLASSES: Final = {"4xx": "yellow", "5xx": "red", "none": "yellow"}


def frame(look: Look, found: Rates, problem: str | None = None) -> RenderableType:
    """Everything at once. ``problem``: why this is an old look."""
    status = look.status
    parts: list[RenderableType] = [_head(status)]
    if problem is not None:
        parts.append(Text(problem, style="bold red"))
    parts += [_figures(status, found), Text(), _workers(status)]
    if any(worker["calls"] for worker in status["workers"]):
        parts += [Text(), _calls(status)]
    if status["restarts"]["last"]:
        parts += [Text(), _restarts(status)]
    return Group(*parts)


def _head(status: Mapping[str, Any]) -> Text:
    text = Text()
    text.append(f"Quaich {plain(status['version'])}", style="bold")
    where = ", ".join(plain(each) for each in status["addresses"])
    text.append(f"  {where}  up {show_time(status['uptime'])}  ")
    if status["ready"]:
        text.append("ready", style="bold green")
    else:
        text.append(plain(status["reason"]), style="bold red")
    return text


def _figures(status: Mapping[str, Any], found: Rates) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    requests = Text(f"{show_rate(found.requests)}/s")
    for name, rate in found.by_class.items():
        if rate:
            requests.append(f"  {plain(name)} {show_rate(rate)}/s", style=_CLASSES.get(name, ""))
    if found.aborts:
        requests.append(f"  clients gone {show_rate(found.aborts)}/s", style="yellow")
    table.add_row("requests", requests)
    table.add_row("took", Text(show_times(found.duration)))
    table.add_row("waited", Text(show_times(found.queue)))
    table.add_row("content", Text(f"{show_size(found.content_bytes)}/s"))
    table.add_row(
        "now",
        Text(
            f"{status['in_flight']} in flight, {status['queued']} queued, "
            f"{status['connections']} connections, {status['threads']} threads, "
            f"{show_size(status['memory'])}"
        ),
    )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        is_text = name in ("state", "path", "client", "method", "time", "reason")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=True)
    return table


def _workers(status: Mapping[str, Any]) -> Table:
    table = _table(
        "worker", "pid", "state", "age", "requests", "in flight", "queued", "threads", "memory"
    )
    for worker in status["workers"]:
        state = plain(worker["state"])
        table.add_row(
            str(worker["index"]),
            str(worker["pid"]),
            Text(state, style=_STATES.get(state, "")),
            show_time(worker["age"]),
            str(worker["requests"]),
            str(worker["in_flight"]),
            Text(str(worker["queued"]), style="red" if worker["queued"] else ""),
            str(worker["threads"]),
            show_size(worker["memory"]),
        )
    return table


def _calls(status: Mapping[str, Any]) -> Table:
    table = _table("for", "pid", "method", "path", "client")
    calls = [(call, worker["pid"]) for worker in status["workers"] for call in worker["calls"]]
    calls.sort(key=lambda each: -each[0]["age"])
    for call, pid in calls[:_CALLS_MAX]:
        table.add_row(
            show_time(call["age"]),
            str(pid),
            Text(plain(call["method"])),
            Text(plain(call["path"]), overflow="ellipsis"),
            Text(plain(call["client"]) or "local"),
        )
    if len(calls) > _CALLS_MAX:
        table.add_row("", "", "", Text(f"… and {len(calls) - _CALLS_MAX} more", style="dim"), "")
    return table


def _restarts(status: Mapping[str, Any]) -> Table:
    table = _table("time", "pid", "reason")
    for restart in status["restarts"]["last"][: -1 - _RESTARTS_MAX : -1]:
        moment = datetime.fromisoformat(restart["time"]).astimezone()
        table.add_row(
            f"{moment:%Y-%m-%d %H:%M:%S}", str(restart["pid"]), Text(plain(restart["reason"]))
        )
    counts = [f"{name} {count}" for name, count in status["restarts"]["by_reason"].items() if count]
    table.caption = Text(f"replaced so far: {', '.join(counts)}", style="dim")
    table.caption_justify = "left"
    return table


# --- Words and numbers ----------------------------------------------------------------------


def plain(text: object) -> str:
    """A text from the network without what a terminal would obey."""
    return "".join(each if each.isprintable() else "?" for each in str(text))


def show_time(seconds: float) -> str:
    """In the unit that suits it."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"


def show_times(times: Times) -> str:
    """Quantiles, or that there are none."""
    if times.median is None or times.p90 is None or times.p99 is None:
        return "-"
    return (
        f"{show_time(times.median)} median, {show_time(times.p90)} p90, {show_time(times.p99)} p99"
    )


def show_rate(rate: float) -> str:
    """With as many digits as mean something."""
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def show_size(size: float) -> str:
    """In units of 1024 bytes."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
