"""The three discovery endpoints (RFC 7644, section 4; forms of RFC 7643, sections 5 to 7), from the tables.

Entra's schema importer reads them: names in camelCase, no nulls, and the canonical values of `type`, from
which it builds `emails[type eq "work"].value`. Only what works is announced as supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scim_operator.scim.attributes import Attribute, ResourceType, Schema
from scim_operator.scim.bulk import MAX_OPERATIONS, MAX_PAYLOAD
from scim_operator.scim.cursors import CURSOR_SECONDS
from scim_operator.scim.schemas import GROUP, USER

MAX_RESULTS = 200
DEFAULT_RESULTS = 100

_CORE = "urn:ietf:params:scim:schemas:core:2.0"
_TYPES = (USER, GROUP)


def service_provider_config(base_url: str) -> dict[str, Any]:
    """What the service can do (RFC 7643 section 5)."""
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": True, "maxOperations": MAX_OPERATIONS, "maxPayloadSize": MAX_PAYLOAD},
        "filter": {"supported": True, "maxResults": MAX_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        # RFC 9865, section 4. Entra and Okta page by index.
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_RESULTS,
            "maxPageSize": MAX_RESULTS,
            "cursorTimeout": CURSOR_SECONDS,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "The directory's token in the Authorization header.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
                "primary": True,
            }
        ],
        "meta": _meta("ServiceProviderConfig", f"{base_url}/ServiceProviderConfig"),
    }


def resource_types(base_url: str) -> list[dict[str, Any]]:
    """Users and groups, with their extensions (RFC 7643 section 6)."""
    return [_resource_type(resource_type, base_url) for resource_type in _TYPES]


def schemas(base_url: str) -> list[dict[str, Any]]:
    """Every schema of the tables (RFC 7643 section 7)."""
    return [_schema(schema, base_url) for kind in _TYPES for schema in (kind.core, *kind.extensions.values())]


def _resource_type(resource_type: ResourceType, base_url: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:ResourceType"],
        "id": resource_type.name,
        "name": resource_type.name,
        "description": resource_type.core.description,
        "endpoint": resource_type.endpoint,
        "schema": resource_type.core.urn,
        "schemaExtensions": [
            {"schema": extension.urn, "required": False} for extension in resource_type.extensions.values()
        ],
        "meta": _meta("ResourceType", f"{base_url}/ResourceTypes/{resource_type.name}"),
    }


def _schema(schema: Schema, base_url: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.description,
        "attributes": _attributes(schema.attributes.values()),
        "meta": _meta("Schema", f"{base_url}/Schemas/{schema.urn}"),
    }


def _attributes(attributes: Iterable[Attribute]) -> list[dict[str, Any]]:
    return [_attribute(attribute) for attribute in attributes]


def _attribute(attribute: Attribute) -> dict[str, Any]:
    spec = attribute.spec
    optional = {
        "description": spec.description,
        "canonicalValues": list(spec.canonical),
        "referenceTypes": list(spec.references),
        "subAttributes": _attributes(attribute.sub_attributes.values()),
    }
    return {
        "name": attribute.name,
        "type": attribute.type,
        "multiValued": attribute.multi_valued,
        "required": spec.required,
        "caseExact": spec.case_exact,
        "mutability": spec.mutability,
        "returned": spec.returned,
        "uniqueness": "server" if spec.unique else "none",
        **{name: value for name, value in optional.items() if value},
    }


def _meta(kind: str, location: str) -> dict[str, str]:
    return {"resourceType": kind, "location": location}
