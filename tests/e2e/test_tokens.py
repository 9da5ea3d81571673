"""Tokens from making to revoking: rotation without an outage, ends to the moment, Secrets of others."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.entra import EntraClient
from tests.eventually import becomes, eventually
from tests.installation import NAMESPACE, Installation

Object = dict[str, Any]
OTHERS = "a-token-that-somebody-else-has-made-0123"
# A directory's status is looked at every 10 s.
STATUS_SECONDS = 40.0


def token(operator: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`scim-operator token …` in the operator's namespace."""
    return operator.command("token", *arguments, "-n", NAMESPACE)


def created(operator: Installation, directory: str, *more: str) -> Object:
    """What `token create` answers."""
    done = token(operator, "create", directory, "-o", "json", *more)
    assert done.returncode == 0, done.stderr
    made: Object = json.loads(done.stdout)
    return made


def listed(operator: Installation, directory: str) -> list[Object]:
    """What `token list` shows."""
    done = token(operator, "list", directory, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: list[Object] = json.loads(done.stdout)["tokens"]
    return found


def answers(operator: Installation, directory: str, text: str) -> int:
    """The status of a request with that token."""
    url = f"{operator.process.url('scim')}/scim/v2/{directory}"
    return EntraClient(url, text)._once("GET", "/Users", None, {"count": "0"}).status


def secret(operator: Installation, name: str, directory: str, data: Object, **more: Any) -> None:
    """A Secret as a GitOps tool applies it."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {"scim-operator.io/directory": directory},
        },
        "type": "scim-operator.io/token",
        "stringData": data,
        **more,
    }
    operator.cluster.kubectl("apply", "-f", "-", input=json.dumps(body))


def status(operator: Installation, directory: str) -> Object:
    """A directory's status."""
    path = f"/apis/scim-operator.io/v1alpha1/scimdirectories/{directory}"
    answered: Object = operator.cluster.request("GET", path).body.get("status") or {}
    return answered


def last_used(operator: Installation, directory: str) -> str:
    """When its only token was used, as `token list` shows it, once that was recorded."""
    eventually(
        lambda: (status(operator, directory).get("tokens") or [{}])[0],
        lambda shown: "lastUsed" in shown,
        STATUS_SECONDS,
    )
    used: str = listed(operator, directory)[0]["lastUsed"]
    return used


# --- the command -------------------------------------------------------------------------------------------


def test_created_used_listed_and_shown(operator: Installation, directory: str) -> None:
    made = created(operator, directory, "--expires", "90d")
    name = made["secret"].removeprefix(f"{NAMESPACE}/")
    (row,) = listed(operator, directory)
    assert (row["name"], row["directory"], row["state"], row["lastUsed"]) == (name, directory, "valid", None)
    ends = datetime.fromisoformat(row["expires"]) - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < ends < timedelta(days=90)
    assert made["expires"] == row["expires"]

    becomes(lambda: answers(operator, directory, made["token"]), 200)
    used = last_used(operator, directory)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(used)) < timedelta(seconds=30)
    table = token(operator, "list").stdout
    header, *rows = table.splitlines()
    assert re.split(r"\s{2,}", header) == ["NAME", "DIRECTORY", "CREATED", "EXPIRES", "LAST USED", "STATE"]
    (shown,) = [line for line in rows if line.startswith(name)]
    assert shown.split() == [name, directory, row["created"], row["expires"], used, "valid"]
    assert made["token"] not in table

    columns = operator.cluster.kubectl("get", "scimdirectory", directory)
    assert "TOKEN EXPIRES" in columns
    assert row["expires"] in columns


def test_two_live_at_once_and_rotate_without_an_outage(operator: Installation, directory: str) -> None:
    old = created(operator, directory)
    becomes(lambda: answers(operator, directory, old["token"]), 200)
    pasted = [old["token"]]
    seen: list[int] = []
    done = threading.Event()

    def provider() -> None:
        while not done.is_set():
            seen.append(answers(operator, directory, pasted[0]))

    requests = threading.Thread(target=provider)
    requests.start()
    try:
        new = created(operator, directory)
        becomes(lambda: answers(operator, directory, new["token"]), 200)
        assert answers(operator, directory, old["token"]) == 200
        pasted[0] = new["token"]
        time.sleep(0.2)  # the last request with the old one is over
        revoked = token(operator, "revoke", old["secret"].removeprefix(f"{NAMESPACE}/"))
        assert (revoked.returncode, revoked.stderr) == (0, "")
        becomes(lambda: answers(operator, directory, old["token"]), 401)
    finally:
        done.set()
        requests.join(20)
    assert set(seen) == {200}
    assert len(seen) > 10


