"""The lines of the audit stream: one for each change that took effect (docs/audit.md, audit.schema.json).

They hold no secrets, and of people nothing but the names by which they get access: userName, externalId and
the subject in a binding. Whatever else changed is told by the attribute's name, without its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter

from scim_operator.api.base import ApiModel, Timestamp

# Members that a line names; how many there are is told in any case.
MOST_NAMED = 1_000

Mask = Callable[[str], str]
SubjectKind = Literal["User", "Group"]
Why = Literal[
    "Policy", "Grant", "Approved", "Moved", "Disabled", "Gone", "Locked", "GrantEnded", "Stranger", "RoleLost"
]


class _Line(ApiModel):
    """What every line begins with. `time` is when it was told, just after the change was durable."""

    audit: Literal[1] = Field(1, description="This is a line of the audit stream, of this version.")
    time: Timestamp = Field("", description="When it was told: UTC, milliseconds.")

    def masked(self, mask: Mask) -> Self:
        """Without the names of people."""
        return self


class Identity(ApiModel):
    """What access depends on, of a user or group; of a change those that differ."""

    user_name: str | None = None
    external_id: str | None = None
    active: bool | None = None
    display_name: str | None = Field(None, description="Of a group; never of a person.")

    def masked(self, mask: Mask) -> Self:
        """Of a person, without names."""
        named = {"user_name": self.user_name, "external_id": self.external_id}
        return self.model_copy(update={key: text and mask(text) for key, text in named.items()})


class Members(ApiModel):
    """Who joined or left a group, by SCIM id; at most 1,000 of them are named in each list."""

    before: int
    after: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unnamed: int = Field(0, description="How many more joined or left than are named.")


class IdentityChange(_Line):
    """The provider made, changed or deleted a user or group."""

    event: Literal["identity"] = "identity"
    action: Literal["Created", "Changed", "Deleted"]
    directory: str
    token: str | None = Field(None, description="The Secret of the token that asked for it.")
    request: str | None = Field(None, description="The id of the SCIM request (X-Request-Id).")
    kind: Literal["ScimUser", "ScimGroup"]
    id: str = Field(description="The SCIM id.")
    object: str | None = Field(None, description="The object's name; not where names are hashed: it has one.")
    version: str | None = Field(None, description="The resource's version afterwards (its ETag).")
    before: Identity = Identity()
    after: Identity = Identity()
    members: Members | None = None
    other: tuple[str, ...] = Field((), description="Further attributes that differ, without values.")

    def masked(self, mask: Mask) -> Self:
        """A group has no names of people: its members are ids."""
        if self.kind == "ScimGroup":
            return self
        states = {"before": self.before.masked(mask), "after": self.after.masked(mask)}
        return self.model_copy(update={**states, "object": None})


class Subject(ApiModel):
    """Who came to a binding or left it, as RBAC names them, and why."""

    kind: SubjectKind
    name: str
    why: Why

    def masked(self, mask: Mask) -> Self:
        """Groups keep their names."""
        return self.model_copy(update={"name": mask(self.name)}) if self.kind == "User" else self


class Role(ApiModel):
    """What a binding gives."""

    kind: Literal["ClusterRole", "Role"]
    name: str


class BindingChange(_Line):
    """The operator made, changed or deleted a binding: who has access."""

    event: Literal["binding"] = "binding"
    action: Literal["Created", "Changed", "Deleted"]
    directory: str
    requests: tuple[str, ...] = Field((), description="The SCIM requests that led to it; none: an admin.")
    policy: str | None = Field(None, description="The AccessPolicy that gives it.")
    grant: str | None = Field(None, description="Or the AccessGrant.")
    kind: Literal["RoleBinding", "ClusterRoleBinding"]
    namespace: str | None = Field(None, description="None: the whole cluster.")
    object: str
    role: Role
    added: tuple[Subject, ...] = ()
    removed: tuple[Subject, ...] = ()
    subjects: int = Field(description="How many stand in it afterwards.")

    def masked(self, mask: Mask) -> Self:
        """Without the names of people."""
        lists = {"added": self.added, "removed": self.removed}
        return self.model_copy(
            update={key: tuple(who.masked(mask) for who in people) for key, people in lists.items()}
        )


class NamespaceChange(_Line):
    """The operator made a namespace, took one over, or deleted one that was unused."""

    event: Literal["namespace"] = "namespace"
    action: Literal["Created", "Adopted", "Deleted"]
    object: str
    policies: tuple[str, ...] = Field((), description="Those that want it.")


class Waiting(ApiModel):
    """Who waits in the guard's list, or which new name of a group."""

    kind: Literal["User", "Group", "Rename", ""]
    name: str
    reason: str

    def masked(self, mask: Mask) -> Self:
        """Groups keep their names."""
        return self.model_copy(update={"name": mask(self.name)}) if self.kind == "User" else self


class GuardDecision(_Line):
    """The guard held somebody's removal or addition, took an approval, or froze or thawed a directory."""

    event: Literal["guard"] = "guard"
    action: Literal["Held", "Approved", "Frozen", "Thawed"]
    directory: str
    list: Literal["Removals", "Additions"] | None = None
    hash: str | None = Field(None, description="What is to be approved, or was (spec.approve).")
    count: int | None = Field(None, description="How many came to the list, or were approved.")
    waiting: tuple[Waiting, ...] = Field((), description="They, at most 1,000.")
    reason: str | None = Field(None, description="Why the directory is frozen.")

    def masked(self, mask: Mask) -> Self:
        """Without the names of people."""
        return self.model_copy(update={"waiting": tuple(who.masked(mask) for who in self.waiting)})


class Rename(_Line):
    """A group's access goes by another name from now on."""

    event: Literal["rename"] = "rename"
    action: Literal["Applied"] = "Applied"
    directory: str
    id: str = Field(description="The group's SCIM id.")
    object: str
    former: str | None = Field(None, description="The name before; none: it had none yet.")
    name: str


Line = IdentityChange | BindingChange | NamespaceChange | GuardDecision | Rename
LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="event")])


def schema() -> dict[str, Any]:
    """The JSON schema of a line (draft 2020-12)."""
    made = LINE.json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of scim-operator's audit stream",
        **made,
    }
