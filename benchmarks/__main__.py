"""`python -m benchmarks`: measures on control planes of its own; a table, JSON and a chart of each section.

Sections: a requests, b the 13-step lifecycle, c an initial cycle, d leavers, e a large group, f restarts,
g growth, h stalls of the event loop during c and e; `engine`: the SCIM engine without HTTP and Kubernetes.

Whole, on two quiet cores, in minutes, by reckoning: a 4.5 (9 operations at 3 numbers of clients, 3 rounds of
1.2 s of each side); b 0.2; two control planes 0.7; c and g 4 (20,000 users, 2,000 groups, 45,000 requests);
d 1.5 (500 leavers); the load of 30,000 more people 1.5; f 1.5 (5 restarts); e 0.7; engine 0.3.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks.company import Company
from benchmarks.report import Report, Section
from benchmarks.sections import engine, lifecycle, operations
from benchmarks.sizes import SECTIONS, Sizes, add_options
from benchmarks.stage import Stage, stage
from tests.cluster.build import build, say

_ROOT = Path(__file__).parents[1]
# Of a whole run; others are for whoever made them.
_PUBLISHED, _RESULTS = _ROOT / "docs" / "performance", _ROOT / "benchmarks" / "results"
_COMPANY = "cdefgh"


def main() -> int:
    """0 when every answer was as expected; figures are not judged. 130 after Ctrl-C, all taken down."""
    parser = _parser()
    arguments = parser.parse_args()
    sections: Sequence[str] = arguments.only
    if "h" in sections and not {"c", "e"} & set(sections):
        parser.error("h is what was seen during c and e: choose one of them too")
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _run(Sizes.chosen(arguments), sections, arguments.out or _folder(arguments))
    except KeyboardInterrupt:
        return 130
    return 0


def _run(sizes: Sizes, sections: Sequence[str], folder: Path) -> None:
    programs = build()
    began = time.monotonic()
    found: list[Section] = []
    if requests := [measure for letter, measure in _REQUESTS.items() if letter in sections]:
        with stage() as place:
            found += [measure(place, sizes) for measure in requests]
    if wanted := [letter for letter in sections if letter in _COMPANY]:
        with stage() as place:
            found += Company(place, sizes, wanted).measure()
    if "engine" in sections:
        say("the SCIM engine alone")
        found.append(engine.measure(sizes.seconds))
    report = Report(programs.versions, found, time.monotonic() - began)
    print(report.table())
    report.write(folder)
    say(f"{time.monotonic() - began:.0f} s; written: {folder}")


# Those whose users nobody else is to see.
_REQUESTS: dict[str, Callable[[Stage, Sizes], Section]] = {"a": operations.measure, "b": lifecycle.measure}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=_chosen, default=list(SECTIONS), help="sections, such as a,c,engine")
    parser.add_argument(
        "--out", type=Path, help="folder (default: docs/performance for a whole run, else benchmarks/results)"
    )
    add_options(parser)
    return parser


def _chosen(text: str) -> list[str]:
    if unknown := set(text.split(",")) - set(SECTIONS):
        raise argparse.ArgumentTypeError(
            f"no sections: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}"
        )
    return [letter for letter in SECTIONS if letter in text.split(",")]


def _folder(arguments: argparse.Namespace) -> Path:
    """Only what is whole is published by itself."""
    if Sizes.chosen(arguments) == Sizes() and arguments.only == list(SECTIONS):
        return _PUBLISHED
    return _RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
