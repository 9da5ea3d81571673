"""A template's labels and annotations on a namespace: what to change, and how we know later what was ours.

The annotation `from-template` records each key that a template brought, with a hash of its value. In a
namespace that we made, the template is right: whatever differs is put right. In any other it only fills gaps,
and keeps up what it filled: a value that somebody chose, before or since, stays (rule 14). What the template
no longer names goes, unless somebody changed it since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scim_operator.access.bindings import short_hash
from scim_operator.access.templates import POD_SECURITY, Fields
from scim_operator.api.kinds import FROM_TEMPLATE_ANNOTATION

Metadata = Mapping[str, Any]
# labels or annotations -> key -> value; None: to be removed.
Changes = dict[str, dict[str, str | None]]
NOTHING = Fields({}, {})

_KINDS = ("labels", "annotations")


def first_metadata(fields: Fields) -> dict[str, dict[str, str]]:
    """What a new namespace gets."""
    record = {
        _entry(kind, key): short_hash(value) for kind in _KINDS for key, value in _of(fields, kind).items()
    }
    recorded = {FROM_TEMPLATE_ANNOTATION: _text(record)} if record else {}
    return {"labels": dict(fields.labels), "annotations": {**fields.annotations, **recorded}}


def changes(metadata: Metadata, fields: Fields, *, made: bool) -> Changes:
    """What brings a namespace's metadata to a template's. `made`: by us, so that the template is right."""
    known = _recorded(metadata)
    record: dict[str, str] = {}
    found: Changes = {}
    for kind in _KINDS:
        present = metadata.get(kind) or {}
        asked = _of(fields, kind)
        ours = {key for key, value in present.items() if known.get(_entry(kind, key)) == short_hash(value)}
        wanted = asked if made else _gaps(asked, present.keys() - ours)
        found[kind] = {key: value for key, value in wanted.items() if present.get(key) != value}
        found[kind] |= dict.fromkeys(ours - asked.keys())
        record |= {_entry(kind, key): short_hash(present[key]) for key in ours & asked.keys()}
        record |= {_entry(kind, key): short_hash(value) for key, value in wanted.items()}
    text = _text(record) if record else None
    if (metadata.get("annotations") or {}).get(FROM_TEMPLATE_ANNOTATION) != text:
        found["annotations"][FROM_TEMPLATE_ANNOTATION] = text
    return found


def _gaps(asked: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """What a namespace that isn't ours says nothing of. `taken`: keys that others chose.

    Of pod security a mode and its version are one thing, and `privileged` could only loosen what the
    cluster's own default asks for.
    """
    modes = {key.removesuffix("-version") for key in taken if key.startswith(POD_SECURITY)}
    return {
        key: value
        for key, value in asked.items()
        if key not in taken and key.removesuffix("-version") not in modes and not _loosens(key, value)
    }


def _loosens(key: str, value: str) -> bool:
    return key.startswith(POD_SECURITY) and value == "privileged"


def _of(fields: Fields, kind: str) -> Mapping[str, str]:
    return fields.labels if kind == "labels" else fields.annotations


def _entry(kind: str, key: str) -> str:
    """As the chart's admission policy on namespaces reads it."""
    return f"{kind}/{key}"


def _recorded(metadata: Metadata) -> dict[str, str]:
    """What the annotation says; nothing when somebody made it unreadable."""
    try:
        read = json.loads((metadata.get("annotations") or {}).get(FROM_TEMPLATE_ANNOTATION) or "{}")
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}


def _text(record: Mapping[str, str]) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"))
