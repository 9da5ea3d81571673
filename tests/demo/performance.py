"""One run from the curtain to the bill: play on a stage, take it down whatever happens, say how it went."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tests.demo.cast import PEOPLE
from tests.demo.expectations import Expectations
from tests.demo.scene import Scene
from tests.demo.screen import Screen
from tests.demo.stage import Stage
from tests.demo.transcript import Transcript
from tests.demo.view import View

INTERRUPTED = 130


def perform(stage: Stage, screen: Screen, play: Callable[[Scene], None]) -> int:
    """-> the exit code: 0 when every expectation held."""
    expect = Expectations(screen)
    scene: Scene | None = None
    try:
        with stage:
            installation = stage.set()
            view = View(installation.cluster, PEOPLE)
            scene = Scene(installation, screen, expect, Transcript(screen), view)
            play(scene)
            # A reader of a failure wants the logs; decided before the stage is taken down.
            stage.keep |= bool(expect.failed)
    except KeyboardInterrupt:
        print("\ninterrupted; everything is taken down", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        print(f"\nThe demo broke off: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"Everything is taken down; logs: {stage.logs}", file=sys.stderr)
        return 1
    _summarise(stage, screen, expect, scene)
    return expect.exit_code


def _summarise(stage: Stage, screen: Screen, expect: Expectations, scene: Scene) -> None:
    screen.blank()
    screen.title(f"{expect.summary()}; {time.monotonic() - stage.began:.0f} s, all taken down again")
    screen.text(f"leaver: {scene.leaver} from Entra's answer to the first 403 with the person's own token")
    if stage.keep:
        screen.block(f"logs: {stage.logs}")
