"""What all custom resources share: the model base, names, conditions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from scim_operator.scim.instants import instant

# A name of ours becomes a label's value, so it is held to 63 characters.
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


def _existing(text: str) -> str:
    if instant(text) is None:
        raise ValueError(f"{text!r} is no moment such as 2026-11-27T18:00:00Z")
    return text


# A moment to come, as somebody types it: with a zone, since whoever reads it may be in another one.
Moment = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
        max_length=40,
    ),
    Field(json_schema_extra={"format": "date-time"}),
    AfterValidator(_existing),
]


class ApiModel(BaseModel):
    """camelCase on the wire; an unknown field is an error, as the API server prunes it anyway."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Condition(ApiModel):
    """One condition (KEP-1623): what holds, since when, why, and what to do about it."""

    model_config = ConfigDict(json_schema_extra={"required": ["type", "status", "reason", "message"]})

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: Timestamp | None = None
    observed_generation: int | None = None


Conditions = Annotated[
    list[Condition],
    Field(
        default_factory=list,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class Status(ApiModel):
    """What every status holds."""

    observed_generation: int | None = Field(None, description="The generation of spec this status speaks of.")
    conditions: Conditions


def rule(expression: str, message: str, **more: str) -> dict[str, Any]:
    """One CEL rule of `x-kubernetes-validations`."""
    return {"rule": expression, "message": message, **more}


def rules(*items: dict[str, Any]) -> dict[str, Any]:
    """CEL rules as an extra of a JSON schema."""
    return {"x-kubernetes-validations": list(items)}


def found_once(*fields: str) -> dict[str, Any]:
    """Status fields that are written once and stay: whom an object means, which nobody may turn round."""
    return rules(
        *(
            rule(
                f"!has(oldSelf.{field}) || (has(self.{field}) && self.{field} == oldSelf.{field})",
                f"{field} is found once",
            )
            for field in fields
        )
    )


# The rules on the name of a kind whose name ends up in labels and in the SCIM URL.
LABEL_NAME = rules(
    rule("self.metadata.name.size() <= 63", "the name becomes a label: at most 63 characters"),
    rule("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", "no dots in the name"),
)


def immutable(field: str) -> dict[str, Any]:
    """The rule that a field keeps its first value."""
    return rule(f"self.{field} == oldSelf.{field}", f"{field} is immutable", fieldPath=f".{field}")
