"""Policies, as short as a test wants them."""

from __future__ import annotations

from typing import Any

from scim_operator.access.places import Settings
from scim_operator.api.policy import PolicySpec

SETTINGS = Settings(frozenset({"scim-operator", "monitoring"}))
ROLES = ["admin", "edit", "view"]


def grant(role: str, namespace: str, *, create: bool = False) -> dict[str, Any]:
    """One grant."""
    return {"clusterRole": role, "namespaces": {"name": namespace, **({"create": {}} if create else {})}}


def policy(
    pattern: str = "k8s-{team}-{role}",
    *grants: dict[str, Any],
    where: dict[str, list[str]] | None = None,
    directory: str = "entra",
) -> PolicySpec:
    """A policy; by default {role} in team-{team}, which it makes."""
    limited = {"role": ROLES} if where is None and "{role}" in pattern else where or {}
    return PolicySpec.model_validate(
        {
            "groups": {"directory": directory, "displayName": pattern, "where": limited},
            "grants": list(grants) or [grant("{role}", "team-{team}", create=True)],
        }
    )