def test_revoking_the_last_one_says_what_that_means(operator: Installation, directory: str) -> None:
    made = created(operator, directory)
    becomes(lambda: answers(operator, directory, made["token"]), 200)
    done = token(operator, "revoke", made["secret"].removeprefix(f"{NAMESPACE}/"))
    assert done.returncode == 0
    assert f"scim-operator token create {directory}" in done.stderr
    becomes(lambda: answers(operator, directory, made["token"]), 401)
    assert listed(operator, directory) == []


def test_revoke_touches_nothing_when_one_name_is_wrong(operator: Installation, directory: str) -> None:
    kept = created(operator, directory)["secret"].removeprefix(f"{NAMESPACE}/")
    operator.cluster.kubectl("create", "secret", "generic", "precious", "-n", NAMESPACE, "--from-literal=a=b")
    try:
        for other, said in (
            ("precious", "is no token (its type is Opaque"),
            ("nobody", "there is no Secret"),
        ):
            done = token(operator, "revoke", kept, other)
            assert done.returncode == 1
            assert said in done.stderr
            assert "nothing was revoked" in done.stderr
        assert operator.cluster.kubectl("get", "secret", "precious", kept, "-n", NAMESPACE, "-o", "name")
    finally:
        operator.cluster.kubectl("delete", "secret", "precious", "-n", NAMESPACE)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "nowhere", "-n", NAMESPACE), 1, "there is no ScimDirectory 'nowhere'"),
        (("list", "nowhere", "-n", NAMESPACE), 1, "there is no ScimDirectory 'nowhere'"),
        (("create", "scim", "--expires", "soon"), 2, "'soon' is neither 90d"),
        (("create", "scim", "--expires", "2020-01-01T00:00:00Z"), 2, "is not in the future"),
        (("create", "scim", "--expires", "2036-01-01T00:00:00"), 2, "has no time zone"),
        (("create", "scim", "-n", "no-such-namespace"), 1, "no scim-operator is installed in namespace"),
        (("revoke",), 2, "NAME"),
    ],
)
def test_mistakes_are_told(operator: Installation, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = operator.command("token", *arguments)
    assert done.returncode == code
    assert said in done.stderr


def test_without_rights_the_needed_ones_are_named(operator: Installation, directory: str) -> None:
    cluster = operator.cluster
    mine = cluster.kubeconfig_for(cluster.person_token("nobody@example.com"))
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "scim-operator"), "token", "list", "-n", NAMESPACE],
        env=cluster.environment(mine),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "nobody@example.com" in done.stderr
    assert "verbs get, list, create and delete on secrets" in done.stderr


# --- ends --------------------------------------------------------------------------------------------------


def test_a_token_ends_at_its_moment_without_any_event(operator: Installation, directory: str) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
    secret(operator, f"ends-{directory}", directory, {"token": OTHERS, "expires": ends.isoformat()})
    becomes(lambda: answers(operator, directory, OTHERS), 200)
    before, after = 0, 0
    while (began := datetime.now(UTC)) < ends + timedelta(seconds=1):
        answer = answers(operator, directory, OTHERS)
        over = datetime.now(UTC)
        if over < ends:
            assert answer == 200, f"refused {ends - over} too early"
            before += 1
        elif began >= ends:
            assert answer == 401, f"valid {began - ends} too long"
            after += 1
        time.sleep(0.04)  # well within what a directory may ask
    assert before > 5
    assert after > 5
    (row,) = listed(operator, directory)
    assert row["state"] == "expired"


def test_end_within_three_weeks_is_a_condition_and_an_event(operator: Installation, directory: str) -> None:
    made = created(operator, directory, "--expires", "20d")
    name = made["secret"].removeprefix(f"{NAMESPACE}/")

    def told() -> str:
        return operator.cluster.kubectl("describe", "scimdirectory", directory)

    said = eventually(told, lambda text: "Warning  TokenExpiring" in text, STATUS_SECONDS)
    assert f"token {name} expires at {made['expires']}" in said
    assert status(operator, directory)["tokenExpires"] == made["expires"]


# --- made by others ----------------------------------------------------------------------------------------


