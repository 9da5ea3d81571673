"""After any sequence of changes the cluster is what a naive oracle says, what a fresh start would make, and
what the audit stream told.

A failure prints its seed; `SEQUENCE_SEED=<seed> pytest tests/sequences` plays that one alone.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.eventually import becomes
from tests.faults.system import System
from tests.sequences.account import Account
from tests.sequences.findings import look, wrongs
from tests.sequences.oracle import judge
from tests.sequences.recompute import recomputed
from tests.sequences.story import GRANTABLE, Story

# Played by `make test-long` and by `make test`.
SEQUENCES, SAMPLE = 200, 10
# Between two times at which everything is checked.
CHANGES = range(3, 15)
# The end of a namespace takes the controller manager some seconds.
SECONDS = 60.0


@pytest.fixture(scope="module")
def system(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    values = [f"{name}={{{','.join(GRANTABLE)}}}" for name in ("grantableClusterRoles", "clusterWideRoles")]
    with System.running(tmp_path_factory.mktemp("sequences"), values=values) as made:
        made.installation.start()
        yield made


def play(system: System, seed: int) -> None:
    """One sequence from nothing to its end."""
    story, account = Story(system, seed), Account(system, f"s{seed:06}")
    steps: list[str] = []
    try:
        story.begin()
        for count in random.Random(seed).choices(CHANGES, k=2):
            for _ in range(count):
                steps.append(story.change())
            _settle(story)
            becomes(lambda: account.gaps(steps), [])
        story.end()
        _settle(story)
        becomes(lambda: account.gaps(steps), [])
    except AssertionError as error:
        told = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
        raise AssertionError(f"SEQUENCE_SEED={seed}: {error}\nafter\n{told}") from error
    finally:
        # A story that failed must not be the end of those after it.
        story.end()
        story.tidy()


def _settle(story: Story) -> None:
    """All is as it should be, and stays so when the operator has nothing left to do."""
    deadline = time.monotonic() + SECONDS
    while wrong := _wrong(story):
        assert time.monotonic() < deadline, "\n".join(wrong)
        # With other subjects every removal waits for somebody to approve it.
        for directory in story.model.directories:
            story.system.approve(directory)
        time.sleep(0.02)
    while not story.system.installation.is_idle():
        assert time.monotonic() < deadline, "the operator's queue of places never becomes empty"
        time.sleep(0.02)
    wrong = _wrong(story)
    assert not wrong, "right at first, and then: " + "\n".join(wrong)


def _wrong(story: Story) -> list[str]:
    found = look(story.system, story.tag)
    verdict, possible = judge(story.model, found.namespaces), judge(story.ever, {}).made
    wrong = wrongs(found, verdict, possible, story.model.template)
    if not wrong:
        wrong = recomputed(story, found)
    return wrong


def _seeds() -> list[Any]:
    if chosen := os.environ.get("SEQUENCE_SEED"):
        return [int(chosen)]
    whole = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1, SEQUENCES + 1)]
    return [*whole, *range(SEQUENCES + 1, SEQUENCES + SAMPLE + 1)]


@pytest.mark.parametrize("seed", _seeds())
def test_random_sequence(system: System, seed: int) -> None:
    play(system, seed)
