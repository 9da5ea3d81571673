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

from scim_operator.directory import layout
from scim_operator.directory.index import Index
from scim_operator.directory.records import RESOURCES
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.resources import Resource
from scim_operator.scim.attributes import fold
from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.web.endpoint import Endpoint
from tests.web.model import REFERENCE, Json, Outcome, Place, Write
from tests.web.talk import Talk
from tests.web.writes import DEPARTMENT, KINDS, MANAGER, NAMES, Known, bulks, writes

DIRECTORIES = st.sampled_from(["entra", "okta"])
# Without what is derived.
STORED = ("userName", "active", "title", "nickName", DEPARTMENT, MANAGER)


def feed(index: Index, resource: Resource, event: str, obj: Json) -> None:
    """The watch, a moment later."""
    name, uid = obj["metadata"]["name"], obj["metadata"]["uid"]
    if resource == SHARDS and event == "DELETED":
        index.evict_shard(name, uid)
    elif resource == SHARDS:
        index.put_shard(obj)
    elif event == "DELETED":
        index.evict(next(kind for kind, known in RESOURCES.items() if known == resource), name, uid)
    else:
        index.put(obj)


def stored(user: Json) -> Json:
    """Of a user as shown, what was written: extensions flat, a manager by id."""
    extension = {f"{ENTERPRISE_URN}:{name}": value for name, value in user.get(ENTERPRISE_URN, {}).items()}
    shown = {name: value for name, value in {**user, **extension}.items() if name in STORED}
    return {name: value["value"] if name == MANAGER else value for name, value in shown.items()}


