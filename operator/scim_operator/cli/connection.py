"""`scim-operator test-connection`: what Entra's button Test Connection does, with a token of a few seconds.

`helm test` runs it inside of the cluster, against the Service; an admin runs it against the public URL.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import orjson
from yarl import URL

from scim_operator.api.kinds import PASSING_LABEL
from scim_operator.cli.failure import CommandError, UsageError
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.tokens import new_token, token_secret
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import context_namespace, load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import SECRETS
from scim_operator.scim.messages import LIST_URN

# The operator learns of a token within a second; a leader may be lost meanwhile, and another found.
_PATIENCE, _PAUSE = 10.0, 0.5
_TIMEOUT = aiohttp.ClientTimeout(total=15)
# Should this process be killed before it deletes its token. Clocks may differ by some minutes.
_TOKEN_LIVES = timedelta(minutes=10)
_MEDIA_TYPE = "application/scim+json"
_RIGHTS = "the token is a Secret for the time of the test: it takes the verbs create and delete on secrets"


@dataclass(frozen=True)
class Finding:
    """What came of one question. `problem` empty: what should."""

    directory: str
    url: str
    problem: str


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "test-connection",
        help="ask as Entra's Test Connection does, with a token that is made for it and deleted afterwards",
        description="Also asks without a token, which must be refused.",
    )
    parser.add_argument("directories", nargs="*", metavar="DIRECTORY", help="name of a ScimDirectory")
    parser.add_argument(
        "--url", help="scheme, host and port, such as https://scim.example.com (default: the directory's own)"
    )
    parser.add_argument(
        "--trust",
        type=Path,
        metavar="FILE",
        help="the certificate to be shown, whatever name it bears (default: a trusted one of the host's)",
    )
    parser.add_argument(
        "-n", "--namespace", help="where the operator runs (default: POD_NAMESPACE, else the context's)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=lambda arguments: asyncio.run(_run(arguments)))


async def _run(arguments: argparse.Namespace) -> int:
    if not arguments.directories and not arguments.url:
        raise UsageError("name a directory (kubectl get scimdirectories), or say by --url whom to ask")
    namespace = arguments.namespace or os.environ.get("POD_NAMESPACE") or context_namespace()
    findings: list[Finding] = []
    async with KubeClient(await load_credentials()) as client, _session(arguments.trust) as session:
        for directory in arguments.directories or [""]:
            url = await _url(client, arguments.url, directory)
            problem = await _patiently(session, url, "", findings)
            findings.append(Finding(directory, url, problem))
            if directory and not problem:
                async with _token(client, namespace, directory) as token:
                    problem = await _patiently(session, url, token, findings)
                findings.append(Finding(directory, url, problem))
    _tell(findings, arguments.output)
    return 1 if any(found.problem for found in findings) else 0


def _tell(findings: list[Finding], output: str) -> None:
    if output == "json":
        print(orjson.dumps({"findings": [asdict(found) for found in findings]}).decode())
        return
    for found in findings:
        print(f"FAILED {found.url}\n  {found.problem}" if found.problem else f"ok     {found.url}")
    if not any(found.directory for found in findings):
        print("No directory was named, so no token was tried: a connection can't be told to work.")


# --- whom to ask, and as whom ----------------------------------------------------------------------------


async def _url(client: KubeClient, base: str | None, directory: str) -> str:
    """The Tenant URL. An IPv6 address needs brackets, and environment variables of a pod bring none."""
    if base:
        bare = re.fullmatch(r"(https?://)([0-9a-fA-F:]+:[0-9a-fA-F:]*)(:\d+)", base)
        root = f"{bare[1]}[{bare[2]}]{bare[3]}" if bare else base.rstrip("/")
        return f"{root}/scim/v2/{directory or 'any'}"
    found = await client.get(DIRECTORIES, directory)
    if url := (found.get("status") or {}).get("url"):
        return str(url)
    raise CommandError(
        f"the URL of directory {directory} isn't known: set the chart's value `externalURL`, or say --url"
    )


@asynccontextmanager
async def _token(client: KubeClient, namespace: str, directory: str) -> AsyncIterator[str]:
    """One of a fixed name, so that the right to delete it can be of that name alone."""
    token = new_token(directory, secrets.token_bytes(32))
    name = f"scim-test-connection-{directory}"
    secret = token_secret(directory, token, name, datetime.now(UTC) + _TOKEN_LIVES)
    secret["metadata"]["labels"][PASSING_LABEL] = "true"
    try:
        await _delete(client, name, namespace)  # of a run that was killed
        await client.create(SECRETS, secret, namespace=namespace)
    except ApiError as error:
        if error.status != 403:
            raise
        where = f"in namespace {namespace}"
        raise CommandError(f"the API server refused: {error.message}\n{_RIGHTS} {where}") from error
    try:
        yield token
    finally:
        await _delete(client, name, namespace)


async def _delete(client: KubeClient, name: str, namespace: str) -> None:
    try:
        await client.delete(SECRETS, name, namespace=namespace)
    except ApiError as error:
        if not error.not_found:
            raise


def _session(trusted: Path | None) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=trusted)
    if trusted:
        context.check_hostname = False
        # That very certificate, whoever signed it.
        context.verify_flags = ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=_TIMEOUT)


# --- the question ----------------------------------------------------------------------------------------


async def _patiently(session: aiohttp.ClientSession, url: str, token: str, before: list[Finding]) -> str:
    """What is wrong at last, or nothing. Who has waited in vain once doesn't wait again."""
    patience = 0.0 if any(found.problem for found in before) else _PATIENCE
    deadline = time.monotonic() + patience
    while True:
        problem = await _ask(session, url, token)
        if not problem or time.monotonic() > deadline:
            return problem
        await asyncio.sleep(_PAUSE)


