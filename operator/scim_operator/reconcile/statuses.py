"""What every status says: computed from what is known, written only when it differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from scim_operator.access.conditions import of_problems, updated
from scim_operator.access.foreseen import Foreseen
from scim_operator.access.locks import told
from scim_operator.access.places import Place
from scim_operator.access.plan import directory_missing, revocation_delayed
from scim_operator.access.problems import Problem, quoted
from scim_operator.access.renames import rename_held
from scim_operator.access.restraint import on_hold
from scim_operator.access.subjects import Refused
from scim_operator.access.templates import not_allowed
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS, Record
from scim_operator.directory.shards import why_broken
from scim_operator.directory.tokens import Tokens
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.directory_status import recent, token_fields, token_problems
from scim_operator.reconcile.grant_status import grant_status
from scim_operator.reconcile.granted import grant_fields
from scim_operator.reconcile.lock_status import lock_status
from scim_operator.reconcile.outcomes import Outcomes, all_problems, binding_counts
from scim_operator.reconcile.resources import GRANTS, LOCKS, POLICIES, TEMPLATES
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.world import World
from scim_operator.scim.schemas import GROUP, USER

_SHOWN = 3
_TOLD_OF_GUARD = ("GuardTripped", "Frozen", "RenameHeld")
# So many changes does a policy's status list.
_PREVIEWED = 50


class Subject(NamedTuple):
    """Whose status: a kind and an object's name."""

    resource: Resource
    name: str


class Wanted(NamedTuple):
    """A status to be written beside the object it belongs to."""

    name: str
    known: Mapping[str, Any]
    status: dict[str, Any]


