"""What the audit stream tells of users and groups: each change that took effect once, and no other."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from scim_operator.api.audit import Identity, IdentityChange
from scim_operator.directory import told
from scim_operator.directory.audit import CALLER, Audit, Caller
from scim_operator.directory.layout import Delta
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError
from scim_operator.scim.errors import ScimError
from tests.directory.api_server import ApiServer
from tests.directory.large import now, people
from tests.directory.provider import Provider, add, remove, replace
from tests.heard import Object

CUT = ApiError(0, "Unreachable", "ServerDisconnectedError")


@pytest.fixture(autouse=True)
def asking() -> Iterator[None]:
    """Everything is asked for by a request with a token."""
    before = CALLER.set(Caller("token-1", "request-patch"))
    yield
    CALLER.reset(before)


class Cutting(ApiServer):
    """Carries out the next call of a verb, and nobody hears of it; then it is away, if it is to `stay` so."""

    def __init__(self, verb: str, *, stay: bool) -> None:
        super().__init__()
        self.verb, self.stay = verb, stay
        self.armed = False

    def _cut(self, verb: str) -> None:
        if self.armed and verb == self.verb:
            self.armed, self.away = False, self.stay
            raise CUT

    async def create(self, *arguments: Any, **more: Any) -> Any:
        made = await super().create(*arguments, **more)
        self._cut("create")
        return made

    async def replace(self, *arguments: Any, **more: Any) -> Any:
        made = await super().replace(*arguments, **more)
        self._cut("replace")
        return made

    async def delete(self, *arguments: Any, **more: Any) -> None:
        await super().delete(*arguments, **more)
        self._cut("delete")


def watch(provider: Provider) -> None:
    """The watch catches up, as the leader's does."""
    for resource in (USERS, GROUPS, SHARDS):
        for obj in provider.api.all(resource):
            provider.heard.audit.observe(resource, "MODIFIED", obj)
    provider.events()


async def test_what_is_told_of_a_person(provider: Provider) -> None:
    private: Object = {"emails": [{"value": "a@private"}], "displayName": "Ada L.", "title": "Dr"}
    ada = await provider.user("ada", externalId="x", **private)
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    ada = await provider.patch(ada, replace("userName", "ada2"), replace(f"{urn}:department", "R&D"))
    ada = await provider.patch(ada, replace("active", False), replace("title", "Prof"))
    await provider.delete(ada)
    common = {"audit": 1, "time": "2026-01-01T00:00:00.000Z", "event": "identity", "directory": "entra"}
    common |= {"kind": "ScimUser", "id": ada.id, "object": ada.name}
    patched = {"token": "token-1", "request": "request-patch"}
    state = {"userName": "ada2", "externalId": "x", "active": False}
    assert provider.heard.lines == [
        {
            **common,
            "action": "Created",
            "request": "request-post",
            "version": "1",
            "before": {},
            "after": {"userName": "ada", "externalId": "x", "active": True},
            "other": [],
        },
        {
            **common,
            **patched,
            "action": "Changed",
            "version": "2",
            "before": {"userName": "ada"},
            "after": {"userName": "ada2"},
            "other": [f"{urn}:department"],
        },
        {
            **common,
            **patched,
            "action": "Changed",
            "version": "3",
            "before": {"active": True},
            "after": {"active": False},
            "other": ["title"],
        },
        {**common, **patched, "action": "Deleted", "before": state, "after": {}, "other": []},
    ]
    assert not [word for word in ("private", "L.", "Prof", "R&D") if word in json.dumps(provider.heard.lines)]


async def test_what_has_no_effect_or_is_refused_is_not_told(provider: Provider) -> None:
    ada = await provider.user("ada")
    await provider.user("bob")
    provider.heard.lines.clear()
    await provider.patch(ada, replace("active", True))
    for refused in (provider.user("ada"), provider.patch(ada, replace("userName", "bob"))):
        with pytest.raises(ScimError):
            await refused
    provider.api.refuse["replace", "scimusers"] = ApiError(422, "Invalid", "spec: no")
    with pytest.raises(ScimError):
        await provider.patch(ada, replace("title", "Dr"))
    watch(provider)
    assert provider.heard.lines == []


