"""A reverse proxy between operator and API server: lets everything through, counts writes, strikes when told.

It runs in a thread beside the test: so a strike is a plain call. Measured on two cores, with API server and
client: 1.1 ms more for a call, up to 880 creations/s instead of 1,250; a busy test slows both alike, so a
process of its own wouldn't gain much.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from tests.cluster.client import Client
from tests.cluster.pki import Authority
from tests.cluster.ports import free_ports
from tests.faults.calls import Call, Write, call
from tests.faults.faults import WATCH_KINDS, Fate, Fault, Kind

HOST = "127.0.0.1"
# RFC 9110, section 7.6.1; `Host` is the API server's own, lengths and encodings are as they came.
_HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host")
}
_UNCHANGED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_NO_FAULT = Fault(Kind.DELAY)
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class Moment(Enum):
    """When to strike at a write."""

    BEFORE = "before it was forwarded"
    AFTER = "after it was done, its answer undelivered"


@dataclass(frozen=True)
class _Strike:
    number: int
    moment: Moment
    act: Callable[[], None]
    # Which writes are counted, by their path, and after which one.
    of: re.Pattern[str]
    since: int


class _CutError(Exception):
    """The client's connection is to be reset."""


class FaultProxy:
    """One API server's proxy: use `endpoint` in place of the cluster's.

    Clients identify themselves by a token: a client certificate ends here. `faults` may be set at any time.
    """

    def __init__(self, cluster: Client, *, seed: int = 0, name: str = "proxy") -> None:
        self.faults: Sequence[Fault] = ()
        self.struck = threading.Event()
        self._cluster = cluster
        self._fate = Fate(seed)
        self._writes: list[Write] = []
        self._strike: _Strike | None = None
        authority = Authority(cluster.state / "pki", f"{name}-ca")
        self._pair = authority.issue(name, name, hosts=[HOST])
        self._port = free_ports(1)[0]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self.endpoint = {
            "server": f"https://{HOST}:{self._port}",
            "certificate-authority": str(authority.path),
        }

    # --- for the test, in its own thread -------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def writes(self) -> list[Write]:
        """All writes so far, in the order of arrival."""
        return list(self._writes)

    def strike_at(self, number: int, moment: Moment, act: Callable[[], None], of: str = "") -> None:
        """At the `number`-th write from now on: call `act`, and lose the write or its answer. `of`: a regular
        expression for the paths of those that count.

        `act` runs in the proxy's thread while all else stands still: nothing gets through between a SIGKILL
        and the death. What the client had sent beside this write may still arrive, as on any network.
        Afterwards `struck` is set.
        """
        self.struck.clear()
        self._strike = _Strike(number, moment, act, re.compile(of), len(self._writes))

    def spare(self) -> None:
        """Don't strike any more; a strike that has begun is over afterwards."""

        async def forget() -> None:
            self._strike = None

        # In the proxy's thread, where a strike holds up all else until who it hits is dead.
        self._run(forget())

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    # --- in the proxy's thread -----------------------------------------------------------------------------

    async def _open(self) -> None:
        trusted = ssl.create_default_context(cafile=str(self._cluster.ca))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted, limit=0),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            skip_auto_headers=_UNCHANGED,
        )
        own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.load_cert_chain(self._pair.certificate, self._pair.key)
        # Who goes away takes along what was asked for, as with the API server: watches, hung calls.
        self._runner = web.ServerRunner(
            web.Server(self._handle, handler_cancellation=True, access_log=None), shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port, ssl_context=own).start()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = call(request.method, request.path, request.query)
        body = await request.content.read()
        # From here to the first await nothing else happens: the order of arrival is that of the numbers.
        write = self._count(seen)
        try:
            if write is not None and self._is_due(write, Moment.BEFORE):
                self._hit()
            fault = self._fate.of(seen, self.faults) or _NO_FAULT
            if fault.kind is Kind.DELAY:
                await asyncio.sleep(fault.seconds)
            if not fault.late and (instead := await _instead(fault)):
                return instead
            if write is None:
                return await self._pass_on(request, body, fault)
            # Once sent it is on its way, even if the sender dies.
            answer = await asyncio.shield(self._carry_out(request, body, write))
            return (fault.late and await _instead(fault)) or answer
        except (_CutError, aiohttp.ClientError):
            _reset(request)
            return web.Response()

    def _count(self, seen: Call) -> Write | None:
        if not seen.write:
            return None
        self._writes.append(Write(len(self._writes) + 1, seen.method, seen.path))
        return self._writes[-1]

    def _is_due(self, write: Write, moment: Moment) -> bool:
        strike = self._strike
        if strike is None or strike.moment is not moment or not strike.of.search(write.path):
            return False
        paths = [before.path for before in self._writes[strike.since : write.number]]
        return strike.number == sum(strike.of.search(path) is not None for path in paths)

    def _hit(self) -> None:
        strike, self._strike = self._strike, None
        if strike is not None:
            strike.act()
            self.struck.set()
        raise _CutError

    async def _carry_out(self, request: web.BaseRequest, body: bytes, write: Write) -> web.StreamResponse:
        async with self._send(request, body) as upstream:
            content = await upstream.read()
        write.status = upstream.status
        if self._is_due(write, Moment.AFTER):
            self._hit()
        return web.Response(status=upstream.status, headers=_headers(upstream.headers), body=content)

    async def _pass_on(self, request: web.BaseRequest, body: bytes, fault: Fault) -> web.StreamResponse:
        async with self._send(request, body) as upstream:
            answer = web.StreamResponse(status=upstream.status, headers=_headers(upstream.headers))
            await answer.prepare(request)
            try:
                async with asyncio.timeout(fault.seconds if fault.kind in WATCH_KINDS else None):
                    async for chunk in upstream.content.iter_any():
                        await answer.write(chunk)
            except TimeoutError:
                if fault.kind is Kind.SILENCE:
                    await _for_ever()
                raise _CutError from None
        await answer.write_eof()
        return answer

    def _send(self, request: web.BaseRequest, body: bytes) -> Any:
        return self._session.request(
            request.method,
            URL(self._cluster.server + request.raw_path, encoded=True),
            headers=_headers(request.headers),
            data=body or None,
            allow_redirects=False,
        )


async def _instead(fault: Fault) -> web.StreamResponse | None:
    """What the client gets in place of an answer; None: the answer."""
    if fault.kind is Kind.RESET:
        raise _CutError
    if fault.kind is Kind.HANG:
        await _for_ever()
    return _status(fault.status) if fault.kind is Kind.STATUS else None


async def _for_ever() -> None:
    """Until the client goes away."""
    await asyncio.Event().wait()


def _status(code: int) -> web.Response:
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "by the fault proxy"}
    headers = {"Retry-After": "1"} if code in (429, 503) else {}
    return web.json_response({**said, "code": code}, status=code, headers=headers)


def _headers(received: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in received.items() if name.lower() not in _HOP_BY_HOP]


def _reset(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    with contextlib.suppress(OSError):
        if opened := transport.get_extra_info("socket"):  # None once the client is gone
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
