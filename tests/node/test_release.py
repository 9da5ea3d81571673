"""A life of the release on a real node, in the order in which these tests stand here."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.demo import opening
from tests.demo.cast import ALICE, BOB, DAVE, DIRECTORY, PEOPLE
from tests.demo.expectations import Expectations
from tests.demo.scene import Scene
from tests.demo.screen import Screen
from tests.demo.script import STEPS
from tests.demo.transcript import Transcript
from tests.demo.view import View
from tests.e2e.policies import apply, policy
from tests.eventually import becomes, eventually
from tests.installation import NAMESPACE
from tests.node.figures import Figures
from tests.node.release import Pod, Release
from tests.replicas import comparing
from tests.replicas.comparing import assert_nothing_lost, under
from tests.replicas.load import Load
from tests.replicas.pods import leader, role

pytestmark = pytest.mark.node

_RATE = 20
# What the kernel says of the operator, and where it can write.
_CONFINEMENT = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines())
def writes(path):
    try:
        with open(os.path.join(path, "probe"), "w"): return True
    except OSError: return False
folders = ("/", "/opt/scim-operator", "/home", "/tmp")
print(json.dumps({"status": status, "writes": [path for path in folders if writes(path)]}))
"""


def test_two_replicas_run_and_one_leads(release: Release, figures: Figures) -> None:
    becomes(lambda: _roles(release), ["leader", "standby"], 20)
    for pod in release.ready_pods():
        assert pod.restarts == 0
        resident = release.inside(pod, _CONFINEMENT)["status"]["VmRSS"]
        figures.add(f"memory of the idle {role(pod)}", int(resident.split()[0]) / 1024, "MiB")


def test_the_pods_are_confined(release: Release) -> None:
    for pod in release.ready_pods():
        found = release.inside(pod, _CONFINEMENT)
        status = found["status"]
        assert status["Uid"].split() == ["65532"] * 4
        assert status["Gid"].split() == ["65532"] * 4
        # A filter is in force, no capability is left, none can be gained.
        assert (status["Seccomp"], status["CapBnd"], status["NoNewPrivs"]) == ("2", "0" * 16, "1")
        assert found["writes"] == ["/tmp"]


def test_the_demos_provisioning_run_holds(release: Release, view: View) -> None:
    screen = Screen(io.StringIO(), colour=False)
    expect = Expectations(screen)
    scene = Scene(release, screen, expect, Transcript(screen), view)
    for step in STEPS:
        step(scene)
        if step is opening.token:
            scene.entra.url = release.url(DIRECTORY)
    assert expect.failed == []
    assert expect.held > 50


async def test_an_evicted_leader_costs_no_request(release: Release, load: Load) -> None:
    def evict() -> None:
        pods = release.ready_pods()
        leads = leader(pods)
        (other,) = (pod for pod in pods if pod is not leads)
        becomes(lambda: release.evict(leads), 201, 20)
        assert release.evict(other) == 429, "the budget keeps one"
        eventually(release.pods, lambda seen: leads.name not in _names(seen), 60)
        # Its successor is the other one, or the one that came in its place.
        becomes(lambda: _roles(release), ["leader", "standby"], 60)

    await under(load, _RATE, evict)
    await assert_nothing_lost(release, load)


async def test_an_upgrade_costs_no_request(release: Release, load: Load) -> None:
    before = _names(release.ready_pods())
    changes = ("podAnnotations.revision=second", "crds.upgradeHook=true")
    await under(load, _RATE, lambda: release.upgrade(*changes))
    await assert_nothing_lost(release, load)
    eventually(release.pods, lambda seen: not before & _names(seen), 60)
    becomes(lambda: _roles(release), ["leader", "standby"], 20)
    assert [pod.restarts for pod in release.pods()] == [0, 0]


def test_helm_test_plays_test_connection(release: Release) -> None:
    said = release.helm("test", "--timeout=60s", "--logs")
    assert "Succeeded" in said, said
    assert "Failed" not in said, said


def test_uninstalling_takes_nobodys_access_and_sticks_nowhere(release: Release, view: View) -> None:
    release.helm("uninstall", "--wait", "--timeout=120s")
    becomes(release.pods, [], 60)
    cluster = release.cluster
    assert [view.lists_pods(person, "platform") for person in (BOB, DAVE)] == [200, 200]
    assert view.lists_pods(ALICE, "payments") == 403
    assert len(cluster.kubectl("get", "scimusers", "-o", "name").splitlines()) > len(PEOPLE)
    # Everything that is left can be deleted without an operator.
    cluster.kubectl("delete", "namespace", NAMESPACE, "payments", "platform", "--timeout=60s")
    cluster.kubectl("delete", "crd", "--all", "--timeout=60s")


@pytest.fixture(scope="module")
def view(release: Release) -> View:
    return View(release.cluster, PEOPLE)


@pytest_asyncio.fixture
async def load(release: Release, request: pytest.FixtureRequest) -> AsyncIterator[Load]:
    """Through the Service, a connection for each request: whichever pod it leads to."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:30].strip("-")
    apply(release.cluster, policy(name, comparing.DIRECTORY, f"{name}-{{role}}", namespace=name))
    connection = release.connection(comparing.DIRECTORY)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        made = Load(session, connection.token, name, f"{name}-view", [connection.url])
        await made.prepare()
        yield made


def _roles(release: Release) -> list[str]:
    return sorted(map(role, release.ready_pods()))


def _names(pods: list[Pod]) -> set[str]:
    return {pod.name for pod in pods}
