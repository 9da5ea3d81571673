"""What the SCIM side answers with 503: nothing is wrong with the request, it may be sent again."""

from __future__ import annotations


class UnavailableError(Exception):
    """`retry_after` in seconds; the message is for the provider's admin."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
