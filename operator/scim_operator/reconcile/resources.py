"""The kinds reconcile reads besides users and groups."""

from __future__ import annotations

from scim_operator.api.kinds import (
    ACCESS_POLICY,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    VERSION,
)
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, Resource

POLICIES = Resource(GROUP, VERSION, ACCESS_POLICY.plural, ACCESS_POLICY.kind)
BINDINGS = (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
# Bindings are many, ours are few: only those with our label are read.
OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
