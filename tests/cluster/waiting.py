"""Waiting for a process to become useful, and saying why it doesn't."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.cluster.process import Process


class ClusterError(Exception):
    """The cluster, or something in it, isn't as it should be; the text says what to do."""


def wait_for(what: str, condition: Callable[[], object], timeout: float, watching: Process) -> None:
    """Poll until the condition holds; give up early when the process has ended.

    A connection that is refused or cut counts as "not yet".
    """
    deadline = time.monotonic() + timeout
    problem = ""
    while True:
        try:
            if condition():
                return
            problem = ""
        except OSError as error:
            problem = f" ({error})"
        if not watching.is_alive:
            raise ClusterError(f"{watching.name} ended while waiting for {what}{_log_of(watching)}")
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {timeout:.0f} s in vain for {what}{problem}{_log_of(watching)}")
        time.sleep(0.05)


def _log_of(process: Process) -> str:
    return f"; the last lines of its log, {process.log}:\n{process.tail()}"
