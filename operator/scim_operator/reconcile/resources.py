"""The kinds reconcile reads besides users and groups."""

from __future__ import annotations

from scim_operator.api.kinds import (
    ACCESS_POLICY,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    VERSION,
)
from scim_operator.kube.resources import Resource

POLICIES = Resource(GROUP, VERSION, ACCESS_POLICY.plural, ACCESS_POLICY.kind)
# Bindings are many, ours are few: only those with our label are read.
OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
