"""The README's "By hand" does what it says: typed as it stands, it prints what it shows."""

from __future__ import annotations

import pytest

from tests.playground.checkout import ROOT, Checkout
from tests.playground.walk import same, steps

STEPS = steps(ROOT / "README.md")
_END = "=== end of step ==="


def test_the_walk_prints_what_it_shows(checkout: Checkout) -> None:
    # Somebody who types also pauses: statuses are written for people, within seconds.
    script = "".join(f"{step.commands}echo '{_END}'\nsleep 2\n" for step in STEPS)
    done = checkout.run("bash", "-c", f"exec 2>&1\n{script}")
    printed = done.stdout.split(f"{_END}\n")[:-1]
    assert len(printed) == len(STEPS), done.stdout
    for step, output in zip(STEPS, printed, strict=True):
        if step.output is not None:
            assert same(step.output, output), f"$ {step.commands}{output}\ninstead of\n{step.output}"
    assert checkout.left() == []


def test_it_is_the_walk_that_was_promised() -> None:
    commands = "".join(step.commands for step in STEPS)
    for word in ("make up", ". .cluster/env", "kubectl apply", "/Users", "/Groups", "members"):
        assert word in commands
    for word in ("kubectl get scim", "make -s token-for", '"active", "value": "False"', "make down"):
        assert word in commands
    assert any("Forbidden" in (step.output or "") for step in STEPS)


@pytest.mark.parametrize(
    ("shown", "printed", "wanted"),
    [
        ("a …\nb", "a long line\nmore\nb\n", True),
        ("AGE\n3s", "AGE\n14s", True),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:22/x", True),
        ("Forbidden", "No resources found", False),
        ("a …", "b", False),
        ("a", "a\nError", False),
    ],
)
def test_a_difference_is_seen(shown: str, printed: str, wanted: bool) -> None:
    assert same(shown, printed) is wanted
