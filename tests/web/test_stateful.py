"""Random sequences of every operation over HTTP, on two directories at once, beside a model of either.

After each of them both directories are read: the one shows what the model says, whatever other writers and
late events of the watch did meanwhile, and the other one nothing of it.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scim_operator.directory.index import Index
from scim_operator.directory.records import RESOURCES
from scim_operator.kube.resources import Resource
from scim_operator.scim.attributes import fold
from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.web.endpoint import Endpoint
from tests.web.model import Json, Person, Place, Team
from tests.web.talk import PATCH_OP, Talk

NAMES = st.sampled_from(["ada", "Ada", "bob", "Zoë", "ZOË", "x y", 'q"uote', "\uff41\uff44\uff41"])
DIRECTORIES = st.sampled_from(["entra", "okta"])
# Whom a request is about: mostly one who is there, else one of all ids there ever were, in either directory.
ANYBODY = st.integers(0, 10**6)
SOME = st.lists(ANYBODY, max_size=4)
TITLES = st.sampled_from(["Dr", "Prof", ""])
KINDS = ("Users", "Groups")


def feed(index: Index, resource: Resource, event: str, obj: Json) -> None:
    """The watch, a moment later."""
    if event == "DELETED":
        kind = next(name for name, known in RESOURCES.items() if known == resource)
        index.evict(kind, obj["metadata"]["name"], obj["metadata"]["uid"])
    elif resource in RESOURCES.values():
        index.put(obj)


class Directories(RuleBasedStateMachine):
    """The endpoint, and what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.places = {"entra": Place(), "okta": Place()}
        self.ids = ["no-such-id"]

    @initialize()
    def connect(self) -> None:
        async def made() -> Endpoint:
            endpoint = Endpoint()
            await endpoint.server.start_server()
            endpoint.api.watcher = lambda *event: feed(endpoint.index, *event)
            return endpoint

        self.endpoint = self.runner.run(made())
        self.talks = {name: Talk(self.endpoint, name) for name in self.places}
        for directory in self.places:
            self.post_user(directory, "ada", True, "Dr")
            self.post_user(directory, "bob", "False", "")
            self.post_group(directory, "team", [0])

    def teardown(self) -> None:
        self.runner.run(self.endpoint.http.close())
        self.runner.close()

    def ask(self, directory: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        return self.runner.run(self.talks[directory](method, path, body, status))

    def id(self, directory: str, number: int, kind: str = "") -> str:
        there = self.places[directory].ids(kind)
        pool = self.ids if number % 8 == 7 or not there else there
        return pool[number // 8 % len(pool)]

    def refusal(self, place: Place, kind: str, name: str, members: set[str], own: str = "") -> int:
        """What a write of a whole resource must be refused with, 0 if it must not."""
        if not all(place.knows(member) for member in members):
            return 400
        return 409 if place.holder(kind, name) not in (None, own) else 0

    # --- writes --------------------------------------------------------------------------------------------

    @rule(directory=DIRECTORIES, name=NAMES, active=st.sampled_from([None, True, "False"]), title=TITLES)
    def post_user(self, directory: str, name: str, active: Any, title: str) -> None:
        place, body = self.places[directory], {"userName": name, "active": active, "title": title}
        if refusal := self.refusal(place, "Users", name, set()):
            self.ask(directory, "POST", "/Users", body, refusal)
            return
        made = self.ask(directory, "POST", "/Users", body, 201)
        values = {"active": active != "False"} | ({"title": title} if title else {})
        place.people[made["id"]] = Person(name, values)
        self.ids.append(made["id"])

    @rule(directory=DIRECTORIES, name=NAMES, who=SOME)
    def post_group(self, directory: str, name: str, who: list[int]) -> None:
        place, members = self.places[directory], {self.id(directory, number) for number in who}
        body = {"displayName": name, "members": [{"value": member} for member in members]}
        if refusal := self.refusal(place, "Groups", name, members):
            self.ask(directory, "POST", "/Groups", body, refusal)
            return
        made = self.ask(directory, "POST", "/Groups", body, 201)
        place.teams[made["id"]] = Team(name, members)
        self.ids.append(made["id"])

    @rule(directory=DIRECTORIES, who=ANYBODY, name=NAMES, active=st.sampled_from([None, True, False]))
    def put_user(self, directory: str, who: int, name: str, active: bool | None) -> None:
        place, id_ = self.places[directory], self.id(directory, who, "Users")
        body = {"userName": name, **({} if active is None else {"active": active})}
        if id_ not in place.people:
            self.ask(directory, "PUT", f"/Users/{id_}", body, 404)
        elif refusal := self.refusal(place, "Users", name, set(), id_):
            self.ask(directory, "PUT", f"/Users/{id_}", body, refusal)
        else:
            self.ask(directory, "PUT", f"/Users/{id_}", body)
            before = place.people[id_].values["active"]
            place.people[id_] = Person(name, {"active": before if active is None else active})

    @rule(directory=DIRECTORIES, who=ANYBODY, name=NAMES, members=st.none() | SOME)
    def put_group(self, directory: str, who: int, name: str, members: list[int] | None) -> None:
        place, id_ = self.places[directory], self.id(directory, who, "Groups")
        wanted = None if members is None else {self.id(directory, number) for number in members}
        body: Json = {"displayName": name}
        if wanted is not None:
            body["members"] = [{"value": member} for member in wanted]
        if id_ not in place.teams:
            self.ask(directory, "PUT", f"/Groups/{id_}", body, 404)
            return
        team = place.teams[id_]
        if refusal := self.refusal(place, "Groups", name, wanted or set(), id_):
            self.ask(directory, "PUT", f"/Groups/{id_}", body, refusal)
        else:
            self.ask(directory, "PUT", f"/Groups/{id_}", body)
            place.teams[id_] = Team(name, team.members if wanted is None else wanted)

    @rule(
        directory=DIRECTORIES,
        who=ANYBODY,
        changes=st.lists(
            st.one_of(
                st.tuples(st.just("active"), st.booleans()),
                st.tuples(st.sampled_from(["title", "nickName"]), TITLES),
                st.tuples(st.just(f"{ENTERPRISE_URN}:department"), TITLES),
                st.tuples(st.just("userName"), NAMES),
            ),
            min_size=1,
            max_size=3,
        ),
        joined=st.booleans(),
    )
    def patch_user(self, directory: str, who: int, changes: list[tuple[str, Any]], joined: bool) -> None:
        place, id_ = self.places[directory], self.id(directory, who, "Users")
        operations: list[Json] = [{"op": "Replace", "path": path, "value": value} for path, value in changes]
        if joined:
            operations = [{"op": "replace", "value": {path: value}} for path, value in changes]
        body = {"schemas": [PATCH_OP], "Operations": operations}
        person = place.people.get(id_)
        if person is None:
            self.ask(directory, "PATCH", f"/Users/{id_}", body, 404)
            return
        values = {"userName": person.name, **person.values}
        for path, value in changes:
            values.pop(path, None)
            values |= {} if value == "" else {path: value}
        name = str(values.pop("userName"))
        if refusal := self.refusal(place, "Users", name, set(), id_):
            self.ask(directory, "PATCH", f"/Users/{id_}", body, refusal)
            return
        before = self.ask(directory, "GET", f"/Users/{id_}")
        after = self.ask(directory, "PATCH", f"/Users/{id_}", body)
        same = (name, values) == (person.name, person.values)
        assert (after["meta"] == before["meta"]) is same, "no effect, no write; an effect, another version"
        place.people[id_] = Person(name, values)

    @rule(
        directory=DIRECTORIES,
        who=ANYBODY,
        changes=st.lists(
            st.tuples(st.sampled_from(["Add", "remove", "filter", "replace"]), SOME), min_size=1, max_size=3
        ),
    )
    def patch_group(self, directory: str, who: int, changes: list[tuple[str, list[int]]]) -> None:
        place, id_ = self.places[directory], self.id(directory, who, "Groups")
        team = place.teams.get(id_)
        members = set() if team is None else set(team.members)
        operations, added = list[Json](), set[str]()
        for op, numbers in changes:
            named = {self.id(directory, number) for number in numbers}
            value = [{"value": member} for member in named]
            if op == "filter":
                operations += [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in named]
            else:
                operations.append({"op": op, "path": "members", "value": value})
            members = named if op == "replace" else members | named if op == "Add" else members - named
            added = named if op == "replace" else added | named if op == "Add" else added - named
        body = {"schemas": [PATCH_OP], "Operations": operations or [{"op": "add", "value": {}}]}
        if team is None:
            self.ask(directory, "PATCH", f"/Groups/{id_}", body, 404)
        elif refusal := self.refusal(place, "Groups", team.name, added, id_):
            self.ask(directory, "PATCH", f"/Groups/{id_}", body, refusal)
        else:
            self.ask(directory, "PATCH", f"/Groups/{id_}", body)
            team.members = members

    @rule(directory=DIRECTORIES, who=ANYBODY, kind=st.sampled_from(KINDS))
    def delete(self, directory: str, who: int, kind: str) -> None:
        place, id_ = self.places[directory], self.id(directory, who, kind)
        there = id_ in (place.people if kind == "Users" else place.teams)
        self.ask(directory, "DELETE", f"/{kind}/{id_}", None, 204 if there else 404)
        if there:
            place.forget(id_)

    @rule()
    def disturb(self) -> None:
        """Somebody else writes every object right before our next write: a conflict, and nobody's concern."""

        def conflict(verb: str, plural: str) -> None:
            if verb in ("replace", "delete"):
                self.endpoint.api.before = None
                for resource in RESOURCES.values():
                    for obj in self.endpoint.api.all(resource):
                        self.endpoint.api.put(resource, obj)

        self.endpoint.api.before = conflict

    # --- reads ---------------------------------------------------------------------------------------------

    @rule(directory=DIRECTORIES, who=ANYBODY, kind=st.sampled_from(KINDS))
    def get(self, directory: str, who: int, kind: str) -> None:
        place, id_ = self.places[directory], self.id(directory, who, kind)
        there = id_ in (place.people if kind == "Users" else place.teams)
        self.ask(directory, "GET", f"/{kind}/{id_}", None, 200 if there else 404)

    @rule(directory=DIRECTORIES, who=ANYBODY, name=NAMES, search=st.booleans())
    def filter(self, directory: str, who: int, name: str, search: bool) -> None:
        place, id_ = self.places[directory], self.id(directory, who)
        literal = name.replace('"', '\\"')
        leavers = {one for one, person in place.people.items() if not person.values["active"]}
        professors = {one for one, person in place.people.items() if person.values.get("title") == "Prof"}
        for kind, text, wanted in (
            ("Users", f'userName eq "{literal}"', {place.holder("Users", name)} - {None}),
            ("Groups", f'displayName eq "{literal}"', {place.holder("Groups", name)} - {None}),
            ("Users", f'id eq "{id_}"', {id_} & place.people.keys()),
            ("Groups", f'members eq "{id_}"', place.teams_of(id_)),
            ("Users", "active eq false", leavers),
            ("Users", 'title pr and not (title eq "dr")', professors),
        ):
            if search:
                found = self.ask(
                    directory, "POST", f"/{kind}/.search", {"filter": text, "attributes": ["id"]}
                )
            else:
                found = self.ask(directory, "GET", f"/{kind}?filter={quote(text)}&attributes=id")
            assert {one["id"] for one in found["Resources"]} == wanted, text
            assert found["totalResults"] == len(wanted), text

    @rule(directory=DIRECTORIES, count=st.integers(1, 3), descending=st.booleans())
    def sorted_pages(self, directory: str, count: int, descending: bool) -> None:
        people = self.places[directory].people.values()
        query = (
            f"/Users?sortBy=userName&sortOrder={'descending' if descending else 'ascending'}&count={count}"
        )
        shown: list[str] = []
        page = {"totalResults": len(people)}
        while len(shown) < page["totalResults"]:
            page = self.ask(directory, "GET", f"{query}&startIndex={len(shown) + 1}")
            shown += [one["userName"] for one in page["Resources"]]
        assert shown == sorted((one.name for one in people), key=fold, reverse=descending)

    @rule(directory=DIRECTORIES, count=st.integers(1, 3))
    def pages_by_cursor(self, directory: str, count: int) -> None:
        shown: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.ask(directory, "GET", f"/Groups?cursor={cursor}&count={count}&attributes=id")
            shown += [one["id"] for one in page["Resources"]]
            cursor = page.get("nextCursor")
        assert sorted(shown) == sorted(self.places[directory].teams)

    @invariant()
    def everything_is_as_it_must_be(self) -> None:
        for directory, place in self.places.items():
            users = self.ask(directory, "GET", "/Users")["Resources"]
            groups = self.ask(directory, "GET", "/Groups")["Resources"]
            assert {one["id"]: one["displayName"] for one in groups} == {
                id_: t.name for id_, t in place.teams.items()
            }
            for one in groups:
                members = [member["value"] for member in one.get("members", ())]
                assert sorted(members) == sorted(place.teams[one["id"]].members)
            assert sorted(one["id"] for one in users) == sorted(place.people)
            for one in users:
                assert {group["value"] for group in one.get("groups", ())} == place.teams_of(one["id"])
                flat = {
                    **one,
                    **{
                        f"{ENTERPRISE_URN}:{name}": value
                        for name, value in one.pop(ENTERPRISE_URN, {}).items()
                    },
                }
                kept = {
                    name: value
                    for name, value in flat.items()
                    if name not in ("schemas", "id", "meta", "groups", ENTERPRISE_URN)
                }
                assert kept == place.people[one["id"]].shown()


@pytest.mark.parametrize(("examples", "steps"), [(20, 20), pytest.param(200, 40, marks=pytest.mark.long)])
def test_directories_are_as_the_model_says(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Directories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking asks for minutes, and what failed is told as it is.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
