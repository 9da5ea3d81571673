"""What the chart renders is what somebody looked at and committed, and the real API server takes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.chart.options import CASES, FOLDER, RENEW, arguments, snapshot
from tests.chart.release import Release
from tests.chart.renderer import Renderer
from tests.installation import CHART


def test_every_case_has_its_file_and_no_other_is_there() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(CASES), f"run `{RENEW}`"


@pytest.mark.parametrize("name", CASES)
def test_rendered_as_committed(chart: Renderer, name: str) -> None:
    committed = (FOLDER / f"{name}.yaml").read_text()
    assert snapshot(chart, name) == committed, (
        f"the chart renders something else now; if that is meant, run `{RENEW}` and commit what changed"
    )


def test_every_value_has_a_case() -> None:
    """An option that nobody renders is an option that nobody knows to work."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert {key for case in CASES.values() for key in case} == set(values)


@pytest.mark.parametrize("name", [name for name in CASES if name != "defaults"])
def test_every_option_changes_something(name: str) -> None:
    assert (FOLDER / f"{name}.yaml").read_text() != "", name


@pytest.fixture(scope="module")
def accounts(release: Release) -> Iterator[None]:
    """A pod is admitted only when its ServiceAccount is there; nothing else of what is tried is."""
    path = f"/api/v1/namespaces/{release.name}/serviceaccounts"
    name = "scim-scim-operator-test-connection"
    assert release.cluster.request("POST", path, body={"metadata": {"name": name}}).status == 201
    yield
    assert release.cluster.request("DELETE", f"{path}/{name}").status == 200


@pytest.mark.parametrize("name", CASES)
def test_accepted_by_the_api_server(release: Release, chart: Renderer, accounts: None, name: str) -> None:
    """Strictly: an unknown field is refused. Nothing is stored."""
    objects = chart.objects(*arguments(name))
    for item in objects:
        if "namespace" in item["metadata"]:
            item["metadata"]["namespace"] = release.name
    text = yaml.safe_dump_all(objects)
    said = release.cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=text
    )
    assert len(said.splitlines()) == len(objects)
