"""A long-running process whose record in the state folder lets any later command find, stop or restart it.

A record names the process by pid *and* start: a pid alone may belong to somebody else by the time of a stop.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.cluster.pki import write_private

# Children of this very process: they must be waited for, or they stay as zombies and look alive. Keeping the
# object also keeps a watchdog's pipe open (see watchdog.py).
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Record:
    """What is needed to recognise a process, and to start it once more."""

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: str
    log: str
    # Standard output's file, if that isn't the log as well.
    out: str = ""
    pid: int = 0
    birth: str = ""


class Process:
    """One process of a cluster: a component, the issuer, an operator."""

    def __init__(self, path: Path, record: Record) -> None:
        self._path = path
        self._record = record

    @classmethod
    def start(
        cls,
        state: Path,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        folder: Path | None = None,
        out: Path | None = None,
        piped: bool = False,
    ) -> Process:
        """Start it in a session of its own, so that a Ctrl-C meant for us doesn't reach it."""
        log = state / "logs" / f"{name}.log"
        for parent in (log.parent, state / "processes"):
            parent.mkdir(parents=True, exist_ok=True)
        where = str(folder or state), str(log), str(out or "")
        record = Record(name, list(map(str, command)), dict(environment), *where)
        process = cls(state / "processes" / f"{name}.json", record)
        process._spawn(piped=piped)
        return process

    @classmethod
    def load(cls, path: Path) -> Process:
        """Read a record, whoever wrote it."""
        return cls(path, Record(**json.loads(path.read_text())))

    @property
    def name(self) -> str:
        """The process's name in the state folder."""
        return self._record.name

    @property
    def pid(self) -> int:
        """Its process id; that of the last run when it has ended."""
        return self._record.pid

    @property
    def command(self) -> list[str]:
        """What was started."""
        return self._record.command

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return Path(self._record.log)

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return _runs(self._record)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, to this process and nobody who inherited its pid."""
        if self.is_alive:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGTERM)

    def kill(self, timeout: float = 10) -> None:
        """End it at once, as a crash would, and wait until it is gone."""
        # Another thread may start its successor as soon as it is gone: that one isn't waited for.
        record = self._record
        self.signal(signal.SIGKILL)
        if not _ends(record, timeout):
            raise TimeoutError(f"{self.name} (pid {record.pid}) outlived SIGKILL for {timeout} s")

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended; False when it still runs."""
        return _ends(self._record, timeout)

    def stop(self, grace: float = 10) -> None:
        """Ask it to end, and make it after the grace."""
        self.terminate()
        if not self.wait(grace):
            self.kill()

    def restart(self) -> None:
        """Start the same command again (stops it first); its log is continued."""
        self.stop()
        self._spawn(piped=False)

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log, for an error message."""
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(text[-lines:]) or "(empty)"

    def _spawn(self, *, piped: bool) -> None:
        out = Path(self._record.out or self._record.log)
        with self.log.open("ab") as output, out.open("ab") as standard:
            child = subprocess.Popen(
                self.command,
                env=self._record.environment,
                cwd=self._record.folder,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=standard,
                stderr=output,
                start_new_session=True,
            )
        _children[child.pid] = child
        self._record = replace(self._record, pid=child.pid, birth=birth(child.pid))
        # Renamed into place: a reader sees a whole record or none. Private, for its environment.
        draft = self._path.with_suffix(".new")
        write_private(draft, json.dumps(asdict(self._record), indent=1).encode())
        draft.replace(self._path)


def processes(state: Path) -> dict[str, Process]:
    """All processes that were ever started in a state folder, by name."""
    found: dict[str, Process] = {}
    for path in sorted((state / "processes").glob("*.json")):
        # A record that a power cut tore names nothing that still runs.
        with contextlib.suppress(ValueError, TypeError):
            process = Process.load(path)
            found[process.name] = process
    return found


def _runs(record: Record) -> bool:
    child = _children.get(record.pid)
    if child is not None:
        return child.poll() is None
    return record.pid > 0 and birth(record.pid) == record.birth and not _is_zombie(record.pid)


def _ends(record: Record, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while _runs(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def birth(pid: int) -> str:
    """When a process started, in words that no other process of that pid shares; empty when it is gone."""
    fields = _stat(pid)
    if fields is not None:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{fields[19]}" if fields else ""
    return _ps(pid, "lstart")


def _is_zombie(pid: int) -> bool:
    fields = _stat(pid)
    state = _ps(pid, "stat") if fields is None else (fields or ["Z"])[0]
    return state.startswith("Z")


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on; none when it is gone, None on systems without /proc."""
    if not Path("/proc/self/stat").exists():
        return None
    try:
        # The second field, the command's name in brackets, may hold anything, brackets and spaces too.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _ps(pid: int, column: str) -> str:
    done = subprocess.run(
        ["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
