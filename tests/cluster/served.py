"""Waiting until kinds that were just made can be used."""

from __future__ import annotations

from functools import partial

from tests.cluster.client import Client
from tests.eventually import becomes

_SERVED = 'jsonpath={.status.conditions[?(@.type=="Established")].status}'


def until_served(cluster: Client, *which: str) -> None:
    """`which`: one CRD, as `kubectl get` is told. `kubectl wait` fails as long as it has no conditions."""
    becomes(partial(cluster.kubectl, "get", *which, "-o", _SERVED, check=False), "True", 30)
