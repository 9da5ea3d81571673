"""The CustomResourceDefinitions, made from the models.

pydantic's JSON schema is nearly what Kubernetes calls structural; `_structural` takes the difference out:
no $ref, no titles, no `anyOf` for optional fields, no `additionalProperties: false`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from scim_operator.api.directory import ScimDirectory
from scim_operator.api.grant import AccessGrant
from scim_operator.api.identity import ScimGroup, ScimGroupShard, ScimUser
from scim_operator.api.kinds import (
    ACCESS_GRANT,
    ACCESS_LOCK,
    ACCESS_POLICY,
    GROUP,
    NAMESPACE_TEMPLATE,
    REMOVAL_HOLD,
    SCIM_DIRECTORY,
    SCIM_GROUP,
    SCIM_GROUP_SHARD,
    SCIM_USER,
    VERSION,
    Column,
    Kind,
)
from scim_operator.api.lock import AccessLock
from scim_operator.api.policy import AccessPolicy
from scim_operator.api.removal_hold import RemovalHold
from scim_operator.api.template import NamespaceTemplate

MODELS: tuple[tuple[Kind, type[BaseModel]], ...] = (
    (SCIM_DIRECTORY, ScimDirectory),
    (SCIM_USER, ScimUser),
    (SCIM_GROUP, ScimGroup),
    (SCIM_GROUP_SHARD, ScimGroupShard),
    (ACCESS_POLICY, AccessPolicy),
    (NAMESPACE_TEMPLATE, NamespaceTemplate),
    (ACCESS_LOCK, AccessLock),
    (ACCESS_GRANT, AccessGrant),
    (REMOVAL_HOLD, RemovalHold),
)


def crds() -> dict[str, dict[str, Any]]:
    """File name -> CustomResourceDefinition, in the order of MODELS."""
    return {f"{GROUP}_{kind.plural}.yaml": _crd(kind, model) for kind, model in MODELS}


def _crd(kind: Kind, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short],
                **({"categories": [kind.category]} if kind.category else {}),
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                    "schema": {"openAPIV3Schema": _root(model)},
                }
            ],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    made: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.wide:
        made["priority"] = 1
    if column.description:
        made["description"] = column.description
    return made


def _root(model: type[BaseModel]) -> dict[str, Any]:
    document = model.model_json_schema(by_alias=True)
    schema = _structural(document, document.get("$defs", {}))
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **schema["properties"],
    }
    schema["required"] = ["spec"]
    return schema


_DROPPED = {"title", "$defs", "const"}


def _structural(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    node = _resolve(node, definitions)
    made = {key: value for key, value in node.items() if key not in _DROPPED}
    # the JSON schema's pattern for any name of a map is CEL's business, not a structural schema's
    named = made.pop("patternProperties", None)
    if named:
        made["additionalProperties"] = next(iter(named.values()))
    made.pop("propertyNames", None)
    scim = made.pop("x-scim", {})
    values = made.pop("additionalProperties", False)
    if made.get("type") == "object" and isinstance(values, dict):
        made["additionalProperties"] = _structural(values, definitions)
    elif made.get("type") == "object" and values is True:
        made["x-kubernetes-preserve-unknown-fields"] = True
    if not made.get("default"):
        made.pop("default", None)  # what is absent says as much, and clutters nobody's objects
    if "properties" in made or scim:
        properties = {name: _structural(value, definitions) for name, value in made["properties"].items()}
        made["properties"] = properties | scim
    if isinstance(made.get("items"), dict):
        made["items"] = _structural(made["items"], definitions)
    return made


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in node:
        option = next(item for item in node["anyOf"] if item.get("type") != "null")
        node = {**option, **{key: value for key, value in node.items() if key != "anyOf"}}
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
        return _resolve(node, definitions)
    return node
