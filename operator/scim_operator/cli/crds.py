"""`scim-operator crds`: this version's CustomResourceDefinitions, printed, as files, or in the cluster."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import yaml

from scim_operator.api.crds import crds
from scim_operator.cli.failure import CommandError
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CRDS

Crd = dict[str, Any]

# helm's own: under any other, its next `helm install` would meet a conflict in fields that we changed.
_MANAGER = "helm"
_ESTABLISHED_SECONDS, _PAUSE = 30, 0.2
_RIGHTS = (
    "it takes the verbs get, create and patch on customresourcedefinitions.apiextensions.k8s.io, as "
    "cluster-admin has them; `kubectl auth can-i patch crd` tells whether you do"
)


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser("crds", help="the CustomResourceDefinitions of this version")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    printing = verbs.add_parser("print", help="print them")
    printing.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml")
    printing.set_defaults(command=_print)

    writing = verbs.add_parser("write", help="write them as files, one each")
    writing.add_argument("folder", type=Path)
    writing.set_defaults(command=_write)

    applying = verbs.add_parser("apply", help="bring those in the cluster up to date; helm never does")
    applying.add_argument("--dry-run", action="store_true", help="tell what would change, change nothing")
    applying.add_argument("-o", "--output", choices=("text", "json"), default="text")
    applying.set_defaults(command=lambda arguments: asyncio.run(_apply(arguments)))


def as_yaml(crd: Crd) -> str:
    """As the files in `crds/` hold it."""
    text: str = yaml.safe_dump(crd, sort_keys=False, width=110)
    return text


def _print(arguments: argparse.Namespace) -> int:
    if arguments.output == "json":
        listed = {"apiVersion": "v1", "kind": "List", "items": list(crds().values())}
        print(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())
    else:
        print("---\n".join(as_yaml(crd) for crd in crds().values()), end="")
    return 0


def _write(arguments: argparse.Namespace) -> int:
    for name, crd in crds().items():
        (arguments.folder / name).write_text(as_yaml(crd))
    return 0


async def _apply(arguments: argparse.Namespace) -> int:
    results: dict[str, str] = {}
    async with KubeClient(await load_credentials()) as client:
        for crd in crds().values():
            results[crd["metadata"]["name"]] = await _apply_one(client, crd, dry_run=arguments.dry_run)
        if not arguments.dry_run:
            for name in results:
                await _established(client, name)
    if arguments.output == "json":
        listed = [{"name": name, "result": result} for name, result in results.items()]
        print(orjson.dumps({"dryRun": arguments.dry_run, "crds": listed}).decode())
    else:
        for name, result in results.items():
            would = "would be " if arguments.dry_run and result != "unchanged" else ""
            print(f"{name:<38}  {would}{result}")
    return 0


async def _apply_one(client: KubeClient, crd: Crd, *, dry_run: bool) -> str:
    """-> created, updated or unchanged."""
    name = crd["metadata"]["name"]
    try:
        before = await _found(client, name)
        after = await client.apply(CRDS, name, crd, manager=_MANAGER, dry_run=dry_run)
    except ApiError as error:
        if error.status == 403:
            raise CommandError(f"the API server refused: {error.message}\n{_RIGHTS}") from error
        raise
    if before is None:
        return "created"
    return "unchanged" if before["spec"] == after["spec"] else "updated"


async def _found(client: KubeClient, name: str) -> Crd | None:
    try:
        return await client.get(CRDS, name)
    except ApiError as error:
        if error.not_found:
            return None
        raise


async def _established(client: KubeClient, name: str) -> None:
    """Return once the API server serves the kind."""
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    while True:
        found = await client.get(CRDS, name)
        # In the first moments they are null.
        listed = found.get("status", {}).get("conditions") or []
        conditions = {entry["type"]: entry for entry in listed}
        if conditions.get("Established", {}).get("status") == "True":
            return
        if time.monotonic() > deadline:
            why = conditions.get("NamesAccepted", {}).get("message", "it gave no reason")
            raise CommandError(
                f"{name} was applied, but the API server does not serve it after {_ESTABLISHED_SECONDS} s "
                f"({why}); look at the conditions of: kubectl get crd {name} -o yaml"
            )
        await asyncio.sleep(_PAUSE)
