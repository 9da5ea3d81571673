"""The Go programs that tests start, and where their versions come from: the go.mod files in tools/.

Each folder in tools/ is a Go module of its own, because the requirements of Kubernetes, etcd, helm and
Prometheus clash. Versions stand in those files alone; nothing in Python repeats them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "tools"

# What each module is asked for, in the order of building: the small one first, so that a mistake in the Go
# set-up shows after seconds and not after minutes.
CONTROL_PLANE = {
    "etcd": "etcd",
    "kube-apiserver": "kubernetes",
    "kube-controller-manager": "kubernetes",
    "kubectl": "kubernetes",
    "helm": "helm",
}
# What only the tests of alerts and dashboard need.
PROMETHEUS = {"prometheus": "prometheus", "promtool": "prometheus"}
# What only a node needs (tests/node).
NODE = {"kube-scheduler": "node", "kube-proxy": "node", "kubelet": "node"}
PROGRAMS = {**CONTROL_PLANE, **PROMETHEUS, **NODE}
# Prometheus without the clouds that it could find its targets in: a third less to build.
_TAGS = {"prometheus": ("remove_all_sd",)}


class ToolError(Exception):
    """A program can't be built or found; the text says what to do."""


@dataclass(frozen=True)
class Tool:
    """One program: the Go package it is built from, and its version as go.mod has it."""

    name: str
    folder: Path
    package: str
    version: str

    @property
    def ldflags(self) -> str:
        """Linker flags: no debug tables, and the version that the program is to report."""
        stamps: dict[str, str] = {}
        if self.package.startswith("k8s.io/kubernetes/"):
            # Unstamped, the server reports v0.0.0: helm then refuses charts that name a kubeVersion.
            major, minor = self.version.removeprefix("v").split(".")[:2]
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
                stamps[f"{package}.gitVersion"] = self.version
                stamps[f"{package}.gitMajor"] = major
                stamps[f"{package}.gitMinor"] = minor
        elif self.folder.name == "helm":
            module = self.package.removesuffix("/cmd/helm")
            stamps[f"{module}/internal/version.version"] = self.version
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])

    @property
    def flags(self) -> list[str]:
        """Flags of ``go build``: go.sum decides what is built, and no path of this machine gets in."""
        tags = [f"-tags={tag}" for tag in _TAGS.get(self.folder.name, ())]
        return ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", self.ldflags, *tags]


@dataclass(frozen=True)
class GoToolchain:
    """The Go that builds: its version and target, part of the cache's key."""

    version: str
    target: str


def build_environment() -> dict[str, str]:
    """Environment for ``go``: the user's own (proxies, module cache), less what would change the result."""
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}


def go(folder: Path, *args: str) -> str:
    """Run ``go`` in a module's folder and return what it prints."""
    done = subprocess.run(
        ["go", *args], cwd=folder, env=build_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolError(f"`go {' '.join(args)}` failed in {folder}:\n{done.stderr.strip()}")
    return done.stdout


def tool(name: str) -> Tool:
    """Read one program's package and version from its module's go.mod."""
    folder = MODULES / PROGRAMS[name]
    module = json.loads(go(folder, "mod", "edit", "-json"))
    packages = [entry["Path"] for entry in module.get("Tool") or []]
    # etcd's package is go.etcd.io/etcd/server/v3: there the module's folder names the program.
    package = next((path for path in packages if path.endswith(f"/{name}")), None)
    if package is None and len(packages) == 1:
        package = packages[0]
    if package is None:
        raise ToolError(f"{folder / 'go.mod'} has no `tool` line for {name}; add it with `go get -tool`")
    versions = {entry["Path"]: entry["Version"] for entry in module.get("Require") or []}
    owner = max((path for path in versions if f"{package}/".startswith(f"{path}/")), key=len, default=None)
    if owner is None:
        raise ToolError(f"{folder / 'go.mod'} requires no module that holds {package}; run `go mod tidy`")
    return Tool(name, folder, package, versions[owner])


def needed_go() -> tuple[int, ...]:
    """The Go version that the most demanding of the modules asks for."""
    lines = (re.search(r"^go (\S+)", (p / "go.mod").read_text(), re.M) for p in sorted(MODULES.iterdir()))
    return max(_numbers(line[1]) for line in lines if line)


def toolchain() -> GoToolchain:
    """Find Go, and say plainly when it is missing or too old."""
    needed = needed_go()
    wanted = ".".join(map(str, needed))
    if shutil.which("go") is None:
        raise ToolError(
            f"Go {wanted} or newer is needed to build the test cluster, and there is no `go` on the PATH; "
            "install it from https://go.dev/dl/ and try again"
        )
    # Asked outside of the modules: inside, an old Go would fail with its own words, or fetch a newer Go. With
    # the usual GOTOOLCHAIN=auto it may do the latter, so only a Go pinned to itself is too old.
    home = MODULES.parent
    installed, policy = go(home, "env", "GOVERSION", "GOTOOLCHAIN").splitlines()
    if _numbers(installed.removeprefix("go")) < needed and policy in ("", "local"):
        raise ToolError(
            f"Go {wanted} or newer is needed to build the test cluster, found {installed.removeprefix('go')} "
            f"({shutil.which('go')}); install a newer one from https://go.dev/dl/, or set GOTOOLCHAIN=auto"
        )
    version, system, machine = go(MODULES / "kubernetes", "env", "GOVERSION", "GOOS", "GOARCH").splitlines()
    return GoToolchain(version, f"{system}/{machine}")


def _numbers(version: str) -> tuple[int, ...]:
    """'1.26.0' as (1, 26, 0); what follows the numbers ('rc1', ' X:…') doesn't count."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
