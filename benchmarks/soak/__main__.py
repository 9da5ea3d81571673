"""`python -m benchmarks.soak`: an hour at 25 requests a second on a control plane of its own.

Users and groups come by SCIM first; then people come, change, leave, return and are deleted, groups too, as
many as come. Every half minute the operator is looked at. In the end every object and every binding must be
as the model says. By default soak.json, soak.svg and soak.md go to docs/performance; those of a run of other
sizes to benchmarks/results.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks.figures import Spread
from benchmarks.report import Report
from benchmarks.sections import cycle
from benchmarks.soak.churn import Churn
from benchmarks.soak.figures import Figures
from benchmarks.soak.load import Load, Tally
from benchmarks.soak.remains import Wanted, remains
from benchmarks.soak.sample import SHARED, Sample, State, count, look
from benchmarks.stage import DIRECTORY, Stage, stage
from benchmarks.tenant import Tenant
from tests.cluster.build import build, say

_ROOT = Path(__file__).parents[2]
_PUBLISHED, _RESULTS = _ROOT / "docs" / "performance", _ROOT / "benchmarks" / "results"
_EVERY_SECONDS, _SETTLING_SECONDS = 30.0, 600.0


@dataclass(frozen=True)
class Options:
    """Groups are a tenth of the users. Above 2,000 users the group of everybody is kept in shards."""

    minutes: float = 60.0
    rate: float = 25.0
    users: int = 2_500
    seed: int = 1


def main() -> int:
    """0 when every answer, object and binding was as expected; figures are not judged. 130 after Ctrl-C."""
    arguments = _parser().parse_args()
    options = Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = _PUBLISHED if options == Options() else _RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    try:
        return _run(options, arguments.out or folder)
    except KeyboardInterrupt:
        return 130


def _run(options: Options, folder: Path) -> int:
    programs = build()
    began = time.monotonic()
    with stage() as place:
        figures = _Soak(place, options).measure()
    seconds = time.monotonic() - began
    report = Report(programs.versions, [figures], seconds, name="soak", command="make soak")
    print(report.table())
    report.write(folder)
    say(f"{seconds:.0f} s; written: {folder}")
    return 1 if figures.unexpected or figures.wrong or figures.leaked else 0


class _Soak:
    """On a stage of its own."""

    def __init__(self, place: Stage, options: Options) -> None:
        self._stage = place
        self._options = options
        self._samples: list[Sample] = []
        self._missed = 0
        self._before: Mapping[str, int] = {}

    def measure(self) -> Figures:
        """From an empty cluster on."""
        self._before = self._stage.away(count, self._stage.cluster.state, SHARED)
        tenant = Tenant(DIRECTORY)
        tenant.apply_policies(self._stage.cluster)
        tenant, step = cycle.grow(self._stage, tenant, self._options.users)
        say(f"{step.users} users and {step.groups} groups in {step.seconds:.0f} s")
        churn = Churn(tenant, self._options.seed)
        namespaces = {namespace for namespace, _ in churn.expected()}
        tally = asyncio.run(self._hour(churn))
        say("the hour is over; what is left to do?")
        settled = self._settle()
        wanted = Wanted(
            churn.directory,
            churn.expected(),
            {person.id for person in churn.people.values()},
            {circle.id for circle in (*churn.circles.values(), churn.everybody)},
            namespaces,
        )
        found = self._stage.away(remains, self._stage.cluster.kubeconfig, wanted)
        return Figures(
            self._options.users,
            len(wanted.groups),
            self._options.rate,
            self._options.minutes,
            self._options.seed,
            tally.sent,
            tally.late,
            round(tally.latest_seconds, 3),
            tally.passing,
            tally.unexpected,
            Figures.by_kind(tally),
            Spread.of(tally.took),
            tally.odd,
            self._samples,
            self._missed,
            settled,
            found,
        )

    async def _hour(self, churn: Churn) -> Tally:
        async with self._stage.endpoint.wire() as wire:
            load = Load(wire, churn)
            await load.gather()
            settled = await asyncio.to_thread(self._settle)
            self._samples.append(Sample(0.0, 0, Spread(0, 0.0, 0.0, 0.0), settled))
            say(f"settled, {settled.memory_mib:.1f} MiB; the hour begins")
            running = asyncio.create_task(
                load.run(self._options.rate, round(self._options.minutes * 60 * self._options.rate))
            )
            try:
                while not running.done():
                    await asyncio.wait([running], timeout=_EVERY_SECONDS)
                    await self._sample(load)
                await running
            finally:
                running.cancel()
            return load.tally

    async def _sample(self, load: Load) -> None:
        """One that fails is missed; an operator that ended ends the run."""
        operator, tally = self._stage.operator, load.tally
        if not operator.is_alive:
            raise RuntimeError(f"the operator ended: {operator.log.read_text()[-2000:]}")
        loop = asyncio.get_running_loop()
        try:
            state = await loop.run_in_executor(self._stage.executor, look, *self._looking())
        except OSError as error:
            self._missed += 1
            say(f"{load.minute:.1f} min: not seen: {error}")
            return
        took, tally.recent = tally.recent, []
        if not took:
            return
        sample = Sample(round(load.minute, 2), tally.sent, Spread.of(took), state)
        self._samples.append(sample)
        counts = f"late {tally.late}  repeated {tally.passing}  unexpected {tally.unexpected}"
        say(
            f"{sample.minute:5.1f} min  {sample.sent} requests  {state.memory_mib:.1f} MiB  "
            f"{state.files} files  due {dict(state.queues)}  {sample.answers}  {counts}"
        )

    def _settle(self) -> State:
        """When nothing is due any more, or as it is after ten minutes."""
        deadline = time.monotonic() + _SETTLING_SECONDS
        while True:
            try:
                state = self._stage.away(look, *self._looking())
            except OSError:
                if time.monotonic() > deadline:
                    raise
            else:
                if not state.depth or time.monotonic() > deadline:
                    return state
            time.sleep(1)

    def _looking(self) -> tuple[Path, int, str, Mapping[str, int]]:
        operator = self._stage.operator
        return self._stage.cluster.state, operator.pid, operator.url("metrics"), self._before


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for field in fields(Options):
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            help=f"default: {field.default:g}",
        )
    parser.add_argument("--out", type=Path, help="folder for what is written")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
