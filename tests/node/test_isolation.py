"""Nothing is left of what ran in namespaces of its own, whatever that left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventually import becomes
from tests.leftovers import processes_that_know
from tests.node.isolation import Isolation, cgroup

pytestmark = pytest.mark.node

_LITTER = """
set -e
ip link add litter0 type bridge
mount -t tmpfs tmpfs /mnt
echo x > /mnt/litter; echo x > /var/litter; echo x > /run/litter
find /sys/fs/cgroup -maxdepth 2 -type d -name "$1" -exec mkdir {}/inner \\;
setsid sleep 1000 & sleep 0.2
"""


def test_what_ends_leaves_nothing(tmp_path: Path) -> None:
    with Isolation(tmp_path) as isolation:
        litter = ["sh", "-c", _LITTER, "sh", cgroup(tmp_path).strip("/")]
        assert isolation.run(litter) == 0
    assert_nothing_is_left(tmp_path)


def test_whoever_started_it_may_be_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.node.isolation import Isolation;"
        "folder = Path(sys.argv[1]); isolation = Isolation(folder); isolation.__enter__();"
        "isolation.run(['sh', '-c', 'touch \"$1/begun\"; sleep 1000', 'sh', str(folder)])"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    becomes((tmp_path / "begun").exists, True, 10)
    owner.kill()
    owner.wait()
    becomes(lambda: processes_that_know(tmp_path), [], 10)
    # Empty groups are all that a SIGKILL leaves.
    Isolation(tmp_path).__exit__(None, None, None)
    assert_nothing_is_left(tmp_path)


def assert_nothing_is_left(folder: Path) -> None:
    becomes(lambda: processes_that_know(folder), [], 10)
    groups = subprocess.check_output(
        ["find", "/sys/fs/cgroup", "-name", cgroup(folder).strip("/")], text=True
    )
    assert groups == ""
    assert "litter0" not in subprocess.check_output(["ip", "link"], text=True)
    assert [path for path in ("/mnt", "/var", "/run") if Path(path, "litter").exists()] == []
