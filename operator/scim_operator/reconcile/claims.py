"""What is known about one namespace: which policies make it, and whether anybody is wanted there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from scim_operator.access.bindings import is_ours, own_place
from scim_operator.access.choice import Claim
from scim_operator.access.grants import creations_of
from scim_operator.access.namespaces import NamespaceFacts, is_made_by_us
from scim_operator.access.places import Place
from scim_operator.api.kinds import DIRECTORY_LABEL, POLICY_LABEL
from scim_operator.reconcile.world import World


def namespace_facts(world: World, name: str, now: str, steady: float = math.inf) -> NamespaceFacts:
    """What is known about a namespace at this moment. `now`: RFC 3339; `steady`: of the clock, in seconds."""
    namespace = world.namespaces.get(name)
    claims = frozenset([*_openers_claims(world, name), *_makers_claims(world, name, namespace)])
    label = _label(namespace, POLICY_LABEL)
    directories = {claim.directory for claim in claims}
    if all(claim.policy != label for claim in claims):
        directories |= {_label(namespace, DIRECTORY_LABEL)} - {""}
    named = {claim.creation.template for claim in claims}
    delays = [creation.delete_after for spec in world.routes.specs() for creation in creations_of(spec, name)]
    return NamespaceFacts(
        claims=claims,
        used=_is_used(world, name),
        frozen=any(world.directories.get(directory) is None for directory in directories),
        orphan=bool(label) and world.routes.spec(label) is None,
        closed=world.settings.is_closed(name),
        protected=world.settings.is_protected(name),
        namespace=namespace,
        templates={name: spec for name, spec in world.template_specs.items() if name in named},
        now=now,
        deletion=world.settings.deletion,
        delete_after=max(delays, default=math.inf),
        previewed=world.is_previewed(label),
        steady=steady,
    )


def namespaces_of_template(world: World, template: str) -> set[str]:
    """The namespaces that policies make, or would make, from a template."""
    routes = world.routes
    opened = {
        place.namespace
        for place in routes.places()
        for opening in routes.openers(place).values()
        if any(creation.template == template for creation in opening.creations)
    }
    return opened | {
        name
        for name, namespace in _ours(world)
        if any(claim.creation.template == template for claim in _makers_claims(world, name, namespace))
    }


def namespaces_labelled(world: World, label: str, value: str) -> set[str]:
    """Our namespaces with a label."""
    return {name for name, namespace in _ours(world) if _label(namespace, label) == value}


def our_namespaces(world: World) -> set[str]:
    """Those that we made or adopted."""
    return {name for name, _ in _ours(world)}


def _ours(world: World) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((item["metadata"]["name"], item) for item in world.namespaces if is_made_by_us(item))


def _openers_claims(world: World, name: str) -> Iterator[Claim]:
    for place in world.routes.in_namespace(name):
        if world.is_previewed(place.policy):
            continue
        openers = world.routes.openers(place)
        creations = {creation for opening in openers.values() for creation in opening.creations}
        if creations:
            wanted = _is_wanted(world, place)
            directory = next(key[0] for key in openers)
            yield from (Claim(place.policy, directory, creation, wanted) for creation in creations)


def _makers_claims(world: World, name: str, namespace: Mapping[str, Any] | None) -> Iterator[Claim]:
    """The policy on the label made it, and has its say even when no group opens it any more."""
    policy = _label(namespace, POLICY_LABEL)
    spec = world.routes.spec(policy)
    if spec is not None and not world.is_previewed(policy):
        for creation in creations_of(spec, name):
            yield Claim(policy, spec.directory, creation, False)


def _is_wanted(world: World, place: Place) -> bool:
    """True when the place's policy may give its role to somebody active there."""
    # A Role can be there only after its namespace.
    role_exists = place.kind == "Role" or place.role in world.roles
    openers = world.routes.openers(place)
    directories = [world.directories.get(key[0]) for key in openers]
    if not role_exists or any(spec is None or spec.access == "Hold" for spec in directories):
        return False
    return world.limits.refused(place) is None and _anybody_named_at(world, place)


def _anybody_named_at(world: World, place: Place) -> bool:
    """True when an active person gets the role of a place: the first one found will do."""
    kind = world.kind(place)
    for key in world.routes.openers(place):
        if not world.routes.is_settled(place.policy, key):
            continue
        active = world.people.active(place.policy, key)
        names = (world.subject(person) for person in active) if kind == "User" else iter(())
        if any(isinstance(name, str) and not world.locks.denies(name) for name in names):
            return True
        if kind == "Group" and world.subjects_of(place.policy, key, kind) and any(True for _ in active):
            return True
    return False


def _is_used(world: World, name: str) -> bool:
    """True when somebody active is meant to be there, or may be, whatever else keeps them, or a binding still
    stands.

    Those who come by a selector alone don't count: they follow namespaces, and don't need this one.
    """
    for place in world.routes.in_namespace(name):
        if world.is_previewed(place.policy):
            continue
        if _by_name(world, place) and any(
            world.people.is_unknown(key) or any(True for _ in world.people.active(place.policy, key))
            for key in world.routes.openers(place)
        ):
            return True
    return any(_stands(world, binding) for binding in world.role_bindings.within(name))


def _stands(world: World, binding: Mapping[str, Any]) -> bool:
    place = own_place(binding) if binding.get("subjects") and is_ours(binding) else None
    return place is not None and (not world.routes.openers(place) or _by_name(world, place))


def _by_name(world: World, place: Place) -> bool:
    return not all(opening.selected for opening in world.routes.openers(place).values())


def _label(namespace: Mapping[str, Any] | None, name: str) -> str:
    return str((namespace["metadata"].get("labels") or {}).get(name, "")) if namespace else ""
