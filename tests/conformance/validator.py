"""Microsoft's SCIM validator (scimvalidator.microsoft.com) as a client: its tests' names and what it asks.

From pranems/SCIMServer's captures and reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conformance.paths import value_at
from tests.conformance.words import user_body, word
from tests.entra import ADSCIM_GROUP, CORE_GROUP, ENTERPRISE, PATCH_OP, EntraClient, Json

REQUIRED = (
    "Create a new User",
    "Create a duplicate User",
    "Filter for an existing user",
    "Filter for a non-existing user",
    "Filter for an existing user with a different case",
    "Patch User - Replace Attributes (Verbose Request)",
    "Update User userName",
    "Patch User - Disable User",
    "Patch User - Add Attributes (Verbose Request)",
    "Patch User - Add Manager",
    "Patch User - Replace Manager",
    "Patch User - Remove Manager",
    "Delete a User",
    "Get group by id excluding members",
    "Filter for an existing group excluding members",
    "Filter for an existing group",
    "Filter for a non-existing group",
    "Filter for an existing group with a different case",
    "Create a new Group",
    "Create a duplicate Group",
    "Patch Group - Replace Attributes",
    "Update Group displayName",
    "Patch Group - Add Member",
    "Patch Group - Remove Member",
    "Delete a Group",
)
PREVIEW = (
    "Patch User - Multiple Ops on different attributes",
    "Patch User - Multiple Ops on same attribute",
    "Delete a non-existent User",
    "Delete the same User twice",
    "Patch Group - Multiple Ops on same attribute",
    "Delete a non-existent Group",
    "Delete the same Group twice",
)
MANAGER = f"{ENTERPRISE}:manager"
Stored = Callable[[str], Json | None]


@dataclass(frozen=True)
class Validator:
    """The validator, connected. `stored`: the spec of what the API server holds under a SCIM id."""

    entra: EntraClient
    stored: Stored

    def user(self) -> Json:
        """A user of random words, POSTed."""
        made = self.entra.call("POST", "/Users", user_body(f"{word()}@testuser.com"))
        assert made.status == 201, made.answer
        return made.answer

    def group(self, *members: str) -> Json:
        """A group as Entra POSTs it; members come afterwards, by `replace`: the validator's add."""
        body = {
            "schemas": [CORE_GROUP, ADSCIM_GROUP],
            "externalId": word(),
            "displayName": word(),
            "members": [],
            "meta": {"resourceType": "Group"},
        }
        made = self.entra.call("POST", "/Groups", body)
        assert made.status == 201, made.answer
        if members:
            self.patch("Groups", made.answer["id"], members_replaced(*members))
        return made.answer

    def get(self, endpoint: str, identifier: str) -> Json:
        """By id."""
        found = self.entra.call("GET", f"/{endpoint}/{identifier}")
        assert found.status == 200, found.answer
        return found.answer

    def gone(self, endpoint: str, identifier: str) -> bool:
        """Whether it is neither known nor stored."""
        return self.entra.call("GET", f"/{endpoint}/{identifier}").status == 404 and not self.stored(
            identifier
        )

    def patch(self, endpoint: str, identifier: str, *operations: Json) -> Json:
        """PATCH; the answer is what a GET says."""
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        done = self.entra.call("PATCH", f"/{endpoint}/{identifier}", body)
        assert done.status == 200, done.answer
        assert done.answer == self.get(endpoint, identifier)
        return done.answer

    def found(self, endpoint: str, text: str, **query: str) -> list[Json]:
        """A list by filter: 200, also when it is empty."""
        listed = self.entra.call("GET", f"/{endpoint}", query={**query, "filter": text})
        assert listed.status == 200, listed.answer
        assert listed.answer["totalResults"] == len(listed.answer["Resources"])
        resources: list[Json] = listed.answer["Resources"]
        return resources

    def manager(self, identifier: str) -> Any:
        """The manager's id, as GET and the custom resource have it."""
        shown = value_at(self.get("Users", identifier), f"{MANAGER}.value")
        held = (self.stored(identifier) or {}).get("extensions", {}).get(ENTERPRISE, {}).get("manager", {})
        assert held.get("value") == shown
        return shown

    def members(self, identifier: str) -> list[str]:
        """The ids of the members, as GET and the custom resource have them."""
        shown = [member["value"] for member in self.get("Groups", identifier)["members"]]
        assert (self.stored(identifier) or {}).get("members", []) == shown
        return shown


def members_replaced(*members: str) -> Json:
    """The validator's way to add members."""
    return {"op": "replace", "path": "members", "value": [{"value": member} for member in members]}


def manager_in(form: str, identifier: str) -> Any:
    """What the validator sent over the years (2026-04, 2026-02), and the form of Microsoft's old page."""
    reference = {"$ref": f"http://scim.example.com/scim/Users/{identifier}", "value": identifier}
    return {"raw string": identifier, "object": {"value": identifier}, "object in a list": [reference]}[form]
