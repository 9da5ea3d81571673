"""Roles in namespaces, of which there are many and few are granted: asked for, instead of watching all."""

from __future__ import annotations

from scim_operator.access.places import Place
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import ROLES


async def role_exists(client: KubeClient, place: Place) -> bool:
    """Whether the Role of a place is there. Raises ApiError when the API server is away."""
    try:
        await client.get(ROLES, place.role, namespace=place.namespace)
    except ApiError as error:
        if error.not_found:
            return False
        if error.status != 403:  # a role outside the list: binding it says so better
            raise
    return True
