"""The engine beside scim2-models, an independent reader of the RFCs: random filters, sequences of PATCHes.

Known deviations, all of them on purpose (docs/scim.md). A sequence ends where one begins, and counts as
compared only if its first message was:

- A value path without a match is 400 noTarget there; here it makes the element that it describes.
- Two elements made primary at once are 400 invalidValue there; here the last one is.
- An element whose `value` was removed stays there, without a value; here it is gone, as Entra means it.
- An added element of a `value` and `type` that are there stands beside it there; here they are one (a re-add
  with another `display` is no second).
- What says nothing (null, "", an element of a type alone) is kept there; here it isn't.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from scim2_models import PatchOp, ScimFilter
from scim2_models.exceptions import SCIMException

from scim_operator.scim.filters import compile_filter
from scim_operator.scim.patch import patch
from scim_operator.scim.schemas import USER
from tests.scim.oracle import FILTERS, SEQUENCES, Json, Theirs, as_ours, as_theirs, documents

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def removes_values(message: list[Json]) -> bool:
    """The third deviation: a later operation would find the element that lost its value, or none."""
    return any(
        operation["op"] == "remove" and str(operation.get("path")).endswith("].value")
        for operation in message
    )


def has_twins(document: Json) -> bool:
    """The fourth deviation."""
    keys = [(one.get("value"), one.get("type")) for one in document.get("emails") or () if "value" in one]
    return len(set(keys)) < len(keys)


def patched_by_theirs(document: Json, message: list[Json]) -> Json | None:
    """The document afterwards, None for one of the deviations."""
    resource = as_theirs(document)
    sent = PatchOp[Theirs].model_validate({"schemas": [PATCH_OP], "Operations": message})
    try:
        sent.patch(resource)
    except SCIMException as error:
        assert error.scim_type in ("noTarget", "invalidValue"), (message, error)
        return None
    shown: Json = resource.model_dump()
    del shown["schemas"]
    if has_twins(shown) or (removes_values(message) and len(message) > 1):
        return None
    said: Json = as_ours(shown)
    return said


@dataclass
class Compared:
    """How many were."""

    filters: int = 0
    sequences: int = 0

    def filter(self, document: Json, text: str) -> None:
        assert compile_filter(USER, text)(document, ()) is ScimFilter[Theirs](text).match(as_theirs(document))
        self.filters += 1

    def sequence(self, document: Json, messages: list[list[Json]]) -> None:
        for number, message in enumerate(messages):
            expected = patched_by_theirs(document, message)
            if expected is None:
                break
            assert patch(USER, document, {"Operations": message}).document == expected, message
            document = expected
            self.sequences += number == 0


def exhaustively(count: int, check: Callable[..., None]) -> None:
    """Run a property with so many examples."""
    settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)(
        check
    )()


def check_filters(count: int) -> int:
    """-> how many were compared"""
    compared = Compared()
    exhaustively(count, given(documents(), FILTERS)(compared.filter))
    return compared.filters


def check_sequences(count: int) -> int:
    """-> how many were compared, in their first message at least"""
    compared = Compared()
    exhaustively(count, given(documents(), SEQUENCES)(compared.sequence))
    return compared.sequences


@pytest.mark.parametrize(("count", "least"), [(150, 135), pytest.param(5_500, 5_000, marks=pytest.mark.long)])
def test_filters_match_the_same(count: int, least: int) -> None:
    assert check_filters(count) >= least


@pytest.mark.parametrize(("count", "least"), [(150, 75), pytest.param(6_000, 3_000, marks=pytest.mark.long)])
def test_patches_do_the_same(count: int, least: int) -> None:
    assert check_sequences(count) >= least
