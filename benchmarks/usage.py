"""What a process has used so far, as Linux tells it."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted from the third one on.
_USER, _SYSTEM, _STARTED = 11, 12, 19


def processor_seconds(pid: int) -> float:
    """Processor time of all its threads, in steps of 10 ms."""
    fields = _stat(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS


def age(pid: int) -> float:
    """Seconds since it was started, in steps of 10 ms."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(_stat(pid)[_STARTED]) / _TICKS


def memory(pid: int) -> tuple[float, float]:
    """MiB that it holds now, and the most that it ever held."""
    found = _status(pid)
    now, most = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return round(now, 1), round(most, 1)


def threads(pid: int) -> int:
    """How many it has."""
    return int(_status(pid)["Threads"])


def files(pid: int) -> int:
    """How many it has open, sockets included."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def _stat(pid: int) -> list[str]:
    # The second field, the command's name in brackets, may hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
