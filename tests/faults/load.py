"""A mixed provisioning load from several clients, and a model of what was answered to them.

Each client has people of its own and answers for them alone; the groups are everybody's. A request is sent
until it is answered (`asking`), so the model is exact: what is in it was answered 2xx, once, whatever broke
meanwhile. Reads are checked against it while the load runs, all the rest by `check_records` afterwards.

    load = Load([Endpoint(url, token)], "storm")      # several endpoints: several replicas
    load.policy(system)                               # each group opens a namespace of its name
    with load:                                        # runs until the end of the block
        ...                                           # kill, cut, restart
    load.check(system)                                # records, versions, bindings: all as answered
    load.most_tries()                                 # 2: one retry sufficed
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from tests.entra import PATCH_OP
from tests.eventually import becomes
from tests.faults.asking import Answered, Asker, Endpoint, Try
from tests.faults.expected import Expected, Hired, stored_groups, stored_people
from tests.faults.system import RBAC, System
from tests.leaks import PASSWORD

Json = dict[str, Any]
# Accepted and thrown away: it must not turn up anywhere.
_SECRET = {"password": PASSWORD}


class Load:
    """`rate`: requests/s of all `clients` together; `patience`: seconds until a request counts as lost."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        directory: str,
        *,
        clients: int = 8,
        rate: float = 100.0,
        groups: int = 4,
        seed: int = 0,
        patience: float = 60.0,
    ) -> None:
        self.tries: list[Try] = []
        self.wrong: list[str] = []
        self.directory = directory
        self.expected = Expected([f"{directory}-{number}" for number in range(groups)])
        self.endpoints = endpoints
        self._patience = patience
        self._over = threading.Event()
        self._clients = [
            _Client(number, self, Asker(endpoints, self.tries.append, patience), clients / rate, seed)
            for number in range(clients)
        ]
        self._threads = [threading.Thread(target=client.run, args=(self._over,)) for client in self._clients]

    def __enter__(self) -> Self:
        asker = Asker(self.endpoints, self.tries.append, self._patience)
        for name in self.expected.groups:
            made = asker.ask("POST", "/Groups", {"displayName": name})
            assert made.status == 201, made
            self.expected.ids[name] = made.body["id"]
        asker.close()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(self._patience + 30)

    # --- what came of it -----------------------------------------------------------------------------------

    def policy(self, system: System) -> None:
        """Whoever is in a group may view the namespace of its name, which is made for them."""
        grant = {"clusterRole": "view", "namespaces": {"name": f"{self.directory}-{{n}}", "create": {}}}
        groups = {"directory": self.directory, "displayName": f"{self.directory}-{{n}}"}
        system.put("AccessPolicy", self.directory, spec={"groups": groups, "grants": [grant]})

    def most_tries(self, *, but: Callable[[Try], bool] = lambda one: False) -> int:
        """How often a request had to be sent at most. `but`: tries that don't count."""
        return max(Counter(one.request_id for one in self.tries if not but(one)).values(), default=0)

    def statuses(self) -> Counter[int]:
        """How many tries were answered how; 0: not at all."""
        return Counter(one.status for one in self.tries)

    def check(self, system: System, seconds: float = 30.0) -> None:
        """All that was answered is so, once: in the cluster, over SCIM, and in the bindings after a while."""
        assert not self.wrong, "\n".join(self.wrong)
        self.check_records(system)
        becomes(lambda: access(system, self.directory), self.expected.access(), seconds)

    def check_records(self, system: System) -> None:
        """People, groups and their versions are stored as answered, and listed as stored."""
        stored, wanted = stored_people(system, self.directory), self.expected.as_stored()
        assert stored == wanted, f"lost {wanted - stored}, too much {stored - wanted}"
        living = {person.id for person in self.expected.living()}
        groups = stored_groups(system, self.directory)
        found = {name: (version, members & living) for name, (version, members) in groups.items()}
        answered = self.expected.groups_as_stored()
        assert found == answered, f"stored {found}\nanswered {answered}"
        asker = Asker(self.endpoints, self.tries.append, self._patience)
        for _ in self.endpoints:  # each of them in its turn
            listed = _listed(asker)
            assert sorted(listed) == sorted(living), set(listed) ^ living
        asker.close()


def _listed(asker: Asker) -> list[str]:
    """The ids of all users, page by page."""
    found: list[str] = []
    while True:
        page = asker.ask("GET", "/Users", attributes="userName", startIndex=str(len(found) + 1)).body
        found += [one["id"] for one in page["Resources"]]
        if len(found) >= page["totalResults"]:
            return found


def access(system: System, directory: str) -> dict[str, set[str]]:
    """Namespace -> who stands in the directory's bindings there, empty ones left out."""
    found: dict[str, set[str]] = {}
    for item in system.list(f"{RBAC}/rolebindings", f"scim-operator.io/directory={directory}"):
        if names := {subject["name"] for subject in item.get("subjects") or ()}:
            found.setdefault(item["metadata"]["namespace"], set()).update(names)
    return found


