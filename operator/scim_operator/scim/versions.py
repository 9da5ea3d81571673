"""Versions of resources as entity tags (RFC 7644, section 3.14), which requests may depend on.

Ours are weak, `W/"3"`: what is derived from others (a user's groups, a member's name) changes without them.
So they are compared weakly, by If-Match as well, where RFC 9110 section 13.1.1 would have strong ones: with
these it could never hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scim_operator.scim.errors import ScimError, invalid_value

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\U0010ffff]*")', re.IGNORECASE)
_SHOWN = 5

# Without W/, but with quotes; a bare `*` stands for every version.
Tags = frozenset[str]
_ANY = "*"


def entity_tag(version: str) -> str:
    """How a version is written, in `ETag` and in `meta.version`."""
    return f'W/"{version}"'


def read_tags(name: str, text: str) -> Tags:
    """`*`, or a comma list of tags; 400 invalidValue, since no condition may be passed over."""
    if text.strip() == _ANY:
        return frozenset({_ANY})
    found, rest = [], text
    while tag := _TAG.match(rest.lstrip(" \t,")):
        found.append(tag[1])
        rest = rest.lstrip(" \t,")[tag.end() :]
    if not found or rest.strip(" \t,"):
        raise invalid_value(f'{name} expects versions such as W/"3", joined by commas, or *')
    return frozenset(found)


@dataclass(frozen=True)
class Conditions:
    """What a request depends on; None: nothing. They speak of a resource that exists: else it is a 404."""

    if_match: Tags | None = None
    if_none_match: Tags | None = None

    def knows(self, version: str) -> bool:
        """Whether the client has this version already: a GET needs no body then (304)."""
        return self.if_none_match is not None and _has(self.if_none_match, version)

    def check(self, version: str) -> None:
        """412 unless the change is wanted on this version."""
        if self.if_match is not None and not _has(self.if_match, version):
            wanted = ", ".join(f"W/{tag}" for tag in sorted(self.if_match)[:_SHOWN])
            raise ScimError(
                412,
                f"the resource has version {entity_tag(version)}, the request expects {wanted}: nothing was"
                " changed; read the resource, then send the change that is still wanted",
            )
        if self.knows(version):
            raise ScimError(
                412, f"If-None-Match: the resource has version {entity_tag(version)}, nothing was changed"
            )


ALWAYS = Conditions()


def _has(tags: Tags, version: str) -> bool:
    return _ANY in tags or f'"{version}"' in tags
