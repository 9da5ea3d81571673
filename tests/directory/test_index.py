"""All users and groups in memory: what feeds it, what it refuses, what it finds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.directory.index import Index
from scim_operator.directory.records import filterable
from scim_operator.scim.errors import ScimError
from scim_operator.scim.filters import compile_filter
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER
from tests.directory.people import group, listed, user


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def index(*objects: dict[str, Any], clock: Clock | None = None) -> Index:
    made = Index(clock or Clock())
    for item in objects:
        made.put(item)
    return made


def found(made: Index, text: str, kind: str = "User", directory: str = "entra") -> list[str]:
    return [record.id for record in asyncio.run(made.find(directory, kind, text))]


def user_name(made: Index, name: str = "ada") -> str | None:
    record = made.named("User", name)
    return None if record is None else str(record.document["userName"])


# --- feeding -----------------------------------------------------------------------------------------------


def test_newer_replaces_older() -> None:
    made = index(user(version=1, userName="one"), user(version=2, userName="two"))
    assert user_name(made) == "two"


@pytest.mark.parametrize("version", [1, 2])
def test_older_or_same_is_dropped_and_the_newer_answered(version: int) -> None:
    made = index(user(version=2, userName="two"))
    record = made.put(user(version=version, userName="stale"))
    assert record is not None
    assert record.document["userName"] == "two"
    assert user_name(made) == "two"


def test_versions_are_numbers() -> None:
    assert user_name(index(user(version=10, userName="ten"), user(version=9, userName="nine"))) == "ten"


def test_older_object_of_another_uid_does_not_replace_the_newer() -> None:
    made = index(user(version=5, uid="new", userName="new"))
    assert made.put(user(version=4, uid="old", userName="old")) is None
    assert user_name(made) == "new"


def test_namesake_replaces_and_the_former_is_told() -> None:
    made = index(user(version=1, uid="old", identifier="1"), user(version=5, uid="new", identifier="2"))
    assert made.get("entra", "User", "1") is None
    assert made.get("entra", "User", "2") is not None
    assert made.count("entra", "User") == 1
    assert "1" not in made.holders("entra", "User", "userName", "ada")


def test_the_dead_stay_dead_for_a_while() -> None:
    clock = Clock()
    made = index(user(version=1), clock=clock)
    gone = made.evict("User", "ada", "uid-ada")
    assert gone is not None and gone.id == "id-ada"
    clock.now = 15 * 60
    assert made.put(user(version=2)) is None
    assert made.named("User", "ada") is None
    listed(made, "User", [user(version=2)], "3")
    assert made.named("User", "ada") is None


def test_tombstones_are_not_kept_for_ever() -> None:
    clock = Clock()
    made = index(clock=clock)
    for number in range(100):
        clock.now += 60
        made.evict("User", "ada", f"uid-{number}")
    assert len(made._tombstones) <= 16


def test_namesake_of_the_dead_lives() -> None:
    made = index(user(version=1, uid="old"))
    made.evict("User", "ada", "old")
    assert made.put(user(version=2, uid="new")) is not None


def test_late_deletion_of_the_former_leaves_the_namesake() -> None:
    made = index(user(version=2, uid="new"))
    assert made.evict("User", "ada", "old") is None
    assert made.named("User", "ada") is not None


def test_unreadable_object_is_logged_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    made = index()
    odd = user("odd")
    del odd["spec"]["meta"]
    assert made.put(odd) is None
    assert made.named("User", "odd") is None
    assert "odd" in caplog.text


# --- whole listings ----------------------------------------------------------------------------------------


def test_synced_when_both_kinds_were_listed() -> None:
    made = index(user(), group())
    assert not made.synced
    listed(made, "User", [], "1")
    assert not made.synced
    listed(made, "Group", [], "1")
    assert made.synced


def test_listing_drops_ghosts_but_nobody_newer() -> None:
    made = index(user("ghost", version=5), user("kept", version=5), user("new", version=11), group(version=5))
    gone = listed(made, "User", [user("kept", version=5)], "10")
    assert {record.name for record in gone} == {"ghost"}
    assert {record.name for record in made.records("User")} == {"kept", "new"}
    assert made.named("Group", "team") is not None


def test_listing_does_not_bury_what_it_lacks() -> None:
    made = index(user(version=5))
    listed(made, "User", [], "10")
    assert made.put(user(version=11)) is not None


def test_a_late_event_does_not_raise_whom_a_listing_lacked() -> None:
    made = index(user("known", version=5))
    listed(made, "User", [user("kept", version=9)], "10")
    for late in (user("known", version=8), user("never-seen", version=10)):
        assert made.put(late) is None
    assert made.put(user("kept", version=9)) is not None
    assert {record.name for record in made.records("User")} == {"kept"}
    # Of a store that was restored to an older state.
    listed(made, "User", [], "3")
    assert made.put(user("known", version=4)) is not None


def test_listing_older_than_an_event_does_not_undo_it() -> None:
    made = index(user(version=20, userName="new"))
    assert listed(made, "User", [user(version=5, userName="old")], "10") == set()
    assert user_name(made) == "new"


# --- look-ups ----------------------------------------------------------------------------------------------


def test_rename_moves_the_keys() -> None:
    made = index(user(version=1, userName="Old", externalId="X"), user(version=2, userName="New"))
    assert found(made, 'userName eq "old"') == []
    assert found(made, 'externalId eq "X"') == []
    assert found(made, 'userName eq "NEW"') == ["id-ada"]
    assert made.holders("entra", "User", "userName", "old") == set()


def test_empty_sets_are_not_kept() -> None:
    made = index()
    for number in range(50):
        made.put(user(version=number + 1, userName=f"name{number}", externalId=f"x{number}"))
        made.put(group(version=number + 1, members=[f"m{number}"]))
    assert len(made._by_key) == 3
    assert len(made._groups_of) == 1


def test_directories_do_not_see_each_other() -> None:
    made = index(
        user("ada-e", userName="ada", identifier="1"),
        user("ada-o", userName="ada", identifier="2", directory="okta"),
        group("team-o", ["1"], directory="okta"),
    )
    assert found(made, 'userName eq "ada"') == ["1"]
    assert found(made, 'userName eq "ada"', directory="okta") == ["2"]
    assert found(made, 'id eq "2"') == []
    assert made.get("entra", "User", "2") is None
    assert [record.id for record in made.all("entra", "User")] == ["1"]
    assert made.groups_of("entra", "1") == []
    assert made.holders("entra", "User", "userName", "ada") == {"1"}


def test_isolation_does_not_read_labels() -> None:
    made = index()
    labelled = user()
    labelled["metadata"]["labels"] = {"scim-operator.io/directory": "okta"}
    made.put(labelled)
    assert made.count("okta", "User") == 0
    assert made.count("entra", "User") == 1


def test_kinds_do_not_see_each_other() -> None:
    made = index(user("a", displayName="same"), group("b", displayName="same"))
    assert found(made, 'displayName eq "same"') == ["id-a"]
    assert found(made, 'displayName eq "same"', "Group") == ["id-b"]


def test_all_in_the_order_of_creation() -> None:
    made = index(
        user("c", born="2026-01-03T00:00:00Z"),
        user("a", born="2026-01-02T00:00:00Z"),
        user("b", born="2026-01-02T00:00:00Z"),
    )
    assert [record.name for record in made.all("entra", "User")] == ["a", "b", "c"]
    assert found(made, "userName pr") == [record.id for record in made.all("entra", "User")]


def test_page_is_a_slice_of_all() -> None:
    made = index(*(user(f"u{number}") for number in (3, 1, 4, 0, 2)))
    assert [record.name for record in made.page("entra", "User", 1, 3)] == ["u1", "u2"]
    made.put(user("u15"))
    made.evict("User", "u0", "uid-u0")
    assert [record.name for record in made.page("entra", "User", 0, 3)] == ["u1", "u15", "u2"]
    assert made.page("entra", "User", 9, 12) == []
    assert made.page("okta", "User", 0, 9) == []


def test_one_id_under_two_names_is_one_user() -> None:
    # A restore under another name; whoever was read last stands.
    made = index(user("a", identifier="1"))
    assert made.count("entra", "User") == 1
    made.put(user("b", identifier="1", version=2))
    assert [record.name for record in made.all("entra", "User")] == ["b"]
    made.evict("User", "a", "uid-a")
    assert [record.name for record in made.all("entra", "User")] == ["b"]
    made.evict("User", "b", "uid-b")
    assert made.all("entra", "User") == []


def test_groups_of_somebody() -> None:
    made = index(group("one", ["id-ada", "nobody"]), group("two", ["id-ada"]), group("three"))
    assert [record.name for record in made.groups_of("entra", "id-ada")] == ["one", "two"]
    # ids of the deleted stay in the groups until their next write; asking for them breaks nothing
    assert [record.name for record in made.groups_of("entra", "nobody")] == ["one"]
    assert made.groups_of("entra", "never") == []
    made.evict("Group", "one", "uid-one")
    assert [record.name for record in made.groups_of("entra", "id-ada")] == ["two"]


async def test_others_get_their_turn_while_a_filter_looks_at_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scim_operator.directory.unhurried._PORTION", 0.001)  # many, however fast the machine
    made = index(*(user(f"u{number}") for number in range(6_000)))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            made.put(user(f"late-{turns}"))
            await asyncio.sleep(0)

    working = asyncio.create_task(other())
    matching = await made.find("entra", "User", "userName pr")
    working.cancel()
    assert turns >= 3
    assert len(matching) == 6_000, "those of one moment"


def test_version_can_be_asked_for() -> None:
    made = index(user("ada"))
    assert found(made, 'meta.version eq "W/\\"1\\""') == found(made, "userName pr")
    assert found(made, 'meta.version eq "W/\\"2\\""') == []


def test_two_objects_with_one_id() -> None:
    made = index(group("one", ["id-ada"], identifier="g"), group("copy", ["id-bob"], identifier="g"))
    made.evict("Group", "copy", "uid-copy")
    assert all(record.id == "g" for record in made.groups_of("entra", "id-ada"))
    listed(made, "Group", [], "9")
    assert made.count("entra", "Group") == 0


@pytest.mark.parametrize(
    "text", ["userName", 'userName xx "a"', "", "(((", 'active gt "true"', 'userName eq "a" or']
)
def test_bad_filter_is_refused(text: str) -> None:
    with pytest.raises(ScimError) as caught:
        found(index(user()), text)
    assert caught.value.scim_type == "invalidFilter"


def test_filter_on_an_indexed_attribute_looks_at_candidates_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = index(*(user(f"u{number}") for number in range(100)), group("team", ["id-u1"]))
    seen: list[str] = []

    def counting(record: Any) -> Any:
        seen.append(record.name)
        return filterable(record)

    for name in ("filterable", "without_meta"):
        monkeypatch.setattr(f"scim_operator.directory.index.{name}", counting)
    for text in ('userName eq "U7"', 'id eq "id-u7"', 'active eq true and userName eq "u7"'):
        seen.clear()
        assert found(made, text) == ["id-u7"]
        assert seen == ["u7"]


WORDS = st.sampled_from(["ada", "Ada", "ADA", "bob", "x", "1", "true"])
EMAILS = st.lists(
    st.fixed_dictionaries({"value": WORDS}, optional={"type": st.sampled_from(["work", "Work", "home"])}),
    max_size=2,
)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {"userName": WORDS},
        optional={"externalId": WORDS, "displayName": WORDS, "emails": EMAILS, "active": st.booleans()},
    ),
    max_size=6,
)
TERMS = st.builds(
    "{} {} {}".format,
    st.sampled_from(
        [
            *("userName", "USERNAME", "externalId", "displayName", "id", "emails", "emails.value", "active"),
            *(
                'emails[type eq "work"].value',
                "nickName",
                f"{ENTERPRISE_URN}:department",
                "urn:x:displayName",
            ),
        ]
    ),
    st.sampled_from(["eq", "eq", "eq", "EQ", "ne", "sw"]),
    st.one_of(WORDS.map('"{}"'.format), st.sampled_from(["ada", '"id-p1"', "true", "null", "5"])),
)
VALUE_PATHS = st.builds(
    'emails[type eq "{}" and value eq "{}"]'.format, st.sampled_from(["work", "WORK", "home"]), WORDS
)
FILTERS = st.recursive(
    TERMS | VALUE_PATHS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=600, deadline=None)
@given(PEOPLE, FILTERS)
def test_find_agrees_with_looking_at_everybody(people: list[dict[str, Any]], text: str) -> None:
    made = index(*(user(f"p{number}", **document) for number, document in enumerate(people)))
    try:
        matches = compile_filter(USER, text)
    except ScimError:
        return
    expected = [
        record.id for record in made.all("entra", "User") if matches(filterable(record), record.members)
    ]
    assert found(made, text) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abc"), unique=True), max_size=4),
    st.sampled_from(
        [
            *(
                'members eq "a"',
                'members.value eq "b"',
                'members[value eq "c"]',
                'id eq "id-g1" and members eq "a"',
            ),
            *('not (members eq "a")', "members pr", 'displayName eq "G1"', 'members ne "a"'),
        ]
    ),
)
def test_find_of_groups_agrees_with_looking_at_all(memberships: list[list[str]], text: str) -> None:
    there = [user(name, identifier=name) for name in "ab"]  # c was deleted since
    made = index(*there, *(group(f"g{number}", members) for number, members in enumerate(memberships)))
    matches = compile_filter(GROUP, text)
    expected = [
        record.id
        for record in made.all("entra", "Group")
        if matches(filterable(record), set(record.members) & {"a", "b"})
    ]
    assert found(made, text, "Group") == expected


OBJECTS = st.builds(
    lambda kind, number, version, uid, name, members: (
        user(f"o{number}", version=version, uid=uid, identifier=f"i{number}{uid}", userName=name)
        if kind
        else group(
            f"o{number}", members, version=version, uid=uid, identifier=f"i{number}{uid}", displayName=name
        )
    ),
    st.booleans(),
    st.integers(0, 2),
    st.integers(1, 9),
    st.sampled_from("ab"),
    st.sampled_from(["x", "y"]),
    st.lists(st.sampled_from(["i0a", "i1a", "i1b"]), unique=True),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(OBJECTS, st.booleans()), max_size=15))
def test_indexes_are_those_of_what_is_there(events: list[tuple[dict[str, Any], bool]]) -> None:
    made = Index(lambda: 0.0)
    for item, deleted in events:
        if deleted:
            made.evict(
                {"ScimUser": "User", "ScimGroup": "Group"}[item["kind"]],
                item["metadata"]["name"],
                item["metadata"]["uid"],
            )
        else:
            made.put(item)
        for kind in ("User", "Group"):
            # Asked in between: from then on the order is kept, not made anew.
            ages = [record.meta.created + record.id for record in made.all("entra", kind)]
            assert ages == sorted(ages)
            assert len(ages) == made.count("entra", kind)
    again = Index(lambda: 0.0)
    for kind, original in (("User", user), ("Group", group)):
        for record in made.records(kind):
            more: dict[str, Any] = {"members": list(record.members)} if kind == "Group" else {}
            again.put(
                original(
                    record.name,
                    version=record.resource_version,
                    uid=record.uid,
                    identifier=record.id,
                    **record.document,
                    **more,
                )
            )
    # Which came first means nothing: both are read as sets.
    for look_up in ("_by_key", "_groups_of"):
        ids, anew = (vars(index)[look_up] for index in (made, again))
        assert {key: set(few) for key, few in ids.items()} == {key: set(few) for key, few in anew.items()}
    for kind in ("User", "Group"):
        assert [record.id for record in made.all("entra", kind)] == [r.id for r in again.all("entra", kind)]
