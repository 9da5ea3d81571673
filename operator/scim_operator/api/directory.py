"""ScimDirectory: one connection of an identity provider."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import ConfigDict, Field

from scim_operator.api.base import LABEL_NAME, ApiModel, Status, Timestamp

PLACEHOLDER = re.compile(r"\{(userName|externalId|emails\.work)\}")
_TEMPLATE = rf"^[^{{}}]*{PLACEHOLDER.pattern}[^{{}}]*$"


class SubjectTemplate(ApiModel):
    """How a person is named in a binding: what the authenticator makes of their token, byte for byte."""

    user: str = Field(
        "{userName}",
        pattern=_TEMPLATE,
        max_length=253,
        description=(
            "A person's subject: exactly one of {userName}, {externalId}, {emails.work}, with any prefix, "
            'such as "entra:{externalId}".'
        ),
    )
    lowercase: bool = Field(False, description="Lower-case the subject after the template was filled in.")

    @property
    def attribute(self) -> str:
        """The SCIM attribute that names a person: `userName`, `externalId` or `emails.work`."""
        found = PLACEHOLDER.search(self.user)
        if found is None:  # the pattern above forbids it
            raise ValueError(f"subjects.user {self.user!r} names no attribute")
        return found[1]


class DirectorySpec(ApiModel):
    """What an admin decides about a connection."""

    provider: Literal["Entra", "Okta", "Generic"] = Field(
        "Generic", description="Changes wording and defaults only, never how requests are answered."
    )
    subjects: SubjectTemplate = Field(default_factory=lambda: SubjectTemplate())


class DirectoryStatus(Status):
    """What the operator knows of a connection."""

    url: str | None = Field(None, description="The Tenant URL to paste into the provider.")
    users: int | None = Field(None, description="How many users the provider pushed, disabled ones included.")
    groups: int | None = Field(None, description="How many groups the provider pushed.")
    last_request_time: Timestamp | None = Field(
        None, description="When the provider last sent a valid request; exact to some seconds."
    )


class ScimDirectory(ApiModel):
    """A connection of an identity provider: its URL, and how its people are named in bindings."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: DirectorySpec = Field(default_factory=lambda: DirectorySpec())
    status: DirectoryStatus | None = None
