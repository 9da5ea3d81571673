"""The state folder (`.cluster`): claimed by `make up`, gone after `make down`."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.cluster import empty_folder
from tests.cluster.process import processes
from tests.cluster.waiting import ClusterError
from tests.playground.record import FILE

# By these it is known as ours; they are the last to go.
MARKS = ("cluster.json", FILE)


def is_ours(state: Path) -> bool:
    """Whether an earlier command made it, however it ended."""
    return any((state / mark).exists() for mark in MARKS)


def claim(state: Path) -> None:
    """Make it, empty. Raises ClusterError as `check_free` does."""
    check_free(state)
    # Keys and tokens live there.
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    empty_folder(state, MARKS)


def check_free(state: Path) -> None:
    """Raises ClusterError when something of others is in it, or still runs."""
    running = [process.name for process in processes(state).values() if process.is_alive]
    if running:
        raise ClusterError(f"{', '.join(running)} still run in {state}; stop them: make down")
    if state.exists() and any(state.iterdir()) and not is_ours(state):
        raise ClusterError(f"{state} is not empty and holds nothing of ours; move it away")


def remove(state: Path) -> None:
    """All of it, logs too."""
    if is_ours(state):
        empty_folder(state, MARKS)
        state.rmdir()


def short(path: Path) -> Path:
    """As somebody here would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
