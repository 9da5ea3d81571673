"""All that planning depends on, as last seen. Nothing is planned before every part has been listed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place, Settings, invalid, widest
from scim_operator.access.plan import Facts
from scim_operator.access.subjects import Refused, subject
from scim_operator.api.directory import SubjectTemplate
from scim_operator.api.kinds import DIRECTORY_LABEL
from scim_operator.api.policy import PolicySpec
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.kube.cache import Cache, metadata_only
from scim_operator.reconcile.routes import GroupKey, Routes
from scim_operator.scim.schemas import GROUP, USER

log = logging.getLogger(__name__)


class World:
    """People, policies, directories, namespaces, roles and our bindings."""

    def __init__(self, index: Index, directories: Directories, settings: Settings) -> None:
        self.index = index
        self.directories = directories
        self.routes = Routes(settings)
        self.policies = Cache()
        self.namespaces = Cache(metadata_only)
        self.roles = Cache(metadata_only)
        self.bindings = Cache()
        self.invalid_policies: dict[str, str] = {}
        self._subjects: dict[tuple[str, str], tuple[Record, SubjectTemplate, str | Refused]] = {}

    # --- people --------------------------------------------------------------------------------------------

    def group(self, key: GroupKey) -> Record | None:
        """The group, or None when it is gone."""
        return self.index.get(key[0], GROUP.name, key[1])

    def subject(self, user: Record) -> str | Refused:
        """How a person is named in bindings; Refused when they can't be, or their directory is missing."""
        spec = self.directories.get(user.directory)
        if spec is None:
            return Refused("DirectoryMissing", f"ScimDirectory {user.directory!r} doesn't exist")
        key = (user.directory, user.id)
        known = self._subjects.get(key)
        if known is not None and known[0] is user and known[1] == spec.subjects:
            return known[2]
        made = subject(spec.subjects, user.document)
        self._subjects[key] = (user, spec.subjects, made)
        return made

    def forget(self, user: Record) -> None:
        """A user is gone."""
        self._subjects.pop((user.directory, user.id), None)

    def subjects_of(self, key: GroupKey) -> set[str]:
        """The names of a group's active members who may stand in bindings."""
        group = self.group(key)
        names = set()
        for member in group.members if group else ():
            user = self.index.get(key[0], USER.name, member)
            if user is not None and user.active:
                name = self.subject(user)
                if isinstance(name, str):
                    names.add(name)
        return names

    # --- policies ------------------------------------------------------------------------------------------

    def set_policy(self, name: str) -> set[Place]:
        """Take in the cached policy of that name, or its absence. -> the places concerned."""
        obj = self.policies.get(name)
        self.invalid_policies.pop(name, None)
        if obj is None:
            return self.routes.set_policy(name, None)
        try:
            spec = PolicySpec.model_validate(obj["spec"])
            wrong = invalid(spec)
        except ValidationError as error:
            first = error.errors()[0]
            spec, wrong = None, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        if wrong is not None:
            # The CRD's rules let next to nothing of this through.
            log.warning("AccessPolicy %s is invalid and grants nothing: %s", name, wrong)
            self.invalid_policies[name] = wrong
            return self.routes.set_policy(name, None)
        return self.routes.set_policy(name, spec)

    # --- places --------------------------------------------------------------------------------------------

    def facts(self, place: Place) -> Facts:
        """What is known about a place at this moment."""
        openers = self.routes.openers(place)
        binding = self.bindings.get(binding_name(place), place.namespace)
        directory = next((key[0] for key in openers), None) or _directory_of(binding)
        openings = list(openers.values())
        opening = widest(openings) if openings else None
        return Facts(
            directory=directory,
            directory_exists=opening is None or self.directories.get(directory) is not None,
            opening=opening,
            subjects=frozenset(name for key in openers for name in self.subjects_of(key)),
            namespace=self.namespaces.get(place.namespace),
            role_exists=place.role in self.roles,
            binding=binding,
        )


def _directory_of(binding: Mapping[str, Any] | None) -> str:
    labels = (binding["metadata"].get("labels") or {}) if binding else {}
    return str(labels.get(DIRECTORY_LABEL, ""))
