"""What `scim-operator token list` shows of Secrets and directories."""

from __future__ import annotations

from typing import Any

from scim_operator.cli.token_table import as_table, rows
from tests.directory.token_secrets import CREATED, HASH, secret

PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def directory(name: str, **last_used: str) -> dict[str, Any]:
    tokens = [{"name": token, "created": CREATED, "lastUsed": time} for token, time in last_used.items()]
    return {"metadata": {"name": name}, "status": {"tokens": tokens}}


def test_states() -> None:
    made = rows(
        [
            secret("d", "gone", sha256=HASH),
            secret("a", sha256=HASH, expires=FUTURE),
            secret("b", sha256=HASH, expires=PAST),
            secret("c", sha256="zz"),
        ],
        [directory("entra", a="2026-06-01T00:00:00Z")],
    )
    assert [(row.name, row.state, row.expires, row.last_used) for row in made] == [
        ("a", "valid", FUTURE, "2026-06-01T00:00:00Z"),
        ("b", "expired", PAST, None),
        ("c", "unusable", None, None),
        ("d", "unusable", None, None),
    ]
    assert made[3].problem == "there is no ScimDirectory 'gone'"


def test_last_use_is_not_that_of_a_former_token_of_the_name() -> None:
    found = [secret("a", sha256=HASH, created="2026-06-02T00:00:00Z")]
    (row,) = rows(found, [directory("entra", a="2026-06-01T00:00:00Z")])
    assert row.last_used is None


def test_table_lines_up() -> None:
    text = as_table(rows([secret("a-long-name", sha256=HASH)], [directory("entra")]))
    header, line = text.splitlines()
    assert line.index("entra") == header.index("DIRECTORY")
    assert line.index("never") == header.index("EXPIRES")
    assert line.endswith("valid")
