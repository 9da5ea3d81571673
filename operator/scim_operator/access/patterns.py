"""Patterns over group names: `k8s-{team}-{role}` says which groups a policy means and what it captures.

A pattern is hostile ground: whoever names a group in the provider chooses what is captured. So captures are
anchored, limited to what may stand in a namespace's name, and a name that can be split in two ways grants
nothing. No regular expressions: every pattern is matched in time bounded by its length and the name's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"\{([^{}]*)\}|(\*+)|([^{}*]+|[{}])")
_CAPTURE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CAPTURED = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LONGEST_CAPTURE = 63
# As long as the CRD lets a pattern be; a longer name is nobody's doing in good faith.
LONGEST_NAME = 256

Captures = tuple[tuple[str, str], ...]


class PatternError(ValueError):
    """The pattern can't be understood; the message says where and what was expected."""


class AmbiguousError(Exception):
    """The name can be split in two ways."""

    def __init__(self, first: Captures, second: Captures) -> None:
        super().__init__(f"{_readable(first)} or {_readable(second)}")


@dataclass(frozen=True)
class Text:
    """Characters that must stand there."""

    text: str


@dataclass(frozen=True)
class Anything:
    """`*`: any characters, also none."""


@dataclass(frozen=True)
class Capture:
    """`{name}`: a part to be used elsewhere in the policy."""

    name: str


@dataclass(frozen=True)
class Part:
    """Where a capture stands, whatever is there: for telling what is wrong with it."""

    name: str


Token = Text | Anything | Capture | Part


def canonical(text: str) -> str:
    """The form in which names are matched and captured: NFKC and lower case."""
    return unicodedata.normalize("NFKC", text).lower()


@lru_cache(maxsize=1024)
def parse(pattern: str) -> tuple[Token, ...]:
    """The tokens of a pattern. Raises PatternError for stray braces, odd or doubled capture names."""
    tokens = tuple(_token(pattern, match) for match in _TOKEN.finditer(pattern))
    names = [token.name for token in tokens if isinstance(token, Capture)]
    if len(names) != len(set(names)):
        raise PatternError(f"{pattern!r} captures the same name twice")
    return tokens


def capture_names(pattern: str) -> frozenset[str]:
    """The names a pattern captures (or a template uses)."""
    return frozenset(token.name for token in parse(pattern) if isinstance(token, Capture))


def match(pattern: str, where: Mapping[str, list[str]], name: str) -> dict[str, str] | None:
    """What `name` captures under `pattern`, or None when it isn't meant.

    Raises AmbiguousError when two different splits satisfy the pattern and `where`, PatternError for a
    pattern that makes no sense.
    """
    found = splits(parse(pattern), where, name)
    if len(found) > 1:
        raise AmbiguousError(found[0], found[1])
    return dict(found[0]) if found else None


def splits(tokens: tuple[Token, ...], where: Mapping[str, list[str]], name: str) -> tuple[Captures, ...]:
    """Up to two different ways in which a name, as sent, can be split by tokens."""
    # Looked at before it is normalised, which takes its time.
    if len(name) > LONGEST_NAME:
        return ()
    text = canonical(name)
    if len(text) > LONGEST_NAME or not _ends_meet(tokens, text):
        return ()
    return _splits(tokens, text, frozenset((capture, frozenset(values)) for capture, values in where.items()))


def is_capturable(value: str) -> bool:
    """True for what a capture that nothing limits may be: a part of a namespace's name."""
    return len(value) <= LONGEST_CAPTURE and _CAPTURED.fullmatch(value) is not None


def fill(template: str, captures: Mapping[str, str]) -> str:
    """The template with its captures filled in. Raises PatternError naming a capture that doesn't exist."""
    return "".join(_filled(template, token, captures) for token in parse(template))


def _token(pattern: str, match: re.Match[str]) -> Token:
    capture, stars, text = match.groups()
    if stars:
        return Anything()
    if capture is not None:
        if not _CAPTURE_NAME.fullmatch(capture):
            raise PatternError(f"{pattern!r}: {{{capture}}} is no capture; a name is a-z, then a-z, 0-9 or _")
        return Capture(capture)
    if text in "{}":
        raise PatternError(f"{pattern!r} has a stray {text} at position {match.start() + 1}")
    return Text(canonical(text))


