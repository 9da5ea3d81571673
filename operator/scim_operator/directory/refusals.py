"""What the API server said to a write of the SCIM side, as what the provider should hear."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator

from scim_operator.directory.records import RESOURCES
from scim_operator.directory.unavailable import RefusedError, UnavailableError
from scim_operator.kube.errors import ApiError
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.errors import ScimError, invalid_value, uniqueness

log = logging.getLogger(__name__)


@contextlib.contextmanager
def api_errors(resource_type: ResourceType) -> Iterator[None]:
    """Raises ScimError, UnavailableError or RefusedError in place of ApiError."""
    try:
        yield
    except ApiError as error:
        if error.too_large:
            raise ScimError(413, "the resource is too large to be stored") from error
        if error.unavailable or error.conflict or error.gone:
            after = max(5, math.ceil(error.retry_after))
            said = "the cluster's API server does not answer; nothing was lost"
            raise UnavailableError(said, after, again=True) from error
        if error.unauthorized:
            log.warning("the API server doesn't let us write", extra={"api_status": error.status})
            raise UnavailableError(
                "the cluster's API server doesn't let the operator write", again=True
            ) from error
        if error.status == 422:
            raise invalid_value(f"refused by the cluster: {error.message}") from error
        raise RefusedError(RESOURCES[resource_type.name].kind, error.status, error.reason) from None


def taken(attribute: str, value: str) -> ScimError:
    """A unique value that another resource has."""
    return uniqueness(f"{attribute}: {value!r} is taken by another resource of this directory")
