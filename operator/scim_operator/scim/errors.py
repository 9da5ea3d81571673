"""The one error of the engine (RFC 7644, section 3.12) and its kinds.

Everything that a client did wrong is raised as `ScimError` and rendered once, by whoever speaks HTTP.
The kinds below fix status and scimType together, so that no call site can pair them wrongly. A detail
always names the attribute and what was expected: Entra shows it to the administrator as it is.
"""

from __future__ import annotations

from typing import Any

ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(Exception):
    """A refusal: HTTP status, human detail, and the scimType of RFC 7644 table 9 where one fits."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        # What a client sent may be quoted in it, bytes that are no text included.
        self.detail = detail.encode("utf-8", "replace").decode()
        super().__init__(self.detail)
        self.status = status
        self.scim_type = scim_type

    def body(self) -> dict[str, Any]:
        """The Error message: `status` is a string there (RFC 7644 section 3.12)."""
        kind = {} if self.scim_type is None else {"scimType": self.scim_type}
        return {"schemas": [ERROR_URN], "status": str(self.status), **kind, "detail": self.detail}


def invalid_value(detail: str) -> ScimError:
    """400: a value is missing or doesn't suit its attribute."""
    return ScimError(400, detail, "invalidValue")


def invalid_filter(detail: str) -> ScimError:
    """400: a filter's syntax, or a comparison that the attribute doesn't know."""
    return ScimError(400, detail, "invalidFilter")


def invalid_path(detail: str) -> ScimError:
    """400: the path of a PATCH operation is malformed."""
    return ScimError(400, detail, "invalidPath")


def no_target(detail: str) -> ScimError:
    """400: a PATCH operation has nothing it could act on."""
    return ScimError(400, detail, "noTarget")


def invalid_syntax(detail: str) -> ScimError:
    """400: the body isn't the message that it should be."""
    return ScimError(400, detail, "invalidSyntax")


def mutability(detail: str) -> ScimError:
    """400: the attribute is read-only, or required and would be gone."""
    return ScimError(400, detail, "mutability")


def uniqueness(detail: str) -> ScimError:
    """409: the value is taken. authentik and Entra go on only if the scimType says so."""
    return ScimError(409, detail, "uniqueness")


def not_found(detail: str) -> ScimError:
    """404: no such resource. Never for an empty list (it puts Entra's job into quarantine)."""
    return ScimError(404, detail)