class Directories(RuleBasedStateMachine):
    """The endpoint, and what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.places = {"entra": Place(), "okta": Place()}
        self.ever = ["no-such-id"]
        # What was shown of each version of somebody's `meta`.
        self.metas: dict[tuple[str, str], Json] = {}

    @initialize(data=st.data())
    def connect(self, data: st.DataObject) -> None:
        async def made() -> Endpoint:
            endpoint = Endpoint()
            await endpoint.server.start_server()
            endpoint.api.watcher = lambda *event: feed(endpoint.index, *event)
            return endpoint

        self.endpoint = self.runner.run(made())
        self.talks = {name: Talk(self.endpoint, name) for name in self.places}
        for directory in self.places:
            for kind in ("Users", "Users", "Groups"):
                self.write(data, directory, "POST", kind)

    def teardown(self) -> None:
        self.runner.run(self.endpoint.http.close())
        self.runner.close()

    def ask(self, directory: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        return self.runner.run(self.talks[directory](method, path, body, status))

    # --- writes --------------------------------------------------------------------------------------------

    def write(self, data: st.DataObject, directory: str, method: str, kind: str) -> None:
        place = self.places[directory]
        write = data.draw(writes(Known(place, self.ever, {}), method, kind))
        wanted = place.carry_out(write)
        headers = {} if write.version is None else {"If-Match": f'W/"{write.version}"'}
        talk = self.talks[directory](method, write.path, write.body, wanted.status, headers)
        said = self.runner.run(talk)
        if wanted.status == 201:
            self.born(place, REFERENCE, said["id"])

    def born(self, place: Place, alias: str, id_: str) -> None:
        place.called(alias, id_)
        self.ever.append(id_)

    @rule(data=st.data(), directory=DIRECTORIES, kind=st.sampled_from(KINDS))
    def post(self, data: st.DataObject, directory: str, kind: str) -> None:
        self.write(data, directory, "POST", kind)

    @rule(data=st.data(), directory=DIRECTORIES, kind=st.sampled_from(KINDS))
    def put(self, data: st.DataObject, directory: str, kind: str) -> None:
        self.write(data, directory, "PUT", kind)

    @rule(data=st.data(), directory=DIRECTORIES)
    def patch_user(self, data: st.DataObject, directory: str) -> None:
        self.write(data, directory, "PATCH", "Users")

    @rule(data=st.data(), directory=DIRECTORIES)
    def patch_group(self, data: st.DataObject, directory: str) -> None:
        self.write(data, directory, "PATCH", "Groups")

    @rule(data=st.data(), directory=DIRECTORIES, kind=st.sampled_from(KINDS))
    def delete(self, data: st.DataObject, directory: str, kind: str) -> None:
        self.write(data, directory, "DELETE", kind)

    @rule(data=st.data(), directory=DIRECTORIES, errors=st.sampled_from([None, None, 1, 2]))
    def bulk(self, data: st.DataObject, directory: str, errors: int | None) -> None:
        place = self.places[directory]
        asked: list[Write] = data.draw(bulks(place, self.ever))
        body: Json = {"Operations": [write.operation() for write in asked]}
        said = self.ask(
            directory, "POST", "/Bulk", body | ({} if errors is None else {"failOnErrors": errors})
        )
        wanted = place.carry_out_all(asked, errors)
        results = dict(zip(sorted(wanted), said["Operations"], strict=True))
        assert {number: told(result) for number, result in results.items()} == wanted
        for number, result in results.items():
            write = asked[number]
            assert result["method"] == write.method
            assert result.get("bulkId") == write.operation().get("bulkId")
            if wanted[number].status == 201:
                self.born(place, write.id, result["location"].rpartition("/")[2])

    @rule()
    def disturb(self) -> None:
        """Somebody else writes every object right before our next write: a conflict, and nobody's concern."""

        def conflict(verb: str, plural: str) -> None:
            if verb in ("replace", "delete"):
                self.endpoint.api.before = None
                for resource in (*RESOURCES.values(), SHARDS):
                    for obj in self.endpoint.api.all(resource):
                        self.endpoint.api.put(resource, obj)

        self.endpoint.api.before = conflict

    @rule()
    def settle(self) -> None:
        """What is to come to the shards of large groups comes: nobody sees it."""
        intended = list(self.endpoint.intended)
        self.endpoint.intended.clear()
        for group in intended:
            self.runner.run(self.endpoint.settler.settle(group))

    # --- reads ---------------------------------------------------------------------------------------------

    @rule(data=st.data(), directory=DIRECTORIES, kind=st.sampled_from(KINDS))
    def get(self, data: st.DataObject, directory: str, kind: str) -> None:
        id_ = data.draw(st.sampled_from(self.ever))
        self.ask(
            directory, "GET", f"/{kind}/{id_}", None, 200 if id_ in self.places[directory].of(kind) else 404
        )

    @rule(data=st.data(), directory=DIRECTORIES, name=NAMES, search=st.booleans())
    def filter(self, data: st.DataObject, directory: str, name: str, search: bool) -> None:
        place, id_ = self.places[directory], data.draw(st.sampled_from(self.ever))
        literal = name.replace('"', '\\"')
        leavers = {one for one, person in place.people.items() if not person.values["active"]}
        led = {one for one, person in place.people.items() if person.values.get(MANAGER) == id_}
        professors = {one for one, person in place.people.items() if person.values.get("title") == "Prof"}
        for kind, text, wanted in (
            ("Users", f'userName eq "{literal}"', {place.holder("Users", name)} - {None}),
            ("Groups", f'displayName eq "{literal}"', {place.holder("Groups", name)} - {None}),
            ("Users", f'id eq "{id_}"', {id_} & place.people.keys()),
            ("Groups", f'members eq "{id_}"', place.teams_of(id_)),
            ("Users", f'manager eq "{id_}"', led),
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

    @rule(directory=DIRECTORIES, kind=st.sampled_from(KINDS), count=st.integers(1, 3))
    def pages_by_cursor(self, directory: str, kind: str, count: int) -> None:
        shown: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.ask(directory, "GET", f"/{kind}?cursor={cursor}&count={count}&attributes=id")
            shown += [one["id"] for one in page["Resources"]]
            cursor = page.get("nextCursor")
        assert sorted(shown) == sorted(self.places[directory].of(kind))

    @invariant()
    def everything_is_as_it_must_be(self) -> None:
        for directory, place in self.places.items():
            users = self.ask(directory, "GET", "/Users")["Resources"]
            groups = self.ask(directory, "GET", "/Groups")["Resources"]
            assert {one["id"]: {"userName": one["userName"], **stored(one)} for one in users} == {
                id_: {"userName": person.name, **person.values} for id_, person in place.people.items()
            }
            assert {one["id"]: one["displayName"] for one in groups} == {
                id_: team.name for id_, team in place.teams.items()
            }
            for one in users:
                assert {group["value"] for group in one.get("groups", ())} == place.teams_of(one["id"])
            for one in groups:
                members = [member["value"] for member in one.get("members", ())]
                assert sorted(members) == sorted(place.teams[one["id"]].members)
            for one in (*users, *groups):
                version = place.of(f"{one['meta']['resourceType']}s")[one["id"]].version
                assert one["meta"]["version"] == f'W/"{version}"', "an effect, another version; else none"
                assert one["meta"] == self.metas.setdefault((one["id"], one["meta"]["version"]), one["meta"])


def told(result: Json) -> Outcome:
    """What a Bulk says of an operation."""
    version = result.get("version")
    return Outcome(int(result["status"]), None if version is None else int(version.split('"')[1]))


@pytest.fixture(params=["inline", "sharded"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups as they are, or large ones from three members on."""
    if request.param == "sharded":
        for name, value in {
            "MOST_INLINE": 2,
            "_INLINE_AGAIN": 1,
            "_AIM": 1,
            "_MOST": 2,
            "_FEWEST": 1,
        }.items():
            monkeypatch.setattr(layout, name, value)
        monkeypatch.setattr(layout, "MAX_PENDING", 3)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize(("examples", "steps"), [(15, 20), pytest.param(150, 40, marks=pytest.mark.long)])
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
