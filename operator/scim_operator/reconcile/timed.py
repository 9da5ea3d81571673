"""The AccessGrants as they are now: whom each means, where, and whether it still gives anything."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from scim_operator.access.locks import seconds_at
from scim_operator.access.places import Place
from scim_operator.access.subjects import Refused
from scim_operator.access.timed import TimedGrant
from scim_operator.api.grant import TimedGrantSpec
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.kube.cache import Cache
from scim_operator.reconcile.people import People
from scim_operator.reconcile.rosters import Rosters
from scim_operator.reconcile.routes import GroupKey
from scim_operator.scim.schemas import GROUP, USER

log = logging.getLogger(__name__)


class TimedGrants:
    """`called`: how somebody is named in bindings; `longest`: how long a grant may last, in seconds; `now`:
    seconds since 1970. There are few of them: every question looks at all.
    """

    def __init__(
        self,
        index: Index,
        people: People,
        rosters: Rosters,
        called: Callable[[Record], str | Refused],
        longest: float,
        now: Callable[[], float],
    ) -> None:
        self.objects = Cache()
        self.invalid: dict[str, str] = {}
        self.longest = longest
        self._index = index
        self._people = people
        self._rosters = rosters
        self._called = called
        self._now = now
        self._grants: dict[str, TimedGrant] = {}
        # (uid of the grant, id): whom it meant, until its status tells.
        self._found: dict[str, tuple[str, str]] = {}
        # Those that give something.
        self._live: set[str] = set()

    # --- questions -----------------------------------------------------------------------------------------

    def get(self, name: str) -> TimedGrant | None:
        """A grant as it is known."""
        return self._grants.get(name)

    def at(self, place: Place) -> TimedGrant | None:
        """The grant that gives a place its role now; None when none does any more."""
        grant = self._grants.get(place.grant)
        if grant is None or grant.name not in self._live or grant.is_over(self._now()):
            return None
        return grant if grant.place == place else None

    def uid(self, place: Place) -> str:
        """That of the grant that gives a place its role now; empty when none does."""
        obj = self.objects.get(place.grant) if self.at(place) is not None else None
        return str(obj["metadata"]["uid"]) if obj is not None else ""

    def places(self) -> set[Place]:
        """Where any grant gives its role, or did."""
        return {grant.place for grant in self._grants.values()}

    def places_of(self, record: Record) -> set[Place]:
        """The places of the grants that mean a person, or a group that the person or group is in."""
        around = self._people.groups_around(record.directory, record.id) if self._grants else set()
        meant = {identifier for _, identifier in around} | {record.id}
        return {grant.place for grant in self._in_directory(record.directory) if grant.found in meant}

    def places_in(self, namespace: str) -> set[Place]:
        """Those in a namespace."""
        return {place for place in self.places() if place.namespace == namespace}

    def with_role(self, role: str) -> set[Place]:
        """Those of a ClusterRole."""
        return {place for place in self.places() if (place.kind, place.role) == ("ClusterRole", role)}

    def of_directory(self, directory: str) -> set[Place]:
        """Those for people of a directory."""
        return {grant.place for grant in self._in_directory(directory)}

    def group_of(self, place: Place) -> GroupKey | None:
        """The group that a place's grant means."""
        grant = self._grants.get(place.grant)
        if grant is None or grant.spec.group is None or not grant.found:
            return None
        return grant.spec.directory, grant.found

    def subjects(self, place: Place) -> frozenset[str]:
        """Who should stand in the place's bindings: active, existing people."""
        grant = self.at(place)
        if grant is None or not grant.found:
            return frozenset()
        if grant.spec.group is not None:
            return self._rosters.of("", (grant.spec.directory, grant.found))
        user = self._index.get(grant.spec.directory, USER.name, grant.found)
        name = self._called(user) if user is not None and user.active else None
        return frozenset({name} if isinstance(name, str) else ())

    def active(self) -> int:
        """How many there are that give something, as far as they are concerned."""
        return len(self._live)

    def next_end(self) -> float:
        """When the next one ends, in seconds since 1970; infinite for never."""
        return min((self._grants[name].end for name in self._live), default=math.inf)

    def candidates(self, spec: TimedGrantSpec) -> list[str]:
        """The ids of those whom a grant may mean. A group's displayName that waits for approval isn't one."""
        if spec.group is None:
            found = self._index.holders(spec.directory, USER.name, "userName", spec.user_name or "")
            return sorted(found)
        if spec.group.external_id is not None:
            return sorted(
                self._index.holders(spec.directory, GROUP.name, "externalId", spec.group.external_id)
            )
        name = spec.group.display_name or ""
        groups = self._index.holders(spec.directory, GROUP.name, "displayName", name)
        records = (self._index.get(spec.directory, GROUP.name, identifier) for identifier in groups)
        named = (record for record in records if record is not None and record.label == name)
        return sorted(record.id for record in named if record.granted_as == name)

    def waiting_for(self, directory: str, name: str) -> set[Place]:
        """The places of the grants that wait for a group of that displayName."""
        waiting = (grant for grant in self._in_directory(directory) if not grant.found)
        return {
            grant.place
            for grant in waiting
            if grant.spec.group is not None
            and grant.spec.group.display_name == name
            and not grant.is_over(self._now())
        }

    # --- changes: each returns the grants that give something else by it ------------------------------------

    def take_in(self, name: str) -> set[Place]:
        """Take in the cached grant of that name, or its absence."""
        obj = self.objects.get(name)
        before = self._grants.pop(name, None)
        self.invalid.pop(name, None)
        self._live.discard(name)
        uid, status = (obj["metadata"]["uid"], obj.get("status") or {}) if obj else ("", {})
        if self._found.get(name, (uid,))[0] != uid:
            del self._found[name]
        if obj is not None:
            if status.get("id"):
                # Found once: whoever writes another into the status gives nothing to anybody.
                self._found.setdefault(name, (uid, status["id"]))
            self._read(name, obj)
        self._look_again(name)
        after = self._grants.get(name)
        return {grant.place for grant in (before, after) if grant is not None}

    def came(self, record: Record) -> set[str]:
        """Somebody, or a group, is new or changed. -> the grants that have found them."""
        waiting = [grant.name for grant in self._in_directory(record.directory) if not grant.found]
        for name in waiting:
            self._look_again(name)
        return {name for name in waiting if self._grants[name].found}

    def look_again(self) -> set[str]:
        """Time has passed. -> the grants that have ended by it."""
        before = set(self._live)
        for name in before:
            self._look_again(name)
        return before - self._live

    # --- inside --------------------------------------------------------------------------------------------

    def _in_directory(self, directory: str) -> Iterable[TimedGrant]:
        return (grant for grant in self._grants.values() if grant.spec.directory == directory)

    def _read(self, name: str, obj: Mapping[str, Any]) -> None:
        try:
            spec = TimedGrantSpec.model_validate(obj["spec"])
        except ValidationError as error:
            first = error.errors()[0]
            self.invalid[name] = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            log.warning("AccessGrant %s is invalid and grants nothing: %s", name, self.invalid[name])
            return
        created = obj["metadata"].get("creationTimestamp")
        _, found = self._found.get(name, ("", ""))
        # Somebody's finalizer may hold a deleted one for as long as they like.
        going = obj["metadata"].get("deletionTimestamp")
        ended = bool(going or (obj.get("status") or {}).get("ended"))
        self._grants[name] = TimedGrant(name, spec, seconds_at(created), found, ended)

    def _look_again(self, name: str) -> None:
        grant = self._grants.get(name)
        self._live.discard(name)
        if grant is None:
            return
        if grant.is_over(self._now()):
            self._grants[name] = replace(grant, ended=True)
            return
        if not grant.found and len(found := self.candidates(grant.spec)) == 1:
            self._grants[name] = grant = replace(grant, found=found[0])
            self._found[name] = self.objects.get(name)["metadata"]["uid"], found[0]  # type: ignore[index]
        if not grant.is_too_long(self.longest):
            self._live.add(name)
