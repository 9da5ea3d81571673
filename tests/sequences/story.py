"""One random sequence of changes, made in the cluster and in the model alike; a seed tells all of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.entra import CORE_GROUP, CORE_USER, ENTERPRISE, EntraClient
from tests.faults.system import System
from tests.installation import ROOMY
from tests.sequences.directory_model import Directory, Group, Model, User
from tests.sequences.policies import ROLES, random_policy

Object = dict[str, Any]
Change = Callable[[], str]

GRANTABLE = ("view", "edit", "admin", "seq-reader", "seq-writer")
_USER_NAMES = ("u{}@x", "U{}@X", "u{}-new@x") * 3 + ("system:u{}",)
_GROUP_NAMES = (
    *("red-edit", "red-edit", "RED-Edit", "red-view", "blue-edit", "blue-view"),
    *("green-view", "blue-seq-reader", "a-b-view", "odd"),
)
_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
_TEMPLATES = (
    {"user": "{userName}", "group": "{externalId}"},
    {"user": "entra:{externalId}", "group": "g:{displayName}"},
    {"user": "{emails.work}", "group": "{displayName}", "lowercase": True},
)


class Story:
    """`change` makes one change and says which. `model` is what was told so far."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.tag = f"s{seed:06}"
        # All groups, people and policies there ever were, at once: watches of different kinds may be seen in
        # any order, so the operator may have met each policy with each of them.
        self.ever = Model(roles={"view", "edit", "admin", *ROLES}, grantable=set(GRANTABLE))
        self.model = Model(roles={"view", "edit", "admin"}, grantable=set(GRANTABLE))
        self._chance = random.Random(seed)
        self._clients: dict[str, EntraClient] = {}
        self._changes: list[tuple[int, Change]] = [
            *[(40, self._put_user), (6, self._delete_user), (48, self._put_group), (6, self._delete_group)],
            *[(24, self._put_policy), (4, self._delete_policy), (6, self._change_templates)],
            *[(24, self._put_namespace), (2, self._delete_namespace), (16, self._make_role)],
            # A restart takes as long as all the rest of a story.
            *[(8, self._change_template), (12, self._delete_role), (1, self._change_settings)],
        ]

    def begin(self) -> None:
        """The directories, all roles, and something to change."""
        for role in ROLES:
            self._make_role(role)
        self._change_template()
        for name in (f"{self.tag}a", f"{self.tag}b"):
            self._clients[name] = self.system.connect(name)
            self.model.directories[name] = Directory(dict(_TEMPLATES[0]))
            self.ever.directories[name] = Directory({"user": "{externalId}", "group": "{externalId}"})
        for _ in range(6):
            self._put_user()
        for put in (self._put_namespace, self._put_group, self._put_policy):
            for _ in range(4):
                put()

    def change(self) -> str:
        """One random change. -> what it was."""
        weights = [weight for weight, _ in self._changes]
        return self._chance.choices([change for _, change in self._changes], weights)[0]()

    def end(self) -> None:
        """Take all policies away, and with them all access."""
        for name in list(self.model.policies):
            self.system.drop("AccessPolicy", name)
        self.model.policies.clear()

    def tidy(self) -> None:
        """Give back what all stories share; remove what would make the next ones slower."""
        for name, directory in self.model.directories.items():
            for endpoint, ids in (("Groups", directory.groups), ("Users", directory.users)):
                for identifier in list(ids):
                    self._clients[name].call("DELETE", f"/{endpoint}/{identifier}")
            self.system.disconnect(name)
        if self.model.grantable != set(GRANTABLE):
            # The operator's own ClusterRole alone: no new start is needed.
            self.system.installation.upgrade()

    # --- people and groups ---------------------------------------------------------------------------------

    def _put_user(self) -> str:
        name, directory = self._directory()
        number = self._chance.randrange(4)
        known = next((user for user in directory.users.values() if user.external_id == f"oid-{number}"), None)
        user = User(
            id=known.id if known else "",
            user_name=self._chance.choice(_USER_NAMES).format(number),
            external_id=f"oid-{number}",
            department=self._chance.choice(("Data", "data", "Sales")),
            email=self._chance.choice((f"Mail{number}@x",) * 3 + ("",)),
            active=self._chance.random() < 0.85,
        )
        emails = [{"type": "work", "value": user.email}] if user.email else []
        body = {
            "schemas": [CORE_USER, ENTERPRISE],
            "userName": user.user_name,
            "externalId": user.external_id,
            "active": user.active,
            "emails": emails,
            ENTERPRISE: {"department": user.department},
        }
        user.id = self._send(name, "Users", user.id, body)
        directory.users[user.id] = user
        known_as = f"{user.id} {len(self.ever.directories[name].users)}"
        self.ever.directories[name].users[known_as] = replace(user, active=True)
        return f"{name}: {user}"

    def _delete_user(self) -> str:
        name, directory = self._directory()
        return self._delete(name, "Users", directory.users)

    def _put_group(self) -> str:
        name, directory = self._directory()
        number = self._chance.randrange(4)
        external_id = f"{self.tag}-id{number}"
        known = next((item for item in directory.groups.values() if item.external_id == external_id), None)
        taken = {group.display_name.casefold() for group in directory.groups.values() if group is not known}
        free = [text for text in _GROUP_NAMES if f"{self.tag}-{text}".casefold() not in taken]
        ids = [*directory.users, *directory.groups, *directory.groups]
        count = self._chance.choice((0, 1, 1, 2, 2, 3))
        group = Group(
            id=known.id if known else "",
            display_name=f"{self.tag}-{self._chance.choice(free)}",
            external_id=external_id,
            members=list(dict.fromkeys(self._chance.choice(ids) for _ in range(count if ids else 0))),
        )
        body = {
            "schemas": [CORE_GROUP],
            "displayName": group.display_name,
            "externalId": group.external_id,
            "members": [{"value": member} for member in group.members],
        }
        group.id = self._send(name, "Groups", group.id, body)
        directory.groups[group.id] = group
        ever = self.ever.directories[name]
        ever.groups[f"{group.id} {len(ever.groups)}"] = replace(group, members=list(ever.users))
        return f"{name}: {group}"

    def _delete_group(self) -> str:
        name, directory = self._directory()
        return self._delete(name, "Groups", directory.groups)

    def _directory(self) -> tuple[str, Directory]:
        # Mostly the first: two with few people each would hardly ever give access.
        name = self._chance.choice([*list(self.model.directories)[:1] * 5, *self.model.directories])
        return name, self.model.directories[name]

    def _send(self, directory: str, endpoint: str, identifier: str, body: Object) -> str:
        client = self._clients[directory]
        if identifier:
            answer = client.call("PUT", f"/{endpoint}/{identifier}", body)
        else:
            answer = client.call("POST", f"/{endpoint}", body)
        assert answer.status in (200, 201), answer
        return str(answer.answer["id"])

    def _delete(self, directory: str, endpoint: str, known: dict[str, Any]) -> str:
        if not known:
            return f"{directory}: nobody to delete"
        identifier = self._chance.choice(list(known))
        answer = self._clients[directory].call("DELETE", f"/{endpoint}/{identifier}")
        assert answer.status == 204, answer
        return f"{directory}: delete {known.pop(identifier)}"

    # --- the admin's side ----------------------------------------------------------------------------------

    def _put_policy(self) -> str:
        name = f"{self.tag}-p{self._chance.randrange(3)}"
        spec = random_policy(self._chance, self.tag, list(self.model.directories))
        self.system.put("AccessPolicy", name, spec=spec)
        self.model.policies[name] = spec
        self.ever.policies[f"{name} {len(self.ever.policies)}"] = spec
        return f"policy {name}: {spec}"

    def _delete_policy(self) -> str:
        if not self.model.policies:
            return "no policy to delete"
        name = self._chance.choice(list(self.model.policies))
        self.system.drop("AccessPolicy", name)
        del self.model.policies[name]
        return f"delete policy {name}"

    def _change_templates(self) -> str:
        name, directory = self._directory()
        directory.subjects = dict(self._chance.choice(_TEMPLATES))
        spec = {"provider": "Entra", "guard": ROOMY, "subjects": directory.subjects}
        self.system.put("ScimDirectory", name, spec=spec)
        return f"{name}: subjects {directory.subjects}"

    def _change_template(self) -> str:
        self.model.template = {
            "labels": {self._chance.choice(("team", "unit")): self._chance.choice(("a", "b"))},
            "resourceQuota": {"hard": {"pods": self._chance.choice(("5", "10"))}},
        }
        self.system.put("NamespaceTemplate", self.tag, spec=self.model.template)
        return f"template: {self.model.template}"

    def _put_namespace(self) -> str:
        name = f"{self.tag}-{self._chance.choice(('red', 'blue', 'shared', 'hall', 'view'))}"
        consent = self._chance.choice(("any", "any", f"{self.tag}-p0", "nobody", ""))
        labels = {"sequence": self.tag, "tier": self._chance.choice(("front", "front", "back", "none"))}
        labels |= {"scim-operator.io/allow-policy": consent} if consent else {}
        self.system.put("Namespace", name, labels=labels)
        return f"namespace {name}: {labels}"

    def _delete_namespace(self) -> str:
        name = f"{self.tag}-{self._chance.choice(('red', 'blue', 'shared'))}"
        self.system.drop("Namespace", name)
        return f"delete namespace {name}"

    def _make_role(self, name: str = "") -> str:
        name = name or self._chance.choice(ROLES)
        self.system.put("ClusterRole", name, rules=_RULES)
        self.model.roles.add(name)
        return f"role {name}"

    def _delete_role(self) -> str:
        name = self._chance.choice(ROLES)
        self.system.drop("ClusterRole", name)
        self.model.roles.discard(name)
        return f"delete role {name}"

    def _change_settings(self) -> str:
        """Other values of the chart, for which the operator starts again."""
        self.model.grantable = set(self._chance.choice((GRANTABLE, GRANTABLE[:-1], GRANTABLE[1:])))
        self.model.protected = {f"{self.tag}-{self._chance.choice(('red', 'blue', 'none'))}"}
        self.system.installation.upgrade(
            f"grantableClusterRoles={{{','.join(sorted(self.model.grantable))}}}",
            f"protectedNamespaces={{{','.join(sorted(self.model.protected))}}}",
        )
        self.system.installation.roll_out()
        return f"settings: {sorted(self.model.grantable)}, protected {sorted(self.model.protected)}"
