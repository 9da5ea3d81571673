"""The machine: root on Debian or Ubuntu, with the packages that a node needs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from tests.cluster.build import Say

# What runs containers, connects them and leads to Services; what makes images without a daemon.
PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "nftables",
    "iproute2",
    "mmdebstrap",
    "buildah",
)


class MachineError(Exception):
    """No node can run here; the text says what is needed."""


def check() -> None:
    """Say plainly where this can't work."""
    needs = "`make e2e` runs a Kubernetes node, which needs root on Debian or Ubuntu"
    system = _distribution()
    if not {"debian", "ubuntu"} & set(system):
        raise MachineError(f"{needs}; this is {system[0] if system else sys.platform}")
    if os.geteuid() != 0:
        raise MachineError(f"{needs}; this is uid {os.geteuid()}: try `sudo make e2e`, or a container")


def install_packages(progress: Say) -> None:
    """The packages that are missing, by apt-get."""
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if not missing:
        return
    progress(f"installing {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", "-q", *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise MachineError(
                f"`apt-get {' '.join(command)}` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )


def package_sources() -> Path:
    """Where this machine's packages come from, as apt has it."""
    release = platform.freedesktop_os_release()
    modern = Path("/etc/apt/sources.list.d") / f"{release['ID']}.sources"
    return modern if modern.exists() else Path("/etc/apt/sources.list")


def _distribution() -> list[str]:
    """Its id, then those that it is like."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    return [release["ID"], *release.get("ID_LIKE", "").split()]


def _is_installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"
