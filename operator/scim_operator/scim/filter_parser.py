"""Text to tree: filters (RFC 7644, section 3.4.2.2) and the paths of PATCH (section 3.5.2).

It knows the grammar and no schema. It accepts more than the RFC where clients need it: operators and
`true` in any case, an unquoted word as a string (Microsoft's samples, authentik), and a comparison
behind a value path (Entra's `emails[type eq "work"].value eq "x"`), which is rewritten to the RFC's form.
Length and depth are limited, since a filter is the one thing whose cost a client chooses.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from scim_operator.scim.errors import ScimError, invalid_filter, invalid_path
from scim_operator.scim.filter_nodes import And, Comparison, Node, Not, Operand, Or, Present, Value, ValuePath

MAX_LENGTH = 4096
MAX_DEPTH = 20
# Comparisons: a filter is asked about everybody.
MAX_TERMS = 50

_OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"})
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}
_TOKEN = re.compile(r'\s*(?:([()\[\]])|("(?:[^"\\]|\\.)*")|([^\s()\[\]"]+))', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(\.\d{1,18})?(?:[eE][+-]?\d{1,2})?")
_NAME = r"[A-Za-z$][\w$-]*"
_ATTRIBUTE = re.compile(rf"(?:urn:[\w.:$+%-]+|{_NAME}(?:\.{_NAME})?)", re.IGNORECASE | re.ASCII)
_SUB_ATTRIBUTE = re.compile(rf"\.{_NAME}", re.ASCII)


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """The tree of a filter; 400 invalidFilter if it isn't one or exceeds the limits."""
    parser = _Parser(text)
    node = parser.disjunction(0)
    parser.expect_end()
    return node


@lru_cache(maxsize=1024)
def parse_value_path(text: str) -> tuple[str, Node | None, str | None]:
    """A PATCH path as (attribute name, value filter, sub-attribute behind the filter); 400 invalidPath."""
    try:
        return _Parser(text).path()
    except ScimError as error:
        raise invalid_path(f"path {_shown(text)}: {error.detail}") from None


def is_attribute_name(text: str) -> bool:
    """Whether the text has the form of an attribute path: `attr`, `attr.sub` or anything with a URN."""
    return _ATTRIBUTE.fullmatch(text) is not None


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= 100 else text[:100] + "…", ensure_ascii=False)


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise invalid_filter(f"the filter has {len(text)} characters, expected at most {MAX_LENGTH}")
        self._tokens = _tokens(text)
        self._next = 0
        self._terms = 0

    def disjunction(self, depth: int) -> Node:
        """`a or b or c`, the weakest binding."""
        nodes = [self._conjunction(depth)]
        while self._takes("or"):
            nodes.append(self._conjunction(depth))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def expect_end(self) -> None:
        """400 unless every token was read."""
        if self._next < len(self._tokens):
            raise invalid_filter(f"expected 'and', 'or' or the end, got {_shown(self._peek())}")

    def path(self) -> tuple[str, Node | None, str | None]:
        """`attr`, `attr.sub`, `attr[filter]` or `attr[filter].sub`, with or without a URN."""
        name, node, sub = self._attribute(), None, None
        if self._takes("["):
            node = self._bracketed(1)
            sub = self._sub_attribute()
        self.expect_end()
        return name, node, sub

    def _conjunction(self, depth: int) -> Node:
        nodes = [self._term(depth)]
        while self._takes("and"):
            nodes.append(self._term(depth))
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _term(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise invalid_filter(f"the filter is nested deeper than {MAX_DEPTH} brackets")
        if self._takes("("):
            return self._group(depth + 1)
        if self._peek().lower() == "not" and self._peek(1) == "(":
            self._next += 2
            return Not(self._group(depth + 1))
        name = self._attribute()
        if self._takes("["):
            return self._value_path(name, depth + 1)
        return self._test(name)

    def _group(self, depth: int) -> Node:
        node = self.disjunction(depth)
        self._expect(")")
        return node

    def _value_path(self, name: str, depth: int) -> Node:
        node = self._bracketed(depth)
        sub = self._sub_attribute()
        return ValuePath(name, node if sub is None else And((node, self._test(sub))))

    def _bracketed(self, depth: int) -> Node:
        node = self.disjunction(depth)
        if _holds_value_path(node):
            raise invalid_filter("a filter in square brackets can't hold another one (RFC 7644 3.4.2.2)")
        self._expect("]")
        return node

    def _test(self, name: str) -> Node:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise invalid_filter(f"the filter has more than {MAX_TERMS} comparisons; ask in several requests")
        op = self._read("an operator").lower()
        if op == "pr":
            return Present(name)
        if op not in _OPERATORS:
            raise invalid_filter(
                f"operator {_shown(op)} after {name}: expected eq, ne, co, sw, ew, pr, gt, ge, lt or le"
            )
        return Comparison(name, op, _operand(name, self._read(f"a value to compare {name} with")))

    def _attribute(self) -> str:
        word = self._read("an attribute name")
        if not is_attribute_name(word):
            raise invalid_filter(f"expected an attribute name, got {_shown(word)}")
        return word

    def _sub_attribute(self) -> str | None:
        if not _SUB_ATTRIBUTE.fullmatch(self._peek()):
            return None
        return self._read("a sub-attribute")[1:]

    def _peek(self, ahead: int = 0) -> str:
        """The token that comes next, "" at the end."""
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else ""

    def _takes(self, token: str) -> bool:
        if self._peek().lower() != token:
            return False
        self._next += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise invalid_filter(
                f"expected {token!r}, got {_shown(self._peek()) if self._peek() else 'the end'}"
            )

    def _read(self, expected: str) -> str:
        token = self._peek()
        if not token:
            raise invalid_filter(f"expected {expected}, got the end")
        self._next += 1
        return token


def _tokens(text: str) -> list[str]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise invalid_filter(f"the quote at character {position + 1} isn't closed")
        tokens.append(match[match.lastindex or 0])
        position = match.end()
    return tokens


def _operand(name: str, token: str) -> Operand:
    if token.startswith('"'):
        return _quoted(name, token)
    if token in ("(", ")", "[", "]"):
        raise invalid_filter(f"expected a value to compare {name} with, got {token!r}")
    if token.lower() in _WORDS:
        return Operand(_WORDS[token.lower()], token)
    number = _NUMBER.fullmatch(token)
    return Operand(token if number is None else json.loads(token), token)


def _quoted(name: str, token: str) -> Operand:
    try:
        # strict=False: a raw tab or line break in a display name is no reason to refuse it.
        text = json.loads(token, strict=False)
    except ValueError:
        raise invalid_filter(f"the value compared with {name} is no JSON string: {_shown(token)}") from None
    return Operand(text, text)


def _holds_value_path(node: Node) -> bool:
    match node:
        case And(nodes) | Or(nodes):
            return any(_holds_value_path(inner) for inner in nodes)
        case Not(inner):
            return _holds_value_path(inner)
        case _:
            return isinstance(node, ValuePath)
