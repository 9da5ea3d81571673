"""Building and caching, with a Go program of three lines instead of a control plane."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import build as building
from tests.cluster import tool as tools
from tests.cluster.tool import NODE, PROGRAMS, ToolError, tool

GO_MOD = """module example/tools/etcd

go 1.24
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tools folder whose only program prints a word, and an empty cache."""
    folder = tmp_path / "tools" / "etcd"
    (folder / "server").mkdir(parents=True)
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "go.sum").write_text("")
    (folder / "server" / "main.go").write_text('package main\n\nfunc main() { println("built") }\n')
    # Go's own cache follows XDG_CACHE_HOME; without it the standard library is compiled for each test.
    monkeypatch.setenv("GOCACHE", tools.go(tools.MODULES, "env", "GOCACHE").strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def _item(folder: Path) -> tools.Tool:
    return tools.Tool("etcd", folder, "example/tools/etcd/server", "v1.2.3")


def test_versions_come_from_go_mod() -> None:
    found = {name: tool(name) for name in PROGRAMS}
    for item in found.values():
        assert f" {item.version} " in (item.folder / "go.mod").read_text()
    assert found["kubectl"].package == "k8s.io/kubernetes/cmd/kubectl"
    assert found["etcd"].version.startswith("v3.")
    assert {found[name].version for name in NODE} == {found["kube-apiserver"].version}
    major, minor, _ = found["kubectl"].version.removeprefix("v").split(".")
    assert f"component-base/version.gitMajor={major}" in found["kubectl"].ldflags
    assert f"component-base/version.gitMinor={minor}" in found["kubectl"].ldflags
    assert f"internal/version.version={found['helm'].version}" in found["helm"].ldflags


def test_go_files_name_no_registry() -> None:
    for path in tools.MODULES.glob("*/go.*"):
        assert "://" not in path.read_text()


def test_a_program_is_built_once(tiny: Path) -> None:
    go = tools.toolchain()
    lines: list[str] = []
    path = building.cached_path(_item(tiny), go)
    building._build_one(_item(tiny), path, lines.append)
    assert subprocess.run([path], capture_output=True, text=True, check=True).stderr == "built\n"
    assert [line.partition(" in ")[0] for line in lines] == ["etcd v1.2.3: built"]
    before = path.stat().st_mtime_ns
    building._build_one(_item(tiny), path, lines.append)
    assert path.stat().st_mtime_ns == before
    assert len(lines) == 1


def test_what_decides_the_result_decides_the_place(tiny: Path) -> None:
    go = tools.toolchain()
    first = building.cached_path(_item(tiny), go)
    assert building.cached_path(_item(tiny), tools.GoToolchain("go9.9", go.target)) != first
    (tiny / "go.sum").write_text("\n")
    assert building.cached_path(_item(tiny), go) != first


def test_a_failed_build_says_why_and_caches_nothing(tiny: Path) -> None:
    (tiny / "server" / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    path = building.cached_path(_item(tiny), tools.toolchain())
    with pytest.raises(ToolError, match="undefined: nonsense"):
        building._build_one(_item(tiny), path, building.say)
    assert [p.name for p in path.parent.iterdir()] == ["etcd.lock"]


def test_two_processes_do_not_build_the_same_twice(tiny: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.cluster.build import _build_one, say;"
        "from tests.cluster.tool import Tool;"
        "item = Tool('etcd', Path(sys.argv[1]), 'example/tools/etcd/server', 'v1.2.3');"
        "_build_one(item, Path(sys.argv[2]), say)"
    )
    path = building.cached_path(_item(tiny), tools.toolchain())
    command = [sys.executable, "-c", code, str(tiny), str(path)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(text.count(": built in") for text in said) == 1


def test_no_go_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"Go 1\.\d+.* or newer is needed.* no `go` on the PATH"):
        building.build()


def test_an_old_go_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "go"
    fake.write_text("#!/bin/sh\necho go1.19.8\necho local\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"Go 1\.\d+.* or newer is needed.* found 1\.19\.8"):
        building.build()
