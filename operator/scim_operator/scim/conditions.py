"""The filter in square brackets: which elements of a multi-valued attribute it means, and, when there is
none, which element it describes.

Used by filters and by PATCH. Describing is Entra's need: it writes `emails[type eq "work"].value` of
people who have no e-mail yet and expects the element to be made (SCIM-SDK#416, scim-patch#42).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scim_operator.scim.attributes import Attribute
from scim_operator.scim.filter_nodes import And, Comparison, Node, Or, Present
from scim_operator.scim.predicates import Predicate, combine, never, test_of
from scim_operator.scim.values import read_simple


def element_predicate(attribute: Attribute, node: Node, negated: bool = False) -> Predicate:
    """Whether an element satisfies the filter; names are the attribute's sub-attributes."""

    def leaf(node: Node, negated: bool) -> Predicate:
        match node:
            case Present(name):
                return _presence(attribute.sub(name), negated)
            case Comparison(name, _, operand) if operand.value is None:
                # RFC 7643 section 2.5: null is unassigned.
                return _presence(attribute.sub(name), not negated)
            case Comparison():
                return _comparison(attribute.sub(node.name), node, negated)
            case _:
                return never

    return combine(node, negated, leaf)


def described(attribute: Attribute, node: Node) -> dict[str, Any] | None:
    """The element that the `eq` terms describe, None if anything else is in the filter."""
    element: dict[str, Any] = {}
    for term in node.nodes if isinstance(node, And) else (node,):
        if not isinstance(term, Comparison) or term.op != "eq":
            return None
        sub = attribute.sub(term.name)
        if sub is None:
            return None
        element[sub.name] = read_simple(sub, term.operand.text, f"{attribute.name}.{sub.name}")
    return {name: value for name, value in element.items() if value is not None}


def ids(node: Node, error: Callable[[str], Exception]) -> tuple[str, ...]:
    """The ids that a filter on keyed values names: `value eq "x"`, several joined by `or`.

    The rest of such values is derived and can't be asked for: raises what `error` makes of the reason.
    """
    match node:
        case Or(nodes):
            return tuple(found for inner in nodes for found in ids(inner, error))
        case Comparison(name, "eq", operand) if name.lower() == "value":
            return (operand.text,)
        case _:
            raise error('members are known by id only: expected members[value eq "id"]')


def _presence(sub: Attribute | None, negated: bool) -> Predicate:
    if sub is None:
        return never
    name = sub.name
    return lambda element, members: (name in element) != negated


def _comparison(sub: Attribute | None, comparison: Comparison, negated: bool) -> Predicate:
    if sub is None:
        return never
    name, test = sub.name, test_of(sub, comparison)
    return lambda element, members: (name in element and test(element[name])) != negated