def test_secrets_by_kubectl_and_gitops(operator: Installation, directory: str) -> None:
    plain, hashed = OTHERS + "-plain", OTHERS + "-hashed"
    digest = hashlib.sha256(hashed.encode()).hexdigest()
    secret(operator, f"gitops-{directory}", directory, {"sha256": digest, "expires": "2099-01-01T00:00:00Z"})
    name = f"by-hand-{directory}"
    operator.cluster.kubectl(
        *("create", "secret", "generic", name, "-n", NAMESPACE, "--type=scim-operator.io/token"),
        f"--from-literal=token={plain}",
    )
    becomes(lambda: answers(operator, directory, hashed), 200)
    assert answers(operator, directory, plain) == 401, "without its label nobody knows whose it is"
    operator.cluster.kubectl(
        "label", "secret", name, "-n", NAMESPACE, f"scim-operator.io/directory={directory}"
    )
    becomes(lambda: answers(operator, directory, plain), 200)
    assert {row["state"] for row in listed(operator, directory)} == {"valid"}


BROKEN: dict[str, tuple[Object, Object, str]] = {
    "hash": ({"sha256": "0123"}, {}, "key `sha256`"),
    "time": ({"token": OTHERS, "expires": "next year"}, {}, "key `expires`"),
    "both": ({"token": OTHERS, "sha256": "0" * 64}, {}, "a key `token` and a key `sha256`"),
    "elsewhere": (
        {"token": "scimop_other_" + "A" * 43},
        {},
        "key `token` holds a token of another directory",
    ),
    "type": ({"token": OTHERS}, {"type": "Opaque"}, "its type is Opaque"),
}


def test_namespace_without_an_operator_is_refused(operator: Installation, directory: str) -> None:
    """A token there would open nothing, and nobody would say so."""
    where = ("-n", "default")
    refused = operator.command("token", "create", directory, *where)
    assert refused.returncode == 1
    assert "no scim-operator is installed in namespace default" in refused.stderr
    assert "--force" in refused.stderr
    assert operator.command("token", "list", directory, *where).stdout == ""
    forced = operator.command("token", "create", directory, *where, "--force", "-o", "json")
    assert forced.returncode == 0, forced.stderr
    name = json.loads(forced.stdout)["secret"].partition("/")[2]
    assert operator.command("token", "revoke", name, *where).returncode == 0


@pytest.mark.parametrize("fault", BROKEN)
def test_malformed_secret_is_refused_and_named(operator: Installation, directory: str, fault: str) -> None:
    data, more, said = BROKEN[fault]
    name = f"torn-{directory}"
    secret(operator, name, directory, data, **more)

    def told() -> str:
        return operator.cluster.kubectl("describe", "scimdirectory", directory)

    shown = eventually(told, lambda text: "Warning  TokenUnusable" in text, STATUS_SECONDS)
    assert f"Secret {name} opens nothing" in shown
    assert said in shown
    assert answers(operator, directory, data.get("token", "0123")) == 401
    log = [json.loads(line) for line in operator.process.log.read_text().splitlines()]
    (line,) = [entry for entry in log if entry.get("secret") == name]
    assert (line["level"], line["directory"]) == ("ERROR", directory)
    assert said in line["reason"]
    for text in (shown, str(line)):
        assert not any(value in text for value in data.values())
    (row,) = listed(operator, directory)
    assert row["state"] == "unusable"
    assert said in row["problem"]


# --- last use ----------------------------------------------------------------------------------------------


def test_requests_by_the_hundred_are_no_writes(operator: Installation, directory: str) -> None:
    text = created(operator, directory)["token"]
    becomes(lambda: answers(operator, directory, text), 200)
    last_used(operator, directory)

    def version() -> str:
        return operator.cluster.kubectl(
            "get", "scimdirectory", directory, "-o", "jsonpath={.metadata.resourceVersion}"
        )

    before, began = version(), time.monotonic()
    while time.monotonic() < began + 13:  # longer than the pause between two looks at the status
        assert answers(operator, directory, text) == 200
        time.sleep(0.02)  # hundreds, without taking the machine from others
    assert version() == before


def test_last_use_survives_a_restart(operator: Installation, directory: str) -> None:
    made = created(operator, directory)
    becomes(lambda: answers(operator, directory, made["token"]), 200)
    shown = last_used(operator, directory)
    operator.process.terminate()
    operator.start()
    time.sleep(12)
    assert listed(operator, directory)[0]["lastUsed"] == shown
    assert status(operator, directory)["lastRequestTime"] is not None
