"""AccessPolicies from files, checked as the API server would check them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from scim_operator.access.validity import invalid
from scim_operator.api.kinds import ACCESS_POLICY, API_VERSION
from scim_operator.api.policy import PolicySpec
from scim_operator.cli.failure import UsageError

Object = dict[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def read_policies(files: list[str]) -> dict[str, Object]:
    """Name -> spec of the AccessPolicies in files; `-` is standard input. Raises UsageError, OSError."""
    found: dict[str, Object] = {}
    for file in files:
        for where, document in _documents(file):
            name, spec = _policy(where, document)
            if name in found:
                raise UsageError(f"{where}: AccessPolicy {name!r} is given twice")
            found[name] = spec
    if not found:
        raise UsageError(f"{', '.join(files)}: no AccessPolicy in it")
    return found


def _documents(file: str) -> Iterator[tuple[str, Any]]:
    text = sys.stdin.read() if file == "-" else Path(file).read_text()
    shown = "standard input" if file == "-" else file
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise UsageError(f"{shown}: no YAML: {' '.join(str(error).split())}") from error
    for number, document in enumerate(documents, 1):
        where = f"{shown}, document {number}" if len(documents) > 1 else shown
        if isinstance(document, dict) and document.get("kind") == "List":
            for position, item in enumerate(document.get("items") or ()):
                yield f"{where}, items[{position}]", item
        else:
            yield where, document


def _policy(where: str, document: Any) -> tuple[str, Object]:
    if not isinstance(document, Mapping):
        raise UsageError(f"{where}: expected an object with apiVersion, kind, metadata and spec")
    for field, expected in (("apiVersion", API_VERSION), ("kind", ACCESS_POLICY.kind)):
        if document.get(field) != expected:
            raise UsageError(f"{where}: {field} is {document.get(field)!r}, expected {expected!r}")
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{where}: metadata.name is {name!r}, expected at most 63 of a-z, 0-9 and dashes, none at an end"
        )
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        raise UsageError(f"{where}: spec is missing, expected an object with groups or people, and grants")
    if wrong := _wrong(spec):
        raise UsageError(f"{where}: AccessPolicy {name!r}: {wrong}")
    return name, dict(spec)


def _wrong(spec: Mapping[str, Any]) -> str | None:
    try:
        return _prefixed(invalid(PolicySpec.model_validate(spec)))
    except ValidationError as error:
        first = error.errors()[0]
        field = "spec"
        for part in first["loc"]:
            field += f"[{part}]" if isinstance(part, int) else f".{part}"
        if first["type"] == "extra_forbidden":
            return f"{field} is no field of an AccessPolicy"
        return f"{field}: {first['msg']}"


def _prefixed(wrong: str | None) -> str | None:
    return f"spec: {wrong}" if wrong else None
