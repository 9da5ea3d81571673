"""docs/audit.schema.json and docs/audit.md say what the models of the audit stream say.

make crds      # writes the schema again
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

from scim_operator.api.audit import LINE, Line, Why, schema
from tests.heard import read

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = DOCS / "audit.schema.json"
DOCUMENT = DOCS / "audit.md"


def text() -> str:
    """The file."""
    return json.dumps(schema(), indent=2) + "\n"


def fields(model: Any) -> set[str]:
    """The names of a model's fields on the wire."""
    return {field.serialization_alias or field.alias or name for name, field in model.model_fields.items()}


def test_schema_is_what_the_models_generate() -> None:
    assert SCHEMA.read_text() == text(), "make crds"


def test_schema_describes_every_field_of_every_line() -> None:
    events = {model.model_fields["event"].default for model in get_args(Line)}
    assert set(schema()["discriminator"]["mapping"]) == events


def test_document_names_every_field_and_every_reason() -> None:
    document = DOCUMENT.read_text()
    named = set(re.findall(r"`([A-Za-z]+)`", document))
    for model in get_args(Line):
        assert fields(model) <= named, model
    assert set(get_args(Why)) <= named


def test_lines_in_the_document_are_such_lines() -> None:
    block = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert block
    lines = [read(line) for line in block[1].splitlines()]
    assert {line["event"] for line in lines} == set(schema()["discriminator"]["mapping"])
    assert all(LINE.validate_python(line) for line in lines)


if __name__ == "__main__":
    SCHEMA.write_text(text())
