"""Objects of one kind as last seen: what is older is dropped, and the dead stay dead."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.kube.cache import Cache, key_of, metadata_only

Object = dict[str, Any]


def item(name: str = "a", version: int = 1, uid: str = "u", namespace: str = "", **more: Any) -> Object:
    where = {"namespace": namespace} if namespace else {}
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": str(version), **where}, **more}


def version(cache: Cache, name: str = "a") -> str | None:
    found = cache.get(name)
    return found["metadata"]["resourceVersion"] if found else None


def test_newer_replaces_older_and_says_so() -> None:
    cache = Cache()
    assert cache.put(item(version=9))
    assert cache.put(item(version=10))
    assert not cache.put(item(version=10))
    assert not cache.put(item(version=9))
    assert version(cache) == "10"


def test_older_object_of_another_uid_does_not_replace_the_newer() -> None:
    cache = Cache()
    cache.put(item(version=5, uid="new"))
    assert not cache.put(item(version=4, uid="old"))
    cache.remove(item(version=6, uid="old"))
    assert version(cache) == "5"


def test_namesake_replaces() -> None:
    cache = Cache()
    cache.put(item(version=5, uid="old"))
    assert cache.put(item(version=7, uid="new"))
    cache.remove(item(version=6, uid="old"))
    assert version(cache) == "7"


def test_same_name_in_another_namespace_is_another_object() -> None:
    cache = Cache()
    cache.put(item(namespace="x"))
    assert cache.get("a") is None
    assert cache.get("a", "x") is not None
    assert "a" not in cache
    assert key_of(item(namespace="x")) == ("x", "a")


def test_listing_older_than_a_deletion_does_not_raise_the_dead() -> None:
    cache = Cache()
    cache.put(item(version=5))
    cache.remove(item(version=9))
    assert cache.listed([item(version=5)], "8") == set()
    assert not cache.put(item(version=6))
    assert cache.get("a") is None
    assert cache.put(item(version=10, uid="new"))


def test_deletion_that_was_seen_first() -> None:
    # The listing was on its way when the event came, and nothing was known yet.
    cache = Cache()
    cache.remove(item(version=9))
    cache.listed([item(version=5)], "8")
    assert cache.get("a") is None


def test_object_that_left_the_selector_may_be_read_again_at_once() -> None:
    # A stripped label comes as a deletion of that very version, and the object lives on.
    cache = Cache()
    cache.put(item(version=5))
    cache.remove(item(version=9))
    assert cache.put(item(version=9))


def test_what_we_deleted_ourselves_is_dead_as_last_seen() -> None:
    cache = Cache()
    seen = item(version=9)
    cache.put(seen)
    cache.removed_by_us(seen)
    assert not cache.put(item(version=9))
    assert cache.put(item(version=11, uid="new"))


def test_listing_says_what_changed_and_drops_ghosts() -> None:
    cache = Cache()
    for known in (item("ghost", 5), item("same", 5), item("older", 5), item("newer", 20)):
        cache.put(known)
    changed = cache.listed([item("same", 5), item("older", 7), item("added", 6)], "10")
    assert changed == {("", "ghost"), ("", "older"), ("", "added")}
    assert {key_of(obj)[1] for obj in cache} == {"same", "older", "added", "newer"}


def test_listed_once() -> None:
    cache = Cache()
    assert not cache.listed_once
    cache.listed([], "1")
    assert cache.listed_once


def test_deletions_are_not_remembered_for_ever() -> None:
    cache = Cache()
    for number in range(10_100):
        cache.remove(item(f"n{number}"))
    assert len(cache._deleted) <= 10_000


def test_walking_while_it_changes() -> None:
    cache = Cache()
    cache.put(item("a"))
    cache.put(item("b"))
    for obj in cache:
        cache.remove(obj)
    assert list(cache) == []


def test_only_metadata_is_kept_where_nobody_reads_more() -> None:
    cache = Cache(metadata_only)
    full = item(rules=[1])
    full["metadata"]["managedFields"] = [1]
    cache.put(full)
    kept = cache.get("a")
    assert kept is not None
    assert kept.keys() == {"metadata"}
    assert "managedFields" not in kept["metadata"]
    assert full["metadata"]["managedFields"] == [1]


# The life of one name: (version, uid or None for a deletion), as the API server would tell it.
LIVES = st.lists(st.sampled_from(["change", "delete", "make"]), min_size=1, max_size=8)


def told(steps: list[str]) -> list[tuple[str, Object]]:
    events: list[tuple[str, Object]] = []
    uid = 0
    alive = False
    for number, step in enumerate(steps, start=1):
        if step == "delete" and alive:
            events.append(("DELETED", item(version=number, uid=str(uid))))
            alive = False
        elif step == "make" and not alive:
            uid += 1
            alive = True
            events.append(("ADDED", item(version=number, uid=str(uid))))
        elif step == "change" and alive:
            events.append(("MODIFIED", item(version=number, uid=str(uid))))
    return events


def test_a_late_event_does_not_raise_what_a_listing_lacked() -> None:
    cache = Cache()
    assert cache.hear(item("first"))
    cache.listed([item("kept", version=5)], "10")
    assert not cache.hear(item("gone", version=9))
    assert cache.hear(item("kept", version=6))
    assert cache.hear(item("new", version=11))
    # What a quorum read has given is alive, whatever its version.
    cache.read_anew(item("gone", version=9))
    assert version(cache, "gone") == "9"


@settings(max_examples=300, deadline=None)
@given(LIVES, st.data())
def test_late_listings_change_nothing(steps: list[str], data: st.DataObject) -> None:
    """Whenever a listing of any moment arrives, the events that follow lead to what is there."""
    events = told(steps)
    cache = Cache()
    for position, (kind, obj) in enumerate(events):
        if kind == "DELETED":
            cache.remove(obj)
        else:
            cache.put(obj)
        moment = data.draw(st.integers(0, position))
        state, seen = events[moment]
        cache.listed([] if state == "DELETED" else [seen], seen["metadata"]["resourceVersion"])
        expected = None if kind == "DELETED" else obj
        assert cache.get("a") == expected
