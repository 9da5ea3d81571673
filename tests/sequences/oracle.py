"""Who should have what, worked out naively from the design's text (sections 4 and 5, rules 8 to 17).

Nothing of the operator is imported here: no index, no increments, no shared ideas of matching or naming.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.sequences.directory_model import Directory, Group, Model, User

Object = dict[str, Any]

# The filters that sequences use, and what they mean.
FILTERS: dict[str, Callable[[User], bool]] = {
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Data"': (
        lambda user: user.department.casefold() == "data"
    ),
    'userName sw "u1" or active eq false': (
        lambda user: user.user_name.casefold().startswith("u1") or not user.active
    ),
    "not (emails pr)": lambda user: not user.email,
}
_PART = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"


class Where(NamedTuple):
    """One binding or its shards; no namespace is the whole cluster."""

    policy: str
    role: str
    namespace: str


@dataclass(frozen=True)
class Namespace:
    """A namespace as it is. `ours`: the operator made it."""

    labels: Mapping[str, str]
    ours: bool


@dataclass
class Verdict:
    """`exact`: these subjects and no others. `at_most`: nobody else, for what can't be granted now, where it
    depends on the past whether a binding was left. `made`: namespaces that must be there; `furnished`: those
    of them that, when the operator made them, have what the template says that their policy names."""

    exact: dict[Where, frozenset[str]]
    at_most: dict[Where, frozenset[str]]
    made: frozenset[str]
    furnished: frozenset[str]


@dataclass
class _Target:
    """What one group or a policy's people ask for in one place."""

    where: Where
    captured: bool
    create: bool
    template: bool
    subjects: set[str]
    anybody: bool


def judge(model: Model, namespaces: Mapping[str, Namespace]) -> Verdict:
    """What must be so. Without a namespace that it needs, a target waits."""
    verdict = Verdict({}, {}, frozenset(), frozenset())
    merged: dict[Where, _Target] = {}
    for name, spec in model.policies.items():
        for target in _targets(model, name, spec, namespaces):
            known = merged.setdefault(target.where, _Target(target.where, True, False, False, set(), False))
            known.captured &= target.captured
            known.create |= target.create
            known.template |= target.template
            known.subjects |= target.subjects
            known.anybody |= target.anybody
    for where, target in merged.items():
        made = _judge_target(model, target, namespaces.get(where.namespace), verdict)
        verdict.made |= {where.namespace} if made else set()
        # The policy on its label has the say, as long as there is one.
        there = namespaces.get(where.namespace)
        says = there.labels.get("scim-operator.io/policy", "") if there else where.policy
        if made and target.template and (says == where.policy or says not in model.policies):
            verdict.furnished |= {where.namespace}
    return verdict


def _judge_target(model: Model, target: _Target, namespace: Namespace | None, verdict: Verdict) -> bool:
    """-> whether the namespace must be there."""
    where, subjects = target.where, frozenset(target.subjects)
    if not subjects:
        return False
    grantable = where.role in model.roles and where.role in model.grantable
    wanted = False
    if where.namespace:
        wanted = target.create and target.anybody and where.role in model.roles
        if namespace is None:
            if target.create and target.anybody:
                (verdict.exact if grantable else verdict.at_most)[where] = subjects
            return wanted
        consent = namespace.labels.get("scim-operator.io/allow-policy")
        if target.captured and not namespace.ours and consent not in (where.policy, "any"):
            return False
    (verdict.exact if grantable else verdict.at_most)[where] = subjects
    return wanted


def _targets(model: Model, name: str, spec: Object, namespaces: Mapping[str, Namespace]) -> Iterator[_Target]:
    selector = spec.get("groups") or spec["people"]
    directory = model.directories[selector["directory"]]
    if "people" in spec:
        people = [user for user in directory.users.values() if FILTERS[selector["filter"]](user)]
        active = [user for user in people if user.active]
        subjects = _names(directory, active)
        yield from _granted(model, name, spec, {}, subjects, bool(active), namespaces)
        return
    for group in directory.groups.values():
        captures = _captures(selector, group)
        if captures is None:
            continue
        active = list(directory.active_in(group))
        subjects = _names(directory, active)
        if spec.get("subjects") == "Group":
            value = {"{externalId}": group.external_id, "{displayName}": group.display_name}
            subjects = _named(directory, "group", value)
        yield from _granted(model, name, spec, captures, subjects, bool(active), namespaces)


