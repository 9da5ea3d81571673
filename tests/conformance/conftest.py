"""The two forms of Tenant URL that admins paste, and what the cluster holds of what was sent to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.entra import Dialect, Json
from tests.installation import Installation

TENANT_URLS = {"tenant-url": Dialect.LEGACY, "tenant-url?aadOptscim062020": Dialect.MODERN}


@pytest.fixture(params=list(TENANT_URLS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Without and with the flag."""
    return TENANT_URLS[request.param]


@pytest.fixture
def stored(operator: Installation) -> Callable[[str], Json | None]:
    """The spec of the ScimUser or ScimGroup with a SCIM id, read from the API server; None if it's gone."""

    def spec(identifier: str) -> Json | None:
        for plural in ("scimusers", "scimgroups"):
            listed = operator.cluster.request("GET", f"/apis/scim-operator.io/v1alpha1/{plural}").body
            for item in listed["items"]:
                if item["spec"]["id"] == identifier:
                    return dict(item["spec"])
        return None

    return spec