@pytest.mark.parametrize("verb", ["create", "replace", "delete"])
@pytest.mark.parametrize("stay", [False, True], ids=["once", "away"])
async def test_a_lost_answer_is_told_of_once(verb: str, stay: bool) -> None:
    api = Cutting(verb, stay=stay)
    provider = Provider(api)
    ada = await provider.user("ada")
    provider.heard.lines.clear()
    api.armed = True
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: provider.user("bob"),
        "replace": lambda: provider.patch(ada, replace("active", False)),
        "delete": lambda: provider.delete(ada),
    }
    if stay:
        with pytest.raises(UnavailableError):
            await ways[verb]()
        assert provider.heard.lines == [], "nobody knows yet"
        api.away = False
        if verb == "delete":
            provider.heard.audit.observe(USERS, "DELETED", {"spec": {"id": ada.id}})
    else:
        await ways[verb]()
        assert len(provider.heard.lines) == 1
    watch(provider)
    watch(provider)
    assert [line["action"] for line in provider.heard.lines] == [
        {"create": "Created", "replace": "Changed", "delete": "Deleted"}[verb]
    ]


async def test_what_was_never_written_is_not_told_when_another_write_is_seen() -> None:
    provider = Provider()
    ada = await provider.user("ada")
    provider.heard.lines.clear()
    provider.api.refuse["replace", "scimusers"] = CUT
    with pytest.raises(UnavailableError):
        await provider.patch(ada, replace("active", False))
    provider.api.refuse.clear()
    watch(provider)
    assert provider.heard.lines == []
    await provider.put(ada, userName="ada", title="Dr")
    assert [line["other"] for line in provider.heard.lines] == [["title"]]


async def test_another_leader_s_work_is_not_told_again(provider: Provider) -> None:
    ada = await provider.user("ada")
    provider.api.refuse["replace", "scimusers"] = CUT
    with pytest.raises(UnavailableError):
        await provider.patch(ada, replace("active", False))
    provider.api.refuse.clear()
    provider.heard.lines.clear()
    provider.heard.audit.begin_anew()
    other = await provider.restarted()
    await other.patch(now_user(other, ada.id), replace("active", False))
    watch(provider)
    assert (len(other.heard.lines), provider.heard.lines) == (1, [])


def now_user(provider: Provider, identifier: str) -> Any:
    return provider.index.get("entra", "User", identifier)


async def test_members_of_a_group_of_any_size_can_be_replayed(provider: Provider, small: None) -> None:
    chance = random.Random(7)
    ids = people(provider, 30)
    team = await provider.group("team", *ids[:2])
    replayed = set(ids[:2])
    provider.heard.lines.clear()
    for _ in range(60):
        some = chance.sample(ids, chance.choice((1, 1, 2, 5, 12)))
        await provider.patch(now(provider, team), (add if chance.random() < 0.6 else remove)(*some))
        if chance.random() < 0.2:
            await provider.settler.settle(("entra", team.id))
        watch(provider)
    for line in provider.heard.lines:
        counts = line["members"]
        assert counts["before"] == len(replayed)
        replayed = replayed - set(counts["removed"]) | set(counts["added"])
        assert counts["after"] == len(replayed)
    assert replayed == set(now(provider, team).members)


async def test_a_large_change_names_the_first_thousand(provider: Provider) -> None:
    team = await provider.group("team")
    joining = tuple(f"id-{number}" for number in range(2_500))
    members = told.change(team, team.document, Delta(joining), team.meta).members
    assert members is not None
    assert (members.after, members.unnamed, members.added) == (2_500, 1_500, joining[:1_000])


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b\x85c", "\x1b[31m", "\ud800", '"}{"audit":1'])
def test_whatever_somebody_is_called_it_is_one_line_of_ascii(name: str) -> None:
    lines: list[str] = []
    Audit(lambda: "", lines.append).tell(change(name))
    assert len(lines[0].splitlines()) == 1
    assert lines[0].isascii()
    assert lines[0].isprintable()
    parsed: Object = json.loads(lines[0])
    assert parsed["after"]["userName"] == name


def test_without_names_of_people() -> None:
    lines: list[str] = []
    audit = Audit(lambda: "", lines.append, lambda name: f"hmac:{len(name)}")
    audit.tell(change("ada"))
    audit.tell(change("ada").model_copy(update={"kind": "ScimGroup"}))
    person, group = map(json.loads, lines)
    assert (person["after"], "object" in person) == ({"userName": "hmac:3", "externalId": "hmac:2"}, False)
    assert (group["after"], group["object"]) == ({"userName": "ada", "externalId": "oi"}, "of-the-name")


def change(name: str) -> IdentityChange:
    return IdentityChange(
        action="Changed",
        directory="entra",
        kind="ScimUser",
        id="id-1",
        object="of-the-name",
        after=Identity(user_name=name, external_id="oi"),
    )
