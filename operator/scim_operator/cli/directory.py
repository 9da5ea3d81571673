"""`scim-operator directory purge`: the one way to take everything away that came by a directory.

The ScimDirectory has to be gone already: then everything of it is frozen and nobody loses access. Deletes
the bindings first, then the identities, then what is left; running it again goes on where it ended.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from scim_operator.access.bindings import is_ours
from scim_operator.api.kinds import DIRECTORY_LABEL, TOKEN_SECRET_TYPE
from scim_operator.cli.failure import CommandError
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.tokens import TOKEN_SELECTOR
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import context_namespace, load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, SECRETS, Resource
from scim_operator.reconcile.resources import BINDINGS, HOLDS, OURS

_AT_ONCE = 8
_TRIES = 5
# Groups go before their shards: without these they are broken.
_IDENTITIES = (GROUPS, SHARDS, USERS)
# So often progress is told.
_EVERY = 100
_RIGHTS = (
    "purging takes the verbs list and delete on rolebindings and clusterrolebindings, on scimusers, "
    "scimgroups, scimgroupshards and removalholds of scim-operator.io, on secrets in the operator's "
    "namespace, and get on scimdirectories, as cluster-admin has them"
)

Object = dict[str, Any]


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser("directory", help="what is done to a whole directory")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    purging = verbs.add_parser(
        "purge",
        help="take away everything that came by a directory whose ScimDirectory is deleted",
        description="Without --yes it tells what would go, and exits with 3.",
    )
    purging.add_argument("name", help="the directory")
    purging.add_argument("--yes", action="store_true", help="do it")
    purging.add_argument(
        "--keep-identities",
        action="store_true",
        help="keep users, groups and shards, for a provider that goes on later: it remembers their SCIM ids",
    )
    purging.add_argument(
        "-n", "--namespace", help="where the operator runs (default: POD_NAMESPACE, else the context's)"
    )
    purging.add_argument("-o", "--output", choices=("text", "json"), default="text")
    purging.set_defaults(command=lambda arguments: asyncio.run(_run(arguments)))


@dataclass
class Belongings:
    """What is there of a directory, by kind, in the order in which it goes."""

    found: dict[Resource, list[Object]] = field(default_factory=dict)

    @property
    def people(self) -> int:
        """How many different people, or groups, stand in its bindings."""
        subjects = (
            (subject["kind"], subject["name"])
            for resource in BINDINGS
            for binding in self.found.get(resource, ())
            for subject in binding.get("subjects") or ()
        )
        return len(set(subjects))

    def counts(self) -> dict[str, int]:
        """Kind -> how many."""
        return {resource.plural: len(items) for resource, items in self.found.items()}


async def _run(arguments: argparse.Namespace) -> int:
    namespace = arguments.namespace or os.environ.get("POD_NAMESPACE") or context_namespace()
    async with KubeClient(await load_credentials()) as client:
        try:
            belongings = await _belongings(client, arguments.name, namespace)
            await _refuse_living(client, arguments.name, belongings.people)
        except ApiError as error:
            if error.status != 403:
                raise
            raise CommandError(f"the API server refused: {error.message}\n{_RIGHTS}") from error
        if not arguments.yes:
            _print_plan(arguments, belongings)
            return 3 if any(belongings.counts().values()) else 0
        kept = _IDENTITIES if arguments.keep_identities else ()
        left = await _purge(
            client, {kind: items for kind, items in belongings.found.items() if kind not in kept}
        )
    _print_end(arguments, belongings, left)
    return 1 if left else 0


async def _refuse_living(client: KubeClient, name: str, people: int) -> None:
    try:
        await client.get(DIRECTORIES, name)
    except ApiError as error:
        if not error.not_found:
            raise
        return
    raise CommandError(
        f"ScimDirectory {name!r} exists, nothing was done. Purging takes their access from {people} people; "
        "if that is meant, delete it first, which changes nobody's access yet: kubectl delete scimdirectory "
        f"{name}"
    )


async def _belongings(client: KubeClient, name: str, namespace: str) -> Belongings:
    found: dict[Resource, list[Object]] = {}
    for resource in BINDINGS:
        listed = await client.list(resource, selector=f"{OURS},{DIRECTORY_LABEL}={name}")
        found[resource] = [binding for binding in listed.items if is_ours(binding)]
    for resource in _IDENTITIES:
        # The label may be anybody's; the spec is what SCIM wrote.
        items = [item for item in await _listed(client, resource) if item["spec"]["directory"] == name]
        if items or resource != SHARDS:  # most directories have no group as large
            found[resource] = items
    holds = (await client.list(HOLDS)).items
    found[HOLDS] = [item for item in holds if item["metadata"]["name"] == name]
    secrets = (await client.list(SECRETS, namespace=namespace, selector=f"{TOKEN_SELECTOR}={name}")).items
    found[SECRETS] = [secret for secret in secrets if secret.get("type") == TOKEN_SECRET_TYPE]
    return Belongings(found)


async def _listed(client: KubeClient, resource: Resource) -> list[Object]:
    """An older cluster doesn't know shards, and has none."""
    try:
        return (await client.list(resource)).items
    except ApiError as error:
        if not (error.not_found and resource == SHARDS):
            raise
        return []


