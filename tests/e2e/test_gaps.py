"""A watching client never sees a kept permission vanish, nor a person stand without any who gets another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.policies import DIRECTORY, apply, bindings, hire, policy, rename_everybody
from tests.e2e.replay import Permission, Replay
from tests.entra import EntraClient
from tests.eventually import becomes
from tests.installation import Installation

PEOPLE = 5
_PREFIX = "oidc:"


class Team:
    """Five people in one group, under a policy that gives what the group's name says."""

    def __init__(self, operator: Installation, entra: EntraClient, name: str) -> None:
        self.operator, self.cluster, self.entra, self.name = operator, operator.cluster, entra, name
        self.people = sorted(hire(entra, f"{name}-{number}") for number in range(PEOPLE))
        self.group = f"{name}-edit"
        self.set_policy()
        entra.provision_group(self.group, self.people)
        becomes(lambda: bindings(self.cluster, name), {(name, "edit"): self.people})

    def set_policy(self, role: str = "{role}", on_rename: str = "Hold") -> None:
        made = policy(self.name, DIRECTORY, f"{self.name}-{{role}}", role=role, namespace=self.name)
        made["spec"]["groups"]["onRename"] = on_rename
        apply(self.cluster, made)

    def held(self) -> set[Permission]:
        """What the team's people hold at this moment."""
        return self.of(Replay(self.cluster).beginning)

    def of(self, moment: frozenset[Permission]) -> set[Permission]:
        """What the team's people hold, or those they are called now."""
        return {held for held in moment if held[0].removeprefix(_PREFIX).startswith(f"{self.name}-")}


@pytest.fixture
def team(operator: Installation, entra: EntraClient, name: str) -> Iterator[Team]:
    made = Team(operator, entra, name)
    yield made
    if any(person.startswith(_PREFIX) for person in made.people):
        rename_everybody(operator.cluster, DIRECTORY, "{userName}")


def _everybody(team: Team, role: str) -> set[Permission]:
    return {(person, role, team.name) for person in team.people}


def _group_renamed(team: Team) -> set[Permission]:
    team.set_policy(on_rename="Follow")
    team.entra.rename_group(team.group, f"{team.name}-view")
    return _everybody(team, "view")


def _role_changed(team: Team) -> set[Permission]:
    team.set_policy(role="view")
    return _everybody(team, "view")


def _grant_added_and_taken_away(team: Team) -> set[Permission]:
    both = policy(team.name, DIRECTORY, f"{team.name}-{{role}}", namespace=team.name)
    both["spec"]["grants"].append({"clusterRole": "view", "namespaces": {"name": team.name}})
    apply(team.cluster, both)
    becomes(team.held, _everybody(team, "edit") | _everybody(team, "view"))
    team.set_policy()
    return _everybody(team, "edit")


def _handed_to_another_policy(team: Team) -> set[Permission]:
    # One group renamed from what the first policy means to what the second does: one change, two policies.
    other = policy(f"{team.name[:30]}-b", DIRECTORY, f"also-{team.name}-{{role}}", namespace=team.name)
    apply(team.cluster, other)
    team.entra.rename_group(team.group, f"also-{team.name}-edit")
    return _everybody(team, "edit")


def _everywhere(team: Team) -> set[Permission]:
    # In the whole cluster includes the namespace.
    wide = policy(team.name, DIRECTORY, team.group)
    wide["spec"]["grants"] = [{"clusterRole": "edit", "cluster": True}]
    apply(team.cluster, wide)
    return {(person, "edit", "") for person in team.people}


def _everywhere_and_back(team: Team) -> set[Permission]:
    becomes(team.held, _everywhere(team))
    team.set_policy()
    return _everybody(team, "edit")


def _user_renamed(team: Team) -> set[Permission]:
    new = f"{team.name}-renamed@access.example.com"
    team.entra.update_user(team.people[0], {"userName": new})
    team.people[0] = new
    return _everybody(team, "edit")


def _template_of_subjects_changed(team: Team) -> set[Permission]:
    rename_everybody(team.cluster, DIRECTORY, f"{_PREFIX}{{userName}}")
    team.people = [f"{_PREFIX}{person}" for person in team.people]
    return _everybody(team, "edit")


def _restarted(team: Team) -> set[Permission]:
    team.operator.process.kill()
    team.operator.start()
    team.operator.process.terminate()
    team.operator.start()
    return _everybody(team, "edit")


def _drifted(team: Team) -> set[Permission]:
    # Somebody adds a stranger; nobody of ours is touched by putting it right.
    patch = '[{"op": "add", "path": "/subjects/-", "value": {"apiGroup": "rbac.authorization.k8s.io", '
    patch += '"kind": "User", "name": "stranger@example.com"}}]'
    binding = team.cluster.kubectl("get", "rolebinding", "-n", team.name, "-o", "name").strip()
    team.cluster.kubectl("patch", "-n", team.name, binding, "--type=json", "-p", patch)
    becomes(lambda: "stranger@example.com" in str(bindings(team.cluster, team.name)), False)
    return _everybody(team, "edit")


@pytest.mark.parametrize(
    "change",
    [
        _group_renamed,
        _role_changed,
        _grant_added_and_taken_away,
        _handed_to_another_policy,
        _everywhere,
        _everywhere_and_back,
        _user_renamed,
        _template_of_subjects_changed,
        _restarted,
        _drifted,
    ],
    ids=lambda change: change.__name__.lstrip("_"),
)
def test_nobody_is_without_access_for_a_moment(team: Team, change: Callable[[Team], set[Permission]]) -> None:
    before = team.held()
    replay = Replay(team.cluster)
    after = change(team)
    becomes(team.held, after)
    moments = [team.of(moment) for moment in replay.moments()]
    for number, moment in enumerate(moments):
        kept = {held for held in before & after if (held[0], held[1], "") not in moment}
        assert moment >= kept, f"after change {number} of {len(moments)}: {kept - moment}"
        assert len({person for person, _, _ in moment}) >= PEOPLE, f"after change {number}: {moment}"
    assert moments[-1] == after
