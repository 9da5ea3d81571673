"""What freezes a directory: inputs that are missing, so that everybody would seem to leave."""

from __future__ import annotations

from collections.abc import Callable

from scim_operator.access.guard import Freeze
from scim_operator.directory.shards import SHARDS
from scim_operator.reconcile.absence import Absence
from scim_operator.reconcile.holders import Holders
from scim_operator.reconcile.world import World
from scim_operator.scim.schemas import USER


def cause_of(
    directory: str, world: World, holders: Holders, absence: Absence, now: Callable[[], str]
) -> Freeze | None:
    """Why nobody of a directory may lose access at this moment, None when there is no reason."""
    # Without shards nobody loses anything by large groups, and all else is known.
    missing = [why for kind, why in absence.missing.items() if kind != SHARDS]
    if missing:
        return Freeze("InputMissing", "; ".join(missing), now())
    if directory not in holders.directories():
        return None
    if world.directories.get(directory) is None:
        message = (
            f"ScimDirectory {directory!r} doesn't exist while people have access by it; make it again, or "
            f"take all of it away: scim-operator directory purge {directory}"
        )
        return Freeze("DirectoryMissing", message, now())
    if not world.index.count(directory, USER.name) and not world.index.is_emptied(directory):
        message = "there is no ScimUser at all while people have access; restore them, or approve who waits"
        return Freeze("NoUsers", message, now())
    return None
