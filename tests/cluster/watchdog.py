"""Stops a cluster when the process that started it is gone, however it went: for test runs that crash.

It reads from a pipe whose other end the starting process holds and never writes to. The kernel closes that
end with the process, even after SIGKILL. cluster.py starts it: ``python -m tests.cluster.watchdog STATE``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cluster.cluster import Cluster


def main() -> None:
    """Wait for the end of the pipe, then stop what is running in the state folder."""
    sys.stdin.buffer.read()
    Cluster.load(Path(sys.argv[1])).stop()


if __name__ == "__main__":
    main()
