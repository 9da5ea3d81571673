"""PATCH and PUT through the store: applied to what is true now, and no write without effect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scim_operator.directory.records import USERS
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError
from scim_operator.scim.errors import ScimError
from scim_operator.scim.schemas import GROUP, USER
from tests.directory.provider import Provider, add, remove, replace, uniqueness

# --- changing ----------------------------------------------------------------------------------------------


async def test_patch_counts_and_tells_the_time(provider: Provider) -> None:
    made = await provider.user()
    changed = await provider.patch(made, replace("title", "Dr"))
    assert changed.document["title"] == "Dr"
    assert (changed.id, changed.name, changed.meta.created) == (made.id, made.name, made.meta.created)
    assert (changed.meta.version, changed.meta.last_modified) == (2, "2026-01-01T00:00:02Z")
    assert changed.meta.request == "request-patch"
    assert provider.stored(made)["spec"]["title"] == "Dr"


async def test_patch_without_effect_writes_nothing(provider: Provider) -> None:
    ada = await provider.user(title="Dr")
    team = await provider.group("team", ada.id)
    provider.api.writes.clear()
    assert await provider.patch(ada, replace("title", "Dr"), replace("active", "True")) is ada
    assert await provider.patch(team, add(ada.id)) is team
    assert await provider.patch(team, remove("nobody")) is team
    assert await provider.patch(team, remove(ada.id), add(ada.id)) is team
    assert provider.api.writes == []


async def test_true_is_not_one(provider: Provider) -> None:
    urn = "urn:contoso:2.0:User"
    extension: dict[str, Any] = {urn: {"flag": 1}}
    ada = await provider.user(**extension)
    await provider.patch(ada, replace(f"{urn}:flag", True))
    assert provider.stored(ada)["spec"]["extensions"][urn]["flag"] is True


async def test_rename_keeps_object_and_id_and_is_found(provider: Provider) -> None:
    ada = await provider.user("ada")
    changed = await provider.patch(ada, replace("userName", "ADA2"))
    assert (changed.name, changed.id) == (ada.name, ada.id)
    assert await provider.index.find("entra", "User", 'userName eq "ada"') == []
    assert await provider.index.find("entra", "User", 'userName eq "ada2"') == [changed]


async def test_rename_onto_somebody_is_refused(provider: Provider) -> None:
    await provider.user("ada")
    bob = await provider.user("bob")
    with pytest.raises(ScimError) as caught:
        await provider.patch(bob, replace("userName", "ADA"))
    assert uniqueness(caught)
    assert provider.stored(bob)["spec"]["userName"] == "bob"


async def test_change_of_case_is_no_conflict_with_oneself(provider: Provider) -> None:
    ada = await provider.user("ada")
    changed = await provider.patch(ada, replace("userName", "Ada"))
    assert changed.document["userName"] == "Ada"


async def test_two_renames_to_one_name_in_parallel(provider: Provider) -> None:
    people = [await provider.user(name) for name in ("a", "b", "c")]
    answers = await asyncio.gather(
        *(provider.patch(person, replace("userName", "same")) for person in people), return_exceptions=True
    )
    assert sum(isinstance(answer, ScimError) for answer in answers) == 2
    assert len(provider.index.holders("entra", "User", "userName", "same")) == 1


async def test_leaver_who_shares_a_value_is_disabled_all_the_same(provider: Provider) -> None:
    # They came to share it before the directory named people by it, or by a restore.
    mail: dict[str, Any] = {"emails": [{"type": "work", "value": "team@example.com"}]}
    people = [await provider.user(name, **mail) for name in ("ada", "bob")]
    provider.directory("entra", {"subjects": {"user": "{emails.work}"}})
    for person in people:
        assert not (await provider.patch(person, replace("active", "False"))).active
    with pytest.raises(ScimError):
        await provider.user("eve", **mail)


async def test_labels_and_annotations_of_others_survive(provider: Provider) -> None:
    ada = await provider.user()
    touched = provider.stored(ada)
    touched["metadata"]["labels"]["team"] = "red"
    touched["metadata"]["annotations"] = {"note": "x"}
    provider.api.put(USERS, touched)
    provider.events()
    await provider.patch(ada, replace("title", "Dr"))
    metadata = provider.stored(ada)["metadata"]
    assert metadata["labels"] == {"scim-operator.io/directory": "entra", "team": "red"}
    assert metadata["annotations"] == {"note": "x"}


async def test_the_name_that_access_goes_by_is_a_groups_first_one(provider: Provider) -> None:
    """Whatever SCIM writes later: another name may have to wait."""
    ada = await provider.user()
    group = await provider.group("red-view", ada.id)
    granted_as = {"scim-operator.io/granted-as": "red-view"}
    assert provider.stored(group)["metadata"]["annotations"] == granted_as
    await provider.patch(group, replace("displayName", "prod-admin"))
    assert provider.stored(group)["metadata"]["annotations"] == granted_as
    body = {"displayName": "prod-owner", "members": []}
    await provider.store.replace("entra", GROUP, group.id, body, "put")
    assert provider.stored(group)["spec"]["displayName"] == "prod-owner"
    assert provider.stored(group)["metadata"]["annotations"] == granted_as
    assert "annotations" not in provider.stored(ada)["metadata"]


async def test_status_survives_a_write(provider: Provider) -> None:
    ada = await provider.user()
    written = await provider.api.merge_patch(USERS, ada.name, {"status": {"groups": 3}}, subresource="status")
    provider.index.put(written)
    changed = await provider.patch(ada, replace("title", "Dr"))
    assert changed.status == {"groups": 3}


async def test_conflict_is_tried_again_on_fresh_data(provider: Provider) -> None:
    ada = await provider.user()
    touched = provider.stored(ada)
    provider.api.put(USERS, {**touched, "spec": {**touched["spec"], "nickName": "A"}})
    changed = await provider.patch(ada, replace("title", "Dr"))
    assert changed.document["title"] == "Dr"
    assert changed.document["nickName"] == "A", "the delta is applied to what is true now"


async def test_endless_conflicts_end_as_unavailable(provider: Provider) -> None:
    ada = await provider.user()
    provider.api.refuse["replace", "scimusers"] = ApiError(409, "Conflict", "modified")
    with pytest.raises(UnavailableError):
        await provider.patch(ada, replace("title", "Dr"))


async def test_patch_of_somebody_deleted_meanwhile(provider: Provider) -> None:
    ada = await provider.user()
    provider.api.drop(USERS, ada.name)
    with pytest.raises(ScimError) as caught:
        await provider.patch(ada, replace("title", "Dr"))
    assert caught.value.status == 404
    assert provider.index.get("entra", "User", ada.id) is None


async def test_nothing_of_a_patch_is_applied_when_one_operation_fails(provider: Provider) -> None:
    ada = await provider.user()
    with pytest.raises(ScimError):
        await provider.patch(ada, replace("title", "Dr"), {"op": "bad", "path": "title"})
    assert "title" not in provider.stored(ada)["spec"]


# --- replacing ---------------------------------------------------------------------------------------------


async def test_put_replaces_all_but_what_it_may_not(provider: Provider) -> None:
    ada = await provider.user("ada", title="Dr", active=False)
    changed = await provider.put(ada, userName="ada2", id="other", password="hunter2", nickName="A")
    assert changed.document == {"userName": "ada2", "nickName": "A", "active": False}
    assert (changed.id, changed.name, changed.meta.created) == (ada.id, ada.name, ada.meta.created)
    assert (changed.meta.version, changed.meta.request) == (2, "request-put")
    assert "hunter2" not in str(provider.stored(ada))
    assert await provider.index.find("entra", "User", 'userName eq "ada2"') == [changed]


async def test_put_of_an_unknown_id_makes_nothing(provider: Provider) -> None:
    with pytest.raises(ScimError) as caught:
        await provider.store.replace("entra", USER, "unknown", {"userName": "ada"}, "r")
    assert caught.value.status == 404
    assert provider.names() == []


async def test_put_without_effect_writes_nothing(provider: Provider) -> None:
    ada, bob = await provider.user(title="Dr"), await provider.user("bob")
    team = await provider.group("team", ada.id, bob.id)
    await provider.delete(bob)
    provider.api.writes.clear()
    assert await provider.put(ada, userName="ada", title="Dr", nickName="", emails=[]) is ada
    assert await provider.put(team, displayName="team") is team
    shown = [{"value": ada.id, "display": "ada"}]
    assert await provider.put(team, displayName="team", members=shown) is team, "bob was not shown any more"
    assert provider.api.writes == []


async def test_put_conflicts_with_others_alone(provider: Provider) -> None:
    ada, bob = await provider.user("ada"), await provider.user("bob")
    assert (await provider.put(ada, userName="ADA")).document["userName"] == "ADA"
    with pytest.raises(ScimError) as caught:
        await provider.put(bob, userName="ada")
    assert uniqueness(caught)
    assert provider.stored(bob)["spec"]["userName"] == "bob"


async def test_put_is_applied_to_what_is_true_now(provider: Provider) -> None:
    ada = await provider.user("ada")
    touched = provider.stored(ada)
    provider.api.put(USERS, {**touched, "spec": {**touched["spec"], "active": False}})
    changed = await provider.put(ada, userName="ada", title="Dr")
    assert changed.document == {"userName": "ada", "title": "Dr", "active": False}


async def test_put_and_patches_in_parallel_are_one_after_the_other(provider: Provider) -> None:
    people = [await provider.user(f"u{number}") for number in range(6)]
    team = await provider.group("team")
    await asyncio.gather(
        *(provider.patch(team, add(person.id)) for person in people),
        *(provider.put(team, displayName=f"team{number}") for number in range(3)),
    )
    stored = provider.stored(team)["spec"]
    assert set(stored["members"]) == {person.id for person in people}
    assert stored["meta"]["version"] == 10


async def test_put_of_an_unknown_member_is_refused(provider: Provider) -> None:
    team = await provider.group("team", (await provider.user()).id)
    with pytest.raises(ScimError) as caught:
        await provider.put(team, displayName="team", members=[{"value": "nobody"}])
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")
    assert (await provider.put(team, displayName="team", members=[])).members == {}
