"""ScimUser, ScimGroup and ScimGroupShard: what the provider said, in spec; what we made of it, in status.

The attributes of RFC 7643 come from the engine's tables, so that the CRD knows what the engine knows. Only
the operator writes spec; these models describe the YAML and are not parsed on the request path.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from scim_operator.api.base import ApiModel, ObjectName, Status, Timestamp, Uuid, immutable, rules
from scim_operator.scim.attributes import Attribute, ResourceType
from scim_operator.scim.schemas import GROUP, USER

# Of a group in one object. Above 2,000 they are spread over shards; a group written before that was so may
# have as many as this.
MAX_MEMBERS = 20_000
# A delta over several shards that isn't carried out yet (rule 7 of the design).
MAX_PENDING = 10_000
MAX_SHARDS = 1_024
MOST_GRANTS_SHOWN = 200


def attribute_schema(attribute: Attribute) -> dict[str, Any]:
    """The structural schema of one SCIM attribute."""
    if attribute.type == "complex":
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {sub.name: attribute_schema(sub) for sub in attribute.sub_attributes.values()},
        }
    else:
        schema = {"type": "boolean" if attribute.type == "boolean" else "string"}
    if attribute.multi_valued:
        schema = {"type": "array", "items": schema, "x-kubernetes-list-type": "atomic"}
    if attribute.spec.description:
        schema["description"] = attribute.spec.description
    return schema


def core_properties(resource_type: ResourceType) -> dict[str, Any]:
    """The stored core attributes: neither derived ones, nor passwords, nor members (a plain list of ids)."""
    return {
        attribute.name: attribute_schema(attribute)
        for attribute in resource_type.core.attributes.values()
        if attribute.spec.mutability in ("readWrite", "immutable") and not attribute.spec.keyed
    }


class Meta(ApiModel):
    """When and by which request the provider's data last changed."""

    created: Timestamp
    last_modified: Timestamp
    version: int = Field(description="Counts the changes; the ETag.", ge=1)
    request: str | None = Field(None, description="The id of the request that last changed it.")
    created_by: str | None = Field(
        None, description="The id of the request that made it: the same one again is answered as the first."
    )


class Identity(ApiModel):
    """What users and groups have in common."""

    directory: ObjectName = Field(description="The ScimDirectory whose token wrote it.")
    id: Uuid = Field(description="The SCIM id. Providers cache it for ever: back it up, never change it.")
    external_id: str | None = Field(None, description="The provider's own id.")
    meta: Meta
    extensions: Annotated[
        dict[str, dict[str, Any]],
        Field(
            default_factory=dict,
            description="Schema extensions by URN, known or not, as the provider sent them.",
        ),
    ]


class UserSpec(Identity):
    """A person, as the provider described them."""

    model_config = ConfigDict(
        json_schema_extra=rules(immutable("directory"), immutable("id"))
        | {"x-scim": core_properties(USER), "required": ["directory", "id", "meta", "userName"]},
    )


class UserGrant(ApiModel):
    """Access that a person has at this moment: the answer to who, what, where, why, since when."""

    policy: str | None = Field(None, description="The AccessPolicy that gives it.")
    access_grant: str | None = Field(None, description="Or the AccessGrant.")
    cluster_role: str | None = Field(None, description="The ClusterRole.")
    role: str | None = Field(None, description="Or the Role in the namespace.")
    namespace: str | None = Field(None, description="Where; absent: in the whole cluster.")
    since: Timestamp = Field(description="Since when, to the second, as far as this status remembers.")
    request: str | None = Field(
        None, description="The id of the SCIM request that led to it; absent when something else did."
    )


class UserStatus(Status):
    """What we made of a person."""

    subject: str | None = Field(None, description="Their name in bindings; absent when refused.")
    groups: int | None = Field(None, description="How many groups they are a member of.")
    grants_total: int | None = Field(None, description="How many grants are in force.")
    grants: Annotated[
        list[UserGrant] | None,
        Field(
            None,
            max_length=MOST_GRANTS_SHOWN,
            description=f"The grants in force by namespace, role and policy: the first {MOST_GRANTS_SHOWN}.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]


class ScimUser(ApiModel):
    """A person, pushed by an identity provider. Written by the operator alone."""

    spec: UserSpec
    status: UserStatus | None = None


def _ids(**more: Any) -> Any:
    """A list of SCIM ids. atomic: a keyed list would double the object's size in managed fields."""
    return Field(default_factory=list, **more, json_schema_extra={"x-kubernetes-list-type": "atomic"})


class ShardSet(ApiModel):
    """Which shards hold the members of a large group."""

    generation: int = Field(description="Counts the sets; shards of another one belong to nobody.", ge=1)
    count: int = Field(description="How many there are: a power of two.", ge=1, le=MAX_SHARDS)


class PendingMembers(ApiModel):
    """A change over several shards: in force, and not in all of them yet."""

    added: Annotated[list[str], _ids(max_length=MAX_PENDING, description="SCIM ids of who joins.")]
    removed: Annotated[list[str], _ids(max_length=MAX_PENDING, description="SCIM ids of who leaves.")]


class GroupSpec(Identity):
    """A group, as the provider described it."""

    model_config = ConfigDict(
        json_schema_extra=rules(immutable("directory"), immutable("id"))
        | {"x-scim": core_properties(GROUP), "required": ["directory", "id", "meta", "displayName"]},
    )

    members: Annotated[
        list[str],
        _ids(
            max_length=MAX_MEMBERS, description="SCIM ids of the members, of a group without ScimGroupShards."
        ),
    ]
    shards: ShardSet | None = Field(None, description="Where the members of a large group are.")
    pending: PendingMembers | None = Field(None, description="What is to come to the shards.")


class GroupStatus(Status):
    """What we made of a group."""

    members: int | None = Field(None, description="How many members are known.")
    bindings: int | None = Field(None, description="In how many bindings its members stand.")
    namespaces: int | None = Field(None, description="In how many namespaces.")


class ScimGroup(ApiModel):
    """A group of people, pushed by an identity provider. Written by the operator alone."""

    spec: GroupSpec
    status: GroupStatus | None = None


class ShardMeta(ApiModel):
    """What changes of this shard alone add to its group's meta."""

    last_modified: Timestamp
    version: int = Field(description="Counts these changes; added to the group's.", ge=0)
    request: str | None = Field(None, description="The id of the request that last changed it.")


class ShardSpec(ApiModel):
    """Some members of a large group: those whose ids have a hash in common."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *map(immutable, ("directory", "group", "generation", "number", "count")),
        )
    )

    directory: ObjectName = Field(description="The ScimDirectory of the group.")
    group: Uuid = Field(description="The SCIM id of the group.")
    generation: int = Field(description="The set it belongs to, as in the group's spec.shards.", ge=1)
    number: int = Field(description="Which of the set it is, from 0.", ge=0, le=MAX_SHARDS - 1)
    count: int = Field(description="How many are in the set.", ge=1, le=MAX_SHARDS)
    members: Annotated[list[str], _ids(max_length=MAX_MEMBERS, description="SCIM ids of the members.")]
    meta: ShardMeta


class ScimGroupShard(ApiModel):
    """Members of a large group. Written by the operator alone, and to be backed up with the ScimGroups."""

    spec: ShardSpec
