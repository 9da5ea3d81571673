"""A template's labels and annotations on namespaces that we made, and on others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.access.furnishing import NOTHING, changes, first_metadata
from scim_operator.access.templates import Fields

RECORD = "scim-operator.io/from-template"
ENFORCE = "pod-security.kubernetes.io/enforce"

KEYS = st.sampled_from(["a", "b", "c", ENFORCE, f"{ENFORCE}-version"])
VALUES = st.sampled_from(["x", "y", "privileged", "restricted"])
MAPS = st.dictionaries(KEYS, VALUES, max_size=4)
FIELDS = st.builds(Fields, MAPS, MAPS)


def patched(metadata: dict[str, Any], fields: Fields, *, made: bool) -> dict[str, Any]:
    """The metadata after the changes."""
    after = dict(metadata)
    for kind, keys in changes(metadata, fields, made=made).items():
        merged = {**(after.get(kind) or {}), **keys}
        after[kind] = {key: value for key, value in merged.items() if value is not None}
    return after


def empty(patch: dict[str, dict[str, str | None]]) -> bool:
    return not any(patch.values())


@given(FIELDS)
def test_new_namespace_needs_nothing_more(fields: Fields) -> None:
    assert empty(changes(first_metadata(fields), fields, made=True))


@given(MAPS, st.lists(FIELDS, max_size=4), st.booleans())
def test_one_patch_is_enough_and_leaves_no_traces_at_the_end(
    labels: dict[str, str], templates: list[Fields], made: bool
) -> None:
    metadata: dict[str, Any] = {"labels": labels, "annotations": {}}
    for fields in templates:
        metadata = patched(metadata, fields, made=made)
        assert empty(changes(metadata, fields, made=made))
    after = patched(metadata, NOTHING, made=made)
    assert RECORD not in after["annotations"]
    if not made:
        assert after == {"labels": labels, "annotations": {}}, "others' values were never touched"


@given(MAPS, MAPS, st.lists(FIELDS, max_size=4))
def test_what_others_chose_in_a_namespace_of_theirs_stays(
    labels: dict[str, str], annotations: dict[str, str], templates: list[Fields]
) -> None:
    metadata: dict[str, Any] = {"labels": labels, "annotations": annotations}
    for fields in templates:
        metadata = patched(metadata, fields, made=False)
        assert labels.items() <= metadata["labels"].items()
        assert annotations.items() <= metadata["annotations"].items()


@given(MAPS, FIELDS)
def test_in_a_namespace_of_ours_the_template_is_right(labels: dict[str, str], fields: Fields) -> None:
    after = patched({"labels": labels, "annotations": None}, fields, made=True)
    assert fields.labels.items() <= after["labels"].items()
    assert fields.annotations.items() <= after["annotations"].items()


def test_value_that_somebody_changed_since_stays_in_an_adopted_namespace() -> None:
    fields = Fields({"a": "x"}, {})
    metadata = patched({}, fields, made=False)
    metadata["labels"] = {"a": "mine"}
    assert "labels" not in {kind for kind, keys in changes(metadata, fields, made=False).items() if keys}
    assert changes(metadata, NOTHING, made=False)["labels"] == {}, "nor does it go with the template"
    metadata["labels"] = {}
    assert changes(metadata, fields, made=False)["labels"] == {"a": "x"}, "what was stripped comes back"


@pytest.mark.parametrize(
    ("labels", "template", "expected"),
    [
        ({}, {ENFORCE: "baseline"}, {ENFORCE: "baseline"}),
        ({ENFORCE: "restricted"}, {ENFORCE: "baseline"}, {ENFORCE: "restricted"}),
        ({ENFORCE: "privileged"}, {ENFORCE: "restricted"}, {ENFORCE: "privileged"}),
        # The cluster's own default may be stricter.
        ({}, {ENFORCE: "privileged"}, {}),
        # Another version would be another level.
        ({ENFORCE: "baseline"}, {f"{ENFORCE}-version": "v1.25"}, {ENFORCE: "baseline"}),
        ({f"{ENFORCE}-version": "v1.30"}, {ENFORCE: "baseline"}, {f"{ENFORCE}-version": "v1.30"}),
    ],
)
def test_adoption_loosens_no_pod_security(
    labels: dict[str, str], template: dict[str, str], expected: dict[str, str]
) -> None:
    assert patched({"labels": labels}, Fields(template, {}), made=False)["labels"] == expected


@pytest.mark.parametrize("stricter", ["restricted", "baseline"])
def test_what_adoption_made_strict_is_not_loosened_by_the_template(stricter: str) -> None:
    metadata = patched({}, Fields({ENFORCE: stricter}, {}), made=False)
    after = patched(metadata, Fields({ENFORCE: "privileged"}, {}), made=False)
    assert after["labels"] == {ENFORCE: stricter}


@pytest.mark.parametrize("text", ["{", "[]", '{"labels":[]}', '{"labels":{"a":1}}', "null"])
def test_unreadable_record(text: str) -> None:
    metadata: dict[str, Any] = {"labels": {"a": "other"}, "annotations": {RECORD: text}}
    after = patched(metadata, Fields({"a": "x", "b": "y"}, {}), made=False)
    assert after["labels"] == {"a": "other", "b": "y"}