def _granted(
    model: Model,
    policy: str,
    spec: Object,
    captures: Mapping[str, str],
    subjects: set[str],
    anybody: bool,
    namespaces: Mapping[str, Namespace],
) -> Iterator[_Target]:
    for grant in spec["grants"]:
        role = _filled(grant["clusterRole"], captures)
        target = grant.get("namespaces", {})
        pattern = target.get("name", "")
        template = "template" in target.get("create", {})
        named = [name for name in target.get("names", ()) if not _protected(model, name)]
        found: list[str] = [""] if grant.get("cluster") else named
        captured = "{" in pattern
        if pattern:
            name = _filled(pattern, captures)
            valid = len(name) <= 63 and re.fullmatch(_PART, name)
            found += [name] if valid and not _protected(model, name) else []
        if "selector" in target:
            wanted = target["selector"]["matchLabels"].items()
            found += [
                name
                for name, namespace in namespaces.items()
                if wanted <= namespace.labels.items() and not _protected(model, name)
            ]
        for namespace in found:
            where = Where(policy, role, namespace)
            yield _Target(where, captured, "create" in target, template, set(subjects), anybody)


def _protected(model: Model, namespace: str) -> bool:
    fixed = namespace.startswith("kube-") or namespace in ("default", "scim-operator")
    return fixed or namespace in model.protected


# --- names -------------------------------------------------------------------------------------------------


def _captures(selector: Object, group: Group) -> dict[str, str] | None:
    """What a group's name captures; None when it isn't meant, or can be read in two ways."""
    if "externalIds" in selector:
        return {} if group.external_id in selector["externalIds"] else None
    readings: list[dict[str, str]] = []
    for reading in _readings(_split(selector["displayName"]), _canonical(group.display_name)):
        where = selector.get("where", {})
        if all(reading[name] in values for name, values in where.items()) and reading not in readings:
            readings.append(reading)
    return readings[0] if len(readings) == 1 else None


def _readings(tokens: list[str], text: str) -> Iterator[dict[str, str]]:
    """Every way to read `text`."""
    if not tokens:
        if not text:
            yield {}
        return
    token, rest = tokens[0], tokens[1:]
    if token.startswith("{") or token == "*":
        for end in range(len(text) + 1):
            if token == "*":
                yield from _readings(rest, text[end:])
            elif end <= 63 and re.fullmatch(_PART, text[:end]):
                for reading in _readings(rest, text[end:]):
                    yield {token[1:-1]: text[:end], **reading}
    elif text.startswith(_canonical(token)):
        yield from _readings(rest, text[len(_canonical(token)) :])


def _split(pattern: str) -> list[str]:
    return [part for part in re.split(r"(\{\w+\}|\*)", pattern) if part]


def _canonical(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _filled(template: str, captures: Mapping[str, str]) -> str:
    for name, value in captures.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def _names(directory: Directory, users: list[User]) -> set[str]:
    found: set[str] = set()
    for user in users:
        values = {
            "{userName}": user.user_name,
            "{externalId}": user.external_id,
            "{emails.work}": user.email,
        }
        found |= _named(directory, "user", values)
    return found


def _named(directory: Directory, kind: str, values: Mapping[str, str]) -> set[str]:
    """The subject as `User:name`, or nothing when it may not stand in a binding (rule 11)."""
    template = directory.subjects[kind]
    (placeholder,) = (name for name in values if name in template)
    value = values[placeholder]
    name = template.replace(placeholder, value)
    if directory.subjects.get("lowercase"):
        name = name.lower()
    refused = not value.strip() or name.strip().casefold().startswith("system:")
    return set() if refused else {f"{kind.title()}:{name}"}
