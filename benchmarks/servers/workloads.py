"""The workloads: each is an application, the requests that wrk sends it, and over how many
connections."""

from dataclasses import dataclass
from typing import Final

from benchmarks.servers import applications


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    application: str = "hello"  # in applications.py
    requests: str = "minimal"  # in load.lua
    connections: int = 32
    path: str = "/"  # unless the requests have paths of their own
    # One request and its answer, to see whether a server can do it at all.
    method: str = "GET"
    content: bytes = b""
    answer: bytes = applications.GREETING
    pipelined: int = 1  # requests that are sent at once


WORKLOADS: Final = (
    Workload("minimal", "hello, minimal head"),
    Workload("browser", "hello, browser's head", requests="browser"),
    Workload("visitors", "hello, heads of many browsers", requests="visitors"),
    Workload(
        "post",
        "16 KiB POST",
        application="length",
        requests="post",
        method="POST",
        content=b"x" * 16384,
        answer=b"16384\n",
    ),
    Workload(
        "stream",
        "stream of 16 blocks, 1 KiB each",
        application="stream",
        answer=applications.KIBIBYTE * applications.STREAM_BLOCKS,
    ),
    Workload("block", "1 MiB in one block", application="block", answer=applications.MEBIBYTE),
    Workload("file", "1 MiB file", application="file", answer=applications.MEBIBYTE),
    Workload("mixed", "5 % sleep 20 ms, same path", application="mixed"),
    Workload(
        "mixed-paths",
        "5 % sleep 20 ms, a path of their own",
        application="mixed_paths",
        requests="mixed_paths",
    ),
    Workload("sleeping", "all sleep 20 ms", application="sleeping"),
    Workload("cpu", "2 ms of CPU", application="cpu"),
    Workload("thousand", "1000 connections, browser's head", requests="browser", connections=1000),
    Workload("pipelining", "16 requests pipelined", requests="pipelining", pipelined=16),
)

BY_NAME: Final = {workload.name: workload for workload in WORKLOADS}
