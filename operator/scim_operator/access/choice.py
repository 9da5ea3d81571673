"""Several policies may make one namespace: which of them names it, and whose template is in force.

The choice must not depend on who comes and goes, or on which policy was looked at first: the policy on the
namespace's label keeps the say, and without one the first by name has it.
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
    claims = sorted(claims)
    wanted = [claim for claim in claims if claim.wanted]
    maker = next((claim for claim in wanted if claim.policy == label), wanted[0] if wanted else None)
    first = label or (maker.policy if maker else "")
    named = sorted(
        {(claim.policy, claim.creation.template) for claim in claims if claim.creation.template},
        key=lambda item: (item[0] != first, item),
    )
    if not named:
        return Choice(maker, "")
    policy, template = named[0]
    problems = [_conflict(name, other, policy, template) for other in named if other[1] != template]
    if template in usable:
        return Choice(maker, template, tuple(problems))
    namers = sorted({other for other, named_template in named if named_template == template})
    return Choice(maker, None, (*problems, *(_missing(name, namer, template) for namer in namers)))


def _conflict(name: str, loser: tuple[str, str], winner: str, template: str) -> Told:
    message = (
        f"namespace {name!r} is made from template {template!r}, as AccessPolicy {winner!r} says, and not "
        f"from {loser[1]!r}: let the policies agree"
    )
    return Told(loser[0], Problem("TemplateConflict", "OtherTemplate", message))


def _missing(name: str, policy: str, template: str) -> Told:
    message = (
        f"NamespaceTemplate {template!r} doesn't exist or can't be used, so namespace {name!r} isn't made or "
        f"stays as it is; look for it: kubectl get nst {template}"
    )
    return Told(policy, Problem("TemplateMissing", "NotUsable", message))
