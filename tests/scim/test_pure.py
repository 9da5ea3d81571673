"""The engine is pure: what it needs of a clock, of chance or of the world is an argument."""

import ast
from pathlib import Path

import pytest

import scim_operator.scim

ALLOWED = {
    "__future__",
    "base64",
    "calendar",
    "collections",
    "dataclasses",
    "functools",
    "heapq",
    "hashlib",
    "hmac",
    "json",
    "operator",
    "pydantic",
    "re",
    "scim_operator",
    "types",
    "typing",
    "unicodedata",
}
FILES = sorted(Path(scim_operator.scim.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_imports_nothing_with_effects(file: Path) -> None:
    tree = ast.parse(file.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= ALLOWED
    ours = {name for name in names if name.startswith("scim_operator")}
    assert all(name.startswith("scim_operator.scim") for name in ours)


def test_the_files_are_there() -> None:
    assert {"patch.py", "filters.py", "normalise.py"} <= {file.name for file in FILES}
