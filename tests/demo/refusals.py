"""Step 10: what policies can't do."""

from __future__ import annotations

from tests.demo.cast import AUTHOR, BOB, BREAK_GLASS, DAVE, ERINS
from tests.demo.scene import Scene
from tests.eventually import eventually

_RULE = {"group": "scim-operator.io", "resource": "accesspolicies", "verb": "create"}


def refusals(scene: Scene) -> None:
    """A role outside of the chart's list; an author without `bind`."""
    scene.screen.step(
        "Two policies that get nowhere: a role outside the chart's list, an author who may bind no role"
    )
    _role_not_allowed(scene)
    _author_without_bind(scene)


def _role_not_allowed(scene: Scene) -> None:
    scene.screen.command("kubectl apply -f break-glass.yaml   # gives k8s-platform-admin cluster-admin")
    scene.cluster.kubectl("apply", "-f", "-", input=BREAK_GLASS)

    def condition() -> dict[str, str]:
        conditions = scene.view.policy_status("break-glass")["conditions"]
        found: dict[str, str] = conditions.get("RoleNotAllowed", {})
        return found

    scene.expect.count_becoming("condition RoleNotAllowed", lambda: condition().get("status", ""), "True")
    scene.screen.labelled("cluster", f"condition RoleNotAllowed: {condition().get('message', '(none)')}")
    scene.expect.all(
        "the message names the value; nothing was bound; what the other policy gave stands",
        [
            ("value", "grantableClusterRoles" in condition().get("message", ""), True),
            ("bound", scene.view.bound("platform", "cluster-admin"), []),
            ("Bob", scene.view.lists_pods(BOB, "platform"), 200),
            ("Dave", scene.view.lists_pods(DAVE, "platform"), 200),
        ],
    )


def _author_without_bind(scene: Scene) -> None:
    cluster = scene.cluster
    cluster.kubectl(
        "create", "clusterrole", "policy-author",
        "--verb=get,create,patch", "--resource=accesspolicies.scim-operator.io",
    )  # fmt: skip
    cluster.kubectl(
        "create", "clusterrolebinding", "policy-author", "--clusterrole=policy-author", f"--user={AUTHOR}"
    )
    token = cluster.person_token(AUTHOR)
    eventually(lambda: _may_write(scene, token), bool)
    scene.screen.command(f"kubectl apply -f erins.yaml   # as {AUTHOR}; gives a group of hers admin")
    said = cluster.kubectl("apply", "-f", "-", input=ERINS, token=token, check=False)
    reason = said.partition("denied request: ")[2].partition(" (in a")[0]
    scene.screen.labelled("answer", f"Forbidden: {reason} (…)" if reason else said)
    scene.expect.all(
        "refused at admission (403); the policy doesn't exist",
        [
            ("message", "Forbidden" in said and 'may not grant ClusterRole "admin"' in said, True),
            ("object", "erins" in cluster.kubectl("get", "accesspolicies", "-o", "name"), False),
        ],
    )


def _may_write(scene: Scene, token: str) -> bool:
    """Whether the API server has heard of the new right: else its absence would be what refuses."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": _RULE},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = scene.cluster.request("POST", path, body=review, token=token)
    return bool(answer.body["status"]["allowed"])
