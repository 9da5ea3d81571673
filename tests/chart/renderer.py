"""The chart's templates filled in by the real helm."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster.client import Client
from tests.installation import CHART

Object = dict[str, Any]


class Renderer:
    """``helm template`` and what came out of it."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    def objects(self, *args: str) -> list[Object]:
        """All objects that the chart would install, CRDs aside."""
        text = self._cluster.helm("template", "scim", str(CHART), "-n", "scim-system", *args)
        return [found for found in yaml.safe_load_all(text) if found]

    def one(self, kind: str, *args: str, name: str = "") -> Object:
        """The only object of a kind, or of that kind and name."""
        kinds = (item for item in self.objects(*args) if item["kind"] == kind)
        found = [item for item in kinds if name in ("", item["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} objects of kind {kind}"
        return found[0]

    def refusal(self, *args: str) -> str:
        """What helm says when it refuses to render."""
        done = self._cluster.run("helm", "template", "scim", str(CHART), *args)
        assert done.returncode != 0, f"rendered in spite of {args}"
        return done.stderr

    def notes(self, *args: str) -> str:
        """What ``helm install`` would print for people; ``helm template`` has no notes."""
        text = self._cluster.helm(
            "install", "scim", str(CHART), "-n", "scim-system", "--dry-run=client", *args
        )
        return text.split("\nNOTES:\n", 1)[1]
