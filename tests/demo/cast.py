"""Who and what takes part: the tenant's people and groups, the platform team's policies."""

from __future__ import annotations

from tests.entra import Person

DIRECTORY = "entra"

ALICE = Person("alice@example.com", "Alice", "Nguyen", "Payments")
BOB = Person("bob@example.com", "Bob", "Okafor", "Payments")
CAROL = Person("carol@example.com", "Carol", "Silva", "Finance")
DAVE = Person("dave@example.com", "Dave", "Lindqvist", "Platform")
MALLORY = Person("mallory@example.com", "Mallory", "Green", "Marketing")
PEOPLE = (ALICE, BOB, CAROL, DAVE, MALLORY)

EDITORS, VIEWERS, ADMINS = "k8s-payments-edit", "k8s-payments-view", "k8s-platform-admin"
# Whoever may name a group in the tenant can name one like this.
HOSTILE = "k8s-kube-system-admin"
GROUPS = {EDITORS: (ALICE, BOB), VIEWERS: (CAROL,), ADMINS: (DAVE,), HOSTILE: (MALLORY,)}

# In the cluster alone: may write policies, may bind no role.
AUTHOR = "erin@example.com"

TEAMS = """\
apiVersion: scim-operator.io/v1alpha1
kind: AccessPolicy
metadata: {name: teams}
spec:
  groups:
    directory: entra
    displayName: "k8s-{team}-{role}"
    where: {role: [view, edit, admin]}
  grants:
  - {clusterRole: "{role}", namespaces: {name: "{team}", create: {}}}
"""

BREAK_GLASS = """\
apiVersion: scim-operator.io/v1alpha1
kind: AccessPolicy
metadata: {name: break-glass}
spec:
  groups: {directory: entra, displayName: k8s-platform-admin}
  grants:
  - clusterRole: cluster-admin
    namespaces: {name: platform}
"""

# What erin tries: her own group, a role she was never allowed to hand out.
ERINS = """\
apiVersion: scim-operator.io/v1alpha1
kind: AccessPolicy
metadata: {name: erins}
spec:
  groups: {directory: entra, displayName: erins-friends}
  grants:
  - clusterRole: admin
    namespaces: {name: payments}
"""
