"""A run of all tests fails for rights that none of them used, any run for those that are missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_HOOKS = ("pytest_configure", "pytest_sessionfinish", "pytest_terminal_summary", "pytest_unconfigure")
_CONFTEST = f"from tests.audited import {', '.join(_HOOKS)}\n"
_INI = '[pytest]\naddopts = "--import-mode=importlib" "-m=not long"\nmarkers = long\ntestpaths = inner\n'
# As if an API server had logged it.
_TEST = """
import os, pathlib
def test_operator():
    pathlib.Path(os.environ["AUDIT_LOGS"], "cluster-1.log").write_text({log!r})
def test_passes():
    pass
"""


def log(verb: str) -> str:
    return json.dumps(
        {
            "verb": verb,
            "user": {"username": "system:serviceaccount:scim-operator:scim-operator"},
            "userAgent": "scim-operator",
            "objectRef": {"apiGroup": "scim-operator.io", "resource": "scimusers"},
            "responseStatus": {"code": 200},
            "annotations": {"authorization.k8s.io/decision": "allow"},
        }
    )


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("arguments", "verb", "said"),
    [
        (["--numprocesses=2"], "get", "take it out of charts/, or write the test: bind clusterroles"),
        (["-k", "operator"], "get", ""),
        (["inner"], "patch", "what the chart doesn't grant: patch scimusers.scim-operator.io"),
    ],
    ids=["whole, by two workers", "some of it", "missing"],
)
def test_how_a_run_ends(tmp_path: Path, arguments: list[str], verb: str, said: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "pytest.ini").write_text(_INI)
    (inner / "conftest.py").write_text(_CONFTEST)
    (inner / "test_inner.py").write_text(_TEST.format(log=log(verb)))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUDIT", "PYTEST"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (1 if said else 0), done.stdout + done.stderr
    assert said in done.stdout
    assert ("permissions used and granted differ" in done.stdout) == bool(said)
