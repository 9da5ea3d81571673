"""docs/security.md can't rot: every test that it names is there, and its rights are those of the chart."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.permissions import Object, rendered

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security.md"
# Each list of a value holds the value's own name, as far as it may: so the page names it.
_KIND = "templateKinds[0]"
VALUES = (
    *("namespaceDeletion=true", "grantableRoles={grantableRoles}"),
    *("grantableClusterRoles={grantableClusterRoles}", f"{_KIND}.group=template-kinds"),
    *(f"{_KIND}.version=v1", f"{_KIND}.resource=template-kinds", f"{_KIND}.kind=ConfigMap"),
    *("directories[0].name=entra", "crds.upgradeHook=true"),
)

# Of a rule: groups, resources, names, verbs.
Row = tuple[tuple[str, ...], ...]


def named_tests() -> list[str]:
    return sorted(set(re.findall(r"`(tests/[^`]+?\.py(?:::\w+)?)`", PAGE.read_text())))


@pytest.mark.parametrize("test", named_tests())
def test_named_test_exists(test: str) -> None:
    path, _, function = test.partition("::")
    text = (ROOT / path).read_text()
    if function:
        assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE)


def test_every_attack_names_its_tests() -> None:
    page = PAGE.read_text().partition("## Rights")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    attacks = [row for row in rows if "shown by" not in row]
    assert len(attacks) > 40
    assert [row for row in attacks if "`tests/" not in row.rstrip(" |").rpartition("|")[2]] == []


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _words(cell: str) -> tuple[str, ...]:
    """What stands in `backticks`, or *italic*; the core group has no name."""
    return ("",) if cell == "core" else tuple(re.findall(r"[`*]([^`*]+)[`*]", cell))


def on_the_page() -> dict[str, list[Row]]:
    """Role -> its rows."""
    found: dict[str, list[Row]] = {}
    for line in PAGE.read_text().partition("## Rights")[2].splitlines():
        if heading := re.match(r"\*\*((?:Cluster)?Role) `([a-z-]+)`\*\*", line):
            rows = found.setdefault(" ".join(heading.groups()), [])
        elif line.startswith("| ") and not line.startswith(("| ---", "| group")):
            group, resources, names, verbs, why = _cells(line)
            assert why, line
            rows.append((_words(group), _words(resources), _words(names), _words(verbs)))
    return found


def _as_value(name: str) -> str:
    return name.replace("template-kinds", "templateKinds")


def in_the_chart() -> dict[str, list[Row]]:
    """Role -> its rules, of all roles that the chart brings."""

    def row(rule: Object) -> Row:
        keys = ("apiGroups", "resources", "resourceNames", "verbs")
        return tuple(tuple(map(_as_value, rule.get(key) or ())) for key in keys)

    roles = [each for each in rendered(*VALUES) if each["kind"] in ("ClusterRole", "Role")]
    return {f"{role['kind']} {role['metadata']['name']}": [*map(row, role["rules"])] for role in roles}


@pytest.mark.usefixtures("built")
def test_rights_are_those_of_the_chart() -> None:
    page, chart = on_the_page(), in_the_chart()
    assert page.keys() == chart.keys()
    for role, rules in chart.items():
        assert Counter(page[role]) == Counter(rules), role
