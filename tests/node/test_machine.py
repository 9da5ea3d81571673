"""Where no node can run, that is said."""

from __future__ import annotations

import os
import platform

import pytest

from tests.node import machine

DEBIAN = {"ID": "debian"}
UBUNTU = {"ID": "ubuntu", "ID_LIKE": "debian"}
MINT = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}
FEDORA = {"ID": "fedora"}


@pytest.mark.parametrize(
    ("release", "user", "complaint"),
    [
        (DEBIAN, 1000, "root on Debian or Ubuntu; this is uid 1000: try `sudo make e2e`"),
        (FEDORA, 0, "root on Debian or Ubuntu; this is fedora"),
        (None, 0, "root on Debian or Ubuntu; this is "),
    ],
)
def test_it_says_what_is_needed(
    release: dict[str, str] | None, user: int, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, release, user)
    with pytest.raises(machine.MachineError, match=complaint):
        machine.check()


@pytest.mark.parametrize("release", [DEBIAN, UBUNTU, MINT])
def test_root_there_will_do(release: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, release, 0)
    machine.check()


def pretend(monkeypatch: pytest.MonkeyPatch, release: dict[str, str] | None, user: int) -> None:
    def found() -> dict[str, str]:
        if release is None:
            raise FileNotFoundError("/etc/os-release")
        return release

    monkeypatch.setattr(platform, "freedesktop_os_release", found)
    monkeypatch.setattr(os, "geteuid", lambda: user)
