"""`scim-operator run`: what the Deployment runs, and what its arguments mean."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scim_operator import app, moments
from scim_operator.api.durations import seconds
from scim_operator.cli.failure import CommandError
from scim_operator.cli.logs import audit_stream, configure_logs, keyed_hash
from scim_operator.directory.audit import Audit
from scim_operator.kube.resources import Resource
from scim_operator.web.connections import Patience
from scim_operator.web.throttle import Rates

_SHORTEST_KEY = 32


def add(commands: Any) -> None:
    """The command's arguments."""
    _arguments(commands.add_parser("run", help="serve SCIM and reconcile (what the Deployment runs)"))


def options(arguments: argparse.Namespace, namespace: str) -> app.Options:
    """What was said, as the operator takes it. Raises CommandError."""
    return app.Options(
        namespace=namespace,
        pod_name=os.environ.get("POD_NAME", "scim-operator"),
        pod_ip=os.environ.get("POD_IP", ""),
        lease=arguments.lease,
        bind=arguments.bind,
        scim_port=arguments.scim_port,
        health_port=arguments.health_port,
        metrics_port=arguments.metrics_port,
        internal_port=arguments.internal_port,
        internal_tls=Path(arguments.internal_tls) if arguments.internal_tls else None,
        scim_tls=Path(arguments.scim_tls) if arguments.scim_tls else None,
        external_url=arguments.external_url,
        protected_namespaces=_names(arguments.protected_namespaces),
        literal_namespaces=_names(arguments.literal_namespaces),
        namespace_deletion=arguments.namespace_deletion,
        template_kinds=tuple(map(_kind, filter(None, arguments.template_kinds.split(",")))),
        longest_grant=_seconds(arguments.max_grant_duration),
        rates=Rates(arguments.requests_per_second, arguments.concurrent_requests),
        connections=arguments.connections,
    )


def said(words: Sequence[str], namespace: str) -> app.Options:
    """What a Deployment's container args mean; those that aren't known here are passed over."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    _arguments(parser)
    known, _ = parser.parse_known_args([word for word in words if word != "run"])
    return options(known, namespace)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bind", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    parser.add_argument("--scim-port", type=int, default=8080, metavar="PORT")
    parser.add_argument("--health-port", type=int, default=8081, metavar="PORT")
    parser.add_argument("--metrics-port", type=int, default=9090, metavar="PORT")
    parser.add_argument(
        "--internal-port",
        type=int,
        default=8444,
        metavar="PORT",
        help="where other replicas pass requests on to this one while it leads (default: %(default)s)",
    )
    parser.add_argument(
        "--internal-tls",
        default="",
        metavar="FOLDER",
        help="with ca.crt, tls.crt and tls.key, by which replicas know each other; empty: pass nothing on",
    )
    parser.add_argument(
        "--scim-tls",
        default="",
        metavar="FOLDER",
        help="with tls.crt and tls.key, to speak HTTPS on the SCIM port; empty: plain HTTP, to something that"
        " terminates TLS",
    )
    parser.add_argument(
        "--lease",
        default="scim-operator",
        metavar="NAME",
        help="the Lease that the replica holds which leads (default: %(default)s)",
    )
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
    parser.add_argument(
        "--requests-per-second",
        type=_count,
        default=Rates.per_second,
        metavar="N",
        help="of one directory; twice as many may come at once (default: %(default)s)",
    )
    parser.add_argument(
        "--concurrent-requests",
        type=_count,
        default=Rates.at_once,
        metavar="N",
        help="of one directory (default: %(default)s)",
    )
    parser.add_argument(
        "--connections",
        type=_count,
        default=Patience.connections,
        metavar="N",
        help="to a port; beyond it those end on which nothing is asked (default: %(default)s)",
    )
    parser.add_argument(
        "--audit",
        default="plain",
        choices=("plain", "hashed", "off"),
        help="the audit stream on standard output, and how it names people (default: %(default)s)",
    )
    parser.add_argument(
        "--audit-key",
        default="",
        metavar="FILE",
        help="with the key of --audit=hashed, 32 bytes at least: HMAC-SHA256",
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    namespace = os.environ.get("POD_NAMESPACE")
    if not namespace:
        raise CommandError("POD_NAMESPACE is not set; it names the namespace with the token Secrets")
    configure_logs(arguments.log_level)
    write = audit_stream() if arguments.audit != "off" else None
    audit = Audit(moments.milliseconds, write, mask_of(arguments))
    asyncio.run(app.run(options(arguments, namespace), audit))
    return 0


def mask_of(arguments: argparse.Namespace) -> Callable[[str], str] | None:
    """What stands in the audit stream for a person's name; None: the name. Raises CommandError."""
    if arguments.audit != "hashed":
        return None
    try:
        key = Path(arguments.audit_key).read_bytes().strip()
    except OSError as error:
        raise CommandError(f"--audit-key: {error}") from error
    if len(key) < _SHORTEST_KEY:
        raise CommandError(f"--audit-key: {arguments.audit_key} holds less than {_SHORTEST_KEY} bytes")
    return keyed_hash(key)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is less than 1")
    return number


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