class Statuses:
    """Computes statuses. `now`: RFC 3339; `url`: directory name -> Tenant URL or None when unknown."""

    def __init__(
        self,
        world: World,
        *,
        now: Callable[[], str],
        url: Callable[[str], str | None],
        tokens: Tokens,
    ) -> None:
        self._world = world
        self._now = now
        self._url = url
        self._tokens = tokens
        self.outcomes = Outcomes()

    def wanted(self, subject: Subject) -> Wanted | None:
        """The status an object should have; None when it is gone or has it already."""
        compute = {
            USERS: self._user,
            GROUPS: self._group,
            POLICIES: self._policy,
            DIRECTORIES: self._directory,
            TEMPLATES: self._template,
            LOCKS: self._lock,
            GRANTS: self._grant,
        }[subject.resource]
        wanted = compute(subject.name)
        if wanted is None or dict(wanted.known) == wanted.status:
            self.told(subject)
            return None
        return wanted

    def told(self, subject: Subject) -> None:
        """An object's status says all there is to say."""
        user = self._world.index.named(USER.name, subject.name) if subject.resource == USERS else None
        if user is not None:
            self.outcomes.told((user.directory, user.id))

    def identity(self, subject: Subject) -> dict[str, str | None]:
        """Which object is meant, for the log: by SCIM id and last request where its name is a person's."""
        types = {USERS: USER.name, GROUPS: GROUP.name}
        if subject.resource not in types:
            return {"kind": subject.resource.kind, "object": subject.name}
        record = self._world.index.named(types[subject.resource], subject.name)
        return {
            "kind": subject.resource.kind,
            "id": record.id if record else None,
            "request_id": record.meta.request if record else None,
        }

    def _user(self, name: str) -> Wanted | None:
        user = self._world.index.named(USER.name, name)
        if user is None:
            return None
        subject = self._world.subject(user)
        problems = []
        if isinstance(subject, Refused):
            problems.append(Problem("SubjectRefused", subject.reason, subject.message))
        else:
            problems += map(told, self._world.locks.on(subject))
        ready = "access follows the groups" if user.active else "disabled by the provider: no access"
        fields = {
            "groups": len(self._world.index.groups_of(user.directory, user.id)),
            "subject": subject if isinstance(subject, str) else None,
            **grant_fields(user, self._world, self.outcomes, self._now),
        }
        return self._made(user.metadata, user.status, fields, problems, ready, self._shared(user, subject))

    def _group(self, name: str) -> Wanted | None:
        group = self._world.index.named(GROUP.name, name)
        if group is None:
            return None
        key: GroupKey = (group.directory, group.id)
        places = self._world.routes.of_group(key)
        counts = binding_counts(self.outcomes, places)
        held = self.outcomes.rename(key)
        problems = [
            *([] if group.is_whole else [Problem("Stalled", "ShardsMissing", why_broken(group))]),
            *([rename_held(held, key[0])] if held else []),
            *self._world.routes.problems_of_group(key),
            *self._refused_group(key, self._world.routes.policies_of(key)),
            *all_problems(self.outcomes, places),
        ]
        fields = {"members": len(group.members), **counts}
        ready = (
            "access is in place" if counts["bindings"] else "nobody active is in the group: nothing to grant"
        )
        if (
            places
            and not counts["bindings"]
            and all(self._world.is_previewed(item.policy) for item in places)
        ):
            names = ", ".join(sorted({item.policy for item in places}))
            ready = f"nothing is granted: AccessPolicy {names} is in Preview; its status tells what would be"
        ready = ready if places else _not_meant(self._world.routes.misses_of_group(key))
        return self._made(group.metadata, group.status, fields, problems, ready)

    def _policy(self, name: str) -> Wanted | None:
        policy = self._world.policies.get(name)
        if policy is None or not self._world.is_previewed(name):
            self.outcomes.foreseen.pop(name, None)
        if policy is None:
            return None
        places = self._world.routes.of_policy(name)
        counts = binding_counts(self.outcomes, places)
        bound = [place for place in places if self.outcomes.of(place).bindings]
        # Most places have the same people: as one and the same set.
        sets = {id(found): found for found in map(self._people, bound)}
        people = set().union(*sets.values())
        problems = all_problems(self.outcomes, places)
        if wrong := self._world.invalid_policies.get(name):
            problems.append(Problem("Stalled", "InvalidSpec", wrong))
        spec = policy["spec"]
        directory = (spec.get("groups") or spec.get("people") or {}).get("directory", "")
        if self._world.directories.get(directory) is None:
            problems.append(directory_missing(directory))
        if not self._world.settings.deletion and _deletes(spec):
            problems.append(_deletion_off())
        matched = self._world.routes.matched(name)
        fields: dict[str, Any] = {"groups": len(matched), "people": len(people), **counts}
        # Whoever names a group in the provider must not be able to turn a policy red.
        remarks = [
            *(rename_held(held, key[0]) for key, held in self.outcomes.renames() if name in held.policies),
            *self._world.routes.problems_of_policy(name),
            *(problem for key in matched for problem in self._refused_group(key, [name])),
            *([revocation_delayed()] if self._world.routes.subject_kind(name) == "Group" else []),
        ]
        nothing = _nothing_granted(over_people="people" in spec, matched=matched)
        ready, reason = "access is in place" if counts["bindings"] else nothing, "Reconciled"
        if self._world.is_previewed(name):
            foreseen = self.outcomes.foreseen.get(name)
            fields["preview"] = foreseen and foreseen.as_status(_PREVIEWED)
            ready, reason = _previewed(foreseen), "Preview"
        known = policy.get("status") or {}
        return self._made(policy["metadata"], known, fields, problems, ready, remarks, reason=reason)

    def _directory(self, name: str) -> Wanted | None:
        directory = self._world.directories.objects.get(name)
        if directory is None:
            return None
        known = directory.get("status") or {}
        fields = {
            "url": self._url(name),
            "users": self._world.index.count(name, USER.name),
            "groups": self._world.index.count(name, GROUP.name),
            "lastRequestTime": recent(
                known.get("lastRequestTime"), self._world.directories.last_request(name)
            ),
            **token_fields(name, self._tokens, known),
        }
        problems = []
        remarks = [*token_problems(name, self._tokens), *self._guarded(name)]
        spec = self._world.directories.get(name)
        if spec is None:
            problems.append(
                Problem("Stalled", "InvalidSpec", "the spec can't be read; see the operator's log")
            )
        elif spec.access == "Hold":
            remarks.append(on_hold(name))
        ready = "requests are answered"
        return self._made(directory["metadata"], known, fields, problems, ready, remarks)

    def _guarded(self, directory: str) -> list[Problem]:
        """What the guard holds back, as the directory's RemovalHold tells it."""
        status = (self._world.holds.get(directory) or {}).get("status") or {}
        told = [item for item in status.get("conditions") or () if item["type"] in _TOLD_OF_GUARD]
        return [Problem(item["type"], item["reason"], item["message"]) for item in told]

    def _shared(self, user: Record, subject: str | Refused) -> list[Problem]:
        """That others are named in bindings as this person is (rule 11): access is that of all of them."""
        if isinstance(subject, Refused):
            return []
        bearers = self._world.naming.bearers(subject, "User")
        others = sorted(f"{other.name} ({other.directory})" for other in bearers if other is not user)
        if not others:
            return []
        also = ", ".join(others[:_SHOWN]) + (" and others" if len(others) > _SHOWN else "")
        message = (
            f"ScimUser {also} is named {quoted(subject)} in bindings as well: whoever signs in by that name "
            "has the access of all of them, until the last one is disabled"
        )
        return [Problem("SubjectShared", "SameSubject", message)]

    def _template(self, name: str) -> Wanted | None:
        template = self._world.templates.get(name)
        if template is None:
            return None
        outcomes = self.outcomes.of_template(name)
        problems = [problem for outcome in outcomes for problem in outcome.contents]
        if wrong := self._world.invalid_templates.get(name):
            problems.append(Problem("Stalled", "InvalidSpec", wrong))
        if spec := self._world.template_specs.get(name):
            problems += not_allowed(spec, self._world.settings.template_kinds)
        ready = "in force" if outcomes else "no namespace is made from it yet"
        known = template.get("status") or {}
        return self._made(template["metadata"], known, {"namespaces": len(outcomes)}, problems, ready)

    def _lock(self, name: str) -> Wanted | None:
        lock = self._world.locks.objects.get(name)
        if lock is None:
            return None
        known = lock.get("status") or {}
        made = lock_status(name, self._world, known)
        return self._made(lock["metadata"], known, made.fields, made.problems, made.ready, reason=made.reason)

    def _grant(self, name: str) -> Wanted | None:
        grant = self._world.grants.objects.get(name)
        if grant is None:
            return None
        known = grant.get("status") or {}
        made = grant_status(name, self._world, self.outcomes, known, self._now)
        return self._made(
            grant["metadata"], known, made.fields, made.problems, made.ready, reason=made.reason
        )

    def _people(self, place: Place) -> frozenset[object]:
        """Who has access by a place: those who stand there, or the members of the groups that do."""
        if self._world.kind(place) == "User":
            return self.outcomes.of(place).subjects
        openers = self._world.routes.openers(place)
        standing = [key for key in openers if self._world.subjects_of(place.policy, key, "Group")]
        members = (user for key in standing for user in self._world.people.active(place.policy, key))
        return frozenset((user.directory, user.id) for user in members)

    def _refused_group(self, key: GroupKey, policies: Iterable[str]) -> list[Problem]:
        """That a group can't stand in the bindings of those policies that would put it there."""
        group = self._world.group(key)
        if group is None or not any(self._world.routes.subject_kind(name) == "Group" for name in policies):
            return []
        subject = self._world.subject(group)
        if not isinstance(subject, Refused):
            return []
        message = f"group {quoted(group.label)} can't stand in a binding: {subject.message}"
        return [Problem("SubjectRefused", subject.reason, message)]

    def _made(
        self,
        metadata: Mapping[str, Any],
        known: Mapping[str, Any],
        fields: Mapping[str, Any],
        problems: list[Problem],
        ready: str,
        remarks: Iterable[Problem] = (),
        reason: str = "Reconciled",
    ) -> Wanted:
        generation = int(metadata.get("generation", 0))
        conditions = updated(
            known.get("conditions") or [],
            of_problems(problems, ready, remarks, reason),
            generation=generation,
            now=self._now(),
        )
        status = {key: value for key, value in fields.items() if value is not None}
        status |= {"observedGeneration": generation, "conditions": conditions}
        return Wanted(str(metadata["name"]), known, status)


