"""What the API server refused, or that it did not answer."""

from __future__ import annotations

_ROLE_REFUSED = ("attempting to grant RBAC permissions", "among the roles that scim-operator may grant")
_UNAVAILABLE = frozenset({0, 408, 425, 429, 500, 502, 503, 504})


class ApiError(Exception):
    """An answer other than 2xx. `status` is 0 when there was none; `message` is one line for people;
    `retry_after`: the seconds that the API server asks to be left alone for.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else f"no answer: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def unavailable(self) -> bool:
        """True when the same request may succeed later without any change."""
        return self.status in _UNAVAILABLE

    @property
    def too_large(self) -> bool:
        """Over etcd's limit of about 1.5 MiB, which comes as a 500, or over the API server's own."""
        said = self.message
        return self.status == 413 or "request is too large" in said or "larger than max" in said

    @property
    def not_found(self) -> bool:
        """The object isn't there."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """The object changed since it was read, or its uid differs."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def already_exists(self) -> bool:
        """A create met an object of that name."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def gone(self) -> bool:
        """The resourceVersion is too old to watch from."""
        return self.status == 410

    @property
    def unauthorized(self) -> bool:
        """Who we are isn't known, or what we may do: as it is too for the first seconds of an API
        server's life, while it still reads roles.
        """
        cannot = 'User "' in self.message and " cannot " in self.message
        return self.status == 401 or (self.status == 403 and cannot)

    @property
    def role_refused(self) -> bool:
        """RBAC's escalation check: we don't hold `bind` on the role (the API server's text never says so). Or
        the chart's admission policy: it isn't among those of the values.
        """
        return self.status == 403 and any(sign in self.message for sign in _ROLE_REFUSED)
