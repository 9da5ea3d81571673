"""What the chart makes of its values, before any cluster sees it."""

from __future__ import annotations

import base64
import json
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from scim_operator.web.forwarding import SERVER_NAME
from scim_operator.web.tls import verifying
from tests.chart.options import CASES, arguments
from tests.chart.renderer import Renderer
from tests.cluster.cluster import Cluster
from tests.installation import CHART

OPERATOR = "scim-scim-operator"
# All that the operator may do: (API group, resource) to verbs. Whoever adds to it also edits this table.
CLUSTER_RIGHTS = {
    ("scim-operator.io", "scimdirectories"): "list watch",
    ("scim-operator.io", "scimdirectories/status"): "patch",
    ("scim-operator.io", "accesspolicies"): "list watch",
    ("scim-operator.io", "accesspolicies/status"): "patch",
    ("scim-operator.io", "scimusers"): "get list watch create update delete",
    ("scim-operator.io", "scimusers/status"): "patch",
    ("scim-operator.io", "scimgroups"): "get list watch create update patch delete",
    ("scim-operator.io", "scimgroups/status"): "patch",
    ("scim-operator.io", "scimgroupshards"): "get list watch create update delete",
    ("scim-operator.io", "namespacetemplates"): "list watch",
    ("scim-operator.io", "accessgrants"): "list watch",
    ("scim-operator.io", "accessgrants/status"): "patch",
    ("scim-operator.io", "accesslocks"): "list watch",
    ("scim-operator.io", "accesslocks/status"): "patch",
    ("scim-operator.io", "namespacetemplates/status"): "patch",
    ("scim-operator.io", "removalholds"): "get list watch create",
    ("scim-operator.io", "removalholds/status"): "patch",
    ("", "namespaces"): "get list watch create patch",
    ("", "resourcequotas"): "get list watch create patch delete",
    ("", "limitranges"): "get list watch create patch delete",
    ("networking.k8s.io", "networkpolicies"): "get list watch create patch delete",
    ("rbac.authorization.k8s.io", "rolebindings"): "get list watch create update delete",
    ("rbac.authorization.k8s.io", "clusterrolebindings"): "get list watch create update delete",
    ("rbac.authorization.k8s.io", "clusterroles"): "list watch",
    ("events.k8s.io", "events"): "create",
}

CONFIG_MAPS = {"group": "", "version": "v1", "resource": "configmaps", "kind": "ConfigMap"}
EXTERNAL_SECRETS = {
    "group": "external-secrets.io",
    "version": "v1",
    "resource": "externalsecrets",
    "kind": "ExternalSecret",
}


def rights(rules: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """Rules as a table, those limited to names left out."""
    table: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        if "resourceNames" not in rule:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    table.setdefault((group, resource), set()).update(rule["verbs"])
    return table


@pytest.mark.parametrize("name", CASES)
def test_lint_finds_nothing(cluster: Cluster, name: str) -> None:
    answer = cluster.helm("lint", "--strict", str(CHART), *arguments(name))
    assert "[WARNING]" not in answer
    assert "[ERROR]" not in answer


def test_crds_are_copies(root: Path) -> None:
    ours, original = CHART / "crds", root / "crds"
    names = sorted(path.name for path in original.iterdir())
    assert sorted(path.name for path in ours.iterdir()) == names
    for name in names:
        assert (ours / name).read_bytes() == (original / name).read_bytes(), (
            f"crds/{name} changed: copy it to charts/scim-operator/crds/"
        )


def test_every_template_file_holds_one_kind(chart: Renderer) -> None:
    values = "directories[0].name=entra,ingress.enabled=true,ingress.host=scim.example.com"
    kinds = [item["kind"] for item in chart.objects("--set", values)]
    assert sorted(kinds) == sorted(
        [
            "ServiceAccount",
            *("ClusterRole", "ClusterRole"),  # the operator's, and that of who approves
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "Deployment",
            "PodDisruptionBudget",
            "Secret",  # by which replicas know each other
            *("Service", "Service"),  # of SCIM, and of the metrics
            *("ServiceAccount", "Role", "RoleBinding", "Pod"),  # of `helm test`
            "Ingress",
            "ScimDirectory",
            *["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] * 8,
        ]
    )


def test_cluster_rights_are_exactly_these(chart: Renderer) -> None:
    role = chart.one("ClusterRole", name=OPERATOR)
    expected = {key: set(verbs.split()) for key, verbs in CLUSTER_RIGHTS.items()}
    assert rights(role["rules"]) == expected
    limited = [rule for rule in role["rules"] if "resourceNames" in rule]
    watched_over = [
        *("accessgrants", "accesslocks", "accesspolicies", "removalholds"),
        *("scimdirectories", "scimgroups", "scimgroupshards", "scimusers"),
    ]
    assert limited == [
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "verbs": ["get"],
            "resourceNames": [f"{plural}.scim-operator.io" for plural in watched_over],
        },
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"],
            "verbs": ["bind"],
            "resourceNames": ["view", "edit", "admin"],
        },
    ]
    assert "aggregationRule" not in role
    assert not any(name.startswith("rbac.authorization") for name in role["metadata"]["labels"])


