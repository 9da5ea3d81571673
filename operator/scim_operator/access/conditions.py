"""Conditions, in one place: their types, how problems become conditions, when a transition counts.

Problem conditions are abnormal-true: they are there while something is wrong and go when it isn't.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scim_operator.access.problems import Problem

# In this order the first one present explains why Ready is False.
PROBLEM_TYPES = (
    "Locked",
    "Stalled",
    "SubjectMissing",
    "NobodyActive",
    "Frozen",
    "AccessOnHold",
    "GuardTripped",
    "RoleNotAllowed",
    "Conflict",
    "RenameHeld",
    "Ambiguous",
    "RoleMissing",
    "NamespaceMissing",
    "TemplateMissing",
    "TemplateConflict",
    "SubjectRefused",
    "SubjectShared",
    "RevocationDelayed",
    "TokenUnusable",
    "TokenExpiring",
)
_SHOWN = 3

Condition = dict[str, Any]


def of_problems(
    problems: Iterable[Problem], ready: str, remarks: Iterable[Problem] = (), reason: str = "Reconciled"
) -> list[Condition]:
    """One condition per kind of problem, and Ready: True with `reason` and the words `ready`, or the gravest
    problem's.

    `remarks` get their conditions too, but don't touch Ready: what isn't this object's fault, such as a
    group's bad name seen from a policy.
    """
    problems = set(problems)
    gravest = _by_type(problems)
    if gravest:
        first = gravest[0]
        main = _condition("Ready", "False", first["type"], first["message"])
    else:
        main = _condition("Ready", "True", reason, ready)
    return [main, *_by_type(problems | set(remarks))]


def _by_type(problems: Iterable[Problem]) -> list[Condition]:
    found: dict[str, list[Problem]] = {}
    for problem in sorted(problems):
        found.setdefault(problem.condition, []).append(problem)
    return [
        _condition(kind, "True", found[kind][0].reason, _joined(found[kind]))
        for kind in PROBLEM_TYPES
        if kind in found
    ]


def updated(
    known: Sequence[Mapping[str, Any]], wanted: Sequence[Condition], *, generation: int, now: str
) -> list[Condition]:
    """`wanted` with times: lastTransitionTime moves only when a condition's status does (KEP-1623)."""
    before = {item["type"]: item for item in known}
    return [
        {
            **condition,
            "lastTransitionTime": _since(before.get(condition["type"]), condition, now),
            "observedGeneration": generation,
        }
        for condition in sorted(wanted, key=lambda item: item["type"])
    ]


def _since(before: Mapping[str, Any] | None, condition: Condition, now: str) -> str:
    if before is not None and before["status"] == condition["status"]:
        return str(before.get("lastTransitionTime") or now)
    return now


def _condition(kind: str, status: str, reason: str, message: str) -> Condition:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _joined(problems: Sequence[Problem]) -> str:
    messages = list(dict.fromkeys(problem.message for problem in problems))
    more = f" (and {len(messages) - _SHOWN} more)" if len(messages) > _SHOWN else ""
    return "; ".join(messages[:_SHOWN]) + more
