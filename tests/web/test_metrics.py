"""/metrics, as Prometheus reads it."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from scim_operator.web.metrics import metrics_application


async def test_shows_the_process_in_the_text_format() -> None:
    async with TestClient(TestServer(metrics_application())) as client:
        answer = await client.get("/metrics")
        families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert answer.status == 200
    assert answer.content_type == "text/plain"
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_info"} <= families