def test_rights_that_values_add(chart: Renderer) -> None:
    values = {"namespaceDeletion": True, "templateKinds": [CONFIG_MAPS, EXTERNAL_SECRETS]}
    more = [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
    expected = {key: set(verbs.split()) for key, verbs in CLUSTER_RIGHTS.items()}
    expected["", "namespaces"].add("delete")
    for kind in (CONFIG_MAPS, EXTERNAL_SECRETS):
        written = {"get", "list", "watch", "create", "patch", "delete"}
        expected[kind["group"], kind["resource"]] = written
    assert rights(chart.one("ClusterRole", *more, name=OPERATOR)["rules"]) == expected


@pytest.mark.parametrize(
    "kind",
    [
        {"group": "rbac.authorization.k8s.io", "version": "v1", "resource": "roles", "kind": "Role"},
        {"group": "apps", "version": "v1", "resource": "deployments", "kind": "Deployment"},
        {"group": "batch", "version": "v1", "resource": "cronjobs", "kind": "CronJob"},
        {"group": "", "version": "v1", "resource": "secrets", "kind": "Secret"},
        {"group": "", "version": "v1", "resource": "configmaps", "kind": "Secret"},
        {"group": "", "version": "v1", "resource": "serviceaccounts", "kind": "ServiceAccount"},
        {"group": "", "version": "v1", "resource": "pods", "kind": "Pod"},
        {"group": "scim-operator.io", "version": "v1alpha1", "resource": "scimusers", "kind": "ScimUser"},
    ],
    ids=lambda kind: f"{kind['resource']}-{kind['kind']}",
)
def test_templates_never_hold_rights_secrets_or_workloads(chart: Renderer, kind: dict[str, str]) -> None:
    said = chart.refusal("--set-json", f"templateKinds={json.dumps([kind])}")
    assert "templateKinds must not hold" in said


@pytest.mark.parametrize("field", ["group", "version", "resource", "kind"])
def test_kinds_of_templates_are_named_whole(chart: Renderer, field: str) -> None:
    for wrong in (
        {**CONFIG_MAPS, field: "*"},
        {key: CONFIG_MAPS[key] for key in CONFIG_MAPS if key != field},
    ):
        said = chart.refusal("--set-json", f"templateKinds={json.dumps([wrong])}")
        assert "/templateKinds/0" in said


def test_rights_in_its_own_namespace_are_to_read_tokens_and_to_lead(chart: Renderer) -> None:
    role = chart.one("Role", name=OPERATOR)
    assert role["metadata"]["namespace"] == "scim-system"
    # RBAC can't name what is yet to be made.
    making = ("coordination.k8s.io", "leases")
    assert rights(role["rules"]) == {("", "secrets"): {"list", "watch"}, making: {"create"}}
    (lease,) = (rule for rule in role["rules"] if "resourceNames" in rule)
    assert (lease["resources"], lease["resourceNames"]) == (["leases"], [OPERATOR])
    assert lease["verbs"] == ["get", "update"]


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_only_the_operator_gets_the_rights(chart: Renderer, kind: str) -> None:
    binding = chart.one(kind, name=OPERATOR)
    account = {"kind": "ServiceAccount", "name": "scim-scim-operator", "namespace": "scim-system"}
    assert binding["subjects"] == [account]
    assert chart.one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]


