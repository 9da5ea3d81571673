"""The ScimDirectories as they are now, and when each was last asked."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pydantic import ValidationError

from scim_operator.api.directory import DirectorySpec
from scim_operator.api.kinds import GROUP, SCIM_DIRECTORY, VERSION
from scim_operator.kube.cache import Cache, Object
from scim_operator.kube.resources import Resource
from scim_operator.scim.attributes import fold

log = logging.getLogger(__name__)

DIRECTORIES = Resource(GROUP, VERSION, SCIM_DIRECTORY.plural, SCIM_DIRECTORY.kind)


class Directories:
    """Name -> spec and object, and the time of the last valid request."""

    def __init__(self) -> None:
        self.objects = Cache()
        self._last_request: dict[str, str] = {}
        self._specs: dict[str, DirectorySpec] = {}

    def begin_anew(self) -> None:
        """Let the objects be listed as if for the first time; specs hold until then."""
        self.objects = Cache()

    def names(self) -> Iterable[str]:
        """Those that exist and can be used."""
        return list(self._specs)

    def get(self, name: str) -> DirectorySpec | None:
        """The spec, or None when there is no such directory."""
        return self._specs.get(name)

    def protects_group(self, name: str, display_name: str) -> bool:
        """Whether a group called so has nothing by its name unasked; compared as policies compare names."""
        spec = self._specs.get(name)
        if spec is None or not spec.protected.groups:
            return False
        return fold(display_name) in map(fold, spec.protected.groups)

    def refresh(self, name: str) -> None:
        """Read the spec again after `objects` changed; an unreadable directory counts as missing."""
        obj: Object | None = self.objects.get(name)
        before = self._specs.pop(name, None)
        if obj is None:
            self._last_request.pop(name, None)
            return
        try:
            spec = DirectorySpec.model_validate(obj.get("spec") or {})
            # The same object for the same content: whoever remembers it needs no comparing.
            self._specs[name] = before if before == spec else spec
        except ValidationError as error:
            log.error("ScimDirectory %s can't be read and counts as missing: %s", name, error)

    def is_edited(self, name: str) -> bool:
        """True while the status doesn't know the spec yet."""
        obj: Object = self.objects.get(name) or {}
        observed = (obj.get("status") or {}).get("observedGeneration")
        return bool(obj) and obj["metadata"].get("generation") != observed

    def seen(self, name: str, now: str) -> None:
        """A valid request came in at a time (RFC 3339)."""
        self._last_request[name] = now

    def last_request(self, name: str) -> str | None:
        """When the last one came, requests before the last start included: they are in the status."""
        known = (self.objects.get(name) or {}).get("status") or {}
        return self._last_request.get(name) or known.get("lastRequestTime")
