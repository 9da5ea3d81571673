"""A process that was stopped for a while, as by a debugger, doesn't know yet what happened meanwhile."""

from __future__ import annotations

from typing import Any, cast

from scim_operator.kube.election import _SILENCE_SECONDS, Election
from scim_operator.kube.errors import ApiError
from scim_operator.kube.lease import DURATION, RENEW_DEADLINE


class Leases:
    """An API server that knows one Lease."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        self._reach()
        if self.lease is None:
            raise ApiError(404, "NotFound", "")
        return self.lease

    async def create(self, _: Any, body: dict[str, Any], **__: Any) -> dict[str, Any]:
        self._reach()
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.lease = {"metadata": metadata, "spec": body["spec"]}
        return self.lease

    async def replace(self, _: Any, body: dict[str, Any], **__: Any) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise ApiError(409, "Conflict", "")
        return await self.create(_, body)

    def _reach(self) -> None:
        if self.away:
            raise ApiError(0, "Unreachable", "")


class Pair:
    """Two replicas on one clock; the first leads."""

    def __init__(self) -> None:
        self.now = 100.0
        self.leases = Leases()
        self.first, self.second = (
            Election(
                cast(Any, self.leases),
                "ns",
                "lease",
                me,
                monotonic=lambda: self.now,
                now=lambda: "t",
                rewound=lambda found: None,
            )
            for me in ("a|10.0.0.1", "b|10.0.0.2")
        )

    async def turns(self) -> None:
        """The loop of the second one turns; the first one's has stood still since the beginning."""
        self.second._beaten_at = self.now
        await self.first._turn()
        await self.second._turn()

    async def begin(self) -> None:
        self.first.contend()
        self.second.contend()
        await self.first._turn()
        await self.second._turn()
        assert self.first.term == 1


async def test_it_asks_who_leads_before_it_answers_as_if_nobody_did() -> None:
    pair = Pair()
    await pair.begin()
    pair.now += DURATION  # the first one is stopped
    await pair.second._turn()
    assert pair.second.term == 1
    pair.now += RENEW_DEADLINE
    assert (pair.first.term, pair.first.leader, pair.first.reachable) == (None, "", True)
    await pair.first._turn()
    assert pair.first.leader == "b|10.0.0.2"


async def test_an_api_server_that_is_away_is_known_to_be_after_a_while() -> None:
    pair = Pair()
    await pair.begin()
    pair.leases.away = True
    await pair.first._turn()
    assert pair.first.reachable, "it may have been a hiccup"
    pair.now += RENEW_DEADLINE
    await pair.first._turn()
    assert not pair.first.reachable


async def test_who_does_nothing_any_more_leads_no_more() -> None:
    """The thread that renews would go on for ever, for a process that hangs."""
    pair = Pair()
    await pair.begin()
    for _ in range(int(_SILENCE_SECONDS)):
        pair.now += 1
        await pair.turns()
        assert pair.first.term == 1, "it may be busy"
    for _ in range(int(DURATION) + 1):
        pair.now += 1
        await pair.turns()
    assert (pair.first.term, pair.second.term) == (None, 1)
    pair.first._beaten_at = pair.now
    await pair.first._turn()
    assert (pair.first.term, pair.first.leader) == (None, "b|10.0.0.2"), "it goes on as one that stands by"
