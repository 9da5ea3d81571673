"""What a NamespaceTemplate asks for: labels and annotations of the namespace, and the objects in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from scim_operator.access.bindings import Object
from scim_operator.access.problems import Problem
from scim_operator.api.kinds import GROUP, MANAGED_BY, MANAGED_BY_LABEL, TEMPLATE_LABEL
from scim_operator.api.template import (
    FORBIDDEN_CORE_KINDS,
    FORBIDDEN_GROUPS,
    Network,
    PodSecurity,
    TemplateSpec,
)

# The name of the quota, the limits and the network policy in each namespace.
CONTENT_NAME = "scim-template"
POD_SECURITY = "pod-security.kubernetes.io/"
BUILT_IN = frozenset(
    {("v1", "ResourceQuota"), ("v1", "LimitRange"), ("networking.k8s.io/v1", "NetworkPolicy")}
)

_RESERVED = ("kubernetes.io/metadata.name", MANAGED_BY_LABEL)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_SAME_NAMESPACE: Object = {"podSelector": {}}
# Cluster DNS wherever it runs, and NodeLocal DNSCache, which listens on the node.
_DNS: Object = {
    "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "169.254.20.10/32"}}],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}


@dataclass(frozen=True)
class Fields:
    """What stands in a namespace's own metadata."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def read_template(obj: Mapping[str, Any]) -> TemplateSpec | str:
    """The spec of a NamespaceTemplate, or what is wrong with it, naming the field."""
    try:
        spec = TemplateSpec.model_validate(obj["spec"])
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return next(_wrong(spec), spec)


def _wrong(spec: TemplateSpec) -> Iterator[str]:
    """What its CRD should have refused (helm never upgrades CRDs)."""
    for field, keys in (("labels", spec.labels), ("annotations", spec.annotations)):
        for key in keys:
            if key.startswith((f"{GROUP}/", POD_SECURITY)) or key in _RESERVED:
                yield f"{field}: {key} is not for templates"
    for position, manifest in enumerate(spec.objects):
        metadata = manifest.get("metadata") or {}
        group, _, version = str(manifest.get("apiVersion", "")).rpartition("/")
        if not version or not manifest.get("kind") or not _NAME.fullmatch(str(metadata.get("name", ""))):
            yield f"objects[{position}] needs apiVersion, kind and metadata.name"
        if "namespace" in metadata:
            yield f"objects[{position}].metadata.namespace: objects go into the namespaces of the template"
        if other := sorted(metadata.keys() - {"name", "namespace", "labels", "annotations"}):
            yield f"objects[{position}].metadata.{other[0]}: only name, labels and annotations belong there"
        if group in FORBIDDEN_GROUPS or (not group and manifest.get("kind") in FORBIDDEN_CORE_KINDS):
            yield f"objects[{position}]: a template holds no {manifest.get('kind')}"


def fields_of(spec: TemplateSpec) -> Fields:
    """The labels and annotations that a namespace gets."""
    return Fields({**spec.labels, **_pod_security(spec.pod_security)}, dict(spec.annotations))


def contents_of(
    template: str, spec: TemplateSpec, namespace: str, kinds: frozenset[tuple[str, str]]
) -> list[Object]:
    """The objects in a namespace, whole manifests: those of the kinds that are allowed besides ours."""
    made = [
        *_built_in("v1", "ResourceQuota", spec.resource_quota),
        *_built_in("v1", "LimitRange", spec.limit_range),
        *([] if spec.network_policy is None else [_network_policy(spec.network_policy)]),
        *(manifest for manifest in spec.objects if _kind(manifest) in kinds | BUILT_IN),
    ]
    return [_placed(manifest, template, namespace) for manifest in made]


def not_allowed(spec: TemplateSpec, kinds: frozenset[tuple[str, str]]) -> list[Problem]:
    """Objects of kinds that the chart's values don't allow."""
    found = sorted({_kind(manifest) for manifest in spec.objects} - kinds - BUILT_IN)
    message = (
        "{1} ({0}) is not among the kinds that templates may hold and is left out; to allow it, add it to "
        "the chart's value `templateKinds`"
    )
    return [Problem("Stalled", "KindNotAllowed", message.format(*kind)) for kind in found]


def _kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest["apiVersion"]), str(manifest["kind"])


def _pod_security(levels: PodSecurity | None) -> dict[str, str]:
    if levels is None:
        return {}
    modes = {"enforce": levels.enforce, "audit": levels.audit, "warn": levels.warn}
    given = {mode: level for mode, level in modes.items() if level is not None}
    versions = {f"{mode}-version": levels.version for mode in given} if levels.version else {}
    return {f"{POD_SECURITY}{name}": value for name, value in (given | versions).items()}


def _built_in(api_version: str, kind: str, spec: Any) -> list[Object]:
    if spec is None:
        return []
    return [_named(api_version, kind, spec.model_dump(by_alias=True, exclude_none=True, mode="json"))]


def _named(api_version: str, kind: str, spec: Object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": CONTENT_NAME}, "spec": spec}


def _network_policy(network: Network) -> Object:
    rules: dict[str, list[Object]] = {
        "Deny": [],
        "SameNamespace": [{"from": [_SAME_NAMESPACE]}],
        "Allow": [{}],
    }
    outwards: dict[str, list[Object]] = {
        "Deny": [_DNS],
        "SameNamespace": [_DNS, {"to": [_SAME_NAMESPACE]}],
        "Allow": [{}],
    }
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": rules[network.ingress],
        "egress": outwards[network.egress],
    }
    return _named("networking.k8s.io/v1", "NetworkPolicy", spec)


def _placed(manifest: Object, template: str, namespace: str) -> Object:
    """A copy in a namespace, with the labels by which it is watched and found again."""
    made: Object = json.loads(json.dumps(manifest))
    labels = made["metadata"].get("labels") or {}
    made["metadata"]["labels"] = {**labels, MANAGED_BY_LABEL: MANAGED_BY, TEMPLATE_LABEL: template}
    made["metadata"]["namespace"] = namespace
    made.pop("status", None)
    return made
