"""The order of the steps."""

from __future__ import annotations

from collections.abc import Callable

from tests.demo import incremental_cycle, initial_cycle, opening, refusals
from tests.demo.scene import Scene

STEPS: tuple[Callable[[Scene], None], ...] = (
    opening.policy,
    opening.token,
    opening.connection,
    opening.before,
    initial_cycle.cycle,
    initial_cycle.objects,
    initial_cycle.access,
    incremental_cycle.cycle,
    incremental_cycle.leaver,
    refusals.refusals,
)


def play(scene: Scene) -> None:
    """All of them."""
    for step in STEPS:
        step(scene)
