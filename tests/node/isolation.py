"""Namespaces for all that runs on the node: network, processes, mounts. The kernel takes them down.

When the first process in them is gone, for whatever reason, every other one is killed, containers too; and
with the last of these go the mounts, addresses, routes and rules. What outlives that are control groups and
files: each run has some of its own, and they are removed here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from types import TracebackType

from tests.eventually import becomes
from tests.leftovers import processes_that_know

# By which the tests in it find the run's folder.
VARIABLE = "SCIM_OPERATOR_NODE"
_ROOT = Path(__file__).parents[2]
_CGROUPS = Path("/sys/fs/cgroup")
# Should this very process be killed, so is unshare, and with it what it started.
_TIED = ("setpriv", "--pdeathsig=KILL")
_SEPARATE = (
    *("--net", "--mount", "--propagation=private"),
    *("--pid", "--fork", "--kill-child", "--mount-proc"),
)
# In the namespaces: what the node writes to /var goes to the run's folder, what it writes to /run to memory.
_PRIVATE = """\
set -e
mkdir -p "$1/var/upper" "$1/var/work"
mount -t overlay overlay -o "lowerdir=/var,upperdir=$1/var/upper,workdir=$1/var/work" /var
mount -t tmpfs -o mode=755 tmpfs /run
shift
exec "$@"
"""


class Isolation:
    """As a context: nothing of it is left afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cgroups = [root / cgroup(folder).lstrip("/") for root in _hierarchies()]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Isolation:
        for path in self._cgroups:
            path.mkdir()
        return self

    def run(self, command: list[str]) -> int:
        """Run it as the first process. -> its exit code"""
        self._process = subprocess.Popen(
            [*_TIED, "unshare", *_SEPARATE, "sh", "-c", _PRIVATE, "sh", str(self._folder), *command],
            cwd=_ROOT,
            env={**os.environ, VARIABLE: str(self._folder)},
        )
        return self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._end(self._process)
        for path in self._cgroups:
            _remove(path)

    def _end(self, unshare: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            # The tests got the Ctrl-C as well, and may say where they were.
            unshare.wait(10)
        unshare.kill()
        unshare.wait()
        becomes(lambda: processes_that_know(self._folder), [], 10)


def cgroup(folder: Path) -> str:
    """The group in which all pods of a run are."""
    return f"/{folder.name}"


def _hierarchies() -> list[Path]:
    """One of version 2, or one for each controller."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if path.is_dir()]


def _remove(path: Path) -> None:
    """Inner groups first; the processes in them were killed, and leave in their own time."""

    def is_gone() -> bool:
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        return not path.exists()

    becomes(is_gone, True, 10)
