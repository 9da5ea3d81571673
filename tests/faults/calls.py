"""Calls to the API server as a proxy sees them: which of them are watches, which change something."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# POSTs that ask a question or hand out a token: nothing is stored.
# And a Lease, which says each second that its holder is alive.
_QUESTIONS = re.compile(
    r"/apis/(authentication|authorization|coordination)\.k8s\.io/|/serviceaccounts/[^/]+/token$"
)
_YES = frozenset({"true", "1"})


@dataclass(frozen=True)
class Call:
    """One request. `path`: without the query; `page`: how many objects are asked for at once; empty: all;
    `continued`: whether it is a further page.
    """

    method: str
    path: str
    watch: bool
    write: bool
    page: str = ""
    continued: bool = False


@dataclass
class Write:
    """One write, numbered from 1 in the order of arrival.

    What counts: POST, PUT, PATCH and DELETE of anything, statuses and Events too, even if it is refused or
    happens to change nothing (that can't be known before it is done). What doesn't: reviews
    (SelfSubjectAccessReview and the like), TokenRequests, Leases, dry runs.
    `status`: the API server's answer, whether or not it was delivered; 0: none (yet), or never forwarded.
    """

    number: int
    method: str
    path: str
    status: int = 0

    @property
    def done(self) -> bool:
        """Whether the API server accepted it."""
        return 200 <= self.status < 300


def call(method: str, path: str, query: Mapping[str, str]) -> Call:
    """What a request is."""
    write = method not in _READS and not _QUESTIONS.search(path) and "dryRun" not in query
    return Call(method, path, query.get("watch") in _YES, write, query.get("limit", ""), "continue" in query)
