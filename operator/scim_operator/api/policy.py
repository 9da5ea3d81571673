"""AccessPolicy: which groups get which roles where."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from scim_operator.api.base import LABEL_NAME, ApiModel, ObjectName, Status, rule, rules
from scim_operator.api.durations import Duration

CaptureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
CaptureValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]

ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]

# CEL: the pattern over group names, empty when there is none.
_PATTERN = "(has(self.groups) && has(self.groups.displayName) ? self.groups.displayName : '')"


def _role(what: str) -> Any:
    return Field(
        None,
        min_length=1,
        max_length=253,
        description=f"{what}: its name, or exactly one capture that `where` limits, such as {{role}}.",
        json_schema_extra=rules(
            rule(
                "self.matches('^[^{}]+$') || self.matches('^[{][a-z][a-z0-9_]*[}]$')",
                "a role's name, or exactly one capture such as {role}",
            )
        ),
    )


class GroupSelector(ApiModel):
    """Which groups a policy speaks of: by a pattern over their names, or by their ids in the provider."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.displayName) != has(self.externalIds)",
                "groups needs exactly one of displayName and externalIds",
            ),
            rule("!has(self.where) || has(self.displayName)", "where limits captures of displayName"),
        )
    )

    directory: ObjectName = Field(description="The ScimDirectory whose groups are meant.")
    display_name: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        pattern=r"^([^{}]|[{][a-z][a-z0-9_]*[}])+$",
        description=(
            "A pattern for the whole displayName: `*` matches anything, {name} captures one part, which is "
            "lower-cased and must be usable as part of a namespace's name. No regular expressions."
        ),
    )
    external_ids: list[ExternalId] | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="The groups by externalId, Entra's object id: these, whatever they are called.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    where: dict[CaptureName, Annotated[list[CaptureValue], Field(min_length=1, max_length=64)]] = Field(
        default_factory=dict,
        description="The values allowed for a capture; another value means that the group is not matched.",
        json_schema_extra={"maxProperties": 8},
    )
    on_rename: Literal["Hold", "Follow"] = Field(
        "Hold",
        description=(
            "What a group's new displayName gives. Hold: a role or a place that it didn't have waits for "
            "approval, and until then the group goes on under the name it had; what gives nothing new is "
            "followed at once. Follow: always followed; whoever may rename a group in the provider then "
            "chooses what it gives. Groups meant by externalIds are what they are under any name."
        ),
    )


class PeopleSelector(ApiModel):
    """Which people a policy speaks of, where the provider pushes no groups."""

    directory: ObjectName = Field(description="The ScimDirectory whose people are meant.")
    filter: str = Field(
        min_length=1,
        max_length=1024,
        description=(
            'A SCIM filter over users (RFC 7644, section 3.4.2.2), such as: department eq "Data" and '
            "active eq true."
        ),
    )


