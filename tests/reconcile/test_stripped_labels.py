"""Labels of ours that somebody took off a namespace."""

from __future__ import annotations

import asyncio

from scim_operator.directory.records import USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import NAME, PLACE
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import policy, user


async def test_labels_stripped_from_our_namespace_come_back(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        whole = plant.api.objects[NAMESPACES.plural, "", PLACE.namespace]["metadata"]["labels"]
        for label in whole:
            left = {key: value for key, value in whole.items() if key != label}
            plant.put(NAMESPACES, PLACE.namespace, labels=left)
            await plant.until(
                lambda: (
                    plant.api.objects[NAMESPACES.plural, "", PLACE.namespace]["metadata"]["labels"] == whole
                )
            )
    assert plant.subjects(NAME) == {"person0", "person1"}


async def test_leaver_goes_although_the_namespace_cant_be_labelled(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.api.refuse["patch", "namespaces"] = ApiError(403, "Forbidden", "admission webhook denied")
        plant.put(NAMESPACES, PLACE.namespace, labels={"app.kubernetes.io/managed-by": "scim-operator"})
        await asyncio.sleep(0.1)
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects() == {"person1"}, 5)


async def test_all_labels_stripped_at_once(plant: Watched) -> None:
    key = NAMESPACES.plural, "", PLACE.namespace
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        whole = plant.api.objects[key]["metadata"]
        plant.moments.clear()
        plant.put(NAMESPACES, PLACE.namespace, annotations=whole["annotations"])
        await plant.until(lambda: plant.api.objects[key]["metadata"].get("labels") == whole["labels"])
    held = [{name for name, _, _ in moment} for moment in plant.moments]
    assert all(names == {"person0", "person1"} for names in held), "nobody lost access meanwhile"


async def test_two_labels_stripped_at_once(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(NAMESPACES, PLACE.namespace, labels={"scim-operator.io/directory": "entra"})
        await asyncio.sleep(0.3)
    assert plant.subjects() == {"person0", "person1"}


async def test_relabel_names_the_policy_that_made_it(plant: Watched) -> None:
    plant.put(
        POLICIES, "a-other", spec=policy({"clusterRole": "view", "namespaces": {"name": "team-{team}"}})
    )
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        await asyncio.sleep(0.3)
        key = NAMESPACES.plural, "", PLACE.namespace
        whole = plant.api.objects[key]["metadata"]["labels"]
        assert whole["scim-operator.io/policy"] == "teams"
        bad = 0
        for _ in range(10):
            plant.put(
                NAMESPACES,
                PLACE.namespace,
                labels={k: v for k, v in whole.items() if k != "scim-operator.io/policy"},
            )
            await plant.until(
                lambda: "scim-operator.io/policy" in plant.api.objects[key]["metadata"]["labels"]
            )
            await asyncio.sleep(0.05)
            bad += plant.api.objects[key]["metadata"]["labels"] != whole
    assert bad == 0


async def test_relabel_doesnt_touch_a_namespace_made_anew(plant: Watched) -> None:
    """The labelled namespace was deleted and made by somebody else; the events are late."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(NAMESPACES, PLACE.namespace, labels={"app.kubernetes.io/managed-by": "scim-operator"})
        plant.api.before = lambda verb, plural: (
            asyncio.sleep(0.1) if (verb, plural) == ("patch", "namespaces") else None
        )
        await asyncio.sleep(0.03)  # the patch is on its way
        plant.api.drop(NAMESPACES, PLACE.namespace)
        for key in [k for k in plant.api.objects if k[1] == PLACE.namespace]:
            plant.api.drop(ROLE_BINDINGS, key[2], key[1])
        plant.put(NAMESPACES, PLACE.namespace, labels={"team": "somebody-else"})
        await asyncio.sleep(0.5)
    labels = plant.api.objects[NAMESPACES.plural, "", PLACE.namespace]["metadata"]["labels"]
    assert labels == {"team": "somebody-else"}, labels
    assert plant.subjects() is None
