"""Clients from PyPI: httpx and urllib3. ``run.py`` runs this, in an environment that has them."""

# mypy: disable-error-code="import-not-found"

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import urllib3

from interop.conftest import FILE_SIZE
from interop.reference import GREETING, digest, pattern
from interop.serving import PATIENCE, Served

pytestmark = pytest.mark.live

DATA = pattern(FILE_SIZE)


def pieces() -> Iterator[bytes]:
    for start in range(0, FILE_SIZE, 33_331):
        yield DATA[start : start + 33_331]


def is_all(told: Any) -> bool:
    return (told["size"], told["sha256"]) == (FILE_SIZE, digest(DATA))


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=PATIENCE, trust_env=False) as client:
        yield client


def test_httpx(client: httpx.Client, served: Served) -> None:
    for _ in range(20):
        assert client.get("/").content == GREETING
        assert client.head(f"/bytes?size={FILE_SIZE}").headers["Content-Length"] == str(FILE_SIZE)
        assert client.get("/nothing").status_code == 404
    assert client.get("/file").content == DATA
    assert client.get("/file", headers={"Range": "bytes=-9"}).content == DATA[-9:]
    assert client.options("/echo").json()["method"] == "OPTIONS"
    assert client.delete("/echo").json()["method"] == "DELETE"


def test_httpx_uploads(client: httpx.Client) -> None:
    assert is_all(client.put("/echo", content=DATA).json())
    told = client.put("/echo", content=pieces()).json()
    assert is_all(told)
    assert "HTTP_TRANSFER_ENCODING" not in told["fields"] or told["length"] == str(FILE_SIZE)
    told = client.post("/echo", data={"title": "ä"}, files={"file": DATA}).json()
    assert told["size"] > FILE_SIZE
    assert told["length"] == str(told["size"])
    refused = client.post("/refuse", content=DATA)
    assert (refused.status_code, refused.content) == (403, b"no\n")
    assert client.get("/").content == GREETING


def test_httpx_streams(client: httpx.Client) -> None:
    with client.stream("GET", f"/stream?size={FILE_SIZE}") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert b"".join(response.iter_bytes()) == DATA
    # Whoever leaves a response in the middle can go on.
    with client.stream("GET", f"/stream?size={2**28}") as response:
        assert next(response.iter_bytes())
    assert client.get("/").content == GREETING


def test_httpx_many_at_once(served: Served) -> None:
    async def pieces_in_turn() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    async def ask(client: httpx.AsyncClient, number: int) -> bool:
        if number % 3 == 0:
            content: bytes = (await client.get(f"/stream?size={number * 1013}")).content
            return content == pattern(number * 1013)
        if number % 3 == 1:
            file: bytes = (await client.get("/file")).content
            return file == DATA
        return is_all((await client.post("/echo", content=pieces_in_turn())).json())

    async def main() -> list[bool]:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(
            base_url=served.url, timeout=PATIENCE, limits=limits, trust_env=False
        ) as client:
            return await asyncio.gather(*[ask(client, number) for number in range(120)])

    assert asyncio.run(main()) == [True] * 120


@pytest.fixture
def pool(served: Served) -> Iterator[urllib3.HTTPConnectionPool]:
    with urllib3.HTTPConnectionPool(
        served.host, served.port, maxsize=1, block=True, retries=False, timeout=PATIENCE
    ) as pool:
        yield pool


def test_urllib3(pool: urllib3.HTTPConnectionPool) -> None:
    for _ in range(20):
        assert pool.request("GET", "/").data == GREETING
        head = pool.request("HEAD", f"/bytes?size={FILE_SIZE}")
        assert head.headers["Content-Length"] == str(FILE_SIZE)
        assert pool.request("GET", "/nothing").status == 404
    assert pool.request("GET", "/file").data == DATA
    assert pool.request("GET", f"/stream?size={FILE_SIZE}").data == DATA
    assert (pool.num_connections, pool.num_requests) == (1, 62)


def test_urllib3_uploads(pool: urllib3.HTTPConnectionPool, file: Path) -> None:
    assert is_all(pool.request("PUT", "/echo", body=DATA).json())
    assert is_all(pool.request("PUT", "/echo", body=pieces(), chunked=True).json())
    with file.open("rb") as body:
        assert is_all(pool.request("PUT", "/echo", body=body).json())
    told = pool.request("POST", "/echo", fields={"title": "ä", "file": ("a", DATA)}).json()
    assert told["size"] > FILE_SIZE
    assert pool.request("POST", "/refuse", body=DATA).status == 403
    assert pool.request("GET", "/").data == GREETING
    assert pool.num_connections == 1


def test_urllib3_streams(pool: urllib3.HTTPConnectionPool) -> None:
    response = pool.request("GET", f"/stream?size={FILE_SIZE}", preload_content=False)
    assert b"".join(response.stream(10_007)) == DATA
    response.release_conn()
    assert pool.request("GET", "/").data == GREETING
    assert pool.num_connections == 1


def test_urllib3_many_at_once(served: Served) -> None:
    failures: list[str] = []
    with urllib3.PoolManager(maxsize=20, block=True, retries=False, timeout=PATIENCE) as manager:

        def run(number: int) -> None:
            try:
                for turn in range(10):
                    data = pattern(number * 4001 + turn)
                    told = json.loads(manager.request("POST", served.url + "/echo", body=data).data)
                    if told["sha256"] != digest(data):
                        failures.append(f"{number}, {turn}: {told}")
            except Exception as error:
                failures.append(f"{number}: {error!r}")

        threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
