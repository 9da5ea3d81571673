"""What an AccessGrant's status tells: who has the role by it, since when, and what keeps others from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scim_operator.access.plan import directory_missing
from scim_operator.access.problems import Problem, quoted
from scim_operator.access.subjects import Refused
from scim_operator.access.timed import (
    TimedGrant,
    held_back,
    locks_unknown,
    nobody_active,
    not_found,
    not_given_yet,
    too_long,
)
from scim_operator.api.grant import MOST_SUBJECTS_SHOWN
from scim_operator.reconcile.lock_status import Told
from scim_operator.reconcile.outcomes import Outcomes
from scim_operator.reconcile.resources import LOCKS
from scim_operator.reconcile.world import World
from scim_operator.scim.schemas import USER


def grant_status(
    name: str, world: World, outcomes: Outcomes, known: Mapping[str, Any], now: Callable[[], str]
) -> Told:
    """`known`: the status so far, which remembers since when, and whom the grant means."""
    grant = world.grants.get(name)
    if grant is None:
        wrong = f"{world.grants.invalid.get(name, '')}; nothing is granted: make another AccessGrant"
        # The id is found once, and what it did is history.
        kept = {field: known.get(field) for field in ("id", "who", "since", "ended")}
        return Told(kept, [Problem("Stalled", "InvalidSpec", wrong)], "", "Invalid")
    standing = outcomes.of(grant.place).subjects
    names = sorted(subject for _, subject in standing)
    over = grant.is_over(world.now())
    who = known.get("who") if over else _who(grant, world)
    fields = {
        "id": known.get("id") or grant.found or None,
        "who": who or known.get("who"),
        "people": len(names),
        "subjects": names[:MOST_SUBJECTS_SHOWN] or None,
        "since": known.get("since") or (now() if names else None),
        "ended": (known.get("ended") or now()) if over else None,
    }
    problems = list(_problems(grant, world, outcomes, names))
    if over:
        ended = fields["ended"]
        return Told(
            fields, problems, f"ended at {ended}: it gives nothing any more and can be deleted", "Ended"
        )
    where = f"in namespace {grant.spec.namespace!r}" if grant.spec.namespace else "in the whole cluster"
    people = "1 person has" if len(names) == 1 else f"{len(names)} people have"
    ready = f"{people} {grant.place.kind} {grant.place.role!r} {where} until {grant.spec.until}"
    return Told(fields, problems, ready, "Active")


def _problems(grant: TimedGrant, world: World, outcomes: Outcomes, standing: list[str]) -> Iterator[Problem]:
    yield from outcomes.of(grant.place).problems
    if grant.is_over(world.now()):
        if standing:
            message = f"it has ended, and {len(standing)} still stand in its binding; it is tried again"
            yield Problem(
                "Stalled", "NotRemovedYet", f"{message}, and the operator's log says what keeps them"
            )
        return
    if grant.is_too_long(world.grants.longest):
        yield too_long(grant, world.grants.longest)
    elif world.directories.get(grant.spec.directory) is None:
        yield directory_missing(grant.spec.directory)
    elif not grant.found:
        yield not_found(grant.spec, len(world.grants.candidates(grant.spec)))
    elif refused := _refused(grant, world):
        yield Problem("SubjectRefused", refused.reason, refused.message)
    elif not (wanted := world.subjects_at(grant.place)):
        yield nobody_active(_who(grant, world) or "whom it meant is gone")
    elif (absent := wanted.difference(standing)) and _was_tried(grant, outcomes):
        yield _not_given(sorted(absent), grant.spec.directory, world)


def _was_tried(grant: TimedGrant, outcomes: Outcomes) -> bool:
    """True after a pass over its place that found nothing wrong."""
    return grant.place in outcomes and not outcomes.of(grant.place).problems


def _not_given(names: list[str], directory: str, world: World) -> Problem:
    """Why people who are wanted don't stand there all the same."""
    if LOCKS in world.unlisted:
        return locks_unknown(names)
    status = (world.holds.get(directory) or {}).get("status") or {}
    if any(status.get(field) for field in ("waiting", "additionsWaiting", "frozen")):
        return held_back(names, directory)
    return not_given_yet(names)


def _refused(grant: TimedGrant, world: World) -> Refused | None:
    user = world.index.get(grant.spec.directory, USER.name, grant.found)
    name = world.subject(user) if user is not None and grant.spec.group is None else None
    return name if isinstance(name, Refused) else None


def _who(grant: TimedGrant, world: World) -> str | None:
    record = world.index.member(grant.spec.directory, grant.found) if grant.found else None
    if record is None:
        asked = grant.spec.group.display_name if grant.spec.group else grant.spec.user_name
        return asked if not grant.found else None
    return record.label if grant.spec.group is None else f"group {quoted(record.label)}"
