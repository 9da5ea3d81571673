"""`python -m tests.demo`: exit code 0 when every expectation held, 1 when not, 130 after Ctrl-C."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from types import FrameType

from tests.demo.performance import perform
from tests.demo.screen import Screen, wants_colour
from tests.demo.script import play
from tests.demo.stage import Stage


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder with all logs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A terminal that lacks a character shows a question mark, rather than ending the demo.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    screen = Screen(sys.stdout, colour=wants_colour(sys.stdout))
    screen.title("scim-operator: what Microsoft Entra ID provisions becomes namespaces and role bindings")
    return perform(Stage(screen, keep=options.keep), screen, play)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
