"""AccessPolicy: which groups get which roles where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from scim_operator.api.base import LABEL_NAME, ApiModel, ObjectName, Status, rule, rules

CaptureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
CaptureValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class GroupSelector(ApiModel):
    """Which groups a policy speaks of."""

    directory: ObjectName = Field(description="The ScimDirectory whose groups are meant.")
    display_name: str = Field(
        min_length=1,
        max_length=256,
        pattern=r"^([^{}]|[{][a-z][a-z0-9_]*[}])+$",
        description=(
            "A pattern for the whole displayName: `*` matches anything, {name} captures one part, which is "
            "lower-cased and must be usable as part of a namespace's name. No regular expressions."
        ),
    )
    where: dict[CaptureName, Annotated[list[CaptureValue], Field(min_length=1, max_length=64)]] = Field(
        default_factory=dict,
        description="The values allowed for a capture; another value means that the group is not matched.",
        json_schema_extra={"maxProperties": 8},
    )


class NamespaceCreation(ApiModel):
    """How a missing namespace is made. Empty for now: a bare namespace with our labels."""


class NamespaceTarget(ApiModel):
    """In which namespaces a role is granted."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^([a-z0-9-]|[{][a-z][a-z0-9_]*[}])+$",
        description=(
            "The namespace's name; may hold captures. A captured name binds only in namespaces that the "
            "operator made or that carry the label scim-operator.io/allow-policy: the policy's name or `any`."
        ),
    )
    create: NamespaceCreation | None = Field(
        None,
        description="Make the namespace for the first active member. Absent: wait until somebody makes it.",
    )


class Grant(ApiModel):
    """One role in one place: in namespaces, or in the whole cluster."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.namespaces) != (has(self.cluster) && self.cluster)",
                "a grant needs exactly one of namespaces and cluster: true",
            )
        )
    )

    cluster_role: str = Field(
        min_length=1,
        max_length=253,
        description="A ClusterRole's name, or exactly one capture that `where` limits, such as {role}.",
        json_schema_extra=rules(
            rule(
                "self.matches('^[^{}]+$') || self.matches('^[{][a-z][a-z0-9_]*[}]$')",
                "a ClusterRole's name, or exactly one capture such as {role}",
            )
        ),
    )
    namespaces: NamespaceTarget | None = None
    cluster: bool = Field(
        False,
        description=(
            "Grant the role in the whole cluster, by a ClusterRoleBinding. Only with a groups.displayName "
            "that is one group's exact name."
        ),
    )


class PolicySpec(ApiModel):
    """The platform team's decision."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.grants.all(g, !has(g.namespaces) || g.namespaces.name.findAll('[{][a-z0-9_]*[}]')"
                ".all(c, self.groups.displayName.contains(c)))",
                "grants[].namespaces.name uses a capture that groups.displayName doesn't have",
            ),
            rule(
                "!self.grants.exists(g, has(g.cluster) && g.cluster) || "
                "!self.groups.displayName.matches('[*{]')",
                "a grant with cluster: true needs one group's exact name as groups.displayName, "
                "without * and captures",
            ),
            rule(
                "!has(self.groups.where) || self.groups.where.all(c, "
                "self.groups.displayName.contains('{' + c + '}'))",
                "groups.where names a capture that groups.displayName doesn't have",
            ),
        )
    )

    groups: GroupSelector
    subjects: Literal["Users", "Group"] = Field(
        "Users",
        description=(
            "Who stands in the bindings. Users: every active member by name; a leaver is out at once. "
            "Group: the group itself, named by the directory's subjects.group; then it's the people's tokens "
            "that say who is in it, and a leaver keeps access until the token ends."
        ),
    )
    grants: list[Grant] = Field(
        min_length=1,
        max_length=256,
        description="What the members of the groups get.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class PolicyStatus(Status):
    """What the policy does at this moment."""

    groups: int | None = Field(None, description="How many groups match.")
    people: int | None = Field(None, description="How many different people stand in its bindings.")
    bindings: int | None = Field(None, description="How many bindings are in place.")
    namespaces: int | None = Field(None, description="How many namespaces they stand in.")


class AccessPolicy(ApiModel):
    """Which groups get which roles where. The author must hold `bind` on every role named."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: PolicySpec
    status: PolicyStatus | None = None