# --- doing it ----------------------------------------------------------------------------------------------


async def _purge(client: KubeClient, found: Mapping[Resource, list[Object]]) -> dict[Resource, str]:
    """Delete them, kind by kind. -> kinds of which something is left, and why"""
    left: dict[Resource, str] = {}
    for resource, items in found.items():
        if not items:
            continue
        if resource in (*_IDENTITIES, HOLDS) and left.keys() & {*BINDINGS}:
            left[resource] = "the bindings go first, and some of them are left"
            continue
        if resource == SHARDS and GROUPS in left:
            left[resource] = "the groups go first, and some of them are left"
            continue
        try:
            await _delete_all(client, resource, items)
        except ApiError as error:
            fenced = error.status == 403 and resource in _IDENTITIES
            left[resource] = "refused to you" if fenced else str(error)
    return left


async def _delete_all(client: KubeClient, resource: Resource, items: list[Object]) -> None:
    turns, done = asyncio.Semaphore(_AT_ONCE), 0

    async def delete(item: Object) -> None:
        nonlocal done
        async with turns:
            await _delete(client, resource, item)
        done += 1
        if done % _EVERY == 0 or done == len(items):
            print(f"{resource.plural}: {done} of {len(items)} deleted", file=sys.stderr)

    # The first tells whether we may at all; a binding may be refused by itself, for its namespace.
    tried = 1 if resource in (USERS, GROUPS) else 0
    for item in items[:tried]:
        await delete(item)
    results = await asyncio.gather(*map(delete, items[tried:]), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _delete(client: KubeClient, resource: Resource, item: Object) -> None:
    """This object and no namesake. The operator may write to it in between."""
    namespace, name = item["metadata"].get("namespace"), item["metadata"]["name"]
    for attempt in range(_TRIES):
        metadata = item["metadata"]
        try:
            await client.delete(
                resource,
                name,
                namespace=namespace,
                uid=metadata["uid"],
                resource_version=metadata["resourceVersion"],
            )
        except ApiError as error:
            if error.not_found:
                return
            if not error.conflict or attempt == _TRIES - 1:
                raise
            try:
                item = await client.get(resource, name, namespace=namespace)
            except ApiError as gone:
                if gone.not_found:
                    return
                raise
            if item["metadata"]["uid"] != metadata["uid"]:
                raise
        else:
            return


# --- telling -----------------------------------------------------------------------------------------------


def _print_plan(arguments: argparse.Namespace, belongings: Belongings) -> None:
    counts, people = belongings.counts(), belongings.people
    if arguments.output == "json":
        print(orjson.dumps({"directory": arguments.name, "people": people, "counts": counts}).decode())
        return
    if not any(counts.values()):
        print(f"Nothing is left of directory {arguments.name}.")
        return
    kept = [kind.plural for kind in _IDENTITIES] if arguments.keep_identities else []
    print(f"Of directory {arguments.name} would be deleted:")
    for plural, count in counts.items():
        print(f"  {plural:<20} {count}" + ("  (kept)" if plural in kept else ""))
    print(
        f"\n{people} people would lose all access that came by it. Namespaces and what runs in them stay.\n"
        f"Nothing was done; to do it: scim-operator directory purge {arguments.name} --yes"
        + (" --keep-identities" if arguments.keep_identities else "")
    )


def _print_end(arguments: argparse.Namespace, belongings: Belongings, left: Mapping[Resource, str]) -> None:
    counts = belongings.counts()
    kept = _IDENTITIES if arguments.keep_identities else ()
    deleted = {
        resource.plural: counts[resource.plural]
        for resource in belongings.found
        if resource not in kept and resource not in left
    }
    if arguments.output == "json":
        refused = {resource.plural: why for resource, why in left.items()}
        told = {"directory": arguments.name, "people": belongings.people, "deleted": deleted, "left": refused}
        print(orjson.dumps(told).decode())
    else:
        for plural, count in deleted.items():
            print(f"deleted  {plural:<20} {count}")
        for resource in (kind for kind in kept if kind in belongings.found):
            print(f"kept     {resource.plural:<20} {counts[resource.plural]}")
        for resource, why in left.items():
            print(f"LEFT     {resource.plural:<20} {why}")
        print("Namespaces and what runs in them stay.")
    if left.keys() & {*_IDENTITIES}:
        print(
            "scim-operator: only the operator writes ScimUsers, ScimGroups and ScimGroupShards, and those "
            "whom the chart's value identityEditors lists: put your user name there (kubectl auth whoami "
            "tells it), run `helm upgrade`, then this again; or keep them: --keep-identities",
            file=sys.stderr,
        )
    if left.keys() & {ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS}:
        print("scim-operator: some access is left; run this again", file=sys.stderr)
