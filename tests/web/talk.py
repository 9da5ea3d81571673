"""A provider's way of talking to the endpoint, in one line each; every answer is looked at."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.web.endpoint import TOKENS, Endpoint

Json = dict[str, Any]
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class Talk:
    """Requests to one directory. Each answer must have the status expected, and SCIM's media type."""

    def __init__(self, endpoint: Endpoint, directory: str = "entra") -> None:
        self.endpoint = endpoint
        self.directory = directory

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """One request. -> the body of the answer, None where there is none."""
        answer = await self.endpoint.ask(
            method,
            path,
            body,
            token=TOKENS[self.directory],
            directory=self.directory,
            headers=headers,
        )
        assert answer.status == status, (method, path, answer.status, await answer.text())
        if status == 204:
            assert await answer.read() == b""
            return None
        said: Json = await answer.json(content_type="application/scim+json")
        if status >= 400:
            assert said["schemas"] == [ERROR], said
            assert said["status"] == str(status), said
            assert said["detail"], said
        return said

    async def user(self, name: str = "ada", **attributes: Any) -> str:
        """POST a user. -> the id"""
        return str((await self("POST", "/Users", {"userName": name, **attributes}, 201))["id"])

    async def group(self, name: str = "team", *members: str, **attributes: Any) -> str:
        """POST a group with members by id. -> the id"""
        body = {"displayName": name, "members": [{"value": member} for member in members], **attributes}
        return str((await self("POST", "/Groups", body, 201))["id"])

    async def patch(self, path: str, *operations: Json, status: int = 200) -> Any:
        """PATCH with these operations."""
        return await self("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)}, status)

    async def members(self, group: str) -> list[str]:
        """Ids of a group's members, in order."""
        shown = await self("GET", f"/Groups/{group}")
        return [member["value"] for member in shown.get("members", ())]

    async def find(self, endpoint: str, text: str) -> list[Json]:
        """Those whom a filter matches, disabled ones included; a page of them."""
        found = await self("GET", f"/{endpoint}?filter={quote(text)}")
        assert found["totalResults"] >= len(found["Resources"])
        resources: list[Json] = found["Resources"]
        return resources
