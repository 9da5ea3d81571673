"""ScimDirectory: one connection of an identity provider."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from scim_operator.api.base import LABEL_NAME, ApiModel, Status, Timestamp, rule, rules
from scim_operator.api.durations import Duration, seconds

_USER = re.compile(r"\{(userName|externalId|emails\.work)\}")
_GROUP = re.compile(r"\{(externalId|displayName)\}")
_SHORTEST_WINDOW = 10
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _template(placeholder: re.Pattern[str]) -> str:
    return rf"^[^{{}}]*{placeholder.pattern}[^{{}}]*$"


class SubjectTemplate(ApiModel):
    """How people and groups are named in bindings: what the authenticator makes of a token, byte for byte."""

    user: str = Field(
        "{userName}",
        pattern=_template(_USER),
        max_length=253,
        description=(
            "A person's subject: exactly one of {userName}, {externalId}, {emails.work}, with any prefix, "
            'such as "entra:{externalId}".'
        ),
    )
    group: str = Field(
        "{externalId}",
        pattern=_template(_GROUP),
        max_length=253,
        description=(
            "A group's subject under policies with `subjects: Group`: exactly one of {externalId}, "
            "{displayName}, with any prefix. Entra and AKS tokens name groups by object id, its {externalId}."
        ),
    )
    lowercase: bool = Field(
        False,
        description=(
            "Lower-case the subject's A to Z after the template was filled in, as `lowerAscii()` does in an "
            "AuthenticationConfiguration."
        ),
    )


def attribute_of(template: str) -> str:
    """The SCIM attribute in a template of subjects."""
    found = PLACEHOLDER.search(template)
    if found is None:  # the patterns above forbid it
        raise ValueError(f"the template {template!r} names no attribute")
    return found[1]


class GuardSpec(ApiModel):
    """How many people may lose access at once, or gain it. `null` for a number: no such limit."""

    max_removals: int | None = Field(
        20,
        ge=0,
        description="So many people may lose access in a window; 0: each removal waits for approval.",
        json_schema_extra={"nullable": True},
    )
    max_percent: int | None = Field(
        10,
        ge=0,
        le=100,
        description=(
            "Or so many of those with access, in percent, if that is less; never less than 5 people."
        ),
        json_schema_extra={"nullable": True},
    )
    window: Duration = Field(
        "10m",
        description="The length of the window: what was counted is forgotten after it. 10s or more.",
        json_schema_extra=rules(rule("duration(self) >= duration('10s')", "a window is 10s or longer")),
    )
    max_additions: int | None = Field(
        None,
        ge=0,
        description="So many people may gain rights in a window; absent: no such limit.",
        json_schema_extra={"nullable": True},
    )

    @field_validator("window")
    @classmethod
    def _long_enough(cls, window: str) -> str:
        if seconds(window) < _SHORTEST_WINDOW:
            raise ValueError(f"a window is {_SHORTEST_WINDOW}s or longer")
        return window


class ProtectedSpec(ApiModel):
    """Whose access changes with approval alone, whatever the provider says."""

    users: list[Annotated[str, StringConstraints(min_length=1, max_length=256)]] = Field(
        default_factory=list,
        max_length=100,
        description=(
            "People by userName, or by their subject in bindings. They lose nothing, and gain nothing, until "
            "somebody approves it: whom the provider makes or renames so has nothing by that name."
        ),
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    groups: list[Annotated[str, StringConstraints(min_length=1, max_length=256)]] = Field(
        default_factory=list,
        max_length=100,
        description=(
            "Groups by displayName, or by their subject in bindings. Another group that comes to be called "
            "so has nothing by that name until somebody approves it."
        ),
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class LimitsSpec(ApiModel):
    """How much a provider may record; beyond it is answered 403. What is there already stays."""

    users: int = Field(100_000, ge=1, description="So many users, disabled ones included.")
    groups: int = Field(10_000, ge=1, description="So many groups.")
    members_per_group: int = Field(100_000, ge=1, description="So many members in one group.")
    allowed_user_names: list[Annotated[str, StringConstraints(min_length=1, max_length=256)]] = Field(
        default_factory=lambda: ["*"],
        min_length=1,
        max_length=100,
        description=(
            'Names that new users may have, and users may be renamed to: "*@example.com". `*` stands for '
            "anything; compared in any case."
        ),
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class DirectorySpec(ApiModel):
    """What an admin decides about a connection."""

    provider: Literal["Entra", "Okta", "Generic"] = Field(
        "Generic", description="Changes wording and defaults only, never how requests are answered."
    )
    subjects: SubjectTemplate = Field(default_factory=lambda: SubjectTemplate())
    access: Literal["Apply", "Hold"] = Field(
        "Apply",
        description=(
            "Hold: record what the provider says and change no access, until this is Apply again. Locks, and "
            "what others did to our bindings, are dealt with all the same."
        ),
    )
    guard: GuardSpec = Field(default_factory=lambda: GuardSpec())
    protected: ProtectedSpec = Field(default_factory=lambda: ProtectedSpec())
    limits: LimitsSpec = Field(default_factory=lambda: LimitsSpec())


class TokenStatus(ApiModel):
    """A token of a directory: a Secret in the operator's namespace."""

    model_config = ConfigDict(json_schema_extra={"required": ["name", "created"]})

    name: str = Field(description="The Secret's name.")
    created: Timestamp = Field(description="When its Secret was made.")
    expires: Timestamp | None = Field(
        None, description="From then on it opens nothing; absent: it never ends."
    )
    last_used: Timestamp | None = Field(None, description="Exact to a minute; absent: never used.")


class DirectoryStatus(Status):
    """What the operator knows of a connection."""

    url: str | None = Field(None, description="The Tenant URL to paste into the provider.")
    users: int | None = Field(None, description="How many users the provider pushed, disabled ones included.")
    groups: int | None = Field(None, description="How many groups the provider pushed.")
    last_request_time: Timestamp | None = Field(
        None, description="When the provider last sent a request with a valid token; exact to a minute."
    )
    tokens: Annotated[
        list[TokenStatus],
        Field(
            default_factory=list,
            description="Its tokens, expired ones included.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    token_expires: Timestamp | None = Field(
        None, description="When the first valid token ends, or when the last one did."
    )


class ScimDirectory(ApiModel):
    """A connection of an identity provider: its URL, and how its people are named in bindings."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: DirectorySpec = Field(default_factory=lambda: DirectorySpec())
    status: DirectoryStatus | None = None