def test_no_grantable_roles_is_no_bind_at_all(chart: Renderer) -> None:
    rules = chart.one("ClusterRole", "--set-json", "grantableClusterRoles=[]", name=OPERATOR)["rules"]
    assert all("bind" not in rule["verbs"] for rule in rules)


@pytest.mark.parametrize("entry", ["*", "team-*"])
def test_every_role_is_not_grantable(chart: Renderer, entry: str) -> None:
    refusal = chart.refusal("--set-json", f'grantableClusterRoles=["view","{entry}"]')
    assert (
        f'grantableClusterRoles must name each ClusterRole that the operator may grant; "{entry}"' in refusal
    )


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("grantableClusterRole={view}", "grantableClusterRole"),
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replicaCount=2", "replicaCount"),
        ("internalTLS.secretName=x", "additional properties 'secretName' not allowed"),
        ("image.registry=x", "at '/image': additional properties 'registry' not allowed"),
        ("image.tag=a:b", "at '/image/tag'"),
        ("image.digest=0123", "at '/image/digest'"),
        ("image.pullPolicy=always", "value must be one of 'Always', 'IfNotPresent', 'Never'"),
        ("imagePullSecrets=my-registry", "at '/imagePullSecrets': got string, want array"),
        ("imagePullSecrets[0].secretName=x", "additional properties 'secretName' not allowed"),
        ("ingress.hosts={a}", "at '/ingress': additional properties 'hosts' not allowed"),
        ("ingress.tls.secret=x", "at '/ingress/tls': additional properties 'secret' not allowed"),
        ("ingress.enabled=true", 'ingress.host is "", and must be a host\'s name alone'),
        ("ingress.enabled=true,ingress.host=https://a.example.com", "must be a host's name alone"),
        ("ingress.enabled=true,ingress.host=a.example.com/scim", "must be a host's name alone"),
        ("ingress.enabled=yes", "at '/ingress/enabled': got string, want boolean"),
        ("directories[0].nam=entra", "nam"),
        ("directories[0].name=entra,directories[0].subjects.username=x", "username"),
        ("directories[0].name=en.tra", 'name "en.tra" must be of lower-case letters, digits and dashes'),
        ("directories[0].name=Entra", "lower-case letters"),
        (f"directories[0].name={'a' * 64}", "at most 63"),
        ("directories[0].name=entra,directories[0].provider=entra", "one of 'Entra', 'Okta', 'Generic'"),
        (
            "directories[0].name=entra,directories[0].subjects.user=plain",
            "must hold exactly one of {userName}",
        ),
        (
            "directories[0].name=entra,directories[0].subjects.group=oid:{userName}",
            'subjects.group "oid:{userName}" must hold exactly one of {externalId} and {displayName}',
        ),
        (
            "directories[0].name=entra,directories[0].subjects.group=plain",
            'subjects.group "plain" must hold exactly one of {externalId} and {displayName}',
        ),
        ("directories[0].name=entra,directories[1].name=entra", '"entra" is listed twice'),
        ("externalURL=scim.example.com", "must be a scheme and a host, such as https://scim.example.com"),
        ("externalURL=https://a.example.com/?x=y", "must be a scheme and a host"),
        ("externalURL=https://a.example.com/scim/v2/entra", "leave out /scim/v2 and what follows"),
        ("protectedNamespaces={Prod}", "at '/protectedNamespaces/0'"),
        ("literalNamespaces={Prod}", "at '/literalNamespaces/0'"),
        ("maxGrantDuration=7d", "at '/maxGrantDuration': '7d' does not match"),
        ("maxGrantDuration=", "at '/maxGrantDuration': '' does not match"),
        ("identityEditors=admin", "at '/identityEditors': got string, want array"),
        ("resources.limit.memory=1Gi", "at '/resources': additional properties 'limit' not allowed"),
        ("resources.limits.memroy=1Gi", "at '/resources/limits': additional properties 'memroy' not allowed"),
        ("resources.limits.memory=512MB", "at '/resources/limits/memory': '512MB' does not match"),
        ("podSecurityContext.runAsNonRoot=false", "at '/podSecurityContext/runAsNonRoot'"),
        ("podSecurityContext.runAsUser=0", "minimum: got 0, want 1"),
        ("podSecurityContext.readOnlyRootFilesystem=true", "'readOnlyRootFilesystem' not allowed"),
        ("securityContext.privileged=true", "at '/securityContext': additional properties 'privileged'"),
        ("securityContext.capabilities.add={NET_ADMIN}", "additional properties 'add' not allowed"),
        ("tolerations[0].effects=NoSchedule", "additional properties 'effects' not allowed"),
        ("affinity.nodeAfinity.x=y", "at '/affinity': additional properties 'nodeAfinity' not allowed"),
        ("podLabels.team=a b", "at '/podLabels/team'"),
        ("nodeSelector.arm=true", "at '/nodeSelector/arm': got boolean, want string"),
        ("ports.scim=0", "minimum"),
        ("ports.health=8080", "ports.scim, ports.health, ports.metrics and ports.internal must differ"),
        ("ports.metrics=8081", "ports.scim, ports.health, ports.metrics and ports.internal must differ"),
        ("ports.internal=8080", "ports.scim, ports.health, ports.metrics and ports.internal must differ"),
        ("logLevel=verbose", "logLevel"),
        ("audit.subjects=Omitted", "at '/audit/subjects': value must be one of 'Plain', 'Hashed'"),
        ("audit.subjects=Hashed", "audit.keySecret is needed with audit.subjects Hashed"),
        ("service.type=ExternalName", "service/type"),
        ("tls.secretName=A B", "at '/tls/secretName'"),
        ("gateway.enabled=true", "gateway.enabled is true, and gateway.parentRefs names no Gateway: set it"),
        ("gateway.parentRefs[0].gateway=x", "additional properties 'gateway' not allowed"),
        ("gateway.hostnames={https://a.example.com}", "at '/gateway/hostnames/0'"),
        ("networkPolicy.apiServer.cidrs={10.0.0.1}", "at '/networkPolicy/apiServer/cidrs/0'"),
        ("networkPolicy.scimFrom[0].namespace=x", "additional properties 'namespace' not allowed"),
        ("podMonitor.interval=often", "at '/podMonitor/interval'"),
        ("antiAffinity=Hard", "at '/antiAffinity': value must be one of 'Preferred', 'Required', 'None'"),
        ("topologySpreadConstraints[0].maxSkew=1", "missing properties 'topologyKey', 'whenUnsatisfiable'"),
        ("extraEnv[0].name=POD_IP", "extraEnv: the chart sets POD_IP itself"),
        ("extraVolumes[0].name=internal", 'the chart has a volume "internal" of its own; choose another'),
        ("commonLabels.team=a b", "at '/commonLabels/team'"),
        ("crds.hook=true", "at '/crds': additional properties 'hook' not allowed"),
        ("serviceAccount.create=false", "serviceAccount.name is needed"),
    ],
)
def test_mistakes_in_values_fail(chart: Renderer, value: str, complaint: str) -> None:
    assert complaint in chart.refusal("--set", value)


