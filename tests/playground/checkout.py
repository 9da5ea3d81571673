"""A copy of the checkout, in which `make up` can't meet the one that a developer left running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.process import Process, processes
from tests.leftovers import processes_that_know

ROOT = Path(__file__).parents[2]


class Checkout:
    """Files as git knows them, our own Python environment, `make` as one would type it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            source, target = ROOT / name, folder / name
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        (folder / ".venv").symlink_to(ROOT / ".venv")

    @property
    def state(self) -> Path:
        """Where `make up` keeps everything."""
        return self.folder / ".cluster"

    def make(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make …`; failing is for the caller to judge."""
        return self.run("make", *words, **environment)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same in the background, in a process group of its own as at a terminal."""
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=_clean({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command in the checkout's folder."""
        return subprocess.run(
            words,
            cwd=self.folder,
            env=_clean(environment),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """A plain POSIX shell that sourced the env file."""
        return self.run("sh", "-c", f". .cluster/env\n{script}")

    def env(self) -> dict[str, str]:
        """What a shell that sourced it hands on."""
        lines = self.shell("env").stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def processes(self) -> dict[str, Process]:
        """Of the system that is up."""
        return processes(self.state)

    def pids(self) -> dict[str, int]:
        """Of those that run."""
        return {name: process.pid for name, process in self.processes().items() if process.is_alive}

    def left(self) -> list[str]:
        """Processes that were started from here and still run."""
        return processes_that_know(self.folder)


def interrupt(started: subprocess.Popen[str], number: signal.Signals) -> str:
    """Ctrl-C, or worse, to all of a foreground job. -> what it printed."""
    os.killpg(started.pid, number)
    printed, _ = started.communicate(timeout=60)
    return printed


def wait_for_file(path: Path, seconds: float = 60) -> None:
    """Until it is there."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def _clean(more: Mapping[str, str]) -> dict[str, str]:
    """Of a shell: without what this test run's own `make` handed down."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return {**kept, "USER": "root", **more}
