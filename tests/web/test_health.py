"""Probes: alive while the loop turns, ready when requests can be answered."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer

from scim_operator.web.health import health_application


async def test_probes() -> None:
    missing = ["scimusers", "token secrets"]
    async with TestClient(TestServer(health_application(lambda: missing))) as client:
        waiting = await client.get("/readyz")
        assert (waiting.status, await waiting.text()) == (503, "waiting for: scimusers, token secrets\n")
        assert (await client.get("/livez")).status == 200
        missing.clear()
        assert (await client.get("/readyz")).status == 200
