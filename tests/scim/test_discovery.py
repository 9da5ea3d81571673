from typing import Any

from scim2_models import ResourceType, Schema, ServiceProviderConfig

from scim_operator.scim.discovery import resource_types, schemas, service_provider_config
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP_URN, USER_URN

BASE = "https://h/scim/v2/entra"


def nodes(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(node for item in inner for node in nodes(item))]


def attribute(urn: str, *path: str) -> dict[str, Any]:
    found = next(schema for schema in schemas(BASE) if schema["id"] == urn)
    for name in path:
        inside = found.get("attributes") or found["subAttributes"]
        found = next(one for one in inside if one["name"] == name)
    return found


def test_an_independent_reader_understands_it() -> None:
    for schema in schemas(BASE):
        assert Schema.model_validate(schema).attributes
    assert [ResourceType.model_validate(one).name for one in resource_types(BASE)] == ["User", "Group"]
    patch = ServiceProviderConfig.model_validate(service_provider_config(BASE)).patch
    assert patch is not None
    assert patch.supported


def test_nothing_is_null() -> None:
    everything = [schemas(BASE), resource_types(BASE), service_provider_config(BASE)]
    assert None not in nodes(everything)
    assert "" not in nodes(everything)


def test_only_what_works_is_announced() -> None:
    config = service_provider_config(BASE)
    supported = {name for name, value in config.items() if isinstance(value, dict) and value.get("supported")}
    assert supported == {"patch", "filter", "sort", "etag", "bulk"}
    assert config["filter"]["maxResults"] == 200
    assert [scheme["type"] for scheme in config["authenticationSchemes"]] == ["oauthbearertoken"]
    assert config["meta"] == {
        "resourceType": "ServiceProviderConfig",
        "location": f"{BASE}/ServiceProviderConfig",
    }


def test_every_type_of_value_has_canonical_values() -> None:
    for name in ("emails", "phoneNumbers", "addresses", "ims", "photos"):
        assert attribute(USER_URN, name, "type")["canonicalValues"], name
    assert attribute(GROUP_URN, "members", "type")["canonicalValues"] == ["User", "Group"]


def test_characteristics_come_from_the_tables() -> None:
    user_name = attribute(USER_URN, "userName")
    assert (user_name["required"], user_name["uniqueness"], user_name["caseExact"]) == (True, "server", False)
    assert attribute(USER_URN, "password")["returned"] == "never"
    assert attribute(USER_URN, "groups")["mutability"] == "readOnly"
    assert attribute(ENTERPRISE_URN, "manager", "$ref")["referenceTypes"] == ["User"]
    assert attribute(USER_URN, "x509Certificates")["multiValued"]


def test_resource_types_name_their_extensions() -> None:
    user, group = resource_types(BASE)
    assert user["endpoint"] == "/Users"
    assert user["schemaExtensions"] == [{"schema": ENTERPRISE_URN, "required": False}]
    assert group["schemaExtensions"] == []
    assert user["meta"]["location"] == f"{BASE}/ResourceTypes/User"
