"""What a run found, as a table for people and as JSON for whoever compares runs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import crowd, leaving
from benchmarks.engine import Budget
from benchmarks.figures import Comparison, Spread

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Report:
    """One run. versions: of the control plane's programs."""

    versions: dict[str, str]
    requests: Sequence[Comparison]
    leaver: leaving.Figures
    crowd: crowd.Figures
    engine: Sequence[Budget]
    seconds: float

    def write(self, path: Path) -> None:
        """JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self._document(), indent=1) + "\n")

    def table(self) -> str:
        """For a terminal, 100 columns."""
        parts = [
            _heading(self.versions),
            _rows(self.requests),
            _leaver(self.leaver),
            _crowd(self.crowd),
            _engine(self.engine),
        ]
        return "\n\n".join("\n".join(part) for part in parts)

    def _document(self) -> dict[str, Any]:
        return {
            "format": 1,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "machine": machine(),
            "versions": {"scim-operator": version("scim-operator"), "commit": _commit(), **self.versions},
            "requests": [{**asdict(row), "ratio": row.ratio} for row in self.requests],
            "leaver": asdict(self.leaver),
            "crowd": asdict(self.crowd),
            "engine": [asdict(row) for row in self.engine],
        }


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _heading(versions: dict[str, str]) -> list[str]:
    about = machine()
    return [
        f"scim-operator {version('scim-operator')} ({_commit()}), {datetime.now(UTC):%Y-%m-%d}; "
        f"Kubernetes {versions['kube-apiserver']}, etcd {versions['etcd']} with fsync",
        f"{about['cores']} cores ({about['processor']}), Python {about['python']}; "
        "load client, operator, API server and etcd share them",
    ]


def _rows(rows: Sequence[Comparison]) -> list[str]:
    lines = [
        f"{'':17}{'SCIM':>26}   {'bare API server':>26}",
        f"{'operation':9}{'clients':>8}{'requests/s':>12}{'p50 ms':>7}{'p99 ms':>7}"
        f"   {'requests/s':>12}{'p50 ms':>7}{'p99 ms':>7}{'ratio':>8}",
    ]
    for row in rows:
        rates = "   ".join(
            f"{rate.per_second:12.0f}{rate.p50_ms:7.1f}{rate.p99_ms:7.1f}" for rate in (row.scim, row.bare)
        )
        lines.append(f"{row.operation:9}{row.clients:8}{rates}{row.ratio:8.2f}")
    return lines


def _leaver(figures: leaving.Figures) -> list[str]:
    return [
        f"{figures.users} users, {figures.groups} groups provisioned as Entra does, a request at a time: "
        f"{figures.provisioning_seconds:.0f} s ({figures.provisioning_requests_per_second:.0f} requests/s);",
        f"every binding right {figures.converged_seconds:.2f} s after the last answer",
        f"leaver, until the first 403 with their own token, {figures.from_answer.count} times:",
        f"  from the answer   {_spread(figures.from_answer)}",
        f"  from the request  {_spread(figures.from_request)}",
    ]


def _crowd(figures: crowd.Figures) -> list[str]:
    return [
        f"{figures.changed} members to or from a group of {figures.members}, {figures.scim.count} times:",
        f"  PATCH by SCIM           {_spread(figures.scim)}",
        f"  PUT, bare API server    {_spread(figures.bare)}",
    ]


def _engine(rows: Sequence[Budget]) -> list[str]:
    lines = [f"{'SCIM engine, without HTTP and Kubernetes':40}{'p50 ms':>9}{'p99 ms':>9}{'budget ms':>11}"]
    for row in rows:
        lines.append(f"{row.operation:40}{row.took.p50_ms:9.3f}{row.took.p99_ms:9.3f}{row.budget_ms:11.1f}")
    return lines


def _spread(spread: Spread) -> str:
    return f"p50 {spread.p50_ms:.0f} ms, p99 {spread.p99_ms:.0f} ms, max {spread.max_ms:.0f} ms"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no git"
