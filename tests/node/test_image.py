"""The image: what is in it, what isn't, and what it weighs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.node.figures import Figures
from tests.node.images import OPERATOR, archive, buildah, bytes_above_base, mounted

pytestmark = pytest.mark.node

_HOME = "opt/scim-operator"
# Beginnings of names.
_INSTALLERS = ("pip-", "pip3", "ensurepip", "setuptools", "cyclonedx")
_COMPILERS = ("gcc", "cc", "c++", "g++", "clang", "cc1", "as", "ld", "x86_64-linux-gnu-gcc", "rustc", "go")


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with mounted(OPERATOR) as root:
        yield root


def test_it_is_small(folder: Path, figures: Figures) -> None:
    size = bytes_above_base(archive(folder, OPERATOR)) / 1e6
    figures.add("image, above its base", size, "MB")
    assert size < 150


def test_it_runs_as_a_user_that_is_not_root() -> None:
    about = json.loads(buildah("inspect", "--type=image", OPERATOR))["OCIv1"]["config"]
    assert about["User"] == "65532:65532"
    assert about["Entrypoint"] == ["scim-operator"]


def test_nothing_in_it_installs_or_compiles(tree: Path) -> None:
    programs = {
        path.name for folder in ("bin", "usr/bin", "usr/local/bin") for path in (tree / folder).glob("*")
    }
    assert "sh" in programs
    assert programs & set(_COMPILERS) == set()
    libraries = [path for folder in ("usr/lib", "usr/local", "opt") for path in (tree / folder).rglob("*")]
    assert len(libraries) > 1000
    named = [path for path in libraries if path.name == "pip" or path.name.startswith(_INSTALLERS)]
    assert named == []


def test_its_bill_of_materials_names_every_distribution(tree: Path) -> None:
    (packages,) = (tree / _HOME / "lib").glob("python3*/site-packages")
    installed = {(_folded(found.name), found.version) for found in distributions(path=[str(packages)])}
    assert len(installed) > 20
    bill = json.loads((tree / _HOME / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    listed = [bill["metadata"]["component"], *bill["components"]]
    assert {(_folded(item["name"]), item["version"]) for item in listed} == installed
    assert all(item["purl"].startswith("pkg:pypi/") for item in bill["components"])


def test_generated_code_of_the_kubernetes_client_is_left_out(tree: Path) -> None:
    (client,) = (tree / _HOME / "lib").glob("python3*/site-packages/kubernetes")
    assert (client / "aio" / "config" / "kube_config.py").exists()
    assert [path.name for path in client.rglob("v1_*.py")] == []


def _folded(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
