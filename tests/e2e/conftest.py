"""What tests of policies share: a connection, a name of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.policies import DIRECTORY, apply
from tests.entra import EntraClient
from tests.installation import NAMESPACE, ROOMY, Installation


@pytest.fixture(scope="module")
def entra(operator: Installation) -> EntraClient:
    """Entra, connected to the directory of these tests, whose ids it remembers for a whole file."""
    return operator.client(DIRECTORY)


@pytest.fixture
def name(request: pytest.FixtureRequest, operator: Installation) -> Iterator[str]:
    """A name for this test alone; its policy goes afterwards."""
    made = _named(request)
    yield made
    operator.cluster.kubectl("delete", "accesspolicy", made, "--ignore-not-found")


@pytest.fixture
def directory(request: pytest.FixtureRequest, operator: Installation) -> Iterator[str]:
    """A ScimDirectory for this test alone, named after it; it and its tokens go afterwards."""
    made = _named(request)
    body = {"apiVersion": "scim-operator.io/v1alpha1", "kind": "ScimDirectory", "metadata": {"name": made}}
    apply(operator.cluster, {**body, "spec": {"guard": ROOMY}})
    yield made
    operator.cluster.kubectl("delete", "scimdirectory", made, "--ignore-not-found")
    operator.cluster.kubectl("delete", "secret", "-n", NAMESPACE, "-l", f"scim-operator.io/directory={made}")


def _named(request: pytest.FixtureRequest) -> str:
    """The test's name as one of an object."""
    return re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[-38:].strip("-")
