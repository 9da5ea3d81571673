"""RemovalHold: the guard's ledger, one per directory and named as it. Approving it is a right of its own.

Status is what the operator writes, spec what an approver types. What approving means is bound to the list
that was read: a hash over its first so many entries, and over the object and the round it was made in.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from scim_operator.api.base import LABEL_NAME, ApiModel, Status, Timestamp
from scim_operator.api.directory import SubjectTemplate

MOST_SHOWN = 1000
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}-[0-9a-f]{16}$")]


class RemovalHoldSpec(ApiModel):
    """What an approver says."""

    approve: Hash | None = Field(
        None,
        description=(
            "status.hash as it was read: those in the list then lose their access. Whoever comes to the list "
            "later isn't covered."
        ),
    )
    approve_additions: Hash | None = Field(
        None, description="status.additionsHash as it was read: what is in status.additions comes to pass."
    )


class Held(ApiModel):
    """Somebody whose access stays until somebody says so."""

    model_config = ConfigDict(json_schema_extra={"required": ["key", "subject", "reason", "since"]})

    key: str = Field(description="The entry's key, as packed in `keys`.")
    subject: str = Field(description="Their name in bindings; of a held rename, the group's new name.")
    kind: Literal["User", "Group", "Rename"] = Field("User", description="What the name stands for.")
    reason: str = Field(description="Why it waits: Limit, Protected, Frozen, Subjects or Renamed.")
    since: Timestamp = Field(description="Since when it waits.")
    message: str | None = Field(None, description="What it is about, where the name doesn't say it all.")


class Released(ApiModel):
    """Those who were counted in the window at one time."""

    at: Timestamp = Field(description="When they were let through.")
    keys: str = Field(description="Packed: 8 bytes of SHA-256 each, in base64.")
    weight: int = Field(1, ge=0, description="As how many people each of them counts.")


class ProtectedSubjects(ApiModel):
    """Under which names somebody protected stands in bindings, or did."""

    kind: Literal["User", "Group"] = Field(description="Whether a person or a group is meant.")
    name: str = Field(description="As the directory's spec.protected lists them.")
    subjects: list[str] = Field(
        description="The names.", json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )


class Frozen(ApiModel):
    """Why nobody of the directory loses access at the moment."""

    model_config = ConfigDict(json_schema_extra={"required": ["reason", "message", "since"]})

    reason: str = Field(description="InputMissing, DirectoryMissing, NoUsers or LedgerLost.")
    message: str = Field(description="What is missing, and what to do.")
    since: Timestamp = Field(description="Since when.")


def _list(description: str) -> object:
    return Field(
        default_factory=list,
        description=description,
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class RemovalHoldStatus(Status):
    """What waits, and what was counted. Written before the removals it counts."""

    waiting: int | None = Field(None, description="How many removals wait for approval.")
    hash: str | None = Field(None, description="What spec.approve has to say to let all of them go.")
    held: Annotated[list[Held], _list(f"Who waits, the first {MOST_SHOWN}.")]
    keys: str | None = Field(None, description="All entries of the list, packed; closed ones included.")
    closed: str | None = Field(
        None, description="Which of them are done, or wanted again: a bit each, in base64."
    )
    approved: str | None = Field(None, description="What was approved last.")
    approved_count: int | None = Field(None, description="The first so many of the list are approved.")
    round: int | None = Field(None, description="Grows whenever the list begins anew; part of the hash.")
    released: Annotated[list[Released], _list("Who was let go in this window.")]

    additions_waiting: int | None = Field(None, description="How many additions and renames wait.")
    additions_hash: str | None = Field(None, description="What spec.approveAdditions has to say.")
    additions: Annotated[list[Held], _list(f"What waits to be given, the first {MOST_SHOWN}.")]
    addition_keys: str | None = Field(None, description="As `keys`.")
    additions_closed: str | None = Field(None, description="As `closed`.")
    approved_additions: str | None = Field(None, description="As `approved`.")
    approved_additions_count: int | None = Field(None, description="As `approvedCount`.")
    additions_round: int | None = Field(None, description="As `round`.")
    added: Annotated[list[Released], _list("Who gained rights in this window.")]

    protected: Annotated[list[ProtectedSubjects], _list("Who is protected, by their names in bindings.")]
    frozen: Frozen | None = Field(None, description="Set: nobody of the directory loses access.")
    subjects: SubjectTemplate | None = Field(
        None,
        description=(
            "The directory's subjects as last fully applied; while they differ, every removal waits."
        ),
    )


class RemovalHold(ApiModel):
    """What the guard holds back in one directory, and how to let it go."""

    model_config = ConfigDict(json_schema_extra=LABEL_NAME)

    spec: RemovalHoldSpec = Field(default_factory=lambda: RemovalHoldSpec())
    status: RemovalHoldStatus | None = None
