"""The load itself, while nothing is disturbed: otherwise what it finds elsewhere would be its own doing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.eventually import becomes
from tests.faults.asking import Endpoint
from tests.faults.load import Load, access
from tests.faults.system import OURS, System


@pytest.fixture(scope="module")
def calm(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System.running(tmp_path_factory.mktemp("calm")) as system:
        system.installation.start()
        yield system


def test_undisturbed_load_is_as_answered_and_sees_what_is_lost(calm: System) -> None:
    entra = calm.connect("calm")
    load = Load([Endpoint(entra.url, entra.token)] * 2, "calm")
    load.policy(calm)
    with load:
        time.sleep(5)
    load.check(calm)
    assert load.most_tries() == 1
    assert set(load.statuses()) <= {200, 201, 204, 404}
    assert access(calm, "calm")
    lost = load.expected.living()[0]
    entra.call("DELETE", f"/Users/{lost.id}")
    becomes(lambda: _listed(calm), {person.id for person in load.expected.living()} - {lost.id})
    with pytest.raises(AssertionError, match=lost.id):
        load.check_records(calm)


def _listed(system: System) -> set[str]:
    return {user["spec"]["id"] for user in system.list(f"{OURS}/scimusers")}