def _not_meant(misses: Mapping[str, str]) -> str:
    """Why a group gives nobody anything, and what would have to be otherwise; the first policies by name."""
    near = (f"policy {policy} would, but {missed}" for policy, missed in islice(misses.items(), _SHOWN))
    return "; ".join(["no policy matches this group", *near])


def _nothing_granted(*, over_people: bool, matched: Sequence[GroupKey]) -> str:
    """Why a policy without any fault binds nobody."""
    if over_people:
        return "the filter finds nobody active: nothing to grant"
    whom = "nobody is in the groups" if matched else "no group matches"
    return f"{whom} yet: nothing to grant"


def _previewed(foreseen: Foreseen | None) -> str:
    """What a policy would do, in a sentence; None: that isn't computed yet."""
    if foreseen is None:
        return "nothing is granted or changed (enforcement: Preview); status.preview follows in a moment"
    counts = foreseen.counts
    would = ", ".join(
        f"{what} {counts[kind][key]}"
        for kind, key, what in (
            ("people", "gain", "people who would gain access:"),
            ("people", "lose", "who would lose it:"),
            ("bindings", "create", "bindings to be made:"),
            ("bindings", "change", "changed:"),
            ("bindings", "delete", "deleted:"),
            ("namespaces", "create", "namespaces to be made:"),
        )
    )
    return f"nothing is granted or changed; {would}; to carry it out, set spec.enforcement to Enforce"


def _deletes(spec: Mapping[str, Any]) -> bool:
    """Whether a policy wants namespaces deleted."""
    targets = (grant.get("namespaces") or {} for grant in spec.get("grants") or ())
    return any((target.get("create") or {}).get("whenUnused") == "Delete" for target in targets)


def _deletion_off() -> Problem:
    """Such a policy where the chart's values don't allow it."""
    message = (
        "whenUnused: Delete is not allowed here, and unused namespaces stay; to allow it, set the chart's "
        "value `namespaceDeletion`"
    )
    return Problem("Stalled", "DeletionNotAllowed", message)
