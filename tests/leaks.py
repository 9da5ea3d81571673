"""Secrets that tests hand to the operator, and where they must never turn up: log, audit stream, metrics,
objects, Events.

Every installation of tests/installation.py is searched at its end, after whatever its tests have done.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request

from tests.cluster.client import Client
from tests.cluster.operator import OperatorProcess

# Sent as a password of people, and in an Authorization header that opens nothing.
PASSWORD = "planted-password-6e1f0c"
BEARER = "planted-bearer-93ab27"
# Any token that we make, any credential behind its scheme, any JWT such as our own ServiceAccount's.
_SECRETS = {
    "a token": re.compile(r"scimop_[a-z0-9.-]+_[A-Za-z0-9_-]{20,}"),
    "an Authorization header": re.compile(r"[Bb]earer [A-Za-z0-9._~+/-]{16,}"),
    "a JWT": re.compile(r"eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    "a password": re.compile(PASSWORD),
    "a bearer token": re.compile(BEARER),
}
_KINDS = "scimdirectories,scimusers,scimgroups,accesspolicies,accessgrants,accesslocks,removalholds"


def plant(operator: OperatorProcess) -> None:
    """Show it secrets that it has no use for, as somebody does who mistakes a field."""
    url = f"{operator.url('scim')}/scim/v2/planted/Users?filter=userName%20eq%20%22{BEARER}%22&token={BEARER}"
    headers = {"Authorization": f"Bearer {BEARER}", "X-Request-Id": "planted"}
    body = f'{{"userName": "planted", "password": "{PASSWORD}"}}'.encode()
    request = urllib.request.Request(url, body, headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10):
            raise AssertionError(f"a made-up token opens {url}")
    except urllib.error.HTTPError as refused:
        with refused:
            assert refused.code == 401


def leaks(cluster: Client, operator: OperatorProcess) -> list[str]:
    """What was found, where: kinds of secrets, not themselves."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{operator.url('metrics')}/metrics", timeout=10) as response:
        metrics = response.read().decode()
    places = {
        "the log": operator.log.read_text(errors="replace"),
        "the audit stream": operator.audit.read_text(errors="replace"),
        "the metrics": metrics,
        "an Event": cluster.kubectl("get", "events", "-A", "-o", "json"),
        "an object": cluster.kubectl("get", _KINDS, "-o", "json"),
    }
    assert '"planted"' in places["the log"], "the request that was planted isn't in the log"
    return [found for where, text in places.items() for found in found_in(text, where)]


def found_in(text: str, where: str) -> list[str]:
    """Kinds of secrets in a text."""
    return [f"{kind} in {where}" for kind, pattern in _SECRETS.items() if pattern.search(text)]
