"""The rooms of the code: who may import what, how long a file may be, and that `operator` stays a folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "operator" / "scim_operator"
FILES = sorted(PACKAGE.rglob("*.py"))

LONGEST_FILE = 400
PURE_ROOMS = ("scim", "api", "access")
# Clocks, chance, the loop, the network, the file system: a pure room gets what it needs as arguments.
EFFECTS = {
    *("asyncio", "aiohttp", "concurrent", "contextvars", "datetime", "http", "io", "kopf", "kubernetes"),
    *("logging", "os", "pathlib", "random", "secrets", "selectors", "shutil", "signal", "socket", "ssl"),
    *("subprocess", "tempfile", "threading", "time", "urllib", "uuid"),
}
EFFECTFUL_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}


def named(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def imports(file: Path) -> Iterator[str]:
    """Full names of the modules and names a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_that_import(*prefixes: str) -> set[str]:
    found = set()
    for file in FILES:
        if any(
            name == prefix or name.startswith(f"{prefix}.") for name in imports(file) for prefix in prefixes
        ):
            found.add(named(file).split("/")[0])
    return found


def test_operator_is_the_standard_library_from_the_repository_root() -> None:
    # With an __init__.py in operator/, `import kopf` and pip fail from the root.
    assert not (ROOT / "operator" / "__init__.py").exists()
    asked = "import operator; assert operator.add(1, 2) == 3; print(operator.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(found).parent == Path(ast.__file__).parent


@pytest.mark.parametrize("file", FILES, ids=named)
def test_file_is_short_and_says_what_it_is(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    assert ast.get_docstring(ast.parse(text)), "the module has no docstring"


def test_import_rules_between_the_rooms_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_each_foreign_library_has_its_room() -> None:
    assert rooms_that_import("kopf") == {"handlers"}
    assert rooms_that_import("aiohttp.web", "aiohttp.web_app", "aiohttp.server") == {"web"}
    # cli turns the one error of `load_credentials` into words for the shell, and uses nothing else of it.
    assert rooms_that_import("kubernetes") - {"cli"} == {"kube"}
    cli = {name for file in (PACKAGE / "cli").glob("*.py") for name in imports(file)}
    assert {name for name in cli if name.startswith("kubernetes")} <= {
        "kubernetes.aio.config.ConfigException"
    }


def test_web_and_handlers_do_not_know_each_other() -> None:
    for room, other in (("web", "handlers"), ("handlers", "web"), ("web", "reconcile"), ("web", "access")):
        names = {name for file in (PACKAGE / room).glob("*.py") for name in imports(file)}
        assert not {name for name in names if name.startswith(f"scim_operator.{other}")}


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.relative_to(PACKAGE).parts[0] in PURE_ROOMS], ids=named
)
def test_pure_room_has_no_effects(file: Path) -> None:
    assert {name.split(".")[0] for name in imports(file)} & EFFECTS == set()
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & EFFECTFUL_CALLS == set()


def test_the_rooms_are_those_of_the_design() -> None:
    rooms = {file.relative_to(PACKAGE).parts[0] for file in FILES if file.parent != PACKAGE}
    assert rooms == {"access", "api", "cli", "directory", "handlers", "kube", "reconcile", "scim", "web"}
