"""What a URL of ours means, in every spelling that clients use.

Admins paste the Tenant URL with a slash, with Entra's flag as a query, even with the flag as a path segment;
Entra appends `/Users` to all of them. So empty segments and the flag are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

PREFIX = "/scim/v2"
# As a route of aiohttp: /scim/v1/…, /scim/1.1/…
OTHER_VERSIONS = "/scim/{version:v?[0-9.]+}/{rest:.*}"
SEARCH = ".search"
BULK = "bulk"
# The last one is an alias in Microsoft's collection.
CONFIG = ("", "serviceproviderconfig", "serviceconfiguration")
# The flag of today, its older name, which Microsoft's pages mix up (azure-docs#73841), and the way back.
_FLAGS = ("aadoptscim062020", "azureadscimpatch062020", "azureadscimpatch2017")


@dataclass(frozen=True)
class Target:
    """`/scim/v2/{directory}/{endpoint}/{id}`; the endpoint is folded, `rest` is what should not be there."""

    directory: str
    endpoint: str
    identifier: str | None
    rest: tuple[str, ...] = ()


def rerouted(raw_path: str, raw_query: str) -> str | None:
    """The URL that was meant by a path behind the flag: `…/entra?aadOptscim062020/Users?filter=…`.

    None when the URL means what it says.
    """
    flag, slash, rest = raw_query.partition("/")
    name, _, value = flag.partition("=")  # IBM writes it with `=true`
    if not slash or name.casefold() not in _FLAGS or "&" in value:  # that slash stands in a filter
        return None
    return f"{raw_path.rstrip('/')}/{rest}"


def target(raw_path: str) -> Target:
    """The target of a path below PREFIX (still percent-encoded)."""
    path = raw_path.removeprefix(PREFIX)
    segments = [unquote(segment) for segment in path.split("/") if segment]
    segments = [segment for segment in segments if segment.casefold() not in _FLAGS]
    directory, endpoint, identifier, *rest = [*segments, "", "", ""]
    # The padding ends up in `rest`; only what the client sent counts.
    return Target(directory, endpoint.casefold(), identifier or None, tuple(part for part in rest if part))
