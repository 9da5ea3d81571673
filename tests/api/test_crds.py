"""The CustomResourceDefinitions: what lies in the repository is what the models generate, and Kubernetes
could store it (structural schemas)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scim_operator.api.crds import crds
from scim_operator.cli.crds import as_yaml
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.schemas import GROUP, USER

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "crds", ROOT / "charts" / "scim-operator" / "crds")
CRDS = crds()
BY_KIND = {crd["spec"]["names"]["kind"]: crd for crd in CRDS.values()}
# Not allowed in a structural schema, or words of JSON Schema that the API server refuses.
FORBIDDEN = {
    *("$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "definitions", "const", "title"),
    *("patternProperties", "propertyNames", "exclusiveMinimum", "if", "then", "else", "x-scim"),
}
# Said by RFC 7643 or KEP-1623, and described there better than in a line of ours.
UNDESCRIBED = {
    *("status.conditions[].type", "status.conditions[].status", "status.conditions[].reason"),
    *("status.conditions[].message", "status.conditions[].lastTransitionTime"),
    *("status.conditions[].observedGeneration", "status.conditions"),
    *("spec.meta.created", "spec.meta.lastModified"),
}


def schema_of(crd: dict[str, Any]) -> dict[str, Any]:
    version = crd["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, schema) of a schema and of all below it."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}".lstrip("."))
    if isinstance(below := schema.get("items"), dict):
        yield from nodes(below, f"{path}[]")
    if isinstance(below := schema.get("additionalProperties"), dict):
        yield from nodes(below, f"{path}{{}}")


def rfc_attributes(resource_type: ResourceType) -> set[str]:
    return {attribute.name for attribute in resource_type.core.attributes.values()}


@pytest.mark.parametrize("folder", FOLDERS, ids=["crds", "chart"])
def test_files_are_what_the_models_generate(folder: Path) -> None:
    written = {file.name: file.read_text() for file in folder.iterdir()}
    generated = {name: as_yaml(crd) for name, crd in CRDS.items()}
    assert written == generated, "the models changed: run `make crds` and commit what it writes"


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
def test_schema_is_structural(crd: dict[str, Any]) -> None:
    for path, node in nodes(schema_of(crd)):
        assert not node.keys() & FORBIDDEN, path
        types = {"object", "array", "string", "integer", "boolean", "number"}
        assert node.get("type") in types or node == {"x-kubernetes-int-or-string": True}, path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert node.get("type") != "array" or "items" in node, path


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
def test_lists_say_how_they_merge(crd: dict[str, Any]) -> None:
    for path, node in nodes(schema_of(crd)):
        # Short lists of plain values inside a map of captures are replaced whole in any case.
        if node.get("type") == "array" and not path.endswith("{}"):
            assert node.get("x-kubernetes-list-type") in {"map", "atomic", "set"}, path


@pytest.mark.parametrize(
    ("kind", "plural", "short", "columns", "wide"),
    [
        (
            "ScimDirectory",
            "scimdirectories",
            "scd",
            ["Provider", "URL", "Users", "Groups", "Last Request", "Token Expires", "Ready", "Age"],
            [],
        ),
        (
            "ScimUser",
            "scimusers",
            "scu",
            ["User", "Active", "Directory", "Groups", "Ready", "Synced", "Age"],
            ["Grants", "Email", "External-ID"],
        ),
        (
            "ScimGroup",
            "scimgroups",
            "scg",
            ["Display", "Directory", "Members", "Bindings", "Namespaces", "Ready", "Synced", "Age"],
            ["Reason"],
        ),
        (
            "ScimGroupShard",
            "scimgroupshards",
            "scgs",
            ["Directory", "Group", "Generation", "Number", "Synced", "Age"],
            [],
        ),
        (
            "AccessPolicy",
            "accesspolicies",
            "acp",
            [
                *("Directory", "Pattern", "Groups", "People", "Bindings", "Namespaces", "Ready", "Reason"),
                "Age",
            ],
            [],
        ),
        (
            "NamespaceTemplate",
            "namespacetemplates",
            "nst",
            ["Namespaces", "Enforce", "Ready", "Reason", "Age"],
            [],
        ),
        (
            "RemovalHold",
            "removalholds",
            "rmh",
            ["Waiting", "Additions", "Hash", "Frozen", "Ready", "Age"],
            ["Additions-Hash"],
        ),
    ],
)
def test_names_and_columns(kind: str, plural: str, short: str, columns: list[str], wide: list[str]) -> None:
    spec = BY_KIND[kind]["spec"]
    assert spec["group"] == "scim-operator.io"
    assert spec["scope"] == "Cluster"
    assert spec["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        # shards aren't for people: `kubectl get scim` leaves them out
        **({} if kind == "ScimGroupShard" else {"categories": ["scim"]}),
    }
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["subresources"] == {"status": {}}
    shown = version["additionalPrinterColumns"]
    assert [column["name"] for column in shown if not column.get("priority")] == columns
    assert [column["name"] for column in shown if column.get("priority")] == wide


# Times that lie in the future, as a rule.
TO_COME = ("status.tokenExpires", "spec.until")


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
def test_columns_show_fields_that_exist(crd: dict[str, Any]) -> None:
    known = dict(nodes(schema_of(crd)))
    for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].lstrip(".").replace("[0]", "[]")
        if path.startswith("metadata.") or "[?(@.type==" in path:
            continue
        # One of two fields, whichever is there.
        either = {re.sub(r"\['(\w+)','(\w+)'\]", rf".\{number}", path) for number in (1, 2)}
        assert either <= known.keys()
        node = known[either.pop()]
        kind = "date" if node.get("format") == "date-time" or column["type"] == "date" else node["type"]
        if path in TO_COME:
            kind = "string"
        assert column["type"] == kind, path
        # kubectl prints `<invalid>` for a date column whose value lies in the future or is none
        if column["type"] == "date":
            assert node["type"] == "string"


@pytest.mark.parametrize(("kind", "crd"), BY_KIND.items(), ids=BY_KIND)
def test_every_field_is_described(kind: str, crd: dict[str, Any]) -> None:
    rfc = {"ScimUser": rfc_attributes(USER), "ScimGroup": rfc_attributes(GROUP)}.get(kind, set())
    missing = {
        path
        for path, node in nodes(schema_of(crd))
        if path.startswith(("spec", "status"))
        and not path.endswith(("[]", "{}"))
        and not node.get("description")
        and not (path.startswith("spec.") and path.removeprefix("spec.").split(".")[0].split("[")[0] in rfc)
    }
    assert missing <= UNDESCRIBED


def test_the_schema_itself_says_what_the_kind_is() -> None:
    assert all(schema_of(crd)["description"] for crd in CRDS.values())


@pytest.mark.parametrize("kind", ["ScimUser", "ScimGroup"])
def test_id_and_directory_are_immutable(kind: str) -> None:
    rules = schema_of(BY_KIND[kind])["properties"]["spec"]["x-kubernetes-validations"]
    assert {rule["rule"] for rule in rules} == {
        "self.id == oldSelf.id",
        "self.directory == oldSelf.directory",
    }


@pytest.mark.parametrize("kind", ["ScimDirectory", "AccessPolicy"])
def test_names_that_become_labels_are_short(kind: str) -> None:
    rules = schema_of(BY_KIND[kind])["x-kubernetes-validations"]
    assert "self.metadata.name.size() <= 63" in {rule["rule"] for rule in rules}


def test_identity_schemas_know_what_the_engine_stores() -> None:
    user = schema_of(BY_KIND["ScimUser"])["properties"]["spec"]["properties"]
    group = schema_of(BY_KIND["ScimGroup"])["properties"]["spec"]["properties"]
    assert rfc_attributes(USER) - user.keys() == {"password", "groups"}
    assert rfc_attributes(GROUP) - group.keys() == set()
    assert user["active"]["type"] == "boolean"
    assert user["emails"]["items"]["properties"]["primary"]["type"] == "boolean"
    assert group["members"]["items"] == {"type": "string"}
    assert user["extensions"]["additionalProperties"]["x-kubernetes-preserve-unknown-fields"] is True


def test_generation_is_repeatable() -> None:
    assert crds() == CRDS
