"""Random writes as clients make them, about who is there and who isn't, and what each of them means."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.web.model import REFERENCE, Json, One, Place, Write
from tests.web.talk import PATCH_OP

Draw = st.DrawFn
NAMES = st.sampled_from(["ada", "Ada", "bob", "eve", "Zoë", "ZOË", "x y", 'q"uote', "\uff41\uff44\uff41"])
TITLES = st.sampled_from(["Dr", "Prof", ""])
MANAGER = f"{ENTERPRISE_URN}:manager"
DEPARTMENT = f"{ENTERPRISE_URN}:department"
METHODS = ("POST", "PUT", "PATCH", "DELETE")
KINDS = ("Users", "Groups")


@dataclass(frozen=True)
class Known:
    """Whom a write may be about: who is in its place, and all who ever were in any. `made`: by kind, what
    others of the same Bulk make.
    """

    place: Place
    ever: Sequence[str]
    made: dict[str, list[str]]

    def ids(self, kind: str = "") -> list[str]:
        """Who is there, or soon will be."""
        made = [name for one, names in self.made.items() if kind in ("", one) for name in names]
        return [*self.place.ids(kind), *made]


def somebody(draw: Draw, known: Known, kind: str = "") -> str:
    """Mostly one who is there."""
    pool = known.ids(kind) if draw(st.integers(0, 7)) else []
    # Of what others make only what may be named: a circle is none of the model's business.
    return draw(st.sampled_from(pool or [*known.ever, *known.place.ids(), *known.ids(kind)]))


def some(draw: Draw, known: Known) -> frozenset[str]:
    return frozenset(somebody(draw, known) for _ in range(draw(st.integers(0, 4))))


def as_members(ids: frozenset[str]) -> list[Json]:
    return [{"value": one} for one in sorted(ids)]


@st.composite
def writes(draw: Draw, known: Known, method: str, kind: str, alias: str = REFERENCE) -> Write:
    """One of a method."""
    make = {"POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}[method]
    write = make(draw, known, kind, alias)
    if method == "POST" or draw(st.integers(0, 3)):
        return write
    there = known.place.of(kind).get(write.id, One(""))
    return dataclasses.replace(write, version=there.version + draw(st.sampled_from([0, 0, 1])))


@st.composite
def bulks(draw: Draw, place: Place, ever: Sequence[str]) -> list[Write]:
    """Several in one request; they name each other, but never in a circle: users name users before them,
    groups all users and the groups before them, what makes nothing names everybody.
    """
    wanted = draw(
        st.lists(st.tuples(st.sampled_from(METHODS), st.sampled_from(KINDS)), min_size=1, max_size=8)
    )
    nobody = [f"{REFERENCE}nobody"] if draw(st.integers(0, 7)) == 0 else []
    aliases = {
        kind: [(n, f"{REFERENCE}{n}") for n, one in enumerate(wanted) if one == ("POST", kind)]
        for kind in KINDS
    }

    def before(number: int, kind: str) -> list[str]:
        return [alias for n, alias in aliases[kind] if n < number]

    def operation(number: int, method: str, kind: str) -> Write:
        users = before(number if (method, kind) == ("POST", "Users") else len(wanted), "Users")
        groups = before(number if method == "POST" else len(wanted), "Groups")
        known = Known(place, ever, {"Users": users, "Groups": groups + nobody})
        return draw(writes(known, method, kind, f"{REFERENCE}{number}"))

    return [operation(number, *one) for number, one in enumerate(wanted)]


# --- what each of them is ----------------------------------------------------------------------------------


def post(draw: Draw, known: Known, kind: str, alias: str) -> Write:
    """Of a new user, who may have a manager, or a new group with members."""
    name = draw(NAMES)
    if kind == "Groups":
        members = some(draw, known)
        body: Json = {"displayName": name, "members": as_members(members)}
        return Write("POST", kind, alias, body, lambda _: One(name, {}, members), members)
    active, title = draw(st.sampled_from([None, True, "False"])), draw(TITLES)
    values = {"active": active != "False"} | ({"title": title} if title else {})
    body = {"userName": name, "active": active, "title": title}
    if draw(st.booleans()):
        values[MANAGER] = somebody(draw, known, "Users")
        body[ENTERPRISE_URN] = {"manager": {"value": values[MANAGER]}}
    return Write("POST", kind, alias, body, lambda _: One(name, values))


def put(draw: Draw, known: Known, kind: str, alias: str) -> Write:
    """Members and `active` that aren't sent stay; all else goes."""
    id_, name = somebody(draw, known, kind), draw(NAMES)
    if kind == "Groups":
        members = draw(st.sampled_from([None, some(draw, known)]))
        body: Json = {"displayName": name} | ({} if members is None else {"members": as_members(members)})

        def team(before: One | None) -> One:
            assert before
            return One(name, {}, before.members if members is None else members, before.version)

        return Write("PUT", kind, id_, body, team, members or frozenset())
    active = draw(st.sampled_from([None, True, False]))

    def person(before: One | None) -> One:
        assert before
        kept = before.values["active"] if active is None else active
        return One(name, {"active": kept}, version=before.version)

    return Write(
        "PUT", kind, id_, {"userName": name} | ({} if active is None else {"active": active}), person
    )


