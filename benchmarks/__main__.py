"""`python -m benchmarks`: the engine, then a cluster of its own; tables and JSON; about three minutes."""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks import bare, comparing, crowd, engine, leaving
from benchmarks.report import Report
from benchmarks.scim import ScimSide
from tests.cluster.build import build, say
from tests.cluster.cluster import Cluster
from tests.installation import Installation

_RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """0 when every answer was as expected; figures are not judged. 130 after Ctrl-C, all taken down."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _run(options)
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    build()
    began = time.monotonic()
    say("the SCIM engine alone")
    budgets = engine.measure(min(engine.SECONDS, options.seconds))
    leavers = leaving.Plan(options.users, options.groups, options.leavers)
    requests = comparing.Plan(options.clients, options.rounds, options.seconds)
    with _system() as installation, _load_client() as executor:
        connection = installation.connection("entra")
        say("people and groups, then leavers")
        state = installation.cluster.state
        left = executor.submit(leaving.measure, state, connection.url, connection.token, leavers).result()
        say("requests beside the bare API server")
        scim, beside = ScimSide(connection.url, connection.token), bare.install(installation.cluster)
        compared = comparing.compare(executor, scim, bare.BareSide(beside), requests, say)
        say("members come to a large group and go")
        large = crowd.Plan(options.members, options.changes)
        crowd.fill(installation.cluster, "entra", large)
        crowded = executor.submit(crowd.measure, scim, beside, large).result()
        versions, seconds = installation.cluster.versions, time.monotonic() - began
        report = Report(versions, compared, left, crowded, budgets, seconds)
    print(report.table())
    path: Path = options.json or _RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    report.write(path)
    say(f"{time.monotonic() - began:.0f} s; JSON: {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--json", type=Path, help="where to write the figures (default: benchmarks/results/DATE)"
    )
    parser.add_argument("--clients", type=_numbers, default=[1, 8, 32], help="default: 1,8,32")
    parser.add_argument("--rounds", type=int, default=4, help="of each side, in turns (default: 4)")
    parser.add_argument("--seconds", type=float, default=1.2, help="a round's longest time (default: 1.2)")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--leavers", type=int, default=100)
    parser.add_argument("--members", type=int, default=50_000, help="of a large group (default: 50000)")
    parser.add_argument("--changes", type=int, default=200, help="of its members (default: 200)")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


@contextmanager
def _system() -> Iterator[Installation]:
    """The operator as in production; etcd waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="scim-operator-bench-"))
    try:
        # Tied: should this process be killed, everything ends with it.
        cluster = Cluster.start(folder / "cluster", durable=True, tied=True)
        try:
            # As fast as it can, not as fast as one directory may ask.
            values = ["identityEditors={admin}", "limits.requestsPerSecond=100000"]
            installation = Installation.install(cluster, ["entra"], values=values)
            installation.start()
            say(f"control plane and operator up: {cluster.server}")
            yield installation
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def _load_client() -> Iterator[ProcessPoolExecutor]:
    """One process; spawned, so that it holds nothing of this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
