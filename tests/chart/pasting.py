"""Commands of a text for people, pasted into their shell."""

from __future__ import annotations

import os
import re
import subprocess

from tests.cluster.cluster import Cluster


def heredocs(text: str) -> list[str]:
    """All `kubectl … <<EOF` up to the EOF, if both begin their lines as a shell wants it."""
    return re.findall(r"^kubectl [^\n]*<<'?EOF'?\n.*?^EOF$", text, re.MULTILINE | re.DOTALL)


def paste(cluster: Cluster, commands: str) -> str:
    """What bash prints, as the cluster's admin."""
    environment = cluster.environment()
    path = os.pathsep.join((str(cluster.programs["kubectl"].parent), environment["PATH"]))
    done = subprocess.run(
        ["bash", "-e"],
        input=f"{commands}\n",
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout
