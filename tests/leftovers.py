"""What a run left behind on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path


def processes_that_know(folder: Path) -> list[str]:
    """Running processes with the folder in their command line or environment: whoever started from there."""
    if Path("/proc/self/environ").exists():
        listed = list(map(_process, Path("/proc").glob("[0-9]*")))
    else:
        ps = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True)
        listed = ps.stdout.splitlines()
    return [line for line in listed if str(folder) in line]


def _process(folder: Path) -> str:
    try:
        content = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
    except OSError:
        return ""
    return f"{folder.name} {content.decode(errors='replace')}"
