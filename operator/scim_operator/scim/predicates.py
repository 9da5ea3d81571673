"""Trees to predicates: the logic of a filter, and how one stored value compares with one operand.

A name that we don't know must never match everything (eneo#443: an unfiltered list of the tenant), not
even behind `not` or `ne`. So negation is pushed down to the leaves at compile time, and a leaf that can't
be decided is `never` in both polarities.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Mapping
from typing import Any

from scim_operator.scim.attributes import Attribute, fold
from scim_operator.scim.errors import invalid_filter
from scim_operator.scim.filter_nodes import And, Comparison, Node, Not, Operand, Or
from scim_operator.scim.instants import instant

Predicate = Callable[[Mapping[str, Any], Container[str]], bool]
Leaf = Callable[[Node, bool], Predicate]
Test = Callable[[Any], bool]

_ORDERING: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
    **_ORDERING,
}
_BOOLEANS = {"true": True, "false": False}


def never(document: Mapping[str, Any], members: Container[str]) -> bool:
    """Matches nothing."""
    return False


def combine(node: Node, negated: bool, leaf: Leaf) -> Predicate:
    """The predicate of a tree (or of its opposite), whose leaves `leaf` makes."""
    match node:
        case Not(inner):
            return combine(inner, not negated, leaf)
        case And(nodes) | Or(nodes):
            tests = tuple(combine(inner, negated, leaf) for inner in nodes)
            return _every(tests) if isinstance(node, And) != negated else _some(tests)
        case Comparison(name, "ne", operand):
            return leaf(Comparison(name, "eq", operand), not negated)
        case _:
            return leaf(node, negated)


def test_of(attribute: Attribute, comparison: Comparison) -> Test:
    """Whether one stored value satisfies the comparison; 400 invalidFilter if the type doesn't know it."""
    match attribute.type:
        case "boolean":
            return _boolean(attribute, comparison)
        case "dateTime" if comparison.op in ("eq", *_ORDERING):
            return _date_time(attribute, comparison)
        case "binary" if comparison.op in _ORDERING:
            raise invalid_filter(f"{attribute.name} is binary and has no order, got {comparison.op}")
        case _:
            return _text(comparison.op, comparison.operand, attribute.spec.case_exact)


def test_of_undeclared(comparison: Comparison) -> Test:
    """The same for a value of no declared type: compared as what it is."""
    as_text = _text(comparison.op, comparison.operand, case_exact=False)
    as_boolean = _BOOLEANS.get(fold(comparison.operand.text))

    def test(value: Any) -> bool:
        if isinstance(value, bool):
            return comparison.op == "eq" and value is as_boolean
        if isinstance(value, int | float):
            return comparison.op == "eq" and value == comparison.operand.value
        return as_text(value)

    return test


def _every(tests: tuple[Predicate, ...]) -> Predicate:
    return lambda document, members: all(test(document, members) for test in tests)


def _some(tests: tuple[Predicate, ...]) -> Predicate:
    return lambda document, members: any(test(document, members) for test in tests)


def _boolean(attribute: Attribute, comparison: Comparison) -> Test:
    # Quoted as well: Entra's roles[primary eq "True"].
    expected = _BOOLEANS.get(fold(comparison.operand.text))
    if comparison.op != "eq" or expected is None:
        raise invalid_filter(
            f"{attribute.name} is a boolean: expected eq or ne with true or false,"
            f" got {comparison.op} {comparison.operand.text!r}"
        )
    return lambda value: value is expected


def _date_time(attribute: Attribute, comparison: Comparison) -> Test:
    expected, compare = instant(comparison.operand.text), _TEXT[comparison.op]
    if expected is None:
        raise invalid_filter(f"{attribute.name} expects a date, got {comparison.operand.text!r}")

    def test(value: Any) -> bool:
        stored = instant(value)
        return stored is not None and compare(stored, expected)

    return test


def _text(op: str, operand: Operand, case_exact: bool) -> Test:
    compare = _TEXT[op]
    if case_exact:
        return lambda value: isinstance(value, str) and compare(value, operand.text)
    expected = fold(operand.text)
    return lambda value: isinstance(value, str) and compare(fold(value), expected)
