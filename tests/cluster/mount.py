"""A Secret as the kubelet mounts it, and brings it up to date: all files at once, by one symbolic link."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.pki import write_private

_DATA = "..data"


def mount(folder: Path, content: Mapping[str, bytes]) -> Path:
    """Write it, or swap what was written before (kubelet's AtomicWriter, pkg/volume/util). -> the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / _DATA
    before = link.readlink() if link.is_symlink() else None
    new = folder / f"..{uuid.uuid4()}"
    new.mkdir()
    for name, value in content.items():
        write_private(new / name, value)
    beside = folder / "..data_tmp"
    beside.symlink_to(new.name)
    beside.rename(link)
    for name in content:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{_DATA}/{name}")
    if before:
        shutil.rmtree(folder / before)
    return folder
