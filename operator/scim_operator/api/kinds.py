"""The names of our kinds, fixed once: group, version, plural, short names, printer columns."""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "scim-operator.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "scim"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "scim-operator"
POLICY_LABEL = f"{GROUP}/policy"
GRANT_LABEL = f"{GROUP}/grant"
GRANT_UID_LABEL = f"{GROUP}/grant-uid"
DIRECTORY_LABEL = f"{GROUP}/directory"
SHARDS_LABEL = f"{GROUP}/shards"
ALLOW_POLICY_LABEL = f"{GROUP}/allow-policy"
TEMPLATE_LABEL = f"{GROUP}/template"
MADE_ANNOTATION = f"{GROUP}/made"
ADOPTED_ANNOTATION = f"{GROUP}/adopted"
UNUSED_ANNOTATION = f"{GROUP}/unused-since"
FROM_TEMPLATE_ANNOTATION = f"{GROUP}/from-template"
WRITTEN_ANNOTATION = f"{GROUP}/written"
REQUEST_ANNOTATION = f"{GROUP}/request"
GRANTED_AS_ANNOTATION = f"{GROUP}/granted-as"
# On a token that was made for a test and goes with it: nobody need know that it ends.
PASSING_LABEL = f"{GROUP}/passing"
TOKEN_SECRET_TYPE = f"{GROUP}/token"


@dataclass(frozen=True)
class Column:
    """A printer column. `wide` columns show with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


@dataclass(frozen=True)
class Kind:
    """A custom resource's names, as `kubectl` shows them."""

    kind: str
    plural: str
    short: str
    columns: tuple[Column, ...]
    # What `kubectl get` lists it with; None: it isn't for people.
    category: str | None = CATEGORY

    @property
    def singular(self) -> str:
        """`scimuser` for ScimUser."""
        return self.kind.lower()


_READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_REASON = '.status.conditions[?(@.type=="Ready")].reason'
_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_SYNCED = Column(
    "Synced", ".spec.meta.lastModified", "date", description="How long ago the provider last changed it."
)

SCIM_DIRECTORY = Kind(
    "ScimDirectory",
    "scimdirectories",
    "scd",
    (
        Column("Provider", ".spec.provider"),
        Column("URL", ".status.url"),
        Column("Users", ".status.users", "integer"),
        Column("Groups", ".status.groups", "integer"),
        Column("Last Request", ".status.lastRequestTime", "date"),
        # `date` shows times to come as <invalid>.
        Column("Token Expires", ".status.tokenExpires"),
        _READY,
        _AGE,
    ),
)

SCIM_USER = Kind(
    "ScimUser",
    "scimusers",
    "scu",
    (
        Column("User", ".spec.userName"),
        Column("Active", ".spec.active", "boolean"),
        Column("Directory", ".spec.directory"),
        Column("Groups", ".status.groups", "integer"),
        _READY,
        _SYNCED,
        _AGE,
        Column("Grants", ".status.grantsTotal", "integer", wide=True),
        Column("Email", ".spec.emails[0].value", wide=True),
        Column("External-ID", ".spec.externalId", wide=True),
    ),
)

SCIM_GROUP = Kind(
    "ScimGroup",
    "scimgroups",
    "scg",
    (
        Column("Display", ".spec.displayName"),
        Column("Directory", ".spec.directory"),
        Column("Members", ".status.members", "integer"),
        Column("Bindings", ".status.bindings", "integer"),
        Column("Namespaces", ".status.namespaces", "integer"),
        _READY,
        _SYNCED,
        _AGE,
        Column("Reason", _REASON, wide=True),
    ),
)

SCIM_GROUP_SHARD = Kind(
    "ScimGroupShard",
    "scimgroupshards",
    "scgs",
    (
        Column("Directory", ".spec.directory"),
        Column("Group", ".spec.group", description="The SCIM id of the group."),
        Column("Generation", ".spec.generation", "integer"),
        Column("Number", ".spec.number", "integer"),
        _SYNCED,
        _AGE,
    ),
    category=None,
)

ACCESS_POLICY = Kind(
    "AccessPolicy",
    "accesspolicies",
    "acp",
    (
        Column("Directory", ".spec['groups','people'].directory"),
        Column("Pattern", ".spec.groups.displayName"),
        Column("Groups", ".status.groups", "integer"),
        Column("People", ".status.people", "integer"),
        Column("Bindings", ".status.bindings", "integer"),
        Column("Namespaces", ".status.namespaces", "integer"),
        _READY,
        Column("Reason", _REASON),
        _AGE,
    ),
)

ACCESS_LOCK = Kind(
    "AccessLock",
    "accesslocks",
    "alk",
    (
        Column("Subject", ".status.subject"),
        # `date` shows times to come as <invalid>.
        Column("Until", ".spec.until"),
        Column("Reason", ".spec.reason"),
        _READY,
        Column("State", _REASON, description="Why Ready is what it is: Locked, Ended, or what is wrong."),
        _AGE,
        Column("User", ".spec.userName", wide=True),
        Column("Removed", ".status.removedTotal", "integer", wide=True),
    ),
)

ACCESS_GRANT = Kind(
    "AccessGrant",
    "accessgrants",
    "acg",
    (
        Column("Who", ".status.who"),
        Column("Role", ".spec['clusterRole','role']"),
        Column("Namespace", ".spec.namespace"),
        Column("Until", ".spec.until"),
        Column("Requested By", ".spec.requestedBy"),
        _READY,
        Column("State", _REASON, description="Why Ready is what it is: Active, Ended, or what is wrong."),
        _AGE,
        Column("Reason", ".spec.reason", wide=True),
        Column("People", ".status.people", "integer", wide=True),
    ),
)

NAMESPACE_TEMPLATE = Kind(
    "NamespaceTemplate",
    "namespacetemplates",
    "nst",
    (
        Column("Namespaces", ".status.namespaces", "integer"),
        Column("Enforce", ".spec.podSecurity.enforce", description="The pod security level enforced."),
        _READY,
        Column("Reason", _REASON),
        _AGE,
    ),
)

REMOVAL_HOLD = Kind(
    "RemovalHold",
    "removalholds",
    "rmh",
    (
        Column("Waiting", ".status.waiting", "integer", description="Removals that wait for approval."),
        Column("Additions", ".status.additionsWaiting", "integer", description="Additions that do."),
        Column("Hash", ".status.hash", description="What spec.approve has to say."),
        Column("Additions-Hash", ".status.additionsHash", wide=True),
        Column("Frozen", ".status.frozen.reason"),
        _READY,
        _AGE,
    ),
)
