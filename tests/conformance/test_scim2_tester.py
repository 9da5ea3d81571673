"""scim2-tester, the conformance suite of python-scim: every check of it, none left out."""

from __future__ import annotations

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from tests.installation import Installation


def test_scim2_tester_passes(operator: Installation) -> None:
    connection = operator.connection("tester")
    headers = {"Authorization": f"Bearer {connection.token}"}
    with httpx2.Client(base_url=connection.url, headers=headers, timeout=10, trust_env=False) as http:
        results = check_server(SyncSCIMClient(http))
    others = [result for result in results if result.status is not Status.SUCCESS]
    assert not others, "\n".join(map(repr, others))
    # The suite stops early, and quietly, when it can't read the discovery endpoints.
    assert {result.resource_type for result in results} >= {"User", "Group"}
    assert len(results) > 100
