"""What the SCIM side can't do, though nothing is wrong with the request."""

from __future__ import annotations


class UnavailableError(Exception):
    """503, it may be sent again. `retry_after` in seconds; the message is for the provider's admin; `again`:
    it may be over in a moment.
    """

    def __init__(self, message: str, retry_after: int = 5, *, again: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.again = again


class RefusedError(Exception):
    """500: the API server doesn't let us do it. What it said isn't here: it names the object, and by that a
    person; `status` and `reason` are as it gave them, `kind` is that of the object.
    """

    def __init__(self, kind: str, status: int, reason: str) -> None:
        super().__init__(f"the API server refused a request about a {kind}: {status} {reason}")
        self.kind = kind
        self.status = status
        self.reason = reason
