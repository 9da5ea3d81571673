"""Microsoft Entra ID as a client: the requests its provisioning sends, in both dialects, and its manners.

From Microsoft's documentation and captures of the wire: a look-up before every POST, PATCHes of differences,
no members in the POST of a group, a failed call tried again, a 409 answered by look-up and PATCH.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import uuid4

CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
# Entra's own group schema: servers must pass over it.
ADSCIM_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"

_TRIES, _PAUSE = 60, 0.25
Json = dict[str, Any]


class Dialect(Enum):
    """Without and with `?aadOptscim062020` at the Tenant URL."""

    LEGACY = ""
    MODERN = "aadOptscim062020"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    method: str
    url: str
    body: Json | None
    status: int
    answer: Json
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Person:
    """A user of the tenant, with what the default attribute mapping sends."""

    user_name: str
    given: str
    family: str
    department: str = "Engineering"
    external_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass
class EntraClient:
    """One enterprise application's provisioning. `ids`: what Entra remembers of us, by its own names."""

    url: str
    token: str
    dialect: Dialect = Dialect.LEGACY
    tell: Callable[[Exchange], None] = lambda _: None
    ids: dict[str, str] = field(default_factory=dict)

    # --- an admin's and a cycle's steps --------------------------------------------------------------------

    def test_connection(self) -> Exchange:
        """The button: looks for somebody who can't exist; 200 with an empty list passes."""
        return self.call("GET", "/Users", query={"filter": f'userName eq "{uuid4()}"'})

    def provision_user(self, person: Person) -> str:
        """Look up, then POST, or PATCH what differs. -> the id."""
        found = self.find("Users", "userName", person.user_name)
        if found is None:
            made = self.call("POST", "/Users", self.user_document(person))
            if made.status == 409:
                found = self.find("Users", "userName", person.user_name)
            else:
                _expect(made, 201)
                found = made.answer
        if found is None:
            raise AssertionError(f"{person.user_name}: refused as taken, yet not found")
        self.ids[person.user_name] = found["id"]
        self._assert_state(found, self.user_document(person))
        return str(found["id"])

    def provision_group(self, name: str, members: Sequence[str], external_id: str | None = None) -> str:
        """Look up, POST without members, then add them by PATCH. -> the id."""
        found = self.find("Groups", "displayName", name)
        if found is None:
            body = {
                "schemas": [CORE_GROUP, ADSCIM_GROUP],
                "externalId": external_id or str(uuid4()),
                "displayName": name,
                "members": [],
                "meta": {"resourceType": "Group"},
            }
            made = self.call("POST", "/Groups", body)
            found = made.answer if made.status == 201 else self.find("Groups", "displayName", name)
        if found is None:
            raise AssertionError(f"group {name}: neither made nor found")
        self.ids[name] = found["id"]
        for member in members:
            self.add_members(name, [member])
        return str(found["id"])

    def set_active(self, user_name: str, active: bool) -> Exchange:
        """Unassigned, disabled or soft-deleted in Entra, or back again."""
        if self.dialect is Dialect.LEGACY:
            operation: Json = {"op": "Replace", "path": "active", "value": str(active)}
        else:
            operation = {"op": "replace", "path": "active", "value": active}
        return _expect(self._patch("Users", user_name, [operation]), 200)

    def update_user(self, user_name: str, changes: Mapping[str, Any]) -> Exchange:
        """PATCH of differences; keys are paths such as `name.familyName`."""
        if self.dialect is Dialect.LEGACY:
            operations = [{"op": "Replace", "path": path, "value": value} for path, value in changes.items()]
        else:
            simple = {path: value for path, value in changes.items() if "[" not in path}
            operations = [
                {"op": "replace", "path": path, "value": value}
                for path, value in changes.items()
                if "[" in path
            ]
            operations += [{"op": "replace", "value": simple}] if simple else []
        return _expect(self._patch("Users", user_name, operations), 200)

    def rename_group(self, name: str, new: str) -> None:
        """The group has another displayName from now on."""
        operation = {"op": self._op("Replace"), "path": "displayName", "value": new}
        _expect(self._patch("Groups", name, [operation]), 200)
        self.ids[new] = self.ids.pop(name)

    def add_members(self, group: str, user_names: Sequence[str]) -> Exchange:
        """People join a group."""
        value = [{"$ref": None, "value": self.ids[name]} for name in user_names]
        operation = {"op": self._op("Add"), "path": "members", "value": value}
        return _expect(self._patch("Groups", group, [operation]), 200)

    def remove_members(self, group: str, user_names: Sequence[str]) -> Exchange:
        """People leave a group."""
        ids = [self.ids[name] for name in user_names]
        if self.dialect is Dialect.LEGACY:
            operations: list[Json] = [
                {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": id_} for id_ in ids]}
            ]
        else:
            operations = [{"op": "remove", "path": f'members[value eq "{id_}"]'} for id_ in ids]
        return _expect(self._patch("Groups", group, operations), 200)

    def delete(self, endpoint: str, name: str) -> Exchange:
        """Hard delete, 30 days after the soft one. Gone already is as good."""
        gone = self.call("DELETE", f"/{endpoint}/{self.ids.pop(name)}")
        return gone if gone.status == 404 else _expect(gone, 204)

    def find(self, endpoint: str, attribute: str, value: str) -> Json | None:
        """The matching look-up."""
        query = {"filter": f'{attribute} eq "{value}"'}
        if endpoint == "Groups":
            query = {"excludedAttributes": "members", **query}
        listed = _expect(self.call("GET", f"/{endpoint}", query=query), 200).answer
        return listed["Resources"][0] if listed["totalResults"] else None

    def get(self, endpoint: str, name: str) -> Json:
        """By id."""
        return _expect(self.call("GET", f"/{endpoint}/{self.ids[name]}"), 200).answer

    # --- the wire ------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        *,
        request_id: str | None = None,
    ) -> Exchange:
        """One request, tried again while the server can't be reached or says 503.

        `request_id`: by which the server knows it again.
        """
        for attempt in range(_TRIES):
            try:
                exchange = self._once(method, path, body, query, request_id)
                if exchange.status != 503 or attempt == _TRIES - 1:
                    self.tell(exchange)
                    return exchange
            except (OSError, http.client.HTTPException):  # no connection, or an answer cut off
                if attempt == _TRIES - 1:
                    raise
            time.sleep(_PAUSE)
        raise AssertionError("unreachable")

    def _once(
        self,
        method: str,
        path: str,
        body: Json | None,
        query: Mapping[str, str] | None,
        request_id: str | None = None,
    ) -> Exchange:
        # Spaces as `+`, and the flag behind the resource's path, as on the wire.
        parts = [urllib.parse.urlencode(query)] if query else []
        parts += [self.dialect.value] if self.dialect.value else []
        url = self.url + path + ("?" + "&".join(parts) if parts else "")
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/scim+json"}
        headers |= {"X-Request-Id": request_id} if request_id else {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/scim+json; charset=utf-8"
            data = json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as response:
                return Exchange(
                    method, url, body, response.status, _parsed(response.read()), dict(response.headers)
                )
        except urllib.error.HTTPError as error:
            with error:
                return Exchange(method, url, body, error.code, _parsed(error.read()), dict(error.headers))

    def _patch(self, endpoint: str, name: str, operations: list[Json]) -> Exchange:
        body = {"schemas": [PATCH_OP], "Operations": operations}
        return self.call("PATCH", f"/{endpoint}/{self.ids[name]}", body)

    def _assert_state(self, found: Json, wanted: Json) -> None:
        """Entra compares what it finds with its own state and sends the difference."""
        flat = {
            "displayName": wanted["displayName"],
            "name.givenName": wanted["name"]["givenName"],
            "name.familyName": wanted["name"]["familyName"],
            f"{ENTERPRISE}:department": wanted[ENTERPRISE]["department"],
        }
        known = {
            "displayName": found.get("displayName"),
            "name.givenName": found.get("name", {}).get("givenName"),
            "name.familyName": found.get("name", {}).get("familyName"),
            f"{ENTERPRISE}:department": found.get(ENTERPRISE, {}).get("department"),
        }
        changes = {path: value for path, value in flat.items() if known[path] != value}
        if changes:
            self.update_user(wanted["userName"], changes)

    def _op(self, name: str) -> str:
        return name if self.dialect is Dialect.LEGACY else name.lower()

    def user_document(self, person: Person) -> Json:
        """What the default attribute mapping makes of a person."""
        return {
            "schemas": [CORE_USER, ENTERPRISE],
            "externalId": person.external_id,
            "userName": person.user_name,
            "active": "True" if self.dialect is Dialect.LEGACY else True,
            "displayName": f"{person.given} {person.family}",
            "emails": [{"primary": True, "type": "work", "value": person.user_name}],
            "meta": {"resourceType": "User"},
            "name": {
                "formatted": f"{person.given} {person.family}",
                "familyName": person.family,
                "givenName": person.given,
            },
            ENTERPRISE: {"department": person.department},
        }


def _expect(exchange: Exchange, status: int) -> Exchange:
    if exchange.status != status:
        raise AssertionError(
            f"{exchange.method} {exchange.url}: {exchange.status} instead of {status}: {exchange.answer}"
        )
    return exchange


def _parsed(content: bytes) -> Json:
    parsed: Json = json.loads(content) if content else {}
    return parsed
