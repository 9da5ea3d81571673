"""`scim-operator token`: bearer tokens, made, listed and revoked with the rights of whoever calls."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from scim_operator.api.kinds import DIRECTORY_LABEL, TOKEN_SECRET_TYPE
from scim_operator.cli.expiry import expiry
from scim_operator.cli.failure import CommandError
from scim_operator.cli.token_table import Row, as_table, rows
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.tokens import TOKEN_SELECTOR, new_token, rfc3339, token_secret
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import context_namespace, load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import DEPLOYMENTS, SECRETS

_TRIES, _PAUSE = 20, 0.25
_NO_OPERATOR = "(not known: no operator has seen this directory yet; the path is /scim/v2/{directory})"
_NO_URL = "(not known: set the chart's value `externalURL`; the path is /scim/v2/{directory})"
_OPERATOR = "app.kubernetes.io/name=scim-operator"

Object = dict[str, Any]
Command = Callable[[KubeClient, argparse.Namespace], Awaitable[int]]


def add(commands: Any) -> None:
    """The commands' arguments."""
    parser = commands.add_parser("token", help="bearer tokens of directories")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    creating = _verb(verbs, "create", _create, "make a token and print it, once, with the URL to paste")
    creating.add_argument("directory", help="name of a ScimDirectory")
    creating.add_argument(
        "--expires", type=expiry, metavar="WHEN", help="90d, 12h, or 2027-01-31T00:00:00Z (default: never)"
    )
    creating.add_argument("--force", action="store_true", help="even where no operator seems to be installed")

    listing = _verb(verbs, "list", _list, "show tokens, their end and last use, and what is wrong with them")
    listing.add_argument("directory", nargs="?", help="of this ScimDirectory only")

    revoking = _verb(verbs, "revoke", _revoke, "delete tokens: they open nothing within a second")
    revoking.add_argument("names", nargs="+", metavar="NAME", help="as `token list` shows it")


