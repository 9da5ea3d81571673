"""Several policies may make one namespace: which of them names it, and whose template is in force.

The choice must not depend on who comes and goes, or on which policy was looked at first: the policy on the
namespace's label keeps the say, also when it names no template; without one the
first by name has it that names one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from scim_operator.access.places import Creation
from scim_operator.access.problems import Problem


class Claim(NamedTuple):
    """How a policy makes a namespace. `wanted`: for an active person whom it gives a role there now."""

    policy: str
    directory: str
    creation: Creation
    wanted: bool


class Told(NamedTuple):
    """A problem, and the policy that it concerns."""

    policy: str
    problem: Problem


@dataclass(frozen=True)
class Choice:
    """`maker`: whom the namespace is labelled with; None: nobody wants it now.

    `template`: the one in force; empty: none; None: it is missing, or can't be used.
    """

    maker: Claim | None
    template: str | None
    problems: tuple[Told, ...] = ()


def choose(name: str, claims: Iterable[Claim], usable: Collection[str], label: str) -> Choice:
    """`label`: the policy on the namespace's label; `usable`: the templates that can be used."""
    claims = sorted(claims, key=lambda claim: (claim.policy != label, not claim.creation.template, claim))
    maker = next((claim for claim in claims if claim.wanted), None)
    first = label or (maker.policy if maker else "")
    named = sorted(
        {(claim.policy, claim.creation.template) for claim in claims},
        key=lambda item: (item[0] != first, not item[1], item),
    )
    if not named:
        return Choice(maker, "")
    policy, template = named[0]
    problems = [_conflict(name, other, policy, template) for other in named if other[1] not in ("", template)]
    if not template or template in usable:
        return Choice(maker, template, tuple(problems))
    waiting = sorted({other for other, asked in named if asked in ("", template)})
    return Choice(maker, None, (*problems, *(_missing(name, other, template) for other in waiting)))


def _conflict(name: str, loser: tuple[str, str], winner: str, template: str) -> Told:
    made = f"from template {template!r}" if template else "without a template"
    message = (
        f"namespace {name!r} is made {made}, as AccessPolicy {winner!r} says, and not from {loser[1]!r}: let "
        "the policies agree"
    )
    return Told(loser[0], Problem("TemplateConflict", "OtherTemplate", message))


def _missing(name: str, policy: str, template: str) -> Told:
    message = (
        f"NamespaceTemplate {template!r} doesn't exist or can't be used, so namespace {name!r} isn't made or "
        f"stays as it is; look for it: kubectl get nst {template}"
    )
    return Told(policy, Problem("TemplateMissing", "NotUsable", message))
