"""The tree of a parsed filter (RFC 7644, section 3.4.2.2): plain immutable values, and nothing else.

Names stay as they were sent; what they mean depends on the resource type and is resolved when a tree is
compiled, so that one cached tree serves users and groups alike. Chains of `and` or `or` are one flat
node: the depth of a tree, and of every recursion over it, is the depth of the brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Operand:
    """What an attribute is compared with: the JSON value, and the text of it as sent.

    The text is what string attributes are compared with, since clients leave out the quotes
    (authentik's `userName eq akadmin`, but then `userName eq 4711` as well).
    """

    value: Value
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name op operand`; op is one of eq ne co sw ew gt ge lt le."""

    name: str
    op: str
    operand: Operand


@dataclass(frozen=True, slots=True)
class Present:
    """`name pr`."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not (node)`."""

    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """Every one of the nodes."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the nodes."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ValuePath:
    """`name[node]`: one element of the attribute satisfies the node."""

    name: str
    node: Node


Node = Comparison | Present | Not | And | Or | ValuePath


def terms_of(node: Node) -> int:
    """How many comparisons it takes, at the most, to say whether it holds."""
    if isinstance(node, And | Or):
        return sum(map(terms_of, node.nodes))
    return terms_of(node.node) if isinstance(node, Not | ValuePath) else 1
