"""What a RemovalHold's status says to people, besides the ledger it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from scim_operator.access.conditions import of_problems, updated
from scim_operator.access.guard import Ledger
from scim_operator.access.problems import Problem, quoted
from scim_operator.access.tally import Entry, Tally

_NAMED = 5
# Of one, and of several.
_REMOVALS = ("removal is held", "removals are held")


def hold_status(
    obj: Mapping[str, Any], fields: Mapping[str, Any], ledger: Ledger, now: str
) -> dict[str, Any]:
    """The whole status. `fields`: those of the ledger; `now`: RFC 3339."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    name = metadata["name"]
    problems = [*_tripped(name, spec, fields, ledger), *_not_given(name, spec, fields, ledger)]
    problems += [*_full(name, ledger), *_frozen(ledger)]
    generation = int(metadata.get("generation", 0))
    known = (obj.get("status") or {}).get("conditions") or []
    ready = "nothing waits for approval"
    conditions = updated(known, of_problems(problems, ready), generation=generation, now=now)
    return {**fields, "observedGeneration": generation, "conditions": conditions}


def _tripped(name: str, spec: Mapping[str, Any], fields: Mapping[str, Any], ledger: Ledger) -> list[Problem]:
    waiting = ledger.removals.waiting
    if not waiting:
        return []
    reasons = {entry.reason for entry in waiting}
    reason = next((item for item in ("Frozen", "Subjects", "Limit") if item in reasons), "Protected")
    wanted = fields["hash"]
    message = f"{_listed(waiting, _REMOVALS)}; to let them go: {approval(name, 'approve', wanted)}"
    unknown = _unknown("approve", spec, wanted, ledger.removals)
    return [Problem("GuardTripped", reason, message), *unknown]


def _not_given(
    name: str, spec: Mapping[str, Any], fields: Mapping[str, Any], ledger: Ledger
) -> list[Problem]:
    """Names of groups that wait, and people who would come: one list, one approval."""
    waiting = ledger.additions.waiting
    if not waiting:
        return []
    wanted = fields["additionsHash"]
    renames = [entry for entry in waiting if entry.kind == "Rename"]
    what = ("new name of a group waits", "new names of groups wait")
    if not renames:
        what = ("addition is held", "additions are held")
    elif len(renames) < len(waiting):
        what = ("", "additions and new names of groups wait")
    message = f"{_listed(waiting, what)}; to give it: {approval(name, 'approveAdditions', wanted)}"
    protected = all(entry.reason == "Protected" for entry in waiting)
    tripped = ("GuardTripped", "Protected" if protected else "AdditionsLimit")
    return [
        Problem(*(("RenameHeld", "NewRights") if renames else tripped), message),
        *_unknown("approveAdditions", spec, wanted, ledger.additions),
    ]


def _unknown(field: str, spec: Mapping[str, Any], wanted: str, tally: Tally) -> list[Problem]:
    typed = spec.get(field)
    if not typed or typed in (wanted, tally.consumed):
        return []
    why = (
        f"spec.{field} {typed!r} is no list that waits here (it may have changed since it was read); "
        f"now it is {wanted!r}"
    )
    return [Problem("Stalled", "ApprovalUnknown", why)]


def _full(name: str, ledger: Ledger) -> list[Problem]:
    if not ledger.is_full:
        return []
    why = (
        f"no more than {ledger.most:,} people fit into this object: whoever else is to leave keeps their "
        "access, whoever else is to come doesn't yet, and they come to the list as soon as there is room; "
        "approve those who are on it, or give them back what they had in the provider (those who were let "
        f"go count for the window of the directory's spec.guard): kubectl describe removalhold {name}"
    )
    return [Problem("GuardTripped", "ListFull", why)]


def _frozen(ledger: Ledger) -> list[Problem]:
    if ledger.frozen is None:
        return []
    return [Problem("Frozen", ledger.frozen.reason, f"nobody loses access: {ledger.frozen.message}")]


def _listed(waiting: Sequence[Entry], what: tuple[str, str]) -> str:
    """How many wait, and who: a few by name. `what`: of one, and of several."""
    named = list(islice((quoted(entry.name) for entry in waiting if entry.name), _NAMED))
    who = ", ".join(named) + (f" and {len(waiting) - len(named)} more" if len(waiting) > len(named) else "")
    return f"{len(waiting)} {what[len(waiting) != 1]} until somebody approves: {who}"


def approval(name: str, field: str, text: str) -> str:
    """What to type."""
    return f'kubectl patch removalhold {name} --type=merge -p \'{{"spec":{{"{field}":"{text}"}}}}\''
