"""Filters (RFC 7644, section 3.4.2.2) as predicates over documents, and the terms that an index answers.

A document is the stored form plus `id` and `meta`; a group's members are a container of ids beside it, so
that asking for one member of 50,000 is one look-up. `ne` means that no value equals. A complex attribute
without sub-attribute means its `value`: Entra asks `id eq "X" and manager eq "Y"`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

from scim_operator.scim.attributes import Attribute, ResourceType, fold
from scim_operator.scim.conditions import described, element_predicate, ids
from scim_operator.scim.errors import invalid_filter
from scim_operator.scim.filter_nodes import And, Comparison, Node, Not, Or, Present, ValuePath
from scim_operator.scim.filter_parser import parse
from scim_operator.scim.foreign import values_at
from scim_operator.scim.paths import AttributePath, ForeignPath, resolve
from scim_operator.scim.predicates import Predicate, Test, combine, never, test_of, test_of_undeclared

__all__ = ["compile_filter", "equalities", "parse"]

Values = Callable[[Mapping[str, Any]], Sequence[Any]]

_INDEXED = frozenset({"id", "userName", "externalId", "displayName"})


def compile_filter(resource_type: ResourceType, text: str) -> Predicate:
    """The filter as predicate(document, member ids); 400 invalidFilter.

    An attribute that we don't know or don't store matches nothing, negated or not.
    """
    return combine(parse(text), False, lambda node, negated: _leaf(resource_type, node, negated))


def equalities(resource_type: ResourceType, text: str) -> dict[str, str]:
    """The values that every match must have, as sent: for an index to pick candidates from.

    Keys: id, userName, externalId, displayName, emails.work, members. The predicate still decides.
    """
    found: dict[str, str] = {}
    for term in _conjuncts(parse(text)):
        for key, value in _equality(resource_type, term):
            found.setdefault(key, value)
    return found


def asks_for_secret(resource_type: ResourceType, text: str) -> bool:
    """Whether the filter compares with what is never returned."""
    open_nodes = [parse(text)]
    while open_nodes:
        match open_nodes.pop():
            case And(nodes) | Or(nodes):
                open_nodes += nodes
            case Not(inner):
                open_nodes.append(inner)
            case Comparison(name) | Present(name) | ValuePath(name):
                path = resolve(resource_type, name)
                if isinstance(path, AttributePath) and path.attribute.spec.returned == "never":
                    return True
    return False


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, And):
        for inner in node.nodes:
            yield from _conjuncts(inner)
    else:
        yield node


def _equality(resource_type: ResourceType, term: Node) -> Iterator[tuple[str, str]]:
    if isinstance(term, Comparison) and term.op == "eq" and term.operand.value is not None:
        path = resolve(resource_type, term.name)
        if not isinstance(path, AttributePath):
            return
        if path.name in _INDEXED:
            yield path.name, term.operand.text
        elif path.attribute.spec.keyed and (path.sub is None or path.sub.name == "value"):
            yield path.attribute.name, term.operand.text
    elif isinstance(term, ValuePath):
        yield from _element_equality(resource_type, term)


def _element_equality(resource_type: ResourceType, term: ValuePath) -> Iterator[tuple[str, str]]:
    path = resolve(resource_type, term.name)
    if not isinstance(path, AttributePath):
        return
    if path.attribute.spec.keyed:
        wanted = ids(term.node, invalid_filter)
        if len(wanted) == 1:
            yield path.attribute.name, wanted[0]
    elif path.name == "emails":
        element = _equal_parts(path.attribute, term.node)
        if fold(element.get("type", "")) == "work" and "value" in element:
            yield "emails.work", element["value"]


def _equal_parts(attribute: Attribute, node: Node) -> dict[str, str]:
    """The string sub-attributes that every element in question has."""
    parts: dict[str, str] = {}
    for term in _conjuncts(node):
        sub = attribute.sub(term.name) if isinstance(term, Comparison) and term.op == "eq" else None
        if sub is not None and sub.type == "string":
            parts |= described(attribute, term) or {}
    return parts


def _leaf(resource_type: ResourceType, node: Node, negated: bool) -> Predicate:
    if isinstance(node, Comparison) and node.operand.value is None:
        if node.op != "eq":
            raise invalid_filter(f"{node.name} {node.op} null: expected eq or ne")
        # RFC 7643 section 2.5: null is unassigned.
        node, negated = Present(node.name), not negated
    if not isinstance(node, Comparison | Present | ValuePath):
        return never
    path = resolve(resource_type, node.name)
    match path:
        case AttributePath() if is_stored(path):
            return (
                _keyed(path, node, negated) if path.attribute.spec.keyed else _declared(path, node, negated)
            )
        case ForeignPath(text):
            return _foreign(text, node, negated)
        case _:
            return never


def is_stored(path: AttributePath) -> bool:
    """Not so the derived (`groups`) and the thrown away (`password`): asking for them finds nothing."""
    if path.attribute.name in ("id", "meta"):
        return True
    return path.attribute.spec.mutability in ("readWrite", "immutable")


def _declared(path: AttributePath, node: Comparison | Present | ValuePath, negated: bool) -> Predicate:
    match node:
        case Present():
            return _any_value(_values(path, path.sub), lambda value: True, negated)
        case Comparison():
            attribute = path.attribute
            sub = path.sub or (attribute.sub("value") if attribute.type == "complex" else None)
            if sub is None and attribute.type == "complex":
                return never
            return _any_value(_values(path, sub), test_of(sub or attribute, node), negated)
        case ValuePath(_, inner):
            if path.sub is not None or path.attribute.type != "complex":
                raise invalid_filter(f"{path.name} takes no filter in brackets")
            matches = element_predicate(path.attribute, inner)
            return _any_value(_values(path, None), lambda element: matches(element, ()), negated)


def _values(path: AttributePath, sub: Attribute | None) -> Values:
    """How a document is asked for all values of the attribute, or of its sub-attribute."""
    urn, name, multi_valued = path.urn, path.attribute.name, path.attribute.multi_valued

    def whole(document: Mapping[str, Any]) -> Sequence[Any]:
        holder = document if urn is None else document.get(urn, {})
        value = holder.get(name)
        if value is None:
            return ()
        return value if multi_valued else (value,)

    if sub is None:
        return whole
    part = sub.name
    return lambda document: [value[part] for value in whole(document) if part in value]


def _any_value(values: Values, test: Test, negated: bool) -> Predicate:
    def predicate(document: Mapping[str, Any], members: Container[str]) -> bool:
        for value in values(document):
            if test(value):
                return not negated
        return negated

    return predicate


def _keyed(path: AttributePath, node: Comparison | Present | ValuePath, negated: bool) -> Predicate:
    match node:
        case Present():
            return lambda document, members: bool(members) != negated
        case Comparison(_, op, operand):
            sub = "value" if path.sub is None else path.sub.name
            wanted = ids(Comparison(sub, op, operand), invalid_filter)
        case ValuePath(_, inner):
            wanted = ids(inner, invalid_filter)
    return lambda document, members: any(one in members for one in wanted) != negated


def _foreign(text: str, node: Comparison | Present | ValuePath, negated: bool) -> Predicate:
    if isinstance(node, ValuePath):
        raise invalid_filter(f"{text} takes no filter in brackets: its extension isn't declared")
    test: Test = test_of_undeclared(node) if isinstance(node, Comparison) else lambda value: True

    def predicate(document: Mapping[str, Any], members: Container[str]) -> bool:
        values = values_at(document, text)
        # Without a value it may be a name that doesn't exist: never a match, as for unknown ones.
        return bool(values) and any(test(value) for value in values) != negated

    return predicate
