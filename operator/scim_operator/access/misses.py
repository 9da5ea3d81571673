"""Why a policy doesn't mean a group whose name has, or seems to have, all the text of the pattern: in words.

Somebody has named a group so that it should fit, or has tried to make it look as if it did.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from scim_operator.access.patterns import (
    LONGEST_CAPTURE,
    LONGEST_NAME,
    Capture,
    Captures,
    Part,
    Text,
    Token,
    canonical,
    is_capturable,
    parse,
    splits,
)
from scim_operator.access.problems import quoted

_READABLE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
# Cyrillic and Greek letters, in lower case, that nobody can tell from Latin ones.
_TWINS = str.maketrans("аеорсухкмтвнһԁіјѕοαρκτυν", "aeopcyxkmtbhhdijsoapktuv")
_DASHES = frozenset(("Pd", "Sm"))


def missed(pattern: str, where: Mapping[str, list[str]], name: str) -> str:
    """What keeps `pattern` from meaning a group of this name; empty when the name is nowhere near it.

    To a pattern without fixed text at one of its ends every group of a company would be near.
    """
    tokens = parse(pattern)
    if not any(isinstance(token, Text) for token in (*tokens[:1], *tokens[-1:])):
        return ""
    if len(name) > LONGEST_NAME:
        # Enough of it to see whether its beginning and its end are the pattern's.
        shortened = name[: LONGEST_NAME // 4] + name[-LONGEST_NAME // 4 :]
        near = _near(tokens, where, shortened)
        return f"it has {len(name)} characters, and at most {LONGEST_NAME} are read" if near else ""
    near = _near(tokens, where, name)
    if near:
        return min((" and ".join(_reasons(split, where)) for split in near), key=len)
    if name.isascii() and name.isprintable() and name == name.strip():
        return ""
    if _near(tokens, where, _plain(name)):
        strange = (character for character in name if _plain(character) != canonical(character))
        return next((f"its name holds {_named(character)}" for character in strange), "")
    return ""


def _near(tokens: tuple[Token, ...], where: Mapping[str, list[str]], name: str) -> tuple[Captures, ...]:
    """How the name could be split if captures were free: first those that `where` doesn't limit."""
    for limited in (frozenset(where), frozenset[str]()):
        found = splits(tuple(_loose(token, limited) for token in tokens), where, name)
        if found:
            return found
    return ()


def _loose(token: Token, limited: frozenset[str]) -> Token:
    return Part(token.name) if isinstance(token, Capture) and token.name not in limited else token


def _reasons(split: Captures, where: Mapping[str, list[str]]) -> Iterator[str]:
    for name, value in split:
        allowed = value in where[name] if name in where else is_capturable(value)
        if not allowed:
            yield f"{{{name}}} would be {_wrong(value, limited=name in where)}"


def _wrong(value: str, *, limited: bool) -> str:
    if not value:
        return "empty"
    strange = next((character for character in value if character not in _READABLE), None)
    if strange is not None:
        return f"{quoted(value)}, which holds {_named(strange)}; only a-z, 0-9 and dashes are read"
    if limited:
        return f"{quoted(value)}, which groups.where doesn't list"
    if len(value) > LONGEST_CAPTURE:
        return f"{len(value)} characters long, of {LONGEST_CAPTURE} at most"
    return f"{quoted(value)}, with a dash at an end"


def _named(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character')})"


@lru_cache(maxsize=16384)
def _plain(name: str) -> str:
    """As somebody would read it: what can't be seen left out, what looks like a letter or a dash made one."""
    readable = (_seen(character) for character in canonical(name).translate(_TWINS))
    return "".join(readable).strip()


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Mn", "Zl", "Zp"):
        return ""
    return "-" if category in _DASHES and not character.isascii() else character