# The same names and namespaces are asked for again and again, under all policies.
@lru_cache(maxsize=8192)
def _splits(
    tokens: tuple[Token, ...], text: str, limits: frozenset[tuple[str, frozenset[str]]]
) -> tuple[Captures, ...]:
    """Up to two different ways to split `text`. `limits`: what captures may be.

    Forward, the positions that each token can begin at; from the back, the ways to split the rest from each
    of them, two at most: two ways to split a rest are two ways to split the whole, so no more are ever needed
    and the time stays bounded by tokens times length.
    """
    allowed = dict(limits)
    starts = [{0}]
    for token in tokens:
        starts.append({end for start in starts[-1] for end in _ends(token, text, start, allowed)})
    rest: dict[int, tuple[Captures, ...]] = {len(text): ((),)} if len(text) in starts[-1] else {}
    for token, begins in zip(reversed(tokens), reversed(starts[:-1]), strict=True):
        if isinstance(token, Anything):
            rest = _after_anything(rest, begins, len(text))
        else:
            rest = {start: _before(token, text, start, allowed, rest) for start in begins}
    return rest.get(0, ())


def _before(
    token: Text | Capture | Part,
    text: str,
    start: int,
    allowed: Mapping[str, frozenset[str]],
    rest: Mapping[int, tuple[Captures, ...]],
) -> tuple[Captures, ...]:
    return _two(
        tail if isinstance(token, Text) else ((token.name, text[start:end]), *tail)
        for end in _ends(token, text, start, allowed)
        for tail in rest.get(end, ())
    )


def _after_anything(
    rest: Mapping[int, tuple[Captures, ...]], begins: set[int], length: int
) -> dict[int, tuple[Captures, ...]]:
    """`*` ends here, or takes one more character: what holds from the next position on holds here too."""
    found: dict[int, tuple[Captures, ...]] = {}
    known: tuple[Captures, ...] = ()
    for position in range(length, min(begins, default=length + 1) - 1, -1):
        known = _two((*rest.get(position, ()), *known))
        if position in begins:
            found[position] = known
    return found


def _ends(token: Token, text: str, start: int, allowed: Mapping[str, frozenset[str]]) -> Iterable[int]:
    """Where a token that begins at `start` may end."""
    if isinstance(token, Text):
        return [start + len(token.text)] if text.startswith(token.text, start) else []
    if isinstance(token, Anything | Part):
        return range(start, len(text) + 1)
    if token.name in allowed:
        return [start + len(value) for value in allowed[token.name] if text.startswith(value, start)]
    found = _CAPTURED.match(text, start, min(len(text), start + LONGEST_CAPTURE))
    longest = found.end() if found else start
    return [end for end in range(start + 1, longest + 1) if text[end - 1] != "-"]


def _ends_meet(tokens: tuple[Token, ...], text: str) -> bool:
    """The quick no for most groups: the pattern's literal beginning or end isn't the name's."""
    literals = [token.text if isinstance(token, Text) else "" for token in tokens] or [""]
    return text.startswith(literals[0]) and text.endswith(literals[-1])


def _two(solutions: Iterable[Captures]) -> tuple[Captures, ...]:
    found: list[Captures] = []
    for solution in solutions:
        if solution not in found:
            found.append(solution)
            if len(found) == 2:
                break
    return tuple(found)


def _filled(template: str, token: Token, captures: Mapping[str, str]) -> str:
    if isinstance(token, Text):
        return token.text
    if isinstance(token, Capture) and token.name in captures:
        return captures[token.name]
    wrong = "*" if isinstance(token, Anything) else f"{{{token.name}}}"
    raise PatternError(f"{template!r} uses {wrong}, which the pattern doesn't capture")


def _readable(captures: Captures) -> str:
    return ", ".join(f"{name}={value}" for name, value in captures) or "nothing captured"