def patch(draw: Draw, known: Known, kind: str, alias: str) -> Write:
    """Of a user's single values or a group's members."""
    id_ = somebody(draw, known, kind)
    return patch_group(draw, known, id_) if kind == "Groups" else patch_user(draw, known, id_)


def patch_user(draw: Draw, known: Known, id_: str) -> Write:
    """An operation for each value, by path or joined."""
    single = st.one_of(
        st.tuples(st.just("active"), st.booleans()),
        st.tuples(st.sampled_from(["title", "nickName", DEPARTMENT]), TITLES),
        st.tuples(st.just("userName"), NAMES),
        st.tuples(st.just(MANAGER), st.sampled_from(["", somebody(draw, known, "Users")])),
    )
    changes: list[tuple[str, Any]] = draw(st.lists(single, min_size=1, max_size=3))
    operations: list[Json] = [{"op": "Replace", "path": path, "value": value} for path, value in changes]
    if draw(st.booleans()):
        operations = [{"op": "replace", "value": {path: value}} for path, value in changes]

    def effect(before: One | None) -> One:
        assert before
        values = {"userName": before.name, **before.values}
        for path, value in changes:
            values.pop(path, None)
            values |= {} if value == "" else {path: value}
        return One(values.pop("userName"), values, version=before.version)

    return Write("PATCH", "Users", id_, {"schemas": [PATCH_OP], "Operations": operations}, effect)


def patch_group(draw: Draw, known: Known, id_: str) -> Write:
    """Members in every form, one after the other."""
    ops = draw(st.lists(st.sampled_from(["Add", "remove", "filter", "replace"]), min_size=1, max_size=3))
    # A reference can't stand in a filter.
    there = dataclasses.replace(known, made={})
    changes = [(op, some(draw, there if op == "filter" else known)) for op in ops]
    operations: list[Json] = []
    joins = frozenset[str]()
    for op, ids in changes:
        if op == "filter":
            operations += [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in sorted(ids)]
        else:
            operations.append({"op": op, "path": "members", "value": as_members(ids)})
        joins = after(op, joins, ids)

    def effect(before: One | None) -> One:
        assert before
        members = before.members
        for op, ids in changes:
            members = after(op, members, ids)
        return dataclasses.replace(before, members=members)

    sent = operations or [{"op": "add", "value": {}}]
    return Write("PATCH", "Groups", id_, {"schemas": [PATCH_OP], "Operations": sent}, effect, joins)


def after(op: str, members: frozenset[str], ids: frozenset[str]) -> frozenset[str]:
    """The members after an operation."""
    return ids if op == "replace" else members | ids if op == "Add" else members - ids


def delete(draw: Draw, known: Known, kind: str, alias: str) -> Write:
    """Of somebody."""
    return Write("DELETE", kind, somebody(draw, known, kind))
