"""The rendered chart as files: all objects of the defaults, and of each option those that it changes.

make snapshots      # write them again, then look at `git diff tests/chart/snapshots`
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.chart.renderer import Object, Renderer
from tests.cluster.build import build
from tests.cluster.client import Client

FOLDER = Path(__file__).parent / "snapshots"
RENEW = "make snapshots"

TLS = {"host": "scim.example.com", "tls": {"secretName": "scim-tls"}}

# Name of the file -> values.
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "image-tag": {"image": {"repository": "registry.example.com/scim-operator", "tag": "1.2.3"}},
    "image-digest": {
        "image": {"digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "my-registry"}],
    },
    "external-url": {"externalURL": "https://scim.example.com/"},
    "ingress-tls": {"ingress": {"enabled": True, "className": "nginx", **TLS}},
    "ingress-certificate-of-the-controller": {"ingress": {"enabled": True, "host": "scim.example.com"}},
    "ingress-without-tls": {
        "ingress": {
            "enabled": True,
            "host": "scim.example.com",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "4m"},
            "tls": {"enabled": False},
        },
        "externalURL": "https://front.example.com",
    },
    "limits": {"limits": {"requestsPerSecond": 50, "concurrentRequests": 20, "connections": 100}},
    "directories": {
        "directories": [
            {
                "name": "entra",
                "provider": "Entra",
                "subjects": {"user": "oid:{externalId}", "group": "team:{displayName}"},
            },
            {"name": "okta", "provider": "Okta", "subjects": {"user": "{userName}", "lowercase": True}},
            {
                "name": "guarded",
                "access": "Hold",
                "guard": {"maxRemovals": 3, "maxPercent": None, "window": "1h", "maxAdditions": 50},
                "protected": {"users": ["breakglass@example.com"], "groups": ["k8s-admins"]},
                "limits": {
                    "users": 500,
                    "groups": 50,
                    "membersPerGroup": 400,
                    "allowedUserNames": ["*@example.com"],
                },
            },
        ]
    },
    "one-grantable-role": {"grantableClusterRoles": ["view"]},
    "no-grantable-roles": {"grantableClusterRoles": []},
    "grantable-roles-of-namespaces": {"grantableRoles": ["deployer", "reader"]},
    "cluster-wide-roles": {"clusterWideRoles": ["view", "edit"]},
    "no-cluster-wide-roles": {"clusterWideRoles": []},
    "namespace-deletion": {"namespaceDeletion": True},
    "template-kinds": {
        "templateKinds": [{"group": "", "version": "v1", "resource": "configmaps", "kind": "ConfigMap"}]
    },
    "protected-namespaces": {"protectedNamespaces": ["prod", "infra"]},
    "literal-namespaces": {"protectedNamespaces": ["prod"], "literalNamespaces": ["prod", "kube-system"]},
    "longest-grant": {"maxGrantDuration": "12h"},
    "identity-editors": {"identityEditors": ["system:serviceaccount:velero:velero", "o'neill@example.com"]},
    "ports": {
        "ports": {"scim": 18080, "health": 18081, "metrics": 19090, "internal": 18444},
        "bindAddress": "127.0.0.1",
    },
    "alerts": {
        "alerts": {
            "enabled": True,
            "labels": {"release": "kube-prometheus-stack"},
            "ruleLabels": {"team": "platform"},
            "runbookURL": "https://wiki.example.com/scim-operator",
        }
    },
    "dashboard": {"dashboard": {"enabled": True, "annotations": {"grafana_folder": "Platform"}}},
    "gateway": {
        "gateway": {
            "enabled": True,
            "annotations": {"example.com/a": "b"},
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
            "hostnames": ["scim.example.com"],
        },
        "externalURL": "https://scim.example.com",
    },
    "pod-monitor": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"}},
    "network-policy": {"networkPolicy": {"enabled": True}},
    "network-policy-narrow": {
        "networkPolicy": {
            "enabled": True,
            "scimFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
            ],
            "metricsFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
            ],
            "apiServer": {"cidrs": ["10.0.0.1/32", "fd00::1/128"], "ports": [6443]},
        }
    },
    "crd-upgrades": {"crds": {"upgradeHook": True}},
    "common-metadata": {
        "commonLabels": {"team": "platform", "app.kubernetes.io/name": "other"},
        "commonAnnotations": {"example.com/owner": "platform"},
        "ingress": {"enabled": True, **TLS},
    },
    "extras": {
        "extraArgs": ["--log-level=debug"],
        "extraEnv": [{"name": "MALLOC_ARENA_MAX", "value": "2"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "company-ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    },
    "one-replica": {"replicas": 1},
    "no-test": {"testConnection": {"enabled": False}},
    "tls": {"tls": {"secretName": "scim-tls"}, "externalURL": "https://scim.example.com"},
    "existing-internal-certificates": {"internalTLS": {"existingSecret": "mine"}},
    "log-level": {"logLevel": "debug"},
    "audit-hashed": {"audit": {"subjects": "Hashed", "keySecret": "audit-key"}},
    "audit-off": {"audit": {"enabled": False}},
    "resources": {"resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}},
    "existing-service-account": {"serviceAccount": {"create": False, "name": "mine"}},
    "service-account": {"serviceAccount": {"name": "scim", "annotations": {"example.com/role": "scim"}}},
    "pod-metadata": {"podAnnotations": {"example.com/a": "b"}, "podLabels": {"team": "platform"}},
    "security-contexts": {
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None},
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    },
    "scheduling": {
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
                }
            }
        },
        "antiAffinity": "Required",
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
            }
        ],
    },
    "anywhere": {"antiAffinity": "None"},
    "service": {
        "service": {
            "type": "LoadBalancer",
            "port": 8080,
            "annotations": {"example.com/lb": "internal"},
            "labels": {"team": "platform"},
        }
    },
}


def arguments(name: str) -> list[str]:
    """A case's values for helm's command line."""
    return [
        part for key, value in CASES[name].items() for part in ("--set-json", f"{key}={json.dumps(value)}")
    ]


def snapshot(chart: Renderer, name: str) -> str:
    """What the file of a case should hold."""
    objects = list(map(_without_keys, chart.objects(*arguments(name))))
    if name != "defaults":
        usual = list(map(_without_keys, chart.objects()))
        missing = [_title(item) for item in usual if _title(item) not in map(_title, objects)]
        changed = [item for item in objects if item not in usual]
        head = "".join(f"# without {title}\n" for title in missing)
        return head + _yaml(changed)
    return _yaml(objects)


def _without_keys(obj: Object) -> Object:
    """Certificates are made anew each time."""
    return {**obj, "data": dict.fromkeys(obj["data"], "…")} if obj["kind"] == "Secret" else obj


def _title(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def _yaml(objects: list[Object]) -> str:
    text: str = yaml.safe_dump_all(objects, sort_keys=False, width=110)
    return text


def _write(chart: Renderer) -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    for name in CASES:
        (FOLDER / f"{name}.yaml").write_text(snapshot(chart, name))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # `helm template` asks no cluster.
        _write(Renderer(Client(Path(folder), "", dict(build().paths))))
    sys.stdout.write(f"{len(CASES)} files in {FOLDER}\n")
