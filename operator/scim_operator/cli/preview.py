"""`scim-operator preview`: what policies in a file would do, told by the operator's own planner. Reads only.

With the rights of whoever calls: it lists what the operator lists.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from scim_operator import app
from scim_operator.access.foreseen import Change, Foreseen
from scim_operator.cli import run
from scim_operator.cli.failure import CommandError, UsageError
from scim_operator.cli.guarding import guard_notes
from scim_operator.cli.manifests import read_policies
from scim_operator.cli.tables import as_table, shown
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import context_namespace, load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import DEPLOYMENTS, Resource
from scim_operator.reconcile.inputs import Inputs
from scim_operator.reconcile.outlook import held_names
from scim_operator.reconcile.rehearsal import Rehearsal
from scim_operator.reconcile.world import World

# So many changes are shown, unless all are asked for.
_SHOWN = 200
_OPERATOR = "app.kubernetes.io/name=scim-operator"
_RIGHTS = (
    "preview reads what the operator reads, with your rights: it takes the verb list on all kinds of "
    "scim-operator.io, on namespaces, on clusterroles, rolebindings and clusterrolebindings of "
    "rbac.authorization.k8s.io, and get on the roles that a policy names by `role`"
)

Object = dict[str, Any]


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "preview",
        help="what a policy would create, change and remove, before it is applied",
        description="Exit code 3: somebody would lose access.",
    )
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        metavar="FILE",
        help="AccessPolicies; - is standard input",
    )
    parser.add_argument(
        "--delete", action="append", default=[], metavar="NAME", help="as if this AccessPolicy were deleted"
    )
    parser.add_argument("--all", action="store_true", help=f"show all changes, not the first {_SHOWN}")
    parser.add_argument(
        "-n", "--namespace", help="where the operator runs (default: POD_NAMESPACE, else the context's)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=lambda arguments: asyncio.run(_preview(arguments)))


async def _preview(arguments: argparse.Namespace) -> int:
    if not arguments.filename and not arguments.delete:
        raise UsageError("nothing to preview: say -f FILE, or --delete NAME")
    specs = read_policies(arguments.filename) if arguments.filename else {}
    namespace = arguments.namespace or os.environ.get("POD_NAMESPACE") or context_namespace()
    async with _Reading(await load_credentials()) as client:
        try:
            options, notes = await _options(client, namespace)
            world = await _world(client, options)
            held = held_names(world)
            changed = changed_by(world, specs, arguments.delete)
            policies = [*arguments.delete, *specs]
            foreseen = await Rehearsal(client, world, _now(), held).of(policies, changed)
        except ApiError as error:
            if error.status != 403:
                raise
            raise CommandError(f"the API server refused: {error.message}\n{_RIGHTS}") from error
        notes += [*client.missing, *guard_notes(world, foreseen)]
    _print(arguments, foreseen, notes)
    return 3 if foreseen.removes else 0


class _Reading(KubeClient):
    """Remembers which Roles it might not read: these are taken to be there, as by the operator."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.missing: list[str] = []

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object:
        """One object."""
        try:
            return await super().get(resource, name, namespace=namespace)
        except ApiError as error:
            if error.status == 403:
                self.missing.append(
                    f"{resource.kind} {namespace}/{name} was taken to exist: you lack the verb get on "
                    f"{resource.plural} in that namespace"
                )
            raise


async def _options(client: KubeClient, namespace: str) -> tuple[app.Options, list[str]]:
    """As the operator's Deployment says, and what has to be said when nobody can tell."""
    try:
        found = (await client.list(DEPLOYMENTS, namespace=namespace, selector=_OPERATOR)).items
        why = f"there is no Deployment of it in namespace {namespace} (say by -n where it runs)"
    except ApiError as error:
        if error.status != 403:
            raise
        found, why = [], f"you lack the verb list on deployments.apps in namespace {namespace}"
    if not found:
        note = f"how the operator is set up isn't known: {why}; the chart's defaults are taken"
        return run.said([], namespace), [note]
    container = found[0]["spec"]["template"]["spec"]["containers"][0]
    return run.said(container.get("args") or [], namespace), []


async def _world(client: KubeClient, options: app.Options) -> World:
    world = World(Index(time.monotonic), Directories(), options.settings)
    world.contents = {}  # what templates put into namespaces isn't compared
    await Inputs(world).list_all(client)
    return world


def changed_by(world: World, specs: dict[str, Object], gone: Iterable[str]) -> set[Any]:
    """Take in the policies as they would be. -> the places that are concerned."""
    places = set()
    for name in gone:
        known = world.policies.get(name)
        if known is None:
            raise UsageError(f"--delete: there is no AccessPolicy {name!r}; `kubectl get acp` lists them")
        if name in specs:
            raise UsageError(f"--delete: AccessPolicy {name!r} is in the file as well")
        world.policies.discard(known)
    for name, spec in specs.items():
        known = world.policies.get(name)
        metadata = known["metadata"] if known else {"name": name, "uid": "", "resourceVersion": "0"}
        version = str(int(metadata["resourceVersion"]) + 1)
        # What a policy in Preview would do is what it did in force.
        made = {
            "metadata": {**metadata, "resourceVersion": version},
            "spec": {**spec, "enforcement": "Enforce"},
        }
        world.policies.put(made)
    for name in (*gone, *specs):
        places |= world.set_policy(name) | world.bound_by(name)
    return places


def _print(arguments: argparse.Namespace, foreseen: Foreseen, notes: list[str]) -> None:
    changes = foreseen.changes(None if arguments.all else _SHOWN)
    problems = sorted({problem.message for problem in foreseen.problems})
    if arguments.output == "json":
        listed = [change.as_json() for change in changes]
        more = {"total": foreseen.total, "changes": listed, "problems": problems, "notes": notes}
        print(orjson.dumps(foreseen.counts | more, option=orjson.OPT_INDENT_2).decode())
        return
    if changes:
        print(as_table(("NAMESPACE", "CHANGE", "ROLE", "WHO"), [_cells(change) for change in changes]))
        if len(changes) < foreseen.total:
            print(f"… and {foreseen.total - len(changes)} more; --all shows them")
        print()
    print(_summary(foreseen))
    for title, lines in (("problem", problems), ("note", notes)):
        for line in lines:
            print(f"{title}: {shown(line)}")


def _cells(change: Change) -> tuple[str, str, str, str]:
    where = change.namespace or "(cluster)"
    if not change.role:
        return where, _SPACES[change.change], "", ""
    role = change.role if change.role_kind == "ClusterRole" else f"Role {change.role}"
    who = shown(change.subject) if change.subject_kind == "User" else f"group {shown(change.subject)}"
    return where, "+" if change.change == "Add" else "-", role, who


_SPACES = {
    "CreateNamespace": "created",
    "AdoptNamespace": "adopted",
    "ChangeNamespace": "labels changed",
    "DeleteNamespace": "deleted",
}


def _summary(foreseen: Foreseen) -> str:
    counts = foreseen.counts
    people, bindings, spaces = counts["people"], counts["bindings"], counts["namespaces"]
    if not foreseen.total:
        return "Nothing would change."
    told = (
        f"{people['gain']} would gain access, {people['lose']} would lose it; bindings: {bindings['create']} "
        f"created, {bindings['change']} changed, {bindings['delete']} deleted"
    )
    touched = ", ".join(f"{spaces[key]} {word}" for key, word in _TOLD.items() if spaces[key])
    return f"{told}; namespaces: {touched}." if touched else f"{told}."


_TOLD = {"create": "created", "adopt": "adopted", "change": "changed", "delete": "deleted"}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