def _verb(verbs: Any, name: str, command: Command, does: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=does)
    parser.add_argument(
        "-n", "--namespace", help="where the operator runs (default: POD_NAMESPACE, else the context's)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=lambda arguments: asyncio.run(_run(command, arguments)))
    return parser


async def _run(command: Command, arguments: argparse.Namespace) -> int:
    arguments.namespace = arguments.namespace or os.environ.get("POD_NAMESPACE") or context_namespace()
    async with KubeClient(await load_credentials()) as client:
        try:
            return await command(client, arguments)
        except ApiError as error:
            if error.status != 403:
                raise
            raise CommandError(
                f"the API server refused: {error.message}\ntokens are Secrets: it takes the verbs get, list, "
                f"create and delete on secrets in namespace {arguments.namespace}, and get and list on "
                "scimdirectories.scim-operator.io"
            ) from error


# --- create ------------------------------------------------------------------------------------------------


async def _create(client: KubeClient, arguments: argparse.Namespace) -> int:
    namespace, directory, expires = arguments.namespace, arguments.directory, arguments.expires
    if not arguments.force:
        await _refuse_wrong_namespace(client, namespace)
    token = new_token(directory, secrets.token_bytes(32))
    url = await _url(client, directory)
    name = f"scim-token-{directory[:40].rstrip('-')}-{secrets.token_hex(4)}"
    await client.create(SECRETS, token_secret(directory, token, name, expires), namespace=namespace)
    end = rfc3339(expires) if expires else None
    if arguments.output == "json":
        made = {"url": url, "token": token, "secret": f"{namespace}/{name}", "expires": end}
        print(orjson.dumps(made).decode())
    else:
        print(f"Tenant URL    {url}")
        print(f"Secret Token  {token}")
        print(
            f"\nThe token is shown only now. Secret {namespace}/{name} holds its hash; deleting it revokes."
            + (f" It expires at {end}." if end else "")
        )
    return 0


async def _url(client: KubeClient, directory: str) -> str:
    """The Tenant URL. A directory made this moment has none yet: the operator is given time to fill it in."""
    for _ in range(_TRIES):
        found = await _directory(client, directory)
        if status := found.get("status"):
            return str(status.get("url") or _NO_URL.format(directory=directory))
        await asyncio.sleep(_PAUSE)
    return _NO_OPERATOR.format(directory=directory)


async def _directory(client: KubeClient, name: str) -> Object:
    try:
        return await client.get(DIRECTORIES, name)
    except ApiError as error:
        if not error.not_found:
            raise
        raise CommandError(
            f"there is no ScimDirectory {name!r}; `kubectl get scimdirectories` lists them"
        ) from error


async def _refuse_wrong_namespace(client: KubeClient, namespace: str) -> None:
    """A token in a namespace without an operator opens nothing, and nobody would say so."""
    try:
        found = await client.list(DEPLOYMENTS, namespace=namespace, selector=_OPERATOR)
    except ApiError:
        return  # whoever may make tokens need not be able to see Deployments
    if not found.items:
        raise CommandError(
            f"no scim-operator is installed in namespace {namespace}, and a token there would open nothing; "
            f"say by -n where it runs (kubectl get deployments -A -l {_OPERATOR}), or insist by --force"
        )


# --- list --------------------------------------------------------------------------------------------------


async def _list(client: KubeClient, arguments: argparse.Namespace) -> int:
    if arguments.directory:
        await _directory(client, arguments.directory)
    found = await _rows(client, arguments.namespace, arguments.directory)
    if arguments.output == "json":
        print(orjson.dumps({"tokens": [row.as_json() for row in found]}).decode())
    elif found:
        print(as_table(found))
    else:
        whose = f" of directory {arguments.directory}" if arguments.directory else ""
        _warn(f"no tokens{whose} in namespace {arguments.namespace}")
    return 0


async def _rows(client: KubeClient, namespace: str, directory: str | None = None) -> list[Row]:
    selector = f"{TOKEN_SELECTOR}={directory}" if directory else TOKEN_SELECTOR
    listed = await client.list(SECRETS, namespace=namespace, selector=selector)
    directories = await client.list(DIRECTORIES)
    return rows(listed.items, directories.items)


# --- revoke ------------------------------------------------------------------------------------------------


async def _revoke(client: KubeClient, arguments: argparse.Namespace) -> int:
    namespace = arguments.namespace
    names = list(dict.fromkeys(arguments.names))
    # All are looked at before one goes: a typing error must not leave half of them done.
    found = [await _token_secret(client, name, namespace) for name in names]
    for secret in found:
        metadata = secret["metadata"]
        await client.delete(SECRETS, metadata["name"], namespace=namespace, uid=metadata["uid"])
    if arguments.output == "json":
        print(orjson.dumps({"revoked": [f"{namespace}/{name}" for name in names]}).decode())
    else:
        for name in names:
            print(f"revoked {name}")
    try:
        left = {row.directory for row in await _rows(client, namespace) if row.state == "valid"}
    except ApiError as error:
        # They are revoked, whatever else may not be seen.
        _warn(f"whether other tokens are left can't be told: {error.message}")
        return 0
    for directory in sorted({secret["metadata"]["labels"][DIRECTORY_LABEL] for secret in found} - left):
        _warn(
            f"directory {directory} has no valid token any more, its provider is refused; make one: "
            f"scim-operator token create {directory} -n {namespace}"
        )
    return 0


async def _token_secret(client: KubeClient, name: str, namespace: str) -> Object:
    try:
        secret = await client.get(SECRETS, name, namespace=namespace)
    except ApiError as error:
        if not error.not_found:
            raise
        raise CommandError(
            f"there is no Secret {name!r} in namespace {namespace}, nothing was revoked; "
            f"`scim-operator token list -n {namespace}` shows the tokens"
        ) from error
    kind, labels = secret.get("type"), secret["metadata"].get("labels") or {}
    if kind != TOKEN_SECRET_TYPE or DIRECTORY_LABEL not in labels:
        raise CommandError(
            f"Secret {namespace}/{name} is no token (its type is {kind}; a token's is {TOKEN_SECRET_TYPE}, "
            f"and it has the label {DIRECTORY_LABEL}), nothing was revoked; to delete it all the same: "
            f"kubectl delete secret {name} -n {namespace}"
        )
    return secret


def _warn(text: str) -> None:
    print(f"scim-operator: {text}", file=sys.stderr)
