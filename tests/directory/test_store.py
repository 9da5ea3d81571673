"""The write-through store: durable, then in the index, then answered; or refused, and nothing has changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.unavailable import RefusedError, UnavailableError
from scim_operator.kube.errors import ApiError
from scim_operator.scim.errors import ScimError
from scim_operator.scim.schemas import USER
from tests.directory.provider import AWAY, Provider, add, remove, replace, uniqueness

# --- creating ----------------------------------------------------------------------------------------------


async def test_created_user_is_durable_and_found_at_once(provider: Provider) -> None:
    made = await provider.user("Ada@Example.com", externalId="x")
    assert made.id == "id-1"
    assert await provider.index.find("entra", "User", 'userName eq "ada@example.com"') == [made]
    stored = provider.stored(made)
    assert stored["spec"] == {
        "directory": "entra",
        "id": "id-1",
        "userName": "Ada@Example.com",
        "externalId": "x",
        "active": True,
        "meta": {
            "created": "2026-01-01T00:00:01Z",
            "lastModified": "2026-01-01T00:00:01Z",
            "version": 1,
            "request": "request-post",
            "createdBy": made.meta.created_by,
        },
    }
    assert stored["metadata"]["labels"] == {"scim-operator.io/directory": "entra"}
    assert "ownerReferences" not in stored["metadata"]


async def test_password_is_accepted_and_thrown_away(provider: Provider) -> None:
    made = await provider.user(password="hunter2")
    assert "hunter2" not in str(provider.stored(made))


@pytest.mark.parametrize("name", ["ada", "ADA", "\uff21da"])
async def test_name_is_unique_within_its_directory(provider: Provider, name: str) -> None:
    await provider.user("ada")
    with pytest.raises(ScimError) as caught:
        await provider.user(name)
    assert uniqueness(caught)
    assert name in caught.value.detail
    await provider.user(name, directory="okta")
    assert len(provider.names()) == 2


async def test_users_and_groups_may_share_a_name(provider: Provider) -> None:
    await provider.user("same")
    await provider.group("same")
    with pytest.raises(ScimError) as caught:
        await provider.group("SAME")
    assert uniqueness(caught)


async def test_of_two_parallel_creates_one_wins(provider: Provider) -> None:
    answers = await asyncio.gather(*(provider.user("ada") for _ in range(5)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ScimError)]
    assert [error.scim_type for error in refused] == ["uniqueness"] * 4
    assert len(provider.names()) == 1


async def test_what_names_people_in_bindings_is_unique_too(provider: Provider) -> None:
    provider.directory("entra", {"subjects": {"user": "{externalId}"}})
    provider.directory("okta", {"subjects": {"user": "{emails.work}"}})
    await provider.user("ada", externalId="X")
    with pytest.raises(ScimError) as caught:
        await provider.user("bob", externalId="X")
    assert uniqueness(caught)
    assert "externalId" in caught.value.detail
    await provider.user("bob", externalId="x")
    mail = {"emails": [{"type": "Work", "value": "A@b"}]}
    await provider.user("ada", directory="okta", externalId="X", **mail)
    with pytest.raises(ScimError) as caught:
        await provider.user("bob", directory="okta", emails=[{"type": "work", "value": "a@B"}])
    assert uniqueness(caught)


async def test_another_writer_was_first(provider: Provider) -> None:
    # An old leader: our index doesn't know, the object's name does.
    made = await provider.user("ada")
    provider.index.evict("User", made.name, "uid-of-nobody")
    fresh = Provider()
    fresh.api = provider.api
    fresh.store._objects._client = provider.api  # type: ignore[assignment]
    with pytest.raises(ScimError) as caught:
        await fresh.user("ADA")
    assert uniqueness(caught)
    assert (await fresh.index.find("entra", "User", 'userName eq "ada"'))[0].id == made.id, (
        "Entra's next look-up"
    )
    assert len(provider.names()) == 1


async def test_name_of_somebody_renamed_gets_the_next_suffix(provider: Provider) -> None:
    first = await provider.user("ada")
    await provider.patch(first, replace("userName", "ada.married"))
    second = await provider.user("ada")
    assert second.name != first.name
    assert len(provider.names()) == 2
    await provider.patch(second, replace("userName", "ada.other"))
    third = await provider.user("ada")
    assert len({first.name, second.name, third.name}) == 3
    await provider.delete(first)
    await provider.patch(third, replace("userName", "ada.third"))
    assert (await provider.user("ada")).name == first.name


@pytest.mark.parametrize("error", [AWAY, ApiError(0, "Unreachable", "TimeoutError")])
async def test_uncertain_holder_of_a_name_makes_no_second_person(provider: Provider, error: ApiError) -> None:
    await provider.user("ada")
    fresh = Provider()
    fresh.store._objects._client = provider.api  # type: ignore[assignment]
    provider.api.refuse["get", "scimusers"] = error
    with pytest.raises(UnavailableError):
        await fresh.user("ada")
    assert len(provider.names()) == 1


async def test_holder_that_vanishes_meanwhile_frees_the_name(provider: Provider) -> None:
    stranger = await provider.user("ada")
    fresh = Provider()
    fresh.store._objects._client = provider.api  # type: ignore[assignment]

    def vanish(verb: str, plural: str) -> None:
        if verb == "get" and stranger.name in provider.names():
            provider.api.drop(USERS, stranger.name)

    provider.api.before = vanish
    assert (await fresh.user("ada")).name == stranger.name


async def test_refused_create_leaves_no_claim(provider: Provider) -> None:
    provider.api.refuse["create", "scimusers"] = ApiError(422, "Invalid", "spec.userName: too odd")
    with pytest.raises(ScimError) as caught:
        await provider.user("ada")
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")
    assert "too odd" in caught.value.detail
    provider.api.refuse.clear()
    await provider.user("ada")


# --- members -----------------------------------------------------------------------------------------------


async def test_twenty_parallel_additions_all_land(provider: Provider) -> None:
    people = [await provider.user(f"u{number}") for number in range(20)]
    team = await provider.group()
    await asyncio.gather(*(provider.patch(team, add(person.id)) for person in people))
    assert set(provider.stored(team)["spec"]["members"]) == {person.id for person in people}


async def test_parallel_additions_land_against_another_writer(provider: Provider) -> None:
    people = [await provider.user(f"u{number}") for number in range(6)]
    team = await provider.group()
    touched = [0]

    def meddle(verb: str, plural: str) -> None:
        if verb == "replace" and touched[0] < 3:
            touched[0] += 1
            provider.api.put(GROUPS, provider.stored(team))

    provider.api.before = meddle
    await asyncio.gather(*(provider.patch(team, add(person.id)) for person in people))
    assert set(provider.stored(team)["spec"]["members"]) == {person.id for person in people}


async def test_unknown_member_is_refused_by_name(provider: Provider) -> None:
    ada = await provider.user()
    team = await provider.group("team", ada.id)
    for attempt in (provider.patch(team, add("nobody")), provider.group("other", ada.id, "nobody")):
        with pytest.raises(ScimError) as caught:
            await attempt
        assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")
        assert "'nobody'" in caught.value.detail
    assert provider.stored(team)["spec"]["members"] == [ada.id]


async def test_member_of_another_directory_is_unknown(provider: Provider) -> None:
    stranger = await provider.user("eve", directory="okta")
    team = await provider.group()
    with pytest.raises(ScimError) as caught:
        await provider.patch(team, add(stranger.id))
    assert caught.value.scim_type == "invalidValue"


async def test_group_may_be_a_member(provider: Provider) -> None:
    inner = await provider.group("inner")
    outer = await provider.group("outer", inner.id)
    assert list(outer.members) == [inner.id]


async def test_deleting_a_user_writes_the_user_alone(provider: Provider) -> None:
    ada, bob = await provider.user("ada"), await provider.user("bob")
    team = await provider.group("team", ada.id, bob.id)
    provider.api.writes.clear()
    await provider.delete(ada)
    assert provider.api.writes == [("delete", "scimusers", ada.name)]
    assert provider.stored(team)["spec"]["members"] == [ada.id, bob.id]
    # and the dangling id goes with the next write that has an effect
    eve = await provider.user("eve")
    await provider.patch(team, add(eve.id))
    assert provider.stored(team)["spec"]["members"] == [bob.id, eve.id]


# --- deleting ----------------------------------------------------------------------------------------------


async def test_deleted_is_gone_at_once_and_a_second_time_404(provider: Provider) -> None:
    ada = await provider.user()
    await provider.delete(ada)
    assert provider.names() == []
    assert await provider.index.find("entra", "User", 'userName eq "ada"') == []
    with pytest.raises(ScimError) as caught:
        await provider.delete(ada)
    assert caught.value.status == 404
    again = await provider.user()
    assert again.id != ada.id


async def test_delete_of_what_somebody_else_deleted_is_fine(provider: Provider) -> None:
    ada = await provider.user()
    provider.api.drop(USERS, ada.name)
    await provider.delete(ada)
    assert provider.index.get("entra", "User", ada.id) is None


async def test_delete_of_a_restored_object(provider: Provider) -> None:
    # The same content under another uid: the precondition fails once, fresh data helps.
    ada = await provider.user()
    restored = provider.api.drop(USERS, ada.name)
    del restored["metadata"]["uid"]
    provider.api.put(USERS, restored)
    await provider.delete(ada)
    assert provider.names() == []
    assert provider.index.get("entra", "User", ada.id) is None


async def test_token_of_another_directory_reaches_nothing(provider: Provider) -> None:
    ada = await provider.user()
    for attempt in (
        provider.store.patch("okta", USER, ada.id, {"Operations": [replace("active", False)]}, "r"),
        provider.store.replace("okta", USER, ada.id, {"userName": "eve", "active": False}, "r"),
        provider.store.delete("okta", USER, ada.id),
    ):
        with pytest.raises(ScimError) as caught:
            await attempt
        assert caught.value.status == 404
    assert provider.stored(ada)["spec"]["active"] is True


# --- an API server that is away, or refuses ----------------------------------------------------------------


async def test_api_server_away_changes_nothing(provider: Provider) -> None:
    ada = await provider.user()
    team = await provider.group("team", ada.id)
    provider.api.away = True
    for attempt in (
        provider.user("bob"),
        provider.patch(ada, replace("active", "False")),
        provider.patch(team, remove(ada.id)),
        provider.delete(ada),
    ):
        with pytest.raises(UnavailableError) as caught:
            await attempt
        assert caught.value.retry_after > 0
    assert provider.index.all("entra", "User") == [ada]
    assert ada.active
    assert list(provider.index.all("entra", "Group")[0].members) == [ada.id]
    provider.api.away = False
    assert not (await provider.patch(ada, replace("active", "False"))).active
    await provider.user("bob")


@pytest.mark.parametrize(
    "error",
    [
        ApiError(500, "InternalError", "etcdserver: request is too large"),
        ApiError(413, "RequestEntityTooLarge", "limit is 3145728"),
        ApiError(500, "", "rpc error: trying to send message larger than max (2097153 vs. 2097152)"),
    ],
)
async def test_too_large_is_no_outage(provider: Provider, error: ApiError) -> None:
    provider.api.refuse["create", "scimusers"] = error
    with pytest.raises(ScimError) as caught:
        await provider.user()
    assert caught.value.status == 413


async def test_refusal_that_is_ours_to_mend_is_not_the_provider_s(provider: Provider) -> None:
    provider.api.refuse["create", "scimusers"] = ApiError(403, "Forbidden", "no create")
    with pytest.raises(RefusedError, match="ScimUser: 403 Forbidden"):
        await provider.user()


async def test_write_whose_answer_was_lost_is_found_by_the_retry(provider: Provider) -> None:
    # The connection breaks after the API server has stored it, and stays away: Entra hears 503.
    create = provider.api.create

    async def lost(*arguments: Any, **more: Any) -> Any:
        await create(*arguments, **more)
        provider.api.away = True
        raise ApiError(0, "Unreachable", "ServerDisconnectedError")

    provider.api.create = lost  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        await provider.user("ada")
    provider.api.create, provider.api.away = create, False  # type: ignore[method-assign]
    with pytest.raises(ScimError) as caught:
        await provider.user("ada")
    assert uniqueness(caught)
    (found,) = await provider.index.find("entra", "User", 'userName eq "ada"')
    assert not (await provider.patch(found, replace("active", False))).active


async def test_fault_of_a_moment_is_not_shown(provider: Provider) -> None:
    """One call in twenty that fails isn't one request in ten: it is tried again, and done once."""
    faults = [ApiError(0, "Unreachable", "reset"), ApiError(409, "Conflict", "once more")]
    create, replaced, delete = provider.api.create, provider.api.replace, provider.api.delete

    def failing(call: Any, *, done: bool) -> Any:
        left = list(faults)

        async def fail(*arguments: Any, **more: Any) -> Any:
            if not left:
                return await call(*arguments, **more)
            if done and len(left) == len(faults):
                await call(*arguments, **more)
            raise left.pop(0)

        return fail

    for done in (False, True):
        provider.api.create = failing(create, done=done)  # type: ignore[method-assign]
        provider.api.replace = failing(replaced, done=done)  # type: ignore[method-assign]
        provider.api.delete = failing(delete, done=done)  # type: ignore[method-assign]
        ada = await provider.user(f"ada{done}")
        changed = await provider.patch(ada, replace("title", "Dr"))
        assert (changed.document["title"], changed.meta.version) == ("Dr", 2)
        await provider.delete(ada)
        assert provider.names() == []


async def test_api_server_that_asks_for_time_is_left_alone(provider: Provider) -> None:
    provider.api.refuse["create", "scimusers"] = ApiError(429, "TooManyRequests", "later", retry_after=7)
    with pytest.raises(UnavailableError) as caught:
        await provider.user()
    assert caught.value.retry_after == 7


async def test_who_waits_too_long_behind_another_is_told(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim_operator.directory.store.CLIENT_SECONDS", 0.05)
    ada = await provider.user()
    async with provider.store.turns.of(ada.id):
        with pytest.raises(UnavailableError, match="others have been changing"):
            await provider.patch(ada, replace("title", "Dr"))
    assert (await provider.patch(ada, replace("title", "Dr"))).document["title"] == "Dr"


async def test_locks_and_claims_are_not_kept(provider: Provider) -> None:
    ada = await provider.user()
    await provider.patch(ada, replace("title", "Dr"))
    with pytest.raises(ScimError):
        await provider.user("ADA")
    assert len(provider.store.turns) == 0
    assert provider.store._claims == set()
