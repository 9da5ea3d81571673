"""What an AccessGrant gives at which moment, and under which names its binding is known."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scim_operator.access.bindings import binding_name, desired_binding, own_place
from scim_operator.access.locks import seconds_at
from scim_operator.access.places import Place
from scim_operator.access.timed import TimedGrant, held_back, nobody_active, not_found, too_long
from scim_operator.api.grant import TimedGrantSpec

END = "2026-11-26T20:00:00Z"
AT = seconds_at(END)
PLACE = Place("", "view", "prod", "ClusterRole", "debug")


def grant(*, ended: bool = False, created: float = AT - 3600, **spec: Any) -> TimedGrant:
    body = {
        "directory": "entra",
        "userName": "ada",
        "clusterRole": "view",
        "namespace": "prod",
        "until": END,
        "reason": "INC-4711",
        "requestedBy": "bob",
        **spec,
    }
    made = TimedGrantSpec.model_validate({key: value for key, value in body.items() if value is not None})
    return TimedGrant("debug", made, created, "id", ended)


@pytest.mark.parametrize(
    ("now", "ended", "over"),
    [
        (AT - 0.001, False, False),
        (AT, False, True),
        (AT + 1, False, True),
        # The clock was set back after its end.
        (AT - 600, True, True),
    ],
)
def test_end(now: float, ended: bool, over: bool) -> None:
    assert grant(ended=ended).is_over(now) is over


@pytest.mark.parametrize(("longest", "refused"), [(3599, True), (3600, False), (math.inf, False)])
def test_longest(longest: float, refused: bool) -> None:
    assert grant().is_too_long(longest) is refused


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({}, PLACE),
        ({"clusterRole": None, "role": "view"}, PLACE._replace(kind="Role")),
        ({"namespace": None, "cluster": True}, PLACE._replace(namespace="")),
    ],
)
def test_place(spec: dict[str, Any], place: Place) -> None:
    assert grant(**spec).place == place


def test_binding_is_known_by_its_grant_and_is_no_policys() -> None:
    binding = desired_binding(PLACE, "entra", [("User", "ada")])
    metadata = binding["metadata"]
    assert metadata["name"].startswith("scim-grant-debug-")
    assert metadata["labels"]["scim-operator.io/grant"] == "debug"
    assert "scim-operator.io/policy" not in metadata["labels"]
    assert own_place(binding) == PLACE
    names = {
        binding_name(PLACE),
        binding_name(PLACE, 1),
        binding_name(PLACE._replace(role="edit")),
        binding_name(PLACE._replace(kind="Role")),
        binding_name(PLACE._replace(grant="debug2")),
        binding_name(Place("grant-debug", "view", "prod")),
        binding_name(Place("debug", "view", "prod")),
    }
    assert len(names) == 7


@pytest.mark.parametrize("label", ["policy", "grant"])
def test_a_label_that_somebody_adds_misleads_nobody(label: str) -> None:
    for place in (PLACE, Place("teams", "view", "prod")):
        binding = desired_binding(place, "entra", [("User", "ada")])
        labels = binding["metadata"]["labels"]
        labels.setdefault(f"scim-operator.io/{label}", "other")
        assert own_place(binding) == place


def test_words_say_what_to_do() -> None:
    assert "maxGrantDuration allows 0.5 h" in too_long(grant(), 1800).message
    assert "'ada'" in not_found(grant().spec).message
    group = grant(userName=None, group={"displayName": "ops"}).spec
    assert not_found(group).condition == "SubjectMissing"
    assert not_found(group, 2).condition == "Ambiguous"
    assert "if they come back" in nobody_active("ada").message
    assert "'ada', 'bob', 'c', 'd', 'e' and 1 more" in held_back([*("ada", "bob"), *"cdef"], "entra").message
