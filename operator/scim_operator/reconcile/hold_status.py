"""What a RemovalHold's status says to people, besides the ledger it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim_operator.access.conditions import of_problems, updated
from scim_operator.access.guard import Ledger
from scim_operator.access.problems import Problem, quoted
from scim_operator.access.tally import Tally

_NAMED = 5


def hold_status(
    obj: Mapping[str, Any], fields: Mapping[str, Any], ledger: Ledger, now: str
) -> dict[str, Any]:
    """The whole status. `fields`: those of the ledger; `now`: RFC 3339."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    problems = [*_tripped(metadata["name"], spec, fields, ledger), *_frozen(ledger)]
    generation = int(metadata.get("generation", 0))
    known = (obj.get("status") or {}).get("conditions") or []
    ready = "nothing waits for approval"
    conditions = updated(known, of_problems(problems, ready), generation=generation, now=now)
    return {**fields, "observedGeneration": generation, "conditions": conditions}


def _tripped(name: str, spec: Mapping[str, Any], fields: Mapping[str, Any], ledger: Ledger) -> list[Problem]:
    waiting = ledger.removals.waiting
    if not waiting:
        return []
    wanted, typed = fields["hash"], spec.get("approve")
    reasons = {entry.reason for entry in waiting if entry.reason}
    reason = next((item for item in ("Frozen", "Subjects", "Limit") if item in reasons), "Protected")
    message = f"{removals(ledger.removals)}; to let them go: {approval(name, 'approve', wanted)}"
    problems = [Problem("GuardTripped", reason, message)]
    if typed and typed not in (wanted, ledger.removals.consumed):
        why = (
            f"spec.approve {typed!r} is no list that waits here (it may have changed since it was read); "
            f"now it is {wanted!r}"
        )
        problems.append(Problem("Stalled", "ApprovalUnknown", why))
    return problems


def _frozen(ledger: Ledger) -> list[Problem]:
    if ledger.frozen is None:
        return []
    return [Problem("Frozen", ledger.frozen.reason, f"nobody loses access: {ledger.frozen.message}")]


def removals(tally: Tally) -> str:
    """How many wait, and who: a few by name."""
    waiting = tally.waiting
    named = [quoted(entry.name) for entry in waiting if entry.name][:_NAMED]
    who = ", ".join(named) + (f" and {len(waiting) - len(named)} more" if len(waiting) > len(named) else "")
    return f"{len(waiting)} {_plural(len(waiting))} until somebody approves: {who}"


def _plural(count: int) -> str:
    return "removal is held" if count == 1 else "removals are held"


def approval(name: str, field: str, text: str) -> str:
    """What to type."""
    return f'kubectl patch removalhold {name} --type=merge -p \'{{"spec":{{"{field}":"{text}"}}}}\''
