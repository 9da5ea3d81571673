"""AccessGrant: one person or group, one role, one place, until a time."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from scim_operator.api.base import (
    LABEL_NAME,
    ApiModel,
    Moment,
    ObjectName,
    Status,
    Timestamp,
    found_once,
    rule,
    rules,
)
from scim_operator.api.policy import ExternalId, NamespaceName

MOST_SUBJECTS_SHOWN = 50
# A word of CEL's own; under its plain name the cost of a rule can't be bounded.
_ESCAPED = {"namespace": "__namespace__"}


def _same(*fields: str) -> list[dict[str, Any]]:
    return [
        rule(
            f"has(self.{cel}) == has(oldSelf.{cel}) && (!has(self.{cel}) || self.{cel} == oldSelf.{cel})",
            f"{field} is immutable: for another grant make another AccessGrant",
        )
        for field, cel in ((field, _ESCAPED.get(field, field)) for field in fields)
    ]


class GrantedGroup(ApiModel):
    """A group of the directory."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.displayName) != has(self.externalId)",
                "group needs exactly one of displayName and externalId",
            )
        )
    )

    display_name: str | None = Field(None, min_length=1, max_length=256, description="Its exact displayName.")
    external_id: ExternalId | None = Field(None, description="Its id in the provider.")


class TimedGrantSpec(ApiModel):
    """Who gets which role where, until when, why, and at whose word."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.userName) != has(self.group)", "a grant needs exactly one of userName and group"),
            rule(
                "has(self.clusterRole) != has(self.role)", "a grant needs exactly one of clusterRole and role"
            ),
            rule(
                "has(self.__namespace__) != (has(self.cluster) && self.cluster)",
                "a grant needs exactly one of namespace and cluster: true",
            ),
            rule("!has(self.role) || has(self.__namespace__)", "a Role lives in a namespace: name it"),
            *_same(
                *("directory", "userName", "group", "clusterRole", "role", "namespace", "cluster"),
                *("reason", "requestedBy"),
            ),
            rule(
                "self.until <= oldSelf.until",
                "until can only come sooner: for a longer one make another AccessGrant",
            ),
        )
    )

    directory: ObjectName = Field(description="The ScimDirectory of the person or group.")
    user_name: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description="The person by their userName, looked up once: a later rename changes nothing.",
    )
    group: GrantedGroup | None = Field(
        None,
        description="Or a group, looked up once: its active members get the role by name, those to come too.",
    )
    cluster_role: str | None = Field(None, min_length=1, max_length=253, description="The ClusterRole.")
    role: str | None = Field(None, min_length=1, max_length=253, description="Or the Role in the namespace.")
    namespace: NamespaceName | None = Field(None, description="Where; it must exist.")
    cluster: bool = Field(False, description="Or in the whole cluster, by a ClusterRoleBinding.")
    until: Moment = Field(
        description="When it ends, to the second, such as 2026-11-27T18:00:00Z. It can only come sooner."
    )
    reason: str = Field(min_length=3, max_length=512, pattern=r"\S", description="Why, for an audit.")
    requested_by: str = Field(
        min_length=1,
        max_length=1024,
        description="Who makes the grant: the user name that the API server sees, which it checks.",
    )


class TimedGrantStatus(Status):
    """What the grant does at this moment."""

    model_config = ConfigDict(json_schema_extra=found_once("id"))

    id: str | None = Field(None, description="The SCIM id of the person or group that was found.")
    who: str | None = Field(None, description="The person, or the group, in words.")
    people: int | None = Field(None, description="How many people have the role by it.")
    subjects: Annotated[
        list[str] | None,
        Field(
            None,
            max_length=MOST_SUBJECTS_SHOWN,
            description=f"Their names in the binding: the first {MOST_SUBJECTS_SHOWN}.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]
    since: Timestamp | None = Field(None, description="Since when somebody has had it.")
    ended: Timestamp | None = Field(None, description="When it ended: it gives nothing any more, for good.")


class AccessGrant(ApiModel):
    """Gives one person or group one role in one place until a time, beside what groups and policies give."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: TimedGrantSpec
    status: TimedGrantStatus | None = None