class NamespaceCreation(ApiModel):
    """How a missing namespace is made. Empty: a bare one with our labels, kept for ever."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.after) == (has(self.whenUnused) && self.whenUnused == 'Delete')",
                "after goes with whenUnused: Delete, and that needs it",
            ),
            rule(
                "!has(self.after) || self.after.matches('[1-9]')",
                "after: at least a moment, or whoever is taken out and put back loses the namespace",
            ),
        )
    )

    template: ObjectName | None = Field(
        None, description="The NamespaceTemplate it is made from; while that is missing, it isn't made."
    )
    adopt: bool = Field(
        False,
        description=(
            "Take over a namespace of that name that somebody else made: it gets the labels and the parts of "
            "the template that it lacks, loses and changes nothing, and is never deleted."
        ),
    )
    when_unused: Literal["Retain", "Delete"] = Field(
        "Retain",
        description=(
            "What becomes of it when nobody active is wanted there any more. Delete works only where the "
            "chart's value namespaceDeletion allows it."
        ),
    )
    after: Duration | None = Field(
        None, description="For Delete: how long it must have been unused, such as 720h."
    )


class SelectorExpression(ApiModel):
    """One requirement on a label, as everywhere in Kubernetes."""

    key: str = Field(min_length=1, max_length=317, description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="NotIn and DoesNotExist also hold where the label is absent."
    )
    values: list[Annotated[str, StringConstraints(max_length=63)]] = Field(
        default_factory=list,
        max_length=64,
        description="For In and NotIn.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class NamespaceSelector(ApiModel):
    """Namespaces by their labels. They are followed: as they come, are relabelled and go, so does access."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.matchLabels) && size(self.matchLabels) > 0 || "
                "has(self.matchExpressions) && size(self.matchExpressions) > 0",
                "an empty selector would mean every namespace",
            )
        )
    )

    match_labels: dict[str, Annotated[str, StringConstraints(max_length=63)]] = Field(
        default_factory=dict,
        description="Labels with exactly these values.",
        json_schema_extra={"maxProperties": 16},
    )
    match_expressions: list[SelectorExpression] = Field(
        default_factory=list,
        max_length=16,
        description="Further requirements; all must hold.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class NamespaceTarget(ApiModel):
    """In which namespaces a role is granted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.name), has(self.names), has(self.selector)].filter(x, x).size() == 1",
                "namespaces needs exactly one of name, names and selector",
            ),
            rule("!has(self.create) || has(self.name)", "create needs a name, or a template of one"),
        )
    )

    name: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        pattern=r"^([a-z0-9-]|[{][a-z][a-z0-9_]*[}])+$",
        description=(
            "The namespace's name; may hold captures. A captured name binds only in namespaces that the "
            "operator made or that carry the label scim-operator.io/allow-policy: the policy's name or `any`."
        ),
    )
    names: list[NamespaceName] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Several namespaces by name.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    selector: NamespaceSelector | None = Field(
        None, description="All namespaces with these labels, protected ones aside."
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
            ),
            rule(
                "has(self.clusterRole) != has(self.role)", "a grant needs exactly one of clusterRole and role"
            ),
            rule("!has(self.role) || has(self.namespaces)", "a Role lives in a namespace: name one"),
        )
    )

    cluster_role: str | None = _role("A ClusterRole")
    role: str | None = _role("A Role in the same namespace")
    namespaces: NamespaceTarget | None = None
    cluster: bool = Field(
        False,
        description=(
            "Grant the role in the whole cluster, by a ClusterRoleBinding. Only with groups.externalIds or a "
            "groups.displayName that is one group's exact name."
        ),
    )


class PolicySpec(ApiModel):
    """The platform team's decision."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.groups) != has(self.people)", "a policy needs exactly one of groups and people"),
            rule(
                f"self.grants.all(g, !has(g.namespaces) || !has(g.namespaces.name) || "
                f"g.namespaces.name.findAll('[{{][a-z0-9_]*[}}]').all(c, {_PATTERN}.contains(c)))",
                "grants[].namespaces.name uses a capture that groups.displayName doesn't have",
            ),
            rule(
                "!self.grants.exists(g, has(g.cluster) && g.cluster) || "
                "has(self.groups) && (has(self.groups.externalIds) || "
                "!self.groups.displayName.matches('[*{]'))",
                "a grant with cluster: true needs groups.externalIds, or one group's exact name as "
                "groups.displayName, without * and captures",
            ),
            rule(
                "!has(self.people) || !has(self.subjects) || self.subjects == 'Users'",
                "people stand in bindings by name: subjects must be Users",
            ),
            rule(
                "!has(self.groups) || !has(self.groups.where) || self.groups.where.all(c, "
                f"{_PATTERN}.contains('{{' + c + '}}'))",
                "groups.where names a capture that groups.displayName doesn't have",
            ),
        )
    )

    enforcement: Literal["Enforce", "Preview"] = Field(
        "Enforce",
        description=(
            "Preview: nobody is added and no namespace is touched; bindings stay as they are, but for people "
            "who are disabled, deleted, locked or renamed. What Enforce would do is told in status.preview."
        ),
    )
    groups: GroupSelector | None = None
    people: PeopleSelector | None = None
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
    max_namespaces: int = Field(
        100,
        ge=1,
        le=10000,
        description=(
            "In how many namespaces the policy may give access. Where it does already, it goes on; further "
            "ones are refused."
        ),
    )

    @property
    def directory(self) -> str:
        """The ScimDirectory whose groups or people are meant."""
        selector = self.groups or self.people
        return selector.directory if selector else ""

    @property
    def pattern(self) -> str:
        """The pattern over group names; empty when groups are meant by id, or people by a filter."""
        return (self.groups.display_name or "") if self.groups else ""

    @property
    def where(self) -> dict[str, list[str]]:
        """The values allowed for captures."""
        return self.groups.where if self.groups else {}


class BindingCounts(ApiModel):
    """How many bindings a policy would touch."""

    create: int = Field(description="To be made.")
    change: int = Field(description="To be written with other people.")
    delete: int = Field(description="To be deleted, since nobody is left in them.")


class NamespaceCounts(ApiModel):
    """How many namespaces a policy would touch."""

    create: int = Field(description="To be made.")
    adopt: int = Field(description="Of others, to be taken over.")
    change: int = Field(description="To get other labels or annotations.")
    delete: int = Field(description="To be deleted, being unused for long enough.")


class PeopleCounts(ApiModel):
    """How many different people, or groups where these stand in bindings."""

    gain: int = Field(description="Who would have more access somewhere.")
    lose: int = Field(description="Who would have less access somewhere.")


class PreviewedChange(ApiModel):
    """One thing that Enforce would do. Those about namespaces have no role and no subject."""

    change: Literal[
        "Add", "Remove", "CreateNamespace", "AdoptNamespace", "ChangeNamespace", "DeleteNamespace"
    ] = Field(
        description="What would be done: somebody gets or loses a role, or something about a namespace."
    )
    namespace: str = Field(description="Where; empty: in the whole cluster.")
    role: str | None = Field(None, description="The role somebody would get or lose.")
    role_kind: Literal["ClusterRole", "Role"] | None = Field(None, description="Its kind.")
    subject: str | None = Field(None, description="Who, as bindings name them.")
    subject_kind: Literal["User", "Group"] | None = Field(None, description="A person or a group.")


class PolicyPreview(ApiModel):
    """What Enforce would do now, with what follows from that for other policies."""

    bindings: BindingCounts
    namespaces: NamespaceCounts
    people: PeopleCounts
    total: int = Field(description="How many changes there are; the first 50 are listed.")
    changes: list[PreviewedChange] = Field(
        description="By namespace, role and subject.", json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    problems: list[str] = Field(
        description="What would be refused or waited for, as far as it can be told without trying.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class PolicyStatus(Status):
    """What the policy does at this moment."""

    groups: int | None = Field(None, description="How many groups match.")
    people: int | None = Field(None, description="How many different people stand in its bindings.")
    bindings: int | None = Field(None, description="How many bindings are in place.")
    namespaces: int | None = Field(None, description="How many namespaces they stand in.")
    preview: PolicyPreview | None = Field(
        None, description="For enforcement: Preview: what Enforce would do."
    )


class AccessPolicy(ApiModel):
    """Which groups get which roles where. The author must hold `bind` on every role named."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: PolicySpec
    status: PolicyStatus | None = None
