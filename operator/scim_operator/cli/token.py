"""`scim-operator token`: bearer tokens, made with the rights of whoever calls."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
from typing import Any

import orjson

from scim_operator.cli.failure import CommandError
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.tokens import new_token, token_secret
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import context_namespace, load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import SECRETS

_TRIES, _PAUSE = 20, 0.25
_NO_OPERATOR = "(not known: no operator has seen this directory yet; the path is /scim/v2/{directory})"
_NO_URL = "(not known: set the chart's value `externalURL`; the path is /scim/v2/{directory})"


def add_create(commands: Any) -> None:
    """The arguments of `token create`."""
    parser = commands.add_parser("create", help="make a token and print it, once, with the URL to paste")
    parser.add_argument("directory", help="name of a ScimDirectory")
    parser.add_argument(
        "-n", "--namespace", help="where the operator runs (default: POD_NAMESPACE, else the context's)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=lambda arguments: asyncio.run(_create(arguments)))


async def _create(arguments: argparse.Namespace) -> int:
    namespace = arguments.namespace or os.environ.get("POD_NAMESPACE") or context_namespace()
    directory = arguments.directory
    token = new_token(directory, secrets.token_bytes(32))
    async with KubeClient(await load_credentials()) as client:
        url = await _url(client, directory)
        name = f"scim-token-{directory[:40].rstrip('-')}-{secrets.token_hex(4)}"
        await client.create(SECRETS, token_secret(directory, token, name), namespace=namespace)
    if arguments.output == "json":
        print(orjson.dumps({"url": url, "token": token, "secret": f"{namespace}/{name}"}).decode())
    else:
        print(f"Tenant URL    {url}")
        print(f"Secret Token  {token}")
        print(
            f"\nThe token is shown only now. Secret {namespace}/{name} holds its hash; deleting it revokes."
        )
    return 0


async def _url(client: KubeClient, directory: str) -> str:
    """The Tenant URL. A directory made this moment has none yet: the operator is given time to fill it in."""
    for _ in range(_TRIES):
        try:
            found = await client.get(DIRECTORIES, directory)
        except ApiError as error:
            if not error.not_found:
                raise
            raise CommandError(
                f"there is no ScimDirectory {directory!r}; `kubectl get scimdirectories` lists them"
            ) from error
        if status := found.get("status"):
            return str(status.get("url") or _NO_URL.format(directory=directory))
        await asyncio.sleep(_PAUSE)
    return _NO_OPERATOR.format(directory=directory)
