"""AccessLock: somebody gets nothing from us, whatever policies and grants say."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from scim_operator.api.base import ApiModel, Moment, ObjectName, Status, found_once, rule, rules

MOST_REMOVED_SHOWN = 50
MOST_NAMES_KEPT = 100


class LockSpec(ApiModel):
    """Who, why, until when."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.subject) != has(self.userName)",
                "a lock needs either subject, or directory and userName",
            ),
            rule("has(self.directory) == has(self.userName)", "directory and userName go together"),
            *(
                rule(
                    f"has(self.{field}) == has(oldSelf.{field}) && "
                    f"(!has(self.{field}) || self.{field} == oldSelf.{field})",
                    f"{field} is immutable: to lock somebody else, make another AccessLock",
                )
                for field in ("subject", "directory", "userName")
            ),
        )
    )

    subject: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description=(
            "The name that bindings have, byte for byte (a ScimUser's status.subject): it is locked, whoever "
            "bears it."
        ),
    )
    directory: ObjectName | None = Field(None, description="The ScimDirectory of the person.")
    user_name: str | None = Field(
        None,
        min_length=1,
        max_length=1024,
        description=(
            "The person by their userName, looked up once: from then on the name they have in bindings is "
            "locked, and whatever they are called later. Nobody there yet: locked as soon as they come."
        ),
    )
    reason: str = Field(
        min_length=3,
        max_length=512,
        pattern=r"\S",
        description="Why, for whoever finds the person locked out.",
    )
    until: Moment | None = Field(
        None,
        description="When it ends, to the second, such as 2026-11-27T18:00:00Z; absent: when it is deleted.",
    )


class Removed(ApiModel):
    """A place that the lock took somebody out of."""

    policy: str | None = Field(None, description="The AccessPolicy that gave it.")
    access_grant: str | None = Field(None, description="Or the AccessGrant.")
    cluster_role: str | None = Field(None, description="The ClusterRole.")
    role: str | None = Field(None, description="Or the Role in the namespace.")
    namespace: str | None = Field(None, description="Where; absent: in the whole cluster.")


class LockStatus(Status):
    """What the lock did."""

    model_config = ConfigDict(json_schema_extra=found_once("subject", "id"))

    subject: str | None = Field(
        None, description="The name in bindings that is locked. Found once, it never changes."
    )
    later_subjects: Annotated[
        list[str] | None,
        Field(
            None,
            max_length=MOST_NAMES_KEPT,
            description=(
                "The names that the person has had since, which are locked too and stay so: the last "
                f"{MOST_NAMES_KEPT}."
            ),
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]
    id: str | None = Field(
        None,
        description="The SCIM id of the person that userName meant: their later names are locked too.",
    )
    removed_total: int | None = Field(None, description="Out of how many places somebody was taken.")
    removed: Annotated[
        list[Removed] | None,
        Field(
            None,
            max_length=MOST_REMOVED_SHOWN,
            description=f"The first {MOST_REMOVED_SHOWN} of them.",
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ]


class AccessLock(ApiModel):
    """Denies a name in bindings everything that the operator grants, at once and before all else."""

    spec: LockSpec
    status: LockStatus | None = None