def test_usable_as_part_of_another_chart(chart: Renderer) -> None:
    assert chart.objects("--set", "global.region=north")


def test_values_and_schema_and_readme_agree() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) - {"global"} == set(values)
    readme = (CHART / "README.md").read_text()
    for key in values:
        assert f"`{key}" in readme, f"README.md lacks the value {key}"


def test_directories_in_values_have_the_fields_of_their_kind() -> None:
    def fields(schema: dict[str, Any]) -> set[str]:
        """Paths of all properties."""
        properties: dict[str, dict[str, Any]] = schema.get("properties", {})
        below = {f"{key}.{path}" for key, value in properties.items() for path in fields(value)}
        return set(properties) | below

    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    crd = yaml.safe_load((CHART / "crds" / "scim-operator.io_scimdirectories.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert fields(schema["properties"]["directories"]["items"]) == {"name"} | fields(spec)
    readme = (CHART / "README.md").read_text()
    assert all(f"`{path}`" in readme for path in fields(spec) - {"subjects"})


def test_the_pod_has_no_privileges(chart: Renderer) -> None:
    pod = chart.one("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert "cpu" not in container["resources"]["limits"]
    assert {"cpu", "memory"} == set(container["resources"]["requests"])


def test_the_image_runs_as_the_user_that_the_chart_names(chart: Renderer, root: Path) -> None:
    pod = chart.one("Deployment")["spec"]["template"]["spec"]["securityContext"]
    assert f"\nUSER {pod['runAsUser']}:{pod['runAsGroup']}\n" in (root / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ("ingress.enabled=true,ingress.host=scim.example.com", "https://scim.example.com"),
        ("ingress.enabled=true,ingress.host=scim.example.com,ingress.tls.enabled=false", None),
        ("ingress.host=scim.example.com", None),
        (
            "ingress.enabled=true,ingress.host=a.example.com,externalURL=https://b.example.com",
            "https://b.example.com",
        ),
    ],
)
def test_the_ingress_tells_the_url_unless_the_values_do(
    chart: Renderer, values: str, url: str | None
) -> None:
    (container,) = chart.one("Deployment", "--set", values)["spec"]["template"]["spec"]["containers"]
    told = [word.partition("=")[2] for word in container["args"] if word.startswith("--external-url=")]
    assert told == ([url] if url else [])


def test_a_new_pod_stands_by_before_an_old_one_goes(chart: Renderer) -> None:
    spec = chart.one("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_a_single_replica_does_not_stand_in_the_way_of_a_drain(chart: Renderer) -> None:
    assert chart.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    alone = chart.objects("--set", "replicas=1")
    assert "PodDisruptionBudget" not in {item["kind"] for item in alone}
    (deployment,) = (item for item in alone if item["kind"] == "Deployment")
    assert "topologySpreadConstraints" not in deployment["spec"]["template"]["spec"]


def test_replicas_know_each_other_by_certificates_that_python_takes(chart: Renderer, tmp_path: Path) -> None:
    """As strictly as any version of Python checks them."""
    secret = chart.one("Secret")
    for name, content in secret["data"].items():
        (tmp_path / name).write_bytes(base64.b64decode(content))
    server, client = (
        verifying(purpose, tmp_path) for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH)
    )
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname=SERVER_NAME),
        server.wrap_bio(there, back, server_side=True),
    )
    for _ in range(3):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    presented = ends[1].getpeercert()
    assert presented
    assert presented["subject"] == ((("commonName", SERVER_NAME),),)


