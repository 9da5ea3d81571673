"""Sections c to h: one company that grows from stop to stop, so that no state is made twice.

Where SCIM brings the people (c, g) each stop is an initial cycle of those who are new; beyond that, or when
only d, e or f are wanted, a loader brings them. At each stop what is wanted there is measured, in this order:
the second cycle, leavers, a restart, the large group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks import loader
from benchmarks.report import Section
from benchmarks.sections import crowd, cycle, growth, leaving, restart, stalls
from benchmarks.sizes import Sizes
from benchmarks.stage import DIRECTORY, Stage
from benchmarks.tenant import Tenant
from tests.cluster.build import say


class Company:
    """Measures what is wanted of `sections` on a stage of its own."""

    def __init__(self, stage: Stage, sizes: Sizes, sections: Sequence[str]) -> None:
        self._stage = stage
        self._sizes = sizes
        self._sections = sections
        self._tenant = Tenant(DIRECTORY)
        self._steps: list[cycle.Step] = []
        self._restarts: list[restart.Restart] = []
        self._stops: list[growth.Stop] = []
        self._late: dict[str, stalls.Lateness] = {}
        self._found: list[Section] = []

    def measure(self) -> list[Section]:
        """All stops."""
        self._tenant.apply_policies(self._stage.cluster)
        for users, by_scim in self._sizes.checkpoints(self._sections).items():
            say(f"{users} users, {'by SCIM' if by_scim else 'loaded'}")
            if by_scim:
                self._grow(users)
            else:
                self._tenant = loader.load(self._stage, self._tenant, users)
            self._stop(users)
        if "f" in self._sections:
            wanted = [one for one in self._restarts if self._wants("f", one.users)]
            self._found.append(restart.Figures(wanted))
        if "g" in self._sections:
            self._found.append(growth.Figures(self._stops))
        if "h" in self._sections:
            self._found.append(stalls.Figures(self._late))
        return sorted(self._found, key=lambda section: section.letter)

    def _grow(self, users: int) -> None:
        with self._watched(f"c, up to {users} users"):
            self._tenant, step = cycle.grow(self._stage, self._tenant, users)
        self._steps.append(step)
        say(f"{step.requests} requests in {step.seconds:.0f} s, bound {step.converged_seconds:.1f} s later")

    def _stop(self, users: int) -> None:
        stage = self._stage
        if self._wants("c", users):
            second = cycle.again(stage, self._tenant)
            self._found.append(cycle.Figures.of(self._tenant, self._steps, second))
        if self._wants("d", users) or self._wants("g", users):
            count = self._sizes.leavers if self._wants("d", users) else self._sizes.leavers // 2
            self._tenant, left = leaving.measure(stage, self._tenant, count)
            say(f"leavers: {left.from_answer}")
            if self._wants("d", users):
                self._found.append(left)
        if self._wants("f", users) or self._wants("g", users):
            again = restart.measure(stage, self._tenant)
            say(f"restart: answers after {again.answering_seconds} s, converged {again.converged_seconds} s")
            self._restarts.append(again)
        if self._wants("g", users):
            came = users - (self._steps[-2].users if len(self._steps) > 1 else 0)
            self._stops.append(growth.Stop.of(self._steps[-1], came, left, again))
        if self._wants("e", users):
            with self._watched("e"):
                self._found.append(crowd.measure(stage, self._tenant, self._sizes.changes))

    @contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        """For section h."""
        before = self._stage.counters()
        yield
        if "h" in self._sections:
            self._late[name] = stalls.Lateness.of(self._stage.counters().since(before))

    def _wants(self, letter: str, users: int) -> bool:
        return letter in self._sections and self._sizes.is_at(letter, users)
