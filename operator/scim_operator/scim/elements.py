"""PATCH on the elements of one multi-valued attribute (RFC 7644, sections 3.5.2.1 to 3.5.2.3).

Lists in, new lists out. The rules are those of the RFC plus what Entra relies on: a filter that nothing
satisfies makes the element it describes, also on replace; several such operations fill one element and
never touch its siblings (SCIM-SDK#680, #668); remove with a value array takes away just those values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scim_operator.scim.attributes import Attribute, fold
from scim_operator.scim.conditions import described, element_predicate
from scim_operator.scim.errors import invalid_value, no_target
from scim_operator.scim.filter_nodes import Node
from scim_operator.scim.values import (
    MAX_VALUES,
    Dropped,
    is_empty,
    is_hollow,
    one_primary,
    read_changes,
    read_elements,
)

Element = dict[str, Any]
Matches = Callable[[Element], bool]


def added(attribute: Attribute, elements: list[Element], value: Any, dropped: Dropped) -> list[Element]:
    """`add attr`: each value joins the element it equals, or follows at the end."""
    after = list(elements)
    for new in read_elements(attribute, value, attribute.name, dropped):
        place = next((place for place, old in enumerate(after) if _is_same(attribute, old, new)), None)
        if place is None:
            after.append(new)
        elif (merged := {**after[place], **new}) != after[place]:
            after[place] = merged
    return _checked(attribute, after, elements)


def without(attribute: Attribute, elements: list[Element], value: Any, dropped: Dropped) -> list[Element]:
    """`remove attr` with values: those that equal one of them go, compared by `value` where sent."""
    unwanted = read_elements(attribute, value, attribute.name, dropped)
    return [old for old in elements if not any(_is_meant(attribute, old, one) for one in unwanted)]


def removed(
    attribute: Attribute, elements: list[Element], condition: Node | None, sub: Attribute | None
) -> list[Element]:
    """`remove attr[filter]`, `attr[filter].sub` and `attr.sub`; without a match nothing happens."""
    matches = _matches(attribute, condition)
    if sub is None:
        return [element for element in elements if not matches(element)]
    return _edited(elements, matches, {sub.name: None})


def assigned(
    attribute: Attribute,
    elements: list[Element],
    condition: Node | None,
    sub: Attribute | None,
    value: Any,
    dropped: Dropped,
) -> list[Element]:
    """`add` or `replace` of `attr[filter]`, `attr[filter].sub` and `attr.sub`: merged into each match.

    400 noTarget when nothing matches and the filter describes no element.
    """
    if is_empty(value):
        return removed(attribute, elements, condition, sub)
    sent = value if sub is None else {sub.name: value}
    changes = read_changes(attribute, sent, attribute.name, dropped)
    matches = _matches(attribute, condition)
    if any(map(matches, elements)):
        return _checked(attribute, _edited(elements, matches, changes), elements)
    says = {name: item for name, item in changes.items() if item is not None}
    if not says:
        return elements
    element = {} if condition is None else described(attribute, condition)
    if element is None:
        raise no_target(
            f"{attribute.name}: no value satisfies the filter, and it describes none to be made"
            f' (expected eq terms, such as {attribute.name}[type eq "work"])'
        )
    return _checked(attribute, [*elements, {**element, **says}], elements)


def _edited(elements: list[Element], matches: Matches, changes: Element) -> list[Element]:
    edited = (_merged(element, changes) if matches(element) else element for element in elements)
    return [element for element in edited if element is not None]


def _merged(element: Element, changes: Element) -> Element | None:
    """The element with the changes, the same one if there are none, None if nothing is left to say."""
    if all(element.get(name) == item for name, item in changes.items()):
        return element
    after = {name: item for name, item in {**element, **changes}.items() if item is not None}
    loses_value = "value" in element and "value" not in after
    return None if loses_value or (is_hollow(after) and not is_hollow(element)) else after


def _checked(attribute: Attribute, after: list[Element], before: list[Element]) -> list[Element]:
    if len(after) > MAX_VALUES:
        raise invalid_value(f"{attribute.name} has {len(after)} values, expected at most {MAX_VALUES}")
    return one_primary(after, before)


def _matches(attribute: Attribute, condition: Node | None) -> Matches:
    if condition is None:
        return lambda element: True
    predicate = element_predicate(attribute, condition)
    return lambda element: predicate(element, ())


def _is_same(attribute: Attribute, old: Element, new: Element) -> bool:
    """Whether adding `new` means the element that is there: its `value`, and its `type` unless unsaid."""
    if "value" not in new:
        return old == new
    return _equal(attribute, old, new, "value") and ("type" not in new or _equal(attribute, old, new, "type"))


def _is_meant(attribute: Attribute, old: Element, unwanted: Element) -> bool:
    names = ("value",) if "value" in unwanted else tuple(unwanted)
    return all(_equal(attribute, old, unwanted, name) for name in names)


def _equal(attribute: Attribute, left: Element, right: Element, name: str) -> bool:
    one, other, sub = left.get(name), right.get(name), attribute.sub(name)
    if isinstance(one, str) and isinstance(other, str) and sub is not None and not sub.spec.case_exact:
        return fold(one) == fold(other)
    return one == other