def test_the_command_by_default(chart: Renderer) -> None:
    (container,) = chart.one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["scim-operator"]
    assert container["args"] == [
        "run",
        "--bind=0.0.0.0",
        "--scim-port=8080",
        "--health-port=8081",
        "--metrics-port=9090",
        "--internal-port=8444",
        "--internal-tls=/etc/scim-operator/internal",
        "--lease=scim-scim-operator",
        "--max-grant-duration=168h",
        "--requests-per-second=1000",
        "--concurrent-requests=250",
        "--connections=2000",
        "--log-level=info",
    ]
    assert [(entry["name"], entry.get("value") or entry["valueFrom"]) for entry in container["env"]] == [
        ("POD_NAMESPACE", {"fieldRef": {"fieldPath": "metadata.namespace"}}),
        ("POD_NAME", {"fieldRef": {"fieldPath": "metadata.name"}}),
        ("POD_IP", {"fieldRef": {"fieldPath": "status.podIP"}}),
        ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ]
    assert container["image"] == "scim-operator:0.1.0"


def test_the_command_with_everything_set(chart: Renderer) -> None:
    (container,) = chart.one(
        "Deployment",
        *("--set", "bindAddress=127.0.0.1,ports.scim=18080,ports.health=18081,ports.metrics=18082"),
        *("--set", "ports.internal=18444,tls.secretName=scim-tls"),
        *("--set", "logLevel=debug"),
        *("--set", "externalURL=https://scim.example.com/,protectedNamespaces={prod,infra}"),
        *("--set", "literalNamespaces={prod,kube-system}"),
        *("--set", "namespaceDeletion=true,maxGrantDuration=12h30m"),
        *("--set", "limits.requestsPerSecond=50,limits.concurrentRequests=20,limits.connections=100"),
        *("--set-json", f"templateKinds={json.dumps([CONFIG_MAPS, EXTERNAL_SECRETS])}"),
    )["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        "run",
        "--bind=127.0.0.1",
        "--scim-port=18080",
        "--health-port=18081",
        "--metrics-port=18082",
        "--internal-port=18444",
        "--internal-tls=/etc/scim-operator/internal",
        "--scim-tls=/etc/scim-operator/tls",
        "--lease=scim-scim-operator",
        "--external-url=https://scim.example.com",
        "--protected-namespaces=prod,infra",
        "--literal-namespaces=prod,kube-system",
        "--namespace-deletion",
        "--template-kinds=v1/configmaps/ConfigMap,external-secrets.io/v1/externalsecrets/ExternalSecret",
        "--max-grant-duration=12h30m",
        "--requests-per-second=50",
        "--concurrent-requests=20",
        "--connections=100",
        "--log-level=debug",
    ]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "scim": 18080,
        "health": 18081,
        "metrics": 18082,
        "internal": 18444,
    }


