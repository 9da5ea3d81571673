"""The audit stream as tests hear it: each line is one that docs/audit.schema.json allows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from scim_operator.api.audit import LINE
from scim_operator.directory.audit import Audit

Object = dict[str, Any]
Name = tuple[str, str]
# Namespace and name of a binding; no namespace is the whole cluster.
Binding = tuple[str, str]


class Heard:
    """What an `audit` told."""

    def __init__(self) -> None:
        self.lines: list[Object] = []
        self.audit = Audit(lambda: "2026-01-01T00:00:00.000Z", lambda line: self.lines.append(read(line)))

    def of(self, event: str) -> list[Object]:
        """The lines of one kind."""
        return [line for line in self.lines if line["event"] == event]


def read(line: str) -> Object:
    """A line, if it is one."""
    assert line.isascii()
    assert len(line.splitlines()) == 1
    LINE.validate_json(line, strict=True)
    told: Object = json.loads(line)
    return told


def standing(lines: Iterable[Object]) -> dict[Binding, set[Name]]:
    """Who stands where, by these lines alone, from an empty cluster on."""
    bindings: dict[Binding, set[Name]] = {}
    for line in lines:
        if line["event"] == "namespace" and line["action"] == "Deleted":
            bindings = {key: names for key, names in bindings.items() if key[0] != line["object"]}
        if line["event"] != "binding":
            continue
        key = line.get("namespace", ""), line["object"]
        names = bindings.pop(key, set())
        if line["action"] == "Created":
            names = set()  # whoever deleted it before
        names |= {(who["kind"], who["name"]) for who in line["added"]}
        names -= {(who["kind"], who["name"]) for who in line["removed"]}
        if line["action"] == "Deleted":
            assert not names, line
        else:
            assert len(names) == line["subjects"], line
            bindings[key] = names
    return bindings
