"""What is asked and what is answered, apart from HTTP: requests and the operations of a Bulk alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.schemas import GROUP, USER
from scim_operator.scim.versions import ALWAYS, Conditions
from scim_operator.web.queries import Query
from scim_operator.web.targets import Target

# By the folded endpoint.
RESOURCES: Mapping[str, ResourceType] = {"users": USER, "groups": GROUP}


@dataclass(frozen=True)
class Ask:
    """`base`: the directory's URL, no slash at the end. `body`: empty where the method has none.

    `part`: which operation of a Bulk this is, from 1; 0 for a request of its own. `admit` raises what the
    request would be refused with now: a token may be revoked while it is at work. `repeated`: a replica that
    got no answer sends it again; it may have been carried out.
    """

    target: Target
    base: str
    request_id: str
    query: Query
    body: Mapping[str, Any] = field(default_factory=dict)
    conditions: Conditions = ALWAYS
    part: int = 0
    admit: Callable[[], None] = lambda: None
    repeated: bool = False

    @property
    def created_by(self) -> str:
        """The name of a POST by which its repetition is known."""
        return f"{self.request_id}/{self.part}" if self.part else self.request_id

    @property
    def resource_type(self) -> ResourceType:
        """That of the endpoint, which must be one of resources."""
        return RESOURCES[self.target.endpoint]

    @property
    def identifier(self) -> str:
        """The resource's id."""
        return self.target.identifier or ""


@dataclass(frozen=True)
class Answer:
    """`body`: what is sent as JSON; None for none."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Ask], Awaitable[Answer]]
