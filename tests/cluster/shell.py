"""The file `env` of a state folder: a shell that sources it has a cluster's programs and settings."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.pki import write_private


def write_env(state: Path, programs: Mapping[str, Path], settings: Mapping[str, str]) -> Path:
    """Write STATE/env, of plain `NAME=value` lines, and STATE/bin with these programs for its PATH."""
    folder = state / "bin"
    folder.mkdir(exist_ok=True)
    for name, path in programs.items():
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    lines = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    lines.append(f'PATH={shlex.quote(str(folder))}:"$PATH"')
    lines.append(f"export {' '.join([*settings, 'PATH'])}")
    # Renamed into place, for whoever sources it right now; private, since settings may be tokens.
    draft = state / "env.new"
    write_private(draft, ("\n".join(lines) + "\n").encode())
    return draft.replace(state / "env")
