"""Random AccessPolicies, over every way to say whom and where."""

from __future__ import annotations

import random
from typing import Any

from tests.sequences.oracle import FILTERS

Object = dict[str, Any]
# Made and deleted by sequences; the chart's values let the operator grant the first two.
ROLES = ("seq-reader", "seq-writer", "seq-forbidden")
# In group names, limited by `where`.
LEVELS = ("view", "edit", "seq-reader")
# As often as they stand here.
_WHOM = (*["pattern"] * 5, *["exact"] * 2, *["ids"] * 3, *["people"] * 2, "any", "ambiguous")
_WHERE = (*["captured"] * 3, *["selector"] * 2, *["cluster"] * 2, "literal", "names")


def random_policy(chance: random.Random, tag: str, directories: list[str]) -> Object:
    """The spec of a policy; all names in it begin with the tag."""
    # Mostly the first: where most people are, most is given.
    directory = chance.choice(directories[:1] * 4 + directories)
    whom = chance.choice(_WHOM)
    if whom == "people":
        selector: Object = {"people": {"directory": directory, "filter": chance.choice(list(FILTERS))}}
    else:
        # Where another name can give more it is followed: what is held depends on the past. The others hold
        # renames, and none ever has to wait.
        follow = {"onRename": "Follow"}
        levels = {"where": {"role": list(LEVELS)}}
        by_name: dict[str, Object] = {
            "pattern": {"displayName": f"{tag}-{{team}}-{{role}}", **levels, **follow},
            "exact": {"displayName": f"{tag}-red-edit", **follow},
            "ids": {"externalIds": chance.sample([f"{tag}-id{number}" for number in range(4)], 2)},
            "any": {"displayName": f"{tag}-*"},
            "ambiguous": {"displayName": f"{tag}-{{team}}-{{part}}", **follow},
        }
        selector = {"groups": {"directory": directory, **by_name[whom]}}
        selector["subjects"] = chance.choice(("Users", "Users", "Group"))
    grants = [_grant(chance, tag, whom) for _ in range(chance.randint(2, 4))]
    return {**selector, "grants": grants}


def _grant(chance: random.Random, tag: str, whom: str) -> Object:
    role = chance.choice(("view", "edit", *ROLES[:2], *ROLES))
    where = chance.choice(_WHERE)
    if where == "cluster" and whom in ("exact", "ids"):
        return {"clusterRole": role, "cluster": True}
    if where == "captured" and whom in ("pattern", "ambiguous"):
        template = f"{tag}-{{team}}" if whom == "pattern" else f"{tag}-{{part}}"
        create: Object = {"create": _creation(chance, tag)} if chance.random() < 0.7 else {}
        role = "{role}" if whom == "pattern" and chance.random() < 0.7 else role
        return {"clusterRole": role, "namespaces": {"name": template, **create}}
    if where == "names":
        return {"clusterRole": role, "namespaces": {"names": [f"{tag}-shared", f"{tag}-red"]}}
    if where == "selector":
        labels = {"sequence": tag, "tier": chance.choice(("front", "back"))}
        return {"clusterRole": role, "namespaces": {"selector": {"matchLabels": labels}}}
    name = chance.choice((f"{tag}-hall", f"{tag}-red"))
    create = {"create": _creation(chance, tag)} if chance.random() < 0.5 else {}
    return {"clusterRole": role, "namespaces": {"name": name, **create}}


def _creation(chance: random.Random, tag: str) -> Object:
    """With the one template of the story, or bare."""
    return {"template": tag} if chance.random() < 0.6 else {}
