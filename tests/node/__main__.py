"""`python -m tests.node [pytest's arguments]`: what needs the machine's network, then the tests without it.

Exit codes are pytest's: 0 when all held. 2 also after Ctrl-C, and where no node can run.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from tests.cluster.build import build, say
from tests.cluster.tool import CONTROL_PLANE, NODE, ToolError
from tests.node import machine
from tests.node.figures import Figures
from tests.node.images import ImageError, make_images
from tests.node.isolation import Isolation

_BROKEN = 2


def main() -> int:
    """Prepare, test, take down."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="scim-operator-node-"))
    try:
        machine.check()
        machine.install_packages(say)
        build(names=(*CONTROL_PLANE, *NODE))
        prepared = time.monotonic()
        make_images(folder, say)
        Figures(folder).add("image built and packed", time.monotonic() - prepared, "s")
        tests = [sys.executable, "-m", "pytest", "-m", "node", "-x", "-p", "no:cacheprovider", "tests/node"]
        with Isolation(folder) as isolation:
            code = isolation.run([*tests, *sys.argv[1:]])
        if code:
            _keep_logs(folder)
        say(f"all of it: {time.monotonic() - began:.0f} s; everything is taken down")
        return code
    except (machine.MachineError, ToolError, ImageError) as error:
        say(f"error: {error}")
        return _BROKEN
    except KeyboardInterrupt:
        say("interrupted; everything is taken down")
        return _BROKEN
    finally:
        # An impatient second Ctrl-C must not leave half of it behind. Keys and tokens are in it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shutil.rmtree(folder)


def _keep_logs(folder: Path) -> None:
    """Of the components and of all pods; the rest of the folder holds keys."""
    logs = folder / "state" / "logs"
    if logs.exists():
        kept = folder.with_name(f"{folder.name}-logs")
        shutil.move(logs, kept)
        say(f"logs: {kept}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
