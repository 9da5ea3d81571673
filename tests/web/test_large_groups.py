"""Large groups over HTTP: answered in slices, refused while shards are missing."""

from __future__ import annotations

import json

import pytest

from scim_operator.directory import layout
from scim_operator.directory.shards import SHARDS
from scim_operator.web import rendering
from tests.web.endpoint import Endpoint


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four members fit into a ScimGroup, and three are encoded at once."""
    monkeypatch.setattr(layout, "MOST_INLINE", 4)
    monkeypatch.setattr(layout, "_INLINE_AGAIN", 2)
    monkeypatch.setattr(rendering, "_SLICE", 3)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", {"value", "$ref", "type"}),
        ("attributes=members", {"value", "$ref", "type"}),
        ("attributes=members.value,members.display", {"value", "display"}),
        ("excludedAttributes=members.$ref", {"value", "type"}),
    ],
)
async def test_sliced_as_whole(endpoint: Endpoint, small: None, query: str, keys: set[str]) -> None:
    ids = [(await endpoint.user(f"u{number}")).id for number in range(10)]
    team = await endpoint.group("team", *ids)
    assert team.large is not None
    for path in (f"/Groups/{team.id}?{query}", f"/Groups?{query}"):
        answer = await endpoint.ask("GET", path)
        found = json.loads(await answer.read())
        (group,) = found.get("Resources", [found])
        assert sorted(member["value"] for member in group["members"]) == sorted(ids)
        assert all(member.keys() == keys for member in group["members"])


async def test_members_are_not_shown_unasked(endpoint: Endpoint, small: None) -> None:
    team = await endpoint.group("team", *[(await endpoint.user(f"u{number}")).id for number in range(6)])
    for query in ("excludedAttributes=members", "attributes=displayName"):
        assert "members" not in await (await endpoint.ask("GET", f"/Groups/{team.id}?{query}")).json()


async def test_a_missing_shard_is_503(endpoint: Endpoint, small: None) -> None:
    """In every answer that would show the group, and with the object's name."""
    ids = [(await endpoint.user(f"u{number}")).id for number in range(6)]
    team = await endpoint.group("team", *ids)
    other = await endpoint.group("other", ids[0])
    lost = endpoint.api.all(SHARDS)[0]["metadata"]
    endpoint.index.evict_shard(lost["name"], lost["uid"])
    for path in (
        f"/Groups/{team.id}",
        f"/Groups/{team.id}?excludedAttributes=members",
        "/Groups",
        f'/Groups?filter=members.value eq "{ids[1]}"',
        '/Groups?filter=displayName eq "team"',
    ):
        answer = await endpoint.ask("GET", path)
        found = json.loads(await answer.read())
        assert (answer.status, found["status"]) == (503, "503"), path
        assert lost["name"] in found["detail"]
        assert int(answer.headers["Retry-After"]) > 0
    assert (await endpoint.ask("GET", f"/Groups/{other.id}")).status == 200
    assert (await endpoint.ask("GET", f"/Users/{ids[0]}")).status == 200


async def test_a_page_without_members_shows_the_others(endpoint: Endpoint, small: None) -> None:
    """A group whose members nobody knows hides no other; its version, partly the shards', isn't said."""
    ids = [(await endpoint.user(f"u{number}")).id for number in range(6)]
    await endpoint.group("team", *ids)
    await endpoint.group("other", ids[0])
    lost = endpoint.api.all(SHARDS)[0]["metadata"]
    endpoint.index.evict_shard(lost["name"], lost["uid"])
    for query in ("excludedAttributes=members", "attributes=displayName,meta"):
        answer = await endpoint.ask("GET", f"/Groups?{query}")
        assert answer.status == 200
        found = {group["displayName"]: group for group in (await answer.json())["Resources"]}
        assert found.keys() == {"team", "other"}
        assert ["version" in found[name]["meta"] for name in ("team", "other")] == [False, True]


async def test_nobody_is_said_to_be_in_no_group_for_lack_of_data(endpoint: Endpoint, small: None) -> None:
    """Who asks for `groups` by name is told; a user is shown without, so that leavers can be disabled."""
    ids = [(await endpoint.user(f"u{number}")).id for number in range(6)]
    await endpoint.group("team", *ids)
    await endpoint.group("other", ids[0])
    user = f"/Users/{ids[0]}"
    assert len((await (await endpoint.ask("GET", user)).json())["groups"]) == 2
    lost = endpoint.api.all(SHARDS)[0]["metadata"]
    endpoint.index.evict_shard(lost["name"], lost["uid"])
    shown = await endpoint.ask("GET", user)
    assert shown.status == 200
    assert "groups" not in await shown.json()
    asked = await endpoint.ask("GET", f"{user}?attributes=groups")
    assert asked.status == 503
    assert lost["name"] in (await asked.json())["detail"]
    assert (await endpoint.ask("GET", f"{user}?attributes=userName")).status == 200
