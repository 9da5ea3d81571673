"""What a group has by the name that its access goes by, and what it would have by its displayName."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from scim_operator.access.bindings import is_ours
from scim_operator.access.grants import GroupNames
from scim_operator.access.places import LITERAL, Opened, Opening, Place, widest
from scim_operator.access.plan import Facts, is_reached
from scim_operator.access.renames import Held, Outlook, Right, Rights, decide
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.world import World


def outlook_of(world: World, group: GroupKey, names: GroupNames) -> Outlook:
    """As things are at this moment. A policy in Preview gives nothing, but opens what it would give: it may
    be there for a look only."""
    held, followed = _given(world, group)
    return Outlook(
        given=held,
        followed=followed,
        old=_within_limits(world, _opened(world, group, names.granted_as or "")),
        new=_opened(world, group, names.display_name),
        granted=frozenset(map(Right.of, world.grants.waiting_for(group[0], names.display_name))),
    )


def decide_name(
    world: World, group: GroupKey, before: Held | None = None, listed: bool = False
) -> Literal["stays", "moves"] | Held:
    """What becomes of a group's displayName; it stays while nobody knows which names are protected."""
    names = world.routes.names_of(group)
    if names is None or world.directories.get(group[0]) is None:
        return "stays"
    return decide(names, partial(outlook_of, world, group, names), before, listed)


def held_names(world: World) -> dict[GroupKey, Held]:
    """The new names that wait, as far as that can be told without the ledger."""
    decisions = ((group, decide_name(world, group)) for group in world.routes.renamed)
    return {group: decision for group, decision in decisions if isinstance(decision, Held)}


def _given(world: World, group: GroupKey) -> tuple[frozenset[Right], frozenset[Right]]:
    """What really comes of the openings, where names are held and where they are followed."""
    given: dict[bool, set[Right]] = {True: set(), False: set()}
    for policy in world.routes.in_directory(group[0]):
        spec = world.routes.spec(policy)
        if spec is not None and spec.groups is not None:
            given[spec.groups.on_rename == "Hold"].update(_given_by(world, policy, group))
    return frozenset(given[True]), frozenset(given[False])


def _given_by(world: World, policy: str, group: GroupKey) -> Iterator[Right]:
    """No place that is somebody else's, or one too many."""
    routes = world.routes
    opened, subject = routes.opened(policy, group), routes.subject_kind(policy) or "User"
    if not opened.matched or world.is_previewed(policy) or not routes.is_settled(policy, group):
        return
    if subject == "Group" and not world.subjects_of(policy, group, subject):
        return
    # What its people have, the group may have as well; the other way round that's something new.
    for kind in ("User", "Group") if subject == "User" else ("Group",):
        for place, _ in opened.places:
            if _is_given(world, place):
                yield Right.of(place, kind)
        if not routes.is_crowded(policy):
            yield from _selected(opened, kind)


def _opened(world: World, group: GroupKey, name: str) -> Rights:
    rights = {}
    for policy, opened in world.routes.opened_by(group, name).items():
        subject = world.routes.subject_kind(policy) or "User"
        found: dict[Right, Opening] = {Right.of(place, subject): how for place, how in opened.places}
        found |= dict.fromkeys(_selected(opened, subject), LITERAL)
        if found:
            rights[policy] = found
    return rights


def _within_limits(world: World, rights: Rights) -> Rights:
    """Without what a policy's maxNamespaces refuses: another place that goes may make room for it."""
    return {
        policy: {
            right: how
            for right, how in found.items()
            if not right.namespace
            or world.limits.refused(Place(policy, right.role, right.namespace, right.kind)) is None
        }
        for policy, found in rights.items()
    }


def _selected(opened: Opened, subject: str) -> Iterator[Right]:
    for kind, role, selector in opened.selected:
        yield Right(kind, role, "", subject, selector)


def _is_given(world: World, place: Place) -> bool:
    """People aside: who is nobody yet, or not active, would have it."""
    facts = Facts(
        directory="",
        directory_exists=True,
        opening=widest(list(world.routes.openers(place).values())),
        kind="User",
        subjects=frozenset(),
        anybody=False,
        namespace=world.namespaces.get(place.namespace),
        role_exists=True,
        limit=world.limits.refused(place),
        closed=world.settings.is_closed(place.namespace),
    )
    return is_reached(place, facts) and all(map(is_ours, world.bindings(place).values()))
