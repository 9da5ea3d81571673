"""A provisioning load with a model of what it was answered, to be compared with what is there at the end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from tests.entra import CORE_GROUP, CORE_USER, PATCH_OP

Json = dict[str, Any]
_PATIENCE = 60
# Longer than a request is ever held.
_TIMEOUT = aiohttp.ClientTimeout(total=120)
_CHANCES = {"create": 3, "read": 5, "find": 3, "rename": 3, "switch": 2, "join": 3, "leave": 2, "drop": 1}


@dataclass(eq=False)
class Account:
    """A user as the provider knows it."""

    user_name: str
    identifier: str = ""
    active: bool = True
    display_name: str = ""
    joined: bool = False
    gone: bool = False


@dataclass
class Load:
    """Requests below `targets[-1]`, a directory's URL, one at a time for each user.

    No more than `most` are under way at a time. A 503 or 429 is tried again under the same X-Request-Id, as
    providers do, and noted in `put_off`. What was cut off at a `doomed` target is tried once more, and
    noted in `cut`; elsewhere it is a failure, unless the load is `patient`.
    """

    session: aiohttp.ClientSession
    token: str
    prefix: str
    group: str
    targets: list[str]
    patient: bool = False
    most: int = 100
    put_off: list[str] = field(default_factory=list)
    doomed: set[str] = field(default_factory=set)
    cut: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    accounts: list[Account] = field(default_factory=list)
    # The ids of those that aren't answered yet, whatever became of their tries.
    open: set[str] = field(default_factory=set)
    # How many requests are under way at each target.
    sent: Counter[str] = field(default_factory=Counter)
    # The longest that any request took, in seconds.
    longest: float = 0.0
    _group_id: str = ""
    _under_way: int = 0
    _busy: set[Account] = field(default_factory=set)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))

    async def prepare(self) -> None:
        """Make the group."""
        body = {"schemas": [CORE_GROUP], "displayName": self.group, "externalId": str(uuid4())}
        made = await self._ask("POST", "/Groups", 201, body)
        assert made is not None, self.failures
        self._group_id = made["id"]

    async def run(self, rate: float, over: asyncio.Event) -> None:
        """So many requests a second until it is over, then until all of them were answered."""
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        async with asyncio.TaskGroup() as tasks:
            while not over.is_set():
                if self._under_way < self.most:
                    tasks.create_task(self._one())
                sent += 1
                await asyncio.sleep(max(0.0, began + sent / rate - loop.time()))

    async def stored(self) -> dict[str, tuple[str, bool, str]]:
        """What the server has: userName -> id, active, displayName; every user once."""
        found: list[Json] = []
        while True:
            page = await self._ask("GET", f"/Users?startIndex={len(found) + 1}&count=200", 200)
            assert page is not None, self.failures
            found += page["Resources"]
            if len(found) >= page["totalResults"]:
                break
        assert len({user["userName"] for user in found}) == len(found), "somebody was made twice"
        return {user["userName"]: (user["id"], user["active"], user.get("displayName", "")) for user in found}

    def wanted(self) -> dict[str, tuple[str, bool, str]]:
        """What it was told that there is."""
        return {
            one.user_name: (one.identifier, one.active, one.display_name)
            for one in self.accounts
            if one.identifier and not one.gone
        }

    def entitled(self) -> list[str]:
        """Who has the group's access: its members, unless disabled or deleted."""
        members = (one for one in self.accounts if one.joined and one.active and not one.gone)
        return sorted(one.user_name for one in members)

    # --- one request each ----------------------------------------------------------------------------------

    async def _one(self) -> None:
        self._under_way += 1
        try:
            await self._any()
        finally:
            self._under_way -= 1

    async def _any(self) -> None:
        kind = self._chance.choices([*_CHANCES], [*_CHANCES.values()])[0]
        free = [one for one in self.accounts if one.identifier and not one.gone and one not in self._busy]
        if kind == "create" or not free:
            account = Account(f"{self.prefix}-{len(self.accounts)}@load.example.com")
            self.accounts.append(account)
            await self._create(account)
            return
        account = self._chance.choice(free)
        self._busy.add(account)
        try:
            await getattr(self, f"_{kind}")(account)
        finally:
            self._busy.discard(account)

    async def _create(self, account: Account) -> None:
        name = account.user_name
        body = {
            "schemas": [CORE_USER],
            "userName": name,
            "externalId": name,
            "displayName": "new",
            "active": True,
        }
        if (made := await self._ask("POST", "/Users", 201, body)) is not None:
            account.identifier, account.display_name = made["id"], "new"

    async def _read(self, account: Account) -> None:
        found = await self._ask("GET", f"/Users/{account.identifier}", 200)
        if found is not None and (found["active"], found["displayName"]) != (
            account.active,
            account.display_name,
        ):
            self.failures.append(f"{account} was read as {found}")

    async def _find(self, account: Account) -> None:
        found = await self._ask("GET", f"/Users?filter=userName+eq+%22{account.user_name}%22", 200)
        if found is not None and [item["id"] for item in found["Resources"]] != [account.identifier]:
            self.failures.append(f"{account} was found as {found}")

    async def _rename(self, account: Account) -> None:
        name = f"name {self._chance.random()}"
        if await self._patch(f"/Users/{account.identifier}", "replace", "displayName", name):
            account.display_name = name

    async def _switch(self, account: Account) -> None:
        if await self._patch(f"/Users/{account.identifier}", "replace", "active", not account.active):
            account.active = not account.active

    async def _join(self, account: Account) -> None:
        value = [{"value": account.identifier}]
        if await self._patch(f"/Groups/{self._group_id}", "add", "members", value):
            account.joined = True

    async def _leave(self, account: Account) -> None:
        path = f'members[value eq "{account.identifier}"]'
        if await self._patch(f"/Groups/{self._group_id}", "remove", path, None):
            account.joined = False

    async def _drop(self, account: Account) -> None:
        if await self._ask("DELETE", f"/Users/{account.identifier}", 204) is not None:
            account.gone = True

    async def _patch(self, path: str, verb: str, attribute: str, value: Any) -> bool:
        operation = {"op": verb, "path": attribute} | ({} if value is None else {"value": value})
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        return await self._ask("PATCH", path, 200, body) is not None

    async def _ask(self, method: str, path: str, wanted: int, body: Json | None = None) -> Json | None:
        """The answer's body; None when it is a failure, which is noted."""
        request_id = str(uuid4())
        self.open.add(request_id)
        try:
            return await self._tried(method, path, wanted, body, request_id)
        finally:
            self.open.discard(request_id)

    async def _tried(
        self, method: str, path: str, wanted: int, body: Json | None, request_id: str
    ) -> Json | None:
        headers = {"Authorization": f"Bearer {self.token}", "X-Request-Id": request_id}
        loop = asyncio.get_running_loop()
        said, tries = "", 0
        while tries < _PATIENCE:
            tries += 1
            began, target = loop.time(), self.targets[-1]
            self.sent[target] += 1
            try:
                async with self.session.request(
                    method, f"{target}{path}", json=body, headers=headers, timeout=_TIMEOUT
                ) as answer:
                    text = await answer.read()
                    status = answer.status
                    found = await answer.json(content_type=None) if text else {}
                self.sent[target] -= 1
            except (aiohttp.ClientError, TimeoutError) as error:
                self.sent[target] -= 1
                said = f"{type(error).__name__}: {error}"
                if target in self.doomed:
                    self.cut.append(f"{method} {path}: {said}")
                elif not self.patient:
                    break
            else:
                self.longest = max(self.longest, loop.time() - began)
                # A DELETE that was carried out before finds nothing when it comes again.
                if status == wanted or (method == "DELETE" and tries > 1 and status == 404):
                    self.answered[method] += 1
                    return dict(found)
                said = f"{status} {found}"
                if status not in (429, 503):
                    break
                self.put_off.append(f"{method} {path} after {loop.time() - began:.1f} s: {said}")
            await asyncio.sleep(0.3)
        self.failures.append(f"{method} {path} at {self.targets[-1]}, after {tries} tries: {said}")
        return None
