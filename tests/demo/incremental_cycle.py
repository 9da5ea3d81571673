"""Steps 8 and 9: changes in the other dialect, and somebody who leaves."""

from __future__ import annotations

import time

from tests.demo.cast import ADMINS, ALICE, BOB, CAROL, DAVE, EDITORS, VIEWERS
from tests.demo.scene import Scene
from tests.entra import ENTERPRISE, Dialect
from tests.eventually import SECONDS, eventually


def cycle(scene: Scene) -> None:
    """A change of a department, a join, a move."""
    scene.screen.step(
        "An incremental cycle, now with ?aadOptscim062020 at the Tenant URL",
        "Carol changes department, Dave joins payments as a viewer, Bob moves from payments to platform.",
    )
    entra, view = scene.entra, scene.view
    entra.dialect = Dialect.MODERN
    with scene.transcript.act("carol@example.com"):
        entra.get("Users", CAROL.user_name)
        entra.update_user(CAROL.user_name, {f"{ENTERPRISE}:department": "Audit"})
    scene.expect.equal(
        "the ScimUser holds department Audit", view.department(entra.ids[CAROL.user_name]), "Audit"
    )
    with scene.transcript.act("dave@example.com joins k8s-payments-view"):
        entra.add_members(VIEWERS, [DAVE.user_name])
    scene.expect.becomes(
        "Dave's token lists pods in payments", lambda: view.lists_pods(DAVE, "payments"), 200
    )
    with scene.transcript.act("bob@example.com leaves k8s-payments-edit"):
        entra.remove_members(EDITORS, [BOB.user_name])
    with scene.transcript.act("k8s-platform-admin, bob@example.com joins"):
        entra.add_members(ADMINS, [BOB.user_name])
    scene.expect.becomes(
        "Bob's token: platform 200, payments 403",
        lambda: (view.lists_pods(BOB, "platform"), view.lists_pods(BOB, "payments")),
        (200, 403),
    )
    scene.screen.labelled("cluster", f"RoleBinding platform/{view.binding('platform', 'admin')}")


def leaver(scene: Scene) -> None:
    """From the answer to 403."""
    scene.screen.step(
        "Alice leaves: Entra says active = false; her token stays valid for an hour, her access must not"
    )
    entra, view = scene.entra, scene.view
    before = view.lists_pods(ALICE, "payments")
    with scene.transcript.act("alice@example.com"):
        entra.set_active(ALICE.user_name, False)
        taken = _seconds_until_forbidden(scene)
    scene.leaver = f"not within {SECONDS:.0f} s" if taken is None else f"{taken * 1000:.0f} ms"
    scene.expect.all(
        f"her token: 200 before; then 403, {scene.leaver} after the answer (bound: {SECONDS:.0f} s)",
        [("before", before, 200), ("in time", taken is not None and taken < SECONDS, True)],
    )
    others = ((CAROL, "payments"), (DAVE, "payments"), (BOB, "platform"), (DAVE, "platform"))
    scene.expect.all(
        "all others keep their access: Carol and Dave in payments, Bob and Dave in platform",
        [
            (f"{person.given} in {namespace}", view.lists_pods(person, namespace), 200)
            for person, namespace in others
        ],
    )


def _seconds_until_forbidden(scene: Scene) -> float | None:
    """Asked every 20 ms, which is in what is measured; nothing is printed meanwhile."""
    try:
        eventually(lambda: scene.view.lists_pods(ALICE, "payments"), lambda status: status == 403)
    except AssertionError:
        return None
    return time.monotonic() - scene.transcript.answered_at
