"""What the test has told the operator: the state that its answer is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass
class User:
    """`id`: the operator's own, by which groups hold them."""

    id: str
    user_name: str
    external_id: str
    department: str
    email: str
    active: bool


@dataclass
class Group:
    """`members`: ids of users and groups, those of deleted ones too."""

    id: str
    display_name: str
    external_id: str
    members: list[str]


@dataclass
class Directory:
    """`subjects`: the templates and whether to lower-case."""

    subjects: Object
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    def active_in(self, group: Group) -> Iterator[User]:
        """The active members, those of groups in it too."""
        seen, ahead = {group.id}, [group]
        while ahead:
            for member in ahead.pop().members:
                if member in self.users and self.users[member].active:
                    yield self.users[member]
                if member in self.groups and member not in seen:
                    seen.add(member)
                    ahead.append(self.groups[member])


@dataclass
class Model:
    """Everything that access depends on, but for namespaces, which are read from the cluster.

    `roles`: ClusterRoles that exist; `grantable`, `protected`: the chart's values; `template`: the spec of
    the one NamespaceTemplate, which always exists.
    """

    directories: dict[str, Directory] = field(default_factory=dict)
    policies: dict[str, Object] = field(default_factory=dict)
    roles: set[str] = field(default_factory=set)
    grantable: set[str] = field(default_factory=set)
    protected: set[str] = field(default_factory=set)
    template: Object = field(default_factory=dict)