async def _ask(session: aiohttp.ClientSession, url: str, token: str) -> str:
    """Entra asks for somebody who can't exist, and wants to hear that nobody was found."""
    headers = {"Accept": _MEDIA_TYPE} | ({"Authorization": f"Bearer {token}"} if token else {})
    query = {"filter": f'userName eq "{uuid4()}"'}
    try:
        asked = session.get(URL(f"{url}/Users").with_query(query), headers=headers, allow_redirects=False)
        async with asked as answer:
            body, kind = await answer.read(), answer.content_type
            status = answer.status
    except aiohttp.ClientSSLError as error:
        return (
            f"TLS failed ({error}): the certificate must be of a public authority and for this name, or the "
            "one that --trust gives; the chart's value tls.secretName names its Secret"
        )
    except (aiohttp.ClientError, TimeoutError) as error:
        return (
            f"nobody answers ({str(error) or 'in time'}): are the pods ready (kubectl get pods -A -l "
            "app.kubernetes.io/name=scim-operator), does this URL lead to their Service, and does a "
            "NetworkPolicy let callers through?"
        )
    if kind != _MEDIA_TYPE:
        return f"answered {status} with {kind}, not {_MEDIA_TYPE}: something else answers there"
    return _judged(status, _json(body), token)


def _judged(status: int, said: dict[str, object], token: str) -> str:
    detail = f"{status}: {said.get('detail') or 'no reason given'}"
    if not token:
        return "" if status == 401 else f"answered {detail}; without a token it must be 401"
    if status == 401:
        return (
            f"answered {detail}; this token was made for it, so: does the URL lead to the operator of this "
            "namespace, is there a ScimDirectory of that name, does something drop Authorization headers?"
        )
    if status != 200:
        return f"answered {detail}"
    schemas, empty = said.get("schemas"), said.get("totalResults") == 0 and not said.get("Resources")
    if schemas == [LIST_URN] and empty:
        return ""
    return "answered 200, and no empty ListResponse, though nobody has such a userName"


def _json(body: bytes) -> dict[str, object]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
