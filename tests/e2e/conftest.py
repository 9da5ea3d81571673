"""What tests of policies share: a connection, a name of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.policies import DIRECTORY
from tests.entra import EntraClient
from tests.installation import Installation


@pytest.fixture(scope="module")
def entra(operator: Installation) -> EntraClient:
    """Entra, connected to the directory of these tests, whose ids it remembers for a whole file."""
    return operator.client(DIRECTORY)


@pytest.fixture
def name(request: pytest.FixtureRequest, operator: Installation) -> Iterator[str]:
    """A name for this test alone; its policy goes afterwards."""
    made = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[-38:].strip("-")
    yield made
    operator.cluster.kubectl("delete", "accesspolicy", made, "--ignore-not-found")
