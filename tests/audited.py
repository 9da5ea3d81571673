"""The hooks of a test run: its API servers write down what the operator asks for, and the end compares it.

The process that collects the results does so; the workers of pytest-xdist inherit the folder of the logs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cluster.audit import VARIABLE
from tests.permissions import OPTIONS, compared, granted, rendered

__all__ = ["pytest_configure", "pytest_sessionfinish", "pytest_terminal_summary", "pytest_unconfigure"]

_FOLDER = pytest.StashKey[Path]()
_FINDINGS = pytest.StashKey[list[str]]()
_UNUSED = "the chart grants what no test made the operator use; take it out of charts/, or write the test: "
_MISSING = "the operator asked for what the chart doesn't grant: "


def pytest_configure(config: pytest.Config) -> None:
    """A folder for the logs, unless somebody wants them in one of their own."""
    if VARIABLE not in os.environ:
        config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="scim-operator-audit-"))
        os.environ[VARIABLE] = str(config.stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """The logs have been read."""
    if _FOLDER in config.stash:
        del os.environ[VARIABLE]
        shutil.rmtree(config.stash[_FOLDER])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After all tests, and after the end of all clusters: those of other workers, too."""
    folder = Path(os.environ[VARIABLE])
    if hasattr(session.config, "workerinput") or not any(folder.glob("*.log")):
        return
    unused, missing = compared(folder, granted(rendered(*OPTIONS)))
    findings = [_MISSING + right for right in missing]
    # Some of the tests, or tests that failed, needn't have used everything.
    if exitstatus == pytest.ExitCode.OK and _is_whole(session.config):
        findings += [_UNUSED + right for right in unused]
    session.config.stash[_FINDINGS] = findings
    if findings and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was found."""
    findings = config.stash.get(_FINDINGS, [])
    if findings:
        terminalreporter.section("permissions used and granted differ", sep="=", red=True)
        for finding in findings:
            terminalreporter.write_line(finding)


def _is_whole(config: pytest.Config) -> bool:
    """Whether this is `make test`."""
    option = config.option
    chosen = option.keyword or option.deselect or config.getoption("lf", False)
    everywhere = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    usual = f"-m={option.markexpr}" in config.getini("addopts")
    return everywhere and usual and not chosen
