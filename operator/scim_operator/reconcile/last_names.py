"""How people are called in bindings even while their ScimDirectory is missing: as they were called before."""

from __future__ import annotations

from pydantic import ValidationError

from scim_operator.access.subjects import Refused, user_subject
from scim_operator.api.directory import SubjectTemplate
from scim_operator.directory.records import Record
from scim_operator.kube.cache import Cache
from scim_operator.reconcile.naming import DIRECTORY_MISSING, Naming


class LastNames:
    """For what must not wait for a directory. `holds`: the RemovalHolds, which outlive their directories."""

    def __init__(self, naming: Naming, holds: Cache) -> None:
        self._naming = naming
        self._holds = holds

    def name(self, user: Record) -> str | Refused:
        """The name of a person now or, without their directory, the last one; Refused when there is none."""
        name = self._naming.name(user)
        if isinstance(name, str) or name.reason != DIRECTORY_MISSING:
            return name
        if (known := self._naming.known(user)) is not None:
            return known
        template = self._last_template(user.directory)
        return user_subject(template, user.document) if template is not None else name

    def _last_template(self, directory: str) -> SubjectTemplate | None:
        status = (self._holds.get(directory) or {}).get("status") or {}
        try:
            return SubjectTemplate.model_validate(status["subjects"])
        except (KeyError, ValidationError):
            return None