class _Client:
    """One connection of a provider: works on its own people, one request after another."""

    def __init__(self, number: int, load: Load, asker: Asker, pause: float, seed: int) -> None:
        self._number = number
        self._load = load
        self._expected = load.expected
        self._asker = asker
        self._pause = pause
        self._random = random.Random(f"{seed} {number}")
        self._people: list[Hired] = []
        self._hired = 0

    def run(self, over: threading.Event) -> None:
        """Until told that it's over; whatever is wrong goes to the load's list."""
        due = time.monotonic() + self._random.random() * self._pause
        while not over.wait(max(0.0, due - time.monotonic())):
            # Not faster afterwards, where an answer took long.
            due = max(due, time.monotonic() - 1) + self._pause
            step = self._step()
            try:
                step()
            except Exception as error:
                self._load.wrong.append(f"{step.__name__.strip('_')}: {error!r}")
                break
        self._asker.close()

    def _step(self) -> Callable[[], None]:
        if len(self._people) < 5:
            return self._hire
        steps = (
            *((self._hire, 20), (self._read, 15), (self._find, 15), (self._change, 15), (self._replace, 5)),
            *((self._join, 15), (self._leave, 8), (self._toggle, 7), (self._dismiss, 4)),
        )
        return self._random.choices([step for step, _ in steps], [weight for _, weight in steps])[0]

    # --- writes --------------------------------------------------------------------------------------------

    def _hire(self) -> None:
        self._hired += 1
        name = f"p{self._number}-{self._hired}@{self._load.directory}.example.com"
        document = {"userName": name, "active": True, "title": "t0", "externalId": f"x-{name}", **_SECRET}
        made = self._expect(self._asker.ask("POST", "/Users", document), 201)
        person = Hired(name, made["id"])
        self._people.append(person)
        self._expected.people.append(person)

    def _change(self) -> None:
        person = self._somebody()
        person.title = f"t{person.version}"
        self._patch(person, {"op": "Replace", "path": "title", "value": person.title})

    def _toggle(self) -> None:
        person = self._somebody()
        person.active = not person.active
        self._patch(person, {"op": "Replace", "path": "active", "value": str(person.active)})

    def _replace(self) -> None:
        person = self._somebody()
        person.title = f"r{person.version}"
        answer = self._asker.ask("PUT", f"/Users/{person.id}", person.document())
        person.version += 1
        self._compare(person, self._expect(answer, 200))

    def _patch(self, person: Hired, operation: Json) -> None:
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        answer = self._asker.ask("PATCH", f"/Users/{person.id}", body)
        person.version += 1
        self._compare(person, self._expect(answer, 200))

    def _dismiss(self) -> None:
        person = self._somebody()
        gone = self._asker.ask("DELETE", f"/Users/{person.id}")
        # Sent again because its answer was lost, it may find nobody any more.
        self._expect(gone, 404 if gone.status == 404 and gone.tries > 1 else 204)
        self._people.remove(person)
        person.gone = True
        self._expect(self._asker.ask("GET", f"/Users/{person.id}"), 404)

    def _join(self) -> None:
        person, group = self._somebody(), self._random.choice(self._expected.groups)
        effect = group not in person.groups
        person.groups.add(group)
        self._patch_group(group, {"op": "Add", "path": "members", "value": [{"value": person.id}]}, effect)

    def _leave(self) -> None:
        members = [person for person in self._people if person.groups]
        if not members:
            self._join()
            return
        person = self._random.choice(members)
        group = self._random.choice(sorted(person.groups))
        person.groups.discard(group)
        self._patch_group(group, {"op": "Remove", "path": "members", "value": [{"value": person.id}]}, True)

    def _patch_group(self, group: str, operation: Json, effect: bool) -> None:
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        answer = self._asker.ask("PATCH", f"/Groups/{self._expected.ids[group]}", body, attributes="id")
        self._expect(answer, 200)
        self._expected.changed(group, effect)

    # --- reads: a write that was answered is seen by the next request --------------------------------------

    def _read(self) -> None:
        person = self._somebody()
        self._compare(person, self._expect(self._asker.ask("GET", f"/Users/{person.id}"), 200))

    def _find(self) -> None:
        person = self._somebody()
        answer = self._asker.ask("GET", "/Users", filter=f'userName eq "{person.name}"')
        found = self._expect(answer, 200)["Resources"]
        assert [one["id"] for one in found] == [person.id], f"{person} is found as {found}"

    def _compare(self, person: Hired, shown: Json) -> None:
        version = int(shown["meta"]["version"].split('"')[1])
        seen = (shown["userName"], shown["title"], shown["active"], version)
        assert seen == person.state(), f"{seen} is shown in place of {person.state()}"

    def _somebody(self) -> Hired:
        return self._random.choice(self._people)

    def _expect(self, answer: Answered, status: int) -> Json:
        assert answer.status == status, f"{answer} in place of {status}"
        return answer.body
