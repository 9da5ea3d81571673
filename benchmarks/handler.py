"""The least that aiohttp can do: a handler that answers with bytes it has. The yardstick of reads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from benchmarks.wire import Wire

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class HandlerSide:
    """The process that answers, and where."""

    url: str
    pid: int

    @asynccontextmanager
    async def connected(self, doomed: Sequence[str] = ()) -> AsyncIterator[HandlerRequests]:
        """See load.Side."""
        async with Wire(self.url, {"Accept": "application/scim+json"}) as wire:
            yield HandlerRequests(wire)


class HandlerRequests:
    """Reads alone."""

    def __init__(self, wire: Wire) -> None:
        self.made: list[str] = []
        self._wire = wire

    async def ask(self, operation: str, number: int) -> None:
        """See load.Requests."""
        status, body = await self._wire.ask("GET", f"/{quote(operation)}?{number}")
        if status != 200 or not body:
            raise AssertionError(f"{operation}: {status}")


@contextmanager
def running(folder: Path, answers: Mapping[str, bytes]) -> Iterator[HandlerSide]:
    """In a process of its own. answers: operation -> what it is answered with."""
    folder.mkdir()
    for operation, body in answers.items():
        (folder / operation).write_bytes(body)
    command = [sys.executable, "-m", "benchmarks.handler", str(folder)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield HandlerSide(process.stdout.readline().decode().strip(), process.pid)
        finally:
            process.terminate()


async def _serve(answers: Mapping[str, bytes]) -> None:
    """Until whoever started it is gone."""

    async def answer(request: web.Request) -> web.Response:
        body = answers[request.match_info["operation"]]
        return web.Response(body=body, content_type="application/scim+json")

    application = web.Application()
    application.router.add_get("/{operation}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve({path.name: path.read_bytes() for path in Path(sys.argv[1]).iterdir()}))
