"""`scim-operator`: the commands and their arguments. Exit codes: 0 fine, 1 failed, 2 usage."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from kubernetes.aio.config import ConfigException

from scim_operator import app
from scim_operator.api.durations import seconds
from scim_operator.cli import crds, token
from scim_operator.cli.failure import CommandError
from scim_operator.cli.logs import configure_logs
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource

_WHERE = "which one is meant says the kubeconfig (KUBECONFIG); `kubectl cluster-info` tries it"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. -> the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        exit_code: int = arguments.command(arguments)
        return exit_code
    except CommandError as error:
        print(f"scim-operator: {error}", file=sys.stderr)
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
    _run_arguments(commands.add_parser("run", help="serve SCIM and reconcile (what the Deployment runs)"))
    token.add(commands)
    crds.add(commands)
    return parser


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bind", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    parser.add_argument("--scim-port", type=int, default=8080, metavar="PORT")
    parser.add_argument("--health-port", type=int, default=8081, metavar="PORT")
    parser.add_argument("--metrics-port", type=int, default=9090, metavar="PORT")
    parser.add_argument(
        "--external-url",
        default="",
        metavar="URL",
        help="how providers reach us, such as https://scim.example.com",
    )
    parser.add_argument(
        "--protected-namespaces",
        default="",
        metavar="A,B",
        help="namespaces that no group's name may open, besides kube-*, default and the operator's own",
    )
    parser.add_argument(
        "--literal-namespaces",
        default="",
        metavar="A,B",
        help="protected namespaces that a policy may name literally all the same",
    )
    parser.add_argument(
        "--namespace-deletion",
        action="store_true",
        help="let policies delete namespaces that were made for them and have long been unused",
    )
    parser.add_argument(
        "--template-kinds",
        default="",
        metavar="A,B",
        help="what templates may hold besides, as apiVersion/resource/kind: v1/configmaps/ConfigMap",
    )
    parser.add_argument(
        "--max-grant-duration",
        default="168h",
        metavar="TIME",
        help="how long an AccessGrant may last from its making (default: %(default)s)",
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    namespace = os.environ.get("POD_NAMESPACE")
    if not namespace:
        raise CommandError("POD_NAMESPACE is not set; it names the namespace with the token Secrets")
    configure_logs(arguments.log_level)
    options = app.Options(
        namespace=namespace,
        pod_name=os.environ.get("POD_NAME", "scim-operator"),
        bind=arguments.bind,
        scim_port=arguments.scim_port,
        health_port=arguments.health_port,
        metrics_port=arguments.metrics_port,
        external_url=arguments.external_url,
        protected_namespaces=_names(arguments.protected_namespaces),
        literal_namespaces=_names(arguments.literal_namespaces),
        namespace_deletion=arguments.namespace_deletion,
        template_kinds=tuple(map(_kind, filter(None, arguments.template_kinds.split(",")))),
        longest_grant=_seconds(arguments.max_grant_duration),
    )
    asyncio.run(app.run(options))
    return 0


def _names(listed: str) -> frozenset[str]:
    return frozenset(filter(None, listed.split(",")))


def _seconds(duration: str) -> float:
    try:
        return seconds(duration)
    except ValueError as error:
        raise CommandError(f"--max-grant-duration: {error}") from error


def _kind(text: str) -> Resource:
    """`apps/v1/deployments/Deployment`, or `v1/configmaps/ConfigMap` of the core group."""
    parts = text.split("/")
    if len(parts) not in (3, 4) or not all(parts):
        raise CommandError(f"--template-kinds: {text!r} is no apiVersion/resource/kind")
    group, version, plural, kind = parts if len(parts) == 4 else ["", *parts]
    return Resource(group, version, plural, kind, namespaced=True)
