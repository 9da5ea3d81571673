"""NamespaceTemplate: what namespaces hold from their first moment, besides those who may enter them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from scim_operator.api.base import LABEL_NAME, ApiModel, Status, rule, rules
from scim_operator.api.kinds import GROUP, MANAGED_BY_LABEL

Level = Literal["privileged", "baseline", "restricted"]
Quantity = Annotated[str | int, WithJsonSchema({"x-kubernetes-int-or-string": True})]
Quantities = Annotated[dict[str, Quantity], Field(json_schema_extra={"maxProperties": 64})]
LabelValue = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)
]
AnnotationValue = Annotated[str, StringConstraints(max_length=4096)]
Reach = Literal["Deny", "SameNamespace", "Allow"]

# What a template must never hold (rule 14): rights, secrets, what runs. By group, in the core group by kind.
FORBIDDEN_GROUPS = (
    *("rbac.authorization.k8s.io", "authorization.openshift.io", "apps", "batch", "extensions"),
    *("admissionregistration.k8s.io", "apiextensions.k8s.io", "certificates.k8s.io", GROUP),
)
FORBIDDEN_CORE_KINDS = (
    *("Secret", "ServiceAccount", "Pod", "PodTemplate", "ReplicationController"),
    *("Namespace", "Node", "PersistentVolume"),
)

_KEY = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
_KEYS = rule(
    f"self.all(key, key.size() <= 317 && key.matches('{_KEY}'))",
    "a name is no valid one, such as team or example.com/team",
)
_NOT_OURS = rule(
    f"!self.exists(key, key.startsWith('{GROUP}/'))", f"names that begin with {GROUP}/ are the operator's own"
)
_LABELS = rules(
    _KEYS,
    _NOT_OURS,
    rule(
        f"!self.exists(key, key in ['kubernetes.io/metadata.name', '{MANAGED_BY_LABEL}'])",
        f"kubernetes.io/metadata.name and {MANAGED_BY_LABEL} are not for templates",
    ),
    rule(
        "!self.exists(key, key.startsWith('pod-security.kubernetes.io/'))",
        "pod security has a field of its own: podSecurity",
    ),
)
_OBJECT_RULES = rules(
    rule("has(self.metadata) && has(self.metadata.name)", "an object needs metadata.name"),
    rule(
        f"!(self.apiVersion.split('/')[0] in {list(FORBIDDEN_GROUPS)})",
        "a template holds no RBAC, no workloads and nothing that acts on the whole cluster",
    ),
    rule(
        f"self.apiVersion != 'v1' || !(self.kind in {list(FORBIDDEN_CORE_KINDS)})",
        "a template holds no Secrets, ServiceAccounts, Pods or other workloads",
    ),
)


class PodSecurity(ApiModel):
    """Levels of the Pod Security Standards, in the namespace from its first moment."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.enforce) || has(self.audit) || has(self.warn)", "podSecurity needs a level")
        )
    )

    enforce: Level | None = Field(None, description="Pods that break it are refused.")
    audit: Level | None = Field(None, description="Pods that break it are noted in the audit log.")
    warn: Level | None = Field(None, description="Whoever makes pods that break it is warned.")
    version: str | None = Field(
        None,
        pattern=r"^(latest|v1\.[0-9]{1,3})$",
        description="The Kubernetes version whose levels are meant; absent: the API server's own.",
    )


class Quota(ApiModel):
    """The spec of a ResourceQuota."""

    hard: Quantities = Field(description="Resource -> limit, such as requests.cpu: 4, pods: 50.")
    scopes: list[str] | None = Field(
        None,
        max_length=8,
        description="Which pods count.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    scope_selector: dict[str, Any] | None = Field(None, description="Which pods count, by expressions.")


class Limit(ApiModel):
    """One entry of a LimitRange."""

    type: Literal["Container", "Pod", "PersistentVolumeClaim"] = Field(description="Whom it limits.")
    default: Quantities | None = Field(None, description="The limit of a container that names none.")
    default_request: Quantities | None = Field(None, description="The request of one that names none.")
    max: Quantities | None = Field(None, description="The most that may be asked for.")
    min: Quantities | None = Field(None, description="The least.")
    max_limit_request_ratio: Quantities | None = Field(None, description="How far a limit may exceed it.")


class Limits(ApiModel):
    """The spec of a LimitRange."""

    limits: list[Limit] = Field(
        min_length=1,
        max_length=8,
        description="What containers, pods and volume claims may ask for.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class Network(ApiModel):
    """A NetworkPolicy for all pods: nothing in, nothing out but DNS, unless said otherwise."""

    ingress: Reach = Field("Deny", description="From where pods can be reached.")
    egress: Reach = Field("Deny", description="What pods can reach besides DNS.")


class TemplateSpec(ApiModel):
    """What a namespace gets. A change reaches every namespace of the template."""

    labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        description="Labels of the namespace. Policies may select namespaces by them.",
        json_schema_extra={"maxProperties": 32, **_LABELS},
    )
    annotations: dict[str, AnnotationValue] = Field(
        default_factory=dict,
        description="Annotations of the namespace.",
        json_schema_extra={"maxProperties": 32, **rules(_KEYS, _NOT_OURS)},
    )
    pod_security: PodSecurity | None = Field(None, description="Levels of the Pod Security Standards.")
    resource_quota: Quota | None = Field(None, description="A ResourceQuota, named scim-template.")
    limit_range: Limits | None = Field(None, description="A LimitRange, named scim-template.")
    network_policy: Network | None = Field(
        None,
        description="A NetworkPolicy, named scim-template, for all pods: empty, it lets out DNS and no more.",
    )
    objects: list[
        Annotated[
            dict[str, Any],
            Field(json_schema_extra={"x-kubernetes-embedded-resource": True, **_OBJECT_RULES}),
        ]
    ] = Field(
        default_factory=list,
        max_length=12,  # more would make the rules too costly for the API server
        description=(
            "Further objects, as manifests without a namespace, of kinds that the chart's value "
            "templateKinds allows."
        ),
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class TemplateStatus(Status):
    """Where the template is in force."""

    namespaces: int | None = Field(None, description="How many namespaces have it.")


class NamespaceTemplate(ApiModel):
    """What a namespace holds that a policy makes: labels, pod security, quota, limits, network policy."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: TemplateSpec
    status: TemplateStatus | None = None
