"""PATCH (RFC 7644, section 3.5.2): a document and a message in, the changed document out.

All or nothing: operations run in order on a shallow copy in which every changed part is replaced, never
edited, so the input stays as it was and an error leaves nothing behind. Members are a delta, not a list.
An operation that says what is already so changes nothing: the result equals the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_operator.scim import elements, foreign
from scim_operator.scim.attributes import Attribute, ResourceType
from scim_operator.scim.conditions import ids
from scim_operator.scim.errors import ScimError, invalid_path, invalid_value, mutability
from scim_operator.scim.filter_nodes import terms_of
from scim_operator.scim.members import MemberChange, MemberDelta, member_ids
from scim_operator.scim.operations import MAX_OPERATIONS, Operation, read_message
from scim_operator.scim.paths import AttributePath, ForeignPath, SchemaPath, UnknownPath
from scim_operator.scim.values import Dropped, is_empty, read_changes, read_elements, read_simple

__all__ = ["Changed", "Draft", "MemberChange", "patch"]


@dataclass(frozen=True)
class Changed:
    """The document afterwards, the change to the members, and the unknown names that were ignored."""

    document: dict[str, Any]
    members: MemberChange
    dropped: tuple[str, ...]


def patch(resource_type: ResourceType, document: Mapping[str, Any], body: Mapping[str, Any]) -> Changed:
    """Apply a PatchOp message; raises ScimError without having changed anything."""
    draft = Draft(resource_type, dict(document))
    draft.apply(read_message(resource_type, body))
    for attribute in resource_type.core.attributes.values():
        if attribute.spec.required:
            _check_required(attribute, draft.document)
    return draft.finished()


def _check_required(attribute: Attribute, document: Mapping[str, Any]) -> None:
    value = document.get(attribute.name)
    if value is None:
        raise mutability(f"{attribute.name} is required and can't be removed")
    if not value.strip():
        raise invalid_value(f"{attribute.name} is required and expects more than white space")


# Some 0.2 s; 1,000 operations on a list of 200 values.
MAX_COMPARISONS = 200_000


@dataclass
class Draft:
    """A document in the making. Its values are shared with the original and only ever replaced."""

    resource_type: ResourceType
    document: dict[str, Any]
    members: MemberDelta = field(default_factory=MemberDelta)
    dropped: Dropped = field(default_factory=dict)
    _spent: int = 0

    def apply(self, operations: Iterable[Operation]) -> None:
        """Carry out the operations in order."""
        for number, operation in enumerate(operations):
            if number == MAX_OPERATIONS:
                raise ScimError(413, f"more than {MAX_OPERATIONS} changes, expected fewer in one request")
            self._spend(operation)
            self._apply(operation)

    def _spend(self, operation: Operation) -> None:
        """Refuse what would compare without end: each element with each value, or with each of a filter's
        terms."""
        path = operation.path
        if not isinstance(path, AttributePath) or path.attribute.spec.keyed:
            return
        holder = self.document if path.urn is None else self.document.get(path.urn, {})
        current = holder.get(path.attribute.name)
        sent = len(operation.value) if isinstance(operation.value, list) else 1
        terms = terms_of(path.condition) if path.condition else 1
        self._spent += sent * terms * (len(current) if isinstance(current, list) else 1)
        if self._spent > MAX_COMPARISONS:
            raise ScimError(
                413, "the operations compare too much with each other; send them in several requests"
            )

    def finished(self) -> Changed:
        """What came of it."""
        return Changed(self.document, self.members.freeze(), tuple(self.dropped))

    def _apply(self, operation: Operation) -> None:
        match operation.path:
            case AttributePath() as path if path.attribute.spec.keyed:
                _change_members(self.members, path, operation)
            case AttributePath() as path:
                self._change(path, operation)
            case SchemaPath(schema):
                self._remove_extension(schema.urn, operation)
            case ForeignPath(text):
                value = None if operation.kind == "remove" else operation.value
                after = foreign.with_value(self.document, text, value)
                self.document = self.document if after is None else after
                self.dropped |= {text: None} if after is None else {}
            case UnknownPath(name):
                self.dropped[name] = None

    def _change(self, path: AttributePath, operation: Operation) -> None:
        name = path.attribute.name
        holder = self.document if path.urn is None else dict(self.document.get(path.urn, {}))
        change = _changed_elements if path.attribute.multi_valued else _changed_single
        after = change(path, holder.get(name), operation, self.dropped)
        if after is None and path.attribute.spec.default is not None and operation.kind != "remove":
            # An empty value must neither enable who is disabled nor pass for having disabled somebody.
            raise invalid_value(f"{name}: an empty value says nothing; send a value, or remove it")
        if after is None:
            holder.pop(name, None)
        else:
            holder[name] = after
        if path.urn is not None:
            self._put_extension(path.urn, holder)

    def _remove_extension(self, urn: str, operation: Operation) -> None:
        if operation.kind != "remove" and not is_empty(operation.value):
            raise invalid_value(f"{urn} expects an object of its attributes")
        if urn == self.resource_type.core.urn and operation.kind == "remove":
            raise invalid_path(f"{urn} is the resource itself: expected the path of an attribute")
        self._put_extension(urn, {})

    def _put_extension(self, urn: str, extension: dict[str, Any]) -> None:
        if extension:
            self.document[urn] = extension
        else:
            self.document.pop(urn, None)


def _changed_elements(path: AttributePath, current: Any, operation: Operation, dropped: Dropped) -> Any:
    attribute, value = path.attribute, operation.value
    before = current or []
    narrowed = path.condition is not None or path.sub is not None
    match operation.kind:
        case "remove" if narrowed:
            after = elements.removed(attribute, before, path.condition, path.sub)
        case "remove":
            after = [] if value is None else elements.without(attribute, before, value, dropped)
        case _ if narrowed:
            after = elements.assigned(attribute, before, path.condition, path.sub, value, dropped)
        case "add":
            after = before if is_empty(value) else elements.added(attribute, before, value, dropped)
        case "replace":
            after = [] if is_empty(value) else read_elements(attribute, value, attribute.name, dropped)
    return after or None


def _changed_single(path: AttributePath, current: Any, operation: Operation, dropped: Dropped) -> Any:
    attribute, sub = path.attribute, path.sub
    value = None if operation.kind == "remove" else operation.value
    if attribute.type != "complex":
        return read_simple(attribute, value, path.name)
    if sub is None and is_empty(value):
        return None
    sent = value if sub is None else {sub.name: value}
    changes = read_changes(attribute, sent, path.holder_name, dropped)
    return _merged(current or {}, changes) or None


def _merged(current: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """RFC 7644 3.5.2.3 merges sub-attributes. But those of a reference (`manager`) tell of its `value`:
    another value takes an old `$ref` away, and none (`{"value": ""}`) the whole."""
    if "value" in changes and changes["value"] is None:
        return {}
    if "value" in changes and changes["value"] != current.get("value"):
        current = {}
    return {name: item for name, item in {**current, **changes}.items() if item is not None}


def _change_members(members: MemberDelta, path: AttributePath, operation: Operation) -> None:
    if path.sub is not None:
        raise mutability(f"{path.name} can't be changed: members are added and removed whole")
    if path.condition is not None:
        if operation.kind != "remove":
            raise invalid_path(f"{operation.kind} of members takes no filter, expected a list of values")
        members.remove(ids(path.condition, invalid_path))
        return
    match operation.kind:
        case "add":
            members.add(member_ids(operation.value))
        case "replace":
            members.replace(member_ids(operation.value))
        case "remove" if operation.value is None:
            members.replace(())
        case "remove":
            # The legacy form of Entra; read literally it would empty the group (azure-docs#30826).
            members.remove(member_ids(operation.value))
