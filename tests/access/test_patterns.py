"""Which groups a pattern means and what it captures; whoever names a group in the provider is not trusted."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.access.patterns import (
    AmbiguousError,
    Anything,
    Capture,
    PatternError,
    Text,
    canonical,
    capture_names,
    fill,
    match,
    parse,
)

CASES = json.loads((Path(__file__).parent / "cases" / "patterns.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_group_against_pattern(case: dict[str, Any]) -> None:
    where = case.get("where", {})
    if "ambiguous" in case:
        with pytest.raises(AmbiguousError) as caught:
            match(case["pattern"], where, case["group"])
        assert all(reading in str(caught.value) for reading in case["ambiguous"])
    else:
        assert match(case["pattern"], where, case["group"]) == case["captures"]


@pytest.mark.parametrize(
    ("pattern", "tokens"),
    [
        ("k8s-{team}-*", (Text("k8s-"), Capture("team"), Text("-"), Anything())),
        ("**", (Anything(),)),
        ("{a1_b}", (Capture("a1_b"),)),
        ("K8S ", (Text("k8s "),)),
        ("", ()),
    ],
)
def test_pattern_is_read(pattern: str, tokens: tuple[object, ...]) -> None:
    assert parse(pattern) == tokens


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a{", "stray { at position 2"),
        ("a}b", "stray } at position 2"),
        ("{{a}}", "stray { at position 1"),
        ("{}", "{} is no capture"),
        ("{Team}", "{Team} is no capture"),
        ("{1a}", "{1a} is no capture"),
        ("{a b}", "{a b} is no capture"),
        ("{*}", "{*} is no capture"),
        ("{a}-{a}", "captures the same name twice"),
    ],
)
def test_pattern_without_sense_is_refused_with_its_place(pattern: str, said: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse(pattern)
    assert said in str(caught.value)
    assert repr(pattern) in str(caught.value)


def test_capture_names() -> None:
    assert capture_names("k8s-{team}-*-{role}") == {"team", "role"}
    assert capture_names("plain*") == frozenset()


# --- filling -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "filled"),
    [("team-{team}", "team-red"), ("{team}{role}", "rededit"), ("shared", "shared"), ("", "")],
)
def test_template_is_filled(template: str, filled: str) -> None:
    assert fill(template, {"team": "red", "role": "edit"}) == filled


@pytest.mark.parametrize(
    ("template", "said"), [("team-{other}", "{other}"), ("team-*", "*"), ("{te", "stray {")]
)
def test_template_that_cannot_be_filled_says_why(template: str, said: str) -> None:
    with pytest.raises(PatternError) as caught:
        fill(template, {"team": "red"})
    assert said in str(caught.value)


# --- time --------------------------------------------------------------------------------------------------
# That of this thread alone: a busy machine makes nothing here slower.

_NAMES = [*string.ascii_lowercase, *map("".join, itertools.product(string.ascii_lowercase, "01"))]
PATHOLOGICAL = {
    "stars": ("*a" * 128, "a" * 256),
    "stars without a match": ("*a" * 127 + "b", "a" * 256),
    "adjacent captures": ("".join(f"{{{name}}}" for name in _NAMES)[:256].rsplit("}", 1)[0] + "}", "a" * 256),
    "captures between dashes": ("-".join(f"{{{name}}}" for name in _NAMES[:52]), "a-" * 127 + "aa"),
    "captures and stars": ("*".join(f"{{{name}}}" for name in _NAMES[:52]), "a-" * 128),
    "captures of dashes": ("{a}*{b}*{c}", "-" * 256),
}


@pytest.mark.parametrize(("pattern", "group"), PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_no_pattern_takes_long(pattern: str, group: str) -> None:
    parse(pattern)
    started = time.thread_time()
    with contextlib.suppress(AmbiguousError):
        match(pattern, {}, group)
    assert time.thread_time() - started < 1


def test_group_that_is_not_meant_costs_next_to_nothing() -> None:
    # Most groups of a company have nothing to do with Kubernetes, and each is held against every policy.
    started = time.thread_time()
    for number in range(2000):
        assert match("k8s-{team}-{role}", {}, f"Marketing Europe, all employees {number}") is None
    assert (time.thread_time() - started) / 2000 < 50e-6


def test_name_longer_than_any_pattern_is_not_meant() -> None:
    # The schema doesn't limit displayName, and a split takes quadratic time: no group may stop the operator.
    pattern, where = "k8s-*-{role}", {"role": ["admin"]}
    assert match(pattern, where, "k8s-" + "a" * 246 + "-admin") == {"role": "admin"}
    assert match(pattern, where, "k8s-" + "a" * 247 + "-admin") is None
    started = time.thread_time()
    assert match(pattern, where, "k8s-" + "a-" * 5_000 + "admin") is None
    assert time.thread_time() - started < 0.1


# --- against a splitter that tries everything ---------------------------------------------------------------

_CAPTURED = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
PARTS = st.sampled_from(["*", "{x}", "{y}", "a", "-", "ab", "b-"])
PATTERNS = (
    st.lists(PARTS, max_size=5)
    .filter(lambda parts: parts.count("{x}") < 2 and parts.count("{y}") < 2)
    .map("".join)
)
WHERE = st.dictionaries(
    st.sampled_from(["x", "y"]), st.lists(st.sampled_from(["a", "b", "ab", "a-b", "ba"]), min_size=1)
)


def every_split(
    parts: tuple[object, ...], text: str, where: dict[str, list[str]]
) -> Iterator[dict[str, str]]:
    if not parts:
        if not text:
            yield {}
        return
    first, rest = parts[0], parts[1:]
    for end in range(len(text) + 1):
        part = text[:end]
        if isinstance(first, Text) and part != first.text:
            continue
        if isinstance(first, Capture) and not (
            _CAPTURED.fullmatch(part) and len(part) <= 63 and part in where.get(first.name, [part])
        ):
            continue
        for found in every_split(rest, text[end:], where):
            yield {first.name: part, **found} if isinstance(first, Capture) else found


@settings(max_examples=1000, deadline=None)
@given(PATTERNS, WHERE, st.text(alphabet="ab-AB", max_size=9))
def test_agrees_with_trying_every_split(pattern: str, where: dict[str, list[str]], group: str) -> None:
    expected: list[dict[str, str]] = []
    for split in every_split(parse(pattern), canonical(group), where):
        if split not in expected:
            expected.append(split)
    if len(expected) > 1:
        with pytest.raises(AmbiguousError):
            match(pattern, where, group)
    else:
        assert match(pattern, where, group) == (expected[0] if expected else None)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20))
def test_what_is_captured_could_be_a_namespace(group: str) -> None:
    try:
        captures = match("{x}-*{y}", {}, group) or {}
    except AmbiguousError:
        return
    assert all(_CAPTURED.fullmatch(value) and len(value) <= 63 for value in captures.values())


@settings(max_examples=300, deadline=None)
@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True))
def test_what_was_filled_in_is_captured_again(team: str) -> None:
    assert match("k8s-{team}", {}, fill("k8s-{team}", {"team": team})) == {"team": team}
