"""The kinds reconcile reads besides users and groups."""

from __future__ import annotations

from scim_operator.api.kinds import (
    ACCESS_GRANT,
    ACCESS_LOCK,
    ACCESS_POLICY,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    NAMESPACE_TEMPLATE,
    REMOVAL_HOLD,
    VERSION,
)
from scim_operator.kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    LIMIT_RANGES,
    NETWORK_POLICIES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    Resource,
)

POLICIES = Resource(GROUP, VERSION, ACCESS_POLICY.plural, ACCESS_POLICY.kind)
TEMPLATES = Resource(GROUP, VERSION, NAMESPACE_TEMPLATE.plural, NAMESPACE_TEMPLATE.kind)
GRANTS = Resource(GROUP, VERSION, ACCESS_GRANT.plural, ACCESS_GRANT.kind)
LOCKS = Resource(GROUP, VERSION, ACCESS_LOCK.plural, ACCESS_LOCK.kind)
HOLDS = Resource(GROUP, VERSION, REMOVAL_HOLD.plural, REMOVAL_HOLD.kind)
# What templates put into namespaces, whatever the chart's values allow besides.
CONTENTS = (RESOURCE_QUOTAS, LIMIT_RANGES, NETWORK_POLICIES)
BINDINGS = (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)
# Of bindings, and of what may lie in any namespace, only those with our label are read: ours are few.
OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
