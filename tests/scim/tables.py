"""Cases as JSON tables: what goes in and what must come out, one object a case.

Extension names are written short: `ENT` and `CUSTOM` stand for their URNs, in keys and in strings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER

CUSTOM_URN = "urn:ietf:params:scim:schemas:extension:Contoso:2.0:User"
TYPES = {"User": USER, "Group": GROUP}

_CASES = Path(__file__).parent / "cases"


def load(*tables: str) -> list[Any]:
    """The cases of the tables as pytest parameters, named as they name themselves."""
    return [
        pytest.param(case, id=f"{table}-{case['name']}")
        for table in tables
        for case in json.loads(
            (_CASES / f"{table}.json")
            .read_text()
            .replace("ENT:", f"{ENTERPRISE_URN}:")
            .replace('"ENT"', f'"{ENTERPRISE_URN}"')
            .replace("CUSTOM:", f"{CUSTOM_URN}:")
            .replace('"CUSTOM"', f'"{CUSTOM_URN}"')
        )
    ]


def strictly(value: Any) -> str:
    """A form in which True and 1 differ, as they do in JSON but not in Python."""
    return json.dumps(value, sort_keys=True)
