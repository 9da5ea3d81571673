"""What an operator that started this moment would want, asked of the operator's own planner."""

from __future__ import annotations

from scim_operator.access.places import Settings
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, Resource
from scim_operator.reconcile.resources import POLICIES, TEMPLATES
from tests.faults.system import OURS, RBAC
from tests.installation import NAMESPACE
from tests.reconcile.worlds import Observer
from tests.sequences.findings import Found
from tests.sequences.oracle import Where
from tests.sequences.story import Object, Story

_PATHS = {
    DIRECTORIES: f"{OURS}/scimdirectories",
    USERS: f"{OURS}/scimusers",
    GROUPS: f"{OURS}/scimgroups",
    TEMPLATES: f"{OURS}/namespacetemplates",
    POLICIES: f"{OURS}/accesspolicies",
    NAMESPACES: "/api/v1/namespaces",
    CLUSTER_ROLES: f"{RBAC}/clusterroles",
}


def recomputed(story: Story, found: Found) -> list[str]:
    """Where the cluster differs from a full recompute; empty when nowhere.

    Roles that can't be granted now are the oracle's affair: what was there before may have stayed.
    """
    observer = Observer(Settings(frozenset({NAMESPACE, *story.model.protected})))
    for resource in _PATHS:
        observer.see((resource, "ADDED", item) for item in _items(story, resource))
    wanted = {
        Where(place.policy, place.role, place.namespace): frozenset(
            f"{observer.world.kind(place)}:{name}" for name in planned.subjects
        )
        for place, planned in observer.all_plans().items()
        if planned.subjects
    }
    grantable = story.model.roles & story.model.grantable
    wrong = [
        where
        for where in sorted(wanted.keys() | found.access.keys())
        if where.role in grantable and found.access.get(where) != wanted.get(where)
    ]
    return [
        f"{where} has {sorted(found.access.get(where, ()))}; a fresh start: {sorted(wanted.get(where, ()))}"
        for where in wrong
    ]


def _items(story: Story, resource: Resource) -> list[Object]:
    """The objects of a kind that may concern the story: those of others would only cost time."""
    path = _PATHS[resource]
    if resource in (USERS, GROUPS):
        selectors = [f"scim-operator.io/directory={name}" for name in story.model.directories]
        items = [item for selector in selectors for item in story.system.list(path, selector)]
    else:
        items = story.system.list(path)
        if resource != CLUSTER_ROLES:
            items = [item for item in items if item["metadata"]["name"].startswith(story.tag)]
    return [{"kind": resource.kind, **item} for item in items]
