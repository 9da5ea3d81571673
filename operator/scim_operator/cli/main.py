"""`scim-operator`: the commands and their arguments. Exit codes: 0 fine, 1 failed, 2 usage, 3 removes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from kubernetes.aio.config import ConfigException

from scim_operator.cli import connection, crds, directory, preview, run, token
from scim_operator.cli.failure import CommandError, UsageError
from scim_operator.kube.errors import ApiError

_WHERE = "which one is meant says the kubeconfig (KUBECONFIG); `kubectl cluster-info` tries it"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. -> the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        exit_code: int = arguments.command(arguments)
        return exit_code
    except CommandError as error:
        print(f"scim-operator: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except ApiError as error:
        said = f"the API server said: {error}" if error.status else f"the API server gave {error}; {_WHERE}"
        print(f"scim-operator: {said}", file=sys.stderr)
    except OSError as error:
        print(f"scim-operator: {error.strerror or error}", file=sys.stderr)
    except ConfigException as error:
        print(f"scim-operator: no usable kubeconfig: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scim-operator", description="SCIM provisioning into Kubernetes access."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('scim-operator')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run.add(commands)
    preview.add(commands)
    directory.add(commands)
    token.add(commands)
    connection.add(commands)
    crds.add(commands)
    return parser
