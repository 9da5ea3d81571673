"""Steps 1 to 4: the policy, the token, Test Connection, and how little everybody may do before."""

from __future__ import annotations

import re

from tests.demo.cast import ALICE, DIRECTORY, PEOPLE, TEAMS
from tests.demo.scene import Scene
from tests.entra import Dialect, EntraClient
from tests.installation import NAMESPACE


def policy(scene: Scene) -> None:
    """Which groups will get which roles where."""
    scene.screen.step(
        "The platform team's policy: group k8s-TEAM-ROLE gives ROLE in namespace TEAM, made when needed"
    )
    scene.apply(TEAMS, "teams.yaml")


def token(scene: Scene) -> None:
    """What the identity admin gets to paste."""
    scene.screen.step(
        "What the identity admin pastes at Enterprise application > Provisioning, Mode: Automatic"
    )
    scene.screen.command(f"scim-operator token create {DIRECTORY} -n {NAMESPACE}")
    made = scene.installation.command("token", "create", DIRECTORY, "-n", NAMESPACE)
    if made.returncode:
        raise RuntimeError(f"scim-operator token create: {made.stderr}")
    url, secret = (_field(made.stdout, name) for name in ("Tenant URL", "Secret Token"))
    prefix = f"scimop_{DIRECTORY}_"
    scene.screen.said(made.stdout.replace(secret, f"{secret[: len(prefix) + 4]}…"))
    scene.client = EntraClient(url, secret, Dialect.LEGACY, tell=scene.transcript)


def connection(scene: Scene) -> None:
    """The button."""
    scene.screen.step("Test Connection: the look-up of somebody who can't exist must find nobody, and work")
    with scene.transcript.act("Test Connection"):
        tested = scene.entra.test_connection()
    scene.expect.equal(
        "the connection is accepted", (tested.status, tested.answer.get("totalResults")), (200, 0)
    )


def before(scene: Scene) -> None:
    """403 for all."""
    scene.screen.step(
        "Nobody has access yet: all ask with tokens of their own, from the cluster's OIDC issuer"
    )
    scene.screen.command("kubectl get pods -n payments   # as alice@example.com")
    said = scene.cluster.kubectl(
        "get", "pods", "-n", "payments", token=scene.view.tokens[ALICE.user_name], check=False
    )
    scene.screen.said(said)
    scene.expect.all(
        f"{len(PEOPLE)} people x payments, platform: 403 for each",
        [
            (f"{person.given} in {namespace}", scene.view.lists_pods(person, namespace), 403)
            for person in PEOPLE
            for namespace in ("payments", "platform")
        ],
    )


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s+(\S+)", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"scim-operator token create printed no {name}: {text}")
    return found[1]