def test_probes_ask_the_health_port(chart: Renderer) -> None:
    (container,) = chart.one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    assert container["startupProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


def test_the_services_lead_to_scim_and_metrics_apart(chart: Renderer) -> None:
    """What is exposed to the provider must not show the metrics, even as a LoadBalancer."""
    objects = chart.objects("--set", "service.type=LoadBalancer")
    services = [item for item in objects if item["kind"] == "Service"]
    assert {
        service["metadata"]["name"]: (
            service["spec"]["type"],
            [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]],
        )
        for service in services
    } == {
        "scim-scim-operator": ("LoadBalancer", [(80, "scim")]),
        "scim-scim-operator-metrics": ("ClusterIP", [(9090, "metrics")]),
    }
    labels = chart.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    for service in services:
        assert service["spec"]["selector"].items() <= labels.items()


def test_with_a_certificate_the_service_speaks_tls(chart: Renderer) -> None:
    values = ("--set", "tls.secretName=scim-tls")
    (port,) = chart.one("Service", *values, name=OPERATOR)["spec"]["ports"]
    assert (port["port"], port["appProtocol"]) == (443, "https")
    (port,) = chart.one("Service", *values, "--set", "service.port=8443", name=OPERATOR)["spec"]["ports"]
    assert port["port"] == 8443


def test_pod_labels_cannot_unhook_the_pod(chart: Renderer) -> None:
    """Service and Deployment find the pod by labels that the values can't change."""
    deployment = chart.one(
        "Deployment", "--set", r"podLabels.app\.kubernetes\.io/name=other,podLabels.team=a"
    )
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels["team"] == "a"
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_directories_come_from_values_and_stay(chart: Renderer) -> None:
    value = [{"name": "entra", "provider": "Entra", "subjects": {"user": "oid:{externalId}"}}]
    directory = chart.one("ScimDirectory", "--set-json", f"directories={json.dumps(value)}")
    assert directory["metadata"]["name"] == "entra"
    assert directory["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert directory["spec"] == {"provider": "Entra", "subjects": {"user": "oid:{externalId}"}}


def test_no_registry_is_named() -> None:
    """Whose registry to pull from is the installer's decision."""
    image = yaml.safe_load((CHART / "values.yaml").read_text())["image"]
    assert "/" not in image["repository"]
