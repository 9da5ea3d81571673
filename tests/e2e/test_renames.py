"""A group is renamed in the provider: what its new name gives besides waits, what doesn't is followed."""

from __future__ import annotations

import shlex

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, Object, apply, bindings, conditions, hire, policy, raised
from tests.entra import EntraClient
from tests.eventually import becomes
from tests.installation import Installation

_GRANTED_AS = "jsonpath={.metadata.annotations.scim-operator\\.io/granted-as}"


def _teams(name: str, tag: str, on_rename: str = "Hold") -> Object:
    made = policy(name, DIRECTORY, f"{tag}-{{team}}-{{role}}", namespace=f"{tag}-{{team}}")
    made["spec"]["groups"]["onRename"] = on_rename
    return made


def _object_of(cluster: Cluster, entra: EntraClient, group: str) -> str:
    where = f"jsonpath={{.items[?(@.spec.id=='{entra.ids[group]}')].metadata.name}}"
    return cluster.kubectl("get", "scimgroups", "-o", where)


def test_a_new_name_that_gives_more_waits(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster, tag = operator.cluster, "rn"
    for namespace in ("sandbox", "prod"):
        cluster.kubectl("create", "namespace", f"{tag}-{namespace}")
        cluster.kubectl("label", "namespace", f"{tag}-{namespace}", "scim-operator.io/allow-policy=any")
    apply(cluster, _teams(name, tag))
    person, later = hire(entra, name), hire(entra, f"{name}-later")
    entra.provision_group("rn-sandbox-view", [person])
    becomes(lambda: cluster.can_list_pods(person, "rn-sandbox"), 200)
    group = _object_of(cluster, entra, "rn-sandbox-view")
    assert cluster.kubectl("get", "scimgroup", group, "-o", _GRANTED_AS) == "rn-sandbox-view"

    entra.rename_group("rn-sandbox-view", "rn-prod-admin")
    said = raised(cluster, name, "RenameHeld")["message"]
    for part in ("'rn-prod-admin'", "'rn-sandbox-view'", "ClusterRole 'admin' in namespace 'rn-prod'"):
        assert part in said
    assert conditions(cluster, "accesspolicy", name)["Ready"]["status"] == "True"
    becomes(lambda: conditions(cluster, "scimgroup", group)["Ready"]["reason"], "RenameHeld")
    entra.add_members("rn-prod-admin", [later])
    becomes(lambda: bindings(cluster, name), {("rn-sandbox", "view"): sorted([person, later])})
    assert cluster.can_list_pods(person, "rn-prod") == 403

    told = conditions(cluster, "removalhold", DIRECTORY)["RenameHeld"]["message"]
    assert "'rn-prod-admin'" in told
    _, _, typed = told.partition("kubectl ")  # what the message says is what works
    cluster.kubectl(*shlex.split(typed))
    becomes(lambda: cluster.can_list_pods(person, "rn-prod"), 200)
    becomes(lambda: bindings(cluster, name), {("rn-prod", "admin"): sorted([person, later])})
    becomes(lambda: cluster.kubectl("get", "scimgroup", group, "-o", _GRANTED_AS), "rn-prod-admin")
    becomes(lambda: "RenameHeld" in conditions(cluster, "scimgroup", group), False)
    becomes(lambda: "RenameHeld" in conditions(cluster, "removalhold", DIRECTORY), False)
    assert cluster.can_list_pods(person, "rn-sandbox") == 403

    entra.rename_group("rn-prod-admin", "rn-sandbox-view")
    raised(cluster, name, "RenameHeld")
    apply(cluster, _teams(name, tag, "Follow"))
    becomes(lambda: cluster.can_list_pods(person, "rn-sandbox"), 200)
    becomes(lambda: "RenameHeld" in conditions(cluster, "scimgroup", group), False)


def test_a_new_name_that_gives_nothing_new_is_followed(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster = operator.cluster
    apply(cluster, _teams(name, "rm"))
    person = hire(entra, name)
    entra.provision_group("rm-red-view", [person])
    becomes(lambda: bindings(cluster, name), {("rm-red", "view"): [person]})
    group = _object_of(cluster, entra, "rm-red-view")
    for old, new in (("rm-red-view", "RM-Red-VIEW"), ("RM-Red-VIEW", "Red Team")):
        entra.rename_group(old, new)
        becomes(lambda: cluster.kubectl("get", "scimgroup", group, "-o", _GRANTED_AS), new)
        # The operator's own write is known to the SCIM side.
        entra.remove_members(new, [person])
        entra.add_members(new, [person])
    becomes(lambda: bindings(cluster, name), {})
    entra.rename_group("Red Team", "rm-red-view")
    becomes(lambda: conditions(cluster, "scimgroup", group)["Ready"]["reason"], "RenameHeld")
    assert bindings(cluster, name) == {}
