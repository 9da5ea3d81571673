"""Groups of which shards are missing: nobody knows who is in them, so nobody leaves by them (rule 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scim_operator.access.places import Place
from scim_operator.reconcile.routes import GroupKey

if TYPE_CHECKING:
    from scim_operator.reconcile.world import World


def with_staying(
    world: World, place: Place, subjects: frozenset[str], group: GroupKey | None = None
) -> frozenset[str]:
    """These, and who stands at a place of such a group, or of one that it is in, and isn't disabled or gone.

    `group`: None at the place of an AccessGrant. Of a group of which all is known these, and the same set.
    """
    if group is None and world.grants.at(place) is not None:
        group = world.grants.group_of(place)
    if group is None or not world.people.is_unknown(group):
        return subjects
    ours = frozenset().union(*world.written(place).values())  # a stranger isn't kept by it
    standing = (name for kind, name in ours if kind == "User")
    return subjects | {
        name
        for name in standing
        if any(user.directory == group[0] for user in world.naming.called(name, "User"))
    }
