"""Probes: what is wrong in words, one line for each check."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer

from scim_operator.web.health import Checks, health_application


async def test_probes_say_what_is_wrong() -> None:
    missing: list[str] = ["scimusers"]
    stuck: list[str] = []
    live: Checks = {"queues": lambda: stuck[0] if stuck else None}
    ready: Checks = {
        "inputs": lambda: f"waiting for {missing[0]}" if missing else None,
        "tokens": lambda: None,
    }
    async with TestClient(TestServer(health_application(live, ready))) as client:

        async def ask(path: str) -> tuple[int, str]:
            answer = await client.get(path)
            return answer.status, await answer.text()

        assert await ask("/readyz") == (
            503,
            "[-]inputs failed: waiting for scimusers\n[+]tokens ok\nreadyz check failed\n",
        )
        assert await ask("/livez") == (200, "ok\n")
        missing.clear()
        assert await ask("/readyz") == (200, "ok\n")
        assert await ask("/readyz?verbose") == (200, "[+]inputs ok\n[+]tokens ok\nreadyz check passed\n")
        stuck.append("no progress")
        assert await ask("/livez") == (503, "[-]queues failed: no progress\nlivez check failed\n")
        assert await ask("/readyz") == (200, "ok\n"), "another question"
