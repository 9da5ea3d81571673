"""The SCIM endpoint over a store whose API server does as a test says, and a client as Entra is one."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer

from scim_operator.directory.tokens import Tokens, new_token
from scim_operator.web.connections import Runner
from scim_operator.web.relay import Relay
from scim_operator.web.scim import ScimApi
from scim_operator.web.throttle import Rates, Throttle
from tests.directory.provider import Provider
from tests.directory.token_secrets import secret

TOKENS = {name: new_token(name, name.encode().ljust(32)) for name in ("entra", "okta", "ghost")}
NOW = "2026-01-01T00:00:00Z"
# Time stands still in `clock`: a rate would count all requests of a test.
UNLIMITED = Rates(1_000_000, 1_000_000)


class Alone:
    """Leadership of a single replica, which nobody contests."""

    term, leader, hopeful = 1, "", True

    async def news(self, seconds: float) -> None:
        """Nothing ever changes."""
        await asyncio.sleep(seconds)

    def knows(self, moment: float) -> bool:
        """There is nobody else who writes."""
        return True


class Served(TestServer):
    """Over connections as the operator's."""

    async def _make_runner(self, **options: Any) -> Runner:
        return Runner(self.app, **options)


class Going(Served):
    """Goes on with what a client has asked that hangs up, as the operator's server does."""

    async def _make_runner(self, **options: Any) -> Runner:
        return await super()._make_runner(**options | {"handler_cancellation": False})


class Endpoint(Provider):
    """Answers requests. `http` is a client of it."""

    def __init__(self, external_url: str = "", rates: Rates = UNLIMITED, relay: Relay | None = None) -> None:
        super().__init__()
        self.tokens = Tokens(lambda: datetime.now(UTC))
        self.tokens.replace(secret(f"token-{name}", name, token=token) for name, token in TOKENS.items())
        self.scim = ScimApi(
            self.store,
            self.directories,
            self.tokens,
            relay or Relay(Alone(), time.monotonic),
            external_url=external_url,
            now=lambda: NOW,
            throttle=Throttle(rates, lambda: self.clock),
        )
        self.server = Served(self.scim.application())
        self.http: TestClient[Any, Any] = TestClient(self.server)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = TOKENS["entra"],
        headers: dict[str, str] | None = None,
        directory: str = "entra",
    ) -> aiohttp.ClientResponse:
        """One request below the directory's URL."""
        sent = {"Content-Type": "application/scim+json; charset=utf-8"} | (headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        return await self.http.request(method, f"/scim/v2/{directory}{path}", data=data, headers=sent)

    async def raw(self, request: bytes) -> bytes:
        """The answer to bytes that no decent client would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(request)
        await writer.drain()
        answer = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                answer = await reader.read()
        writer.close()
        return answer
