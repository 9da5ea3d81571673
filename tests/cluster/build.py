"""Builds the programs of tool.py once per machine, into a cache outside of the checkout.

The cache's key covers all that decides the result: go.mod, go.sum, flags, Go's version and target. A program
is built beside its place and renamed into it, so whatever is in the cache is whole, and a build that was
interrupted goes on where it stopped. A lock keeps two processes from building the same thing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.cluster.lock import locked
from tests.cluster.tool import CONTROL_PLANE, GoToolchain, Tool, ToolError, build_environment, tool, toolchain

Say = Callable[[str], None]


class Programs:
    """Paths of the built programs, by name."""

    def __init__(self, paths: dict[str, Path], versions: dict[str, str]) -> None:
        self.paths = paths
        self.versions = versions

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]


def say(line: str) -> None:
    """Print progress where it doesn't mix with a command's output."""
    print(line, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Where built programs live, for every checkout of this machine."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "scim-operator" / "tools"


def cached_path(item: Tool, go: GoToolchain) -> Path:
    """Where this very build of the program belongs."""
    digest = hashlib.sha256()
    for part in (
        (item.folder / "go.mod").read_bytes(),
        (item.folder / "go.sum").read_bytes(),
        " ".join(item.flags).encode(),
        f"{go.version} {go.target}".encode(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return cache_folder() / digest.hexdigest() / item.name


def build(progress: Say = say, names: Iterable[str] = tuple(CONTROL_PLANE)) -> Programs:
    """Return these programs (a control plane's, unless told), building those that the cache lacks."""
    go = toolchain()
    paths: dict[str, Path] = {}
    versions: dict[str, str] = {}
    missing: list[tuple[Tool, Path]] = []
    for name in names:
        item = tool(name)
        versions[name] = item.version
        paths[name] = cached_path(item, go)
        if not paths[name].exists():
            missing.append((item, paths[name]))
    if missing:
        which = ", ".join(item.name for item, _ in missing)
        progress(
            f"building {which} with {go.version} into {cache_folder()}: "
            "the first time this takes 5 to 10 minutes, afterwards nothing"
        )
    for item, path in missing:
        _build_one(item, path, progress)
    return Programs(paths, versions)


def _build_one(item: Tool, path: Path, progress: Say) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{item.name}.lock")
    lock.touch()
    with locked(lock, f"{item.name}: another process builds it", progress):
        if path.exists():
            return
        # What a killed build left: with the lock held, nobody else works there.
        for rest in path.parent.glob(f".{item.name}-*"):
            shutil.rmtree(rest)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f".{item.name}-", dir=path.parent) as folder:
            result = Path(folder) / item.name
            log = Path(folder) / "log"
            command = ["go", "build", *item.flags, "-o", str(result), item.package]
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command, cwd=item.folder, env=build_environment(), stdout=output, stderr=output
                )
                try:
                    _watch(process, f"{item.name} {item.version}", began, progress)
                finally:
                    # An interrupt (Ctrl-C, a test runner's timeout) must not leave a compiler running.
                    if process.poll() is None:
                        process.terminate()
                        process.wait()
            if process.returncode:
                raise ToolError(f"{' '.join(command)} failed in {item.folder}:\n{_tail(log)}")
            result.replace(path)
        size = path.stat().st_size / 1e6
        progress(f"{item.name} {item.version}: built in {time.monotonic() - began:.0f} s, {size:.0f} MB")


def _watch(process: subprocess.Popen[bytes], what: str, began: float, progress: Say) -> None:
    """Wait, with a sign of life: a running clock on a terminal, else a line every 15 s."""
    terminal = progress is say and sys.stderr.isatty()
    while True:
        try:
            process.wait(1 if terminal else 15)
        except subprocess.TimeoutExpired:
            elapsed = f"{what}: building, {time.monotonic() - began:.0f} s"
            if terminal:
                print(f"\r{elapsed}", end="", file=sys.stderr, flush=True)
            else:
                progress(elapsed)
        else:
            if terminal:
                print(f"\r{' ' * 60}\r", end="", file=sys.stderr, flush=True)
            return


def _tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
