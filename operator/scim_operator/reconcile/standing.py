"""Where somebody stands, whatever is wanted: looks through all bindings, for what is rare and must be out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from scim_operator.access.bindings import Content, Who, content, own_place
from scim_operator.access.places import Place
from scim_operator.kube.cache import key_of
from scim_operator.reconcile.world import World


def standing_at(world: World, name: str) -> set[Place]:
    """The places in whose bindings a person's name stands."""
    who: Who = ("User", name)
    return {place for place, held in _all_held(world) if who in held.standing}


def places_of_name(world: World, name: str) -> set[Place]:
    """Where people of that name belong to, or stand all the same."""
    belonging = (world.places_of(user) for user in world.naming.bearers(name, "User"))
    return standing_at(world, name).union(*belonging)


def overdue(world: World) -> set[Place]:
    """The places where somebody stands who must be out before anything else is done."""
    bound = ((own_place(item), item) for item in chain(world.role_bindings, world.cluster_role_bindings))
    ended = {
        place
        for place, item in bound
        if place is not None and (world.is_over(place) or world.is_former(place, item))
    }
    return ended.union(*(standing_at(world, name) for name in world.locks.names()))


def _all_held(world: World) -> Iterator[tuple[Place, Content]]:
    for cache in (world.role_bindings, world.cluster_role_bindings):
        for binding in cache:
            place = own_place(binding)
            namespace, name = key_of(binding)
            held = cache.derived(name, namespace, content) if place is not None else None
            if place is not None and held is not None and held.ours:
                yield place, held
