"""POST /Bulk (RFC 7644, section 3.7): one operation after the other, each as a request of its own goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from scim_operator.scim.bulk import (
    RESPONSE_URN,
    BulkOperation,
    Step,
    plan,
    read_bulk,
    resolved,
    what_names,
    without,
)
from scim_operator.scim.errors import ScimError, invalid_syntax, invalid_value
from scim_operator.scim.versions import ALWAYS, Conditions, read_tags
from scim_operator.web.asks import RESOURCES, Answer, Ask
from scim_operator.web.errors import as_scim
from scim_operator.web.queries import query_of
from scim_operator.web.resources import Resources
from scim_operator.web.targets import PREFIX, SEARCH, Target, target

log = logging.getLogger(__name__)

# Answers of operations aren't sent back: of the resource only the id is wanted.
_ID_ALONE = query_of([("attributes", "id")])


class Bulk:
    """Answers what is asked of many resources at once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def answer(self, ask: Ask) -> Answer:
        """200 with what became of each operation that was tried; 400 or 413 for no message of ours."""
        operations, limit = read_bulk(ask.body)
        run = _Run(ask, operations, self._resources)
        for step in plan(operations):
            if limit is not None and run.failed >= limit:
                break
            await run.carry_out(step)
            await asyncio.sleep(0)  # rule 21: what has no effect waits for nothing
        await run.end()
        counts = {"operations": len(operations), "tried": len(run.results), "failed": run.failed}
        log.info("bulk", extra={"directory": ask.target.directory, "request_id": ask.request_id, **counts})
        results = [run.results[number] for number in sorted(run.results)]
        return Answer(body={"schemas": [RESPONSE_URN], "Operations": results})


class _Run:
    """One request at work. `results`: by place in the list."""

    def __init__(self, ask: Ask, operations: list[BulkOperation], resources: Resources) -> None:
        self.results: dict[int, dict[str, Any]] = {}
        self.failed = 0
        self._ask = ask
        self._operations = operations
        self._resources = resources
        self._makers = {item.bulk_id for item in operations if item.method == "POST"}
        self._targets: dict[int, Target] = {}
        self._ids: dict[str, str] = {}
        self._lost: set[str] = set()
        # Made without what was not there yet (a circle): by place.
        self._incomplete: dict[int, Step] = {}
        # Why the rest isn't tried: it would only wait for the API server as well, or isn't allowed any more.
        self._ended: ScimError | None = None
        self._undeletable = ""

    async def carry_out(self, step: Step) -> None:
        """One operation, and what follows for those that wait for it."""
        operation = self._operations[step.operation]
        try:
            self._go_on()
            operation.check()
            operation.check_names(self._makers)
            self._refuse_lost(operation, step.later)
            await self._do(operation, step)
        except Exception as error:
            self._fail(step.operation, self._refusal(error))
        await self._settle()

    async def end(self) -> None:
        """Nothing more is made: what still waits goes again, whole or not at all."""
        self._lost |= self._makers - self._ids.keys()
        await self._settle()

    async def _settle(self) -> None:
        """Complete what can be, take back what never will be."""
        while step := self._next_to_settle():
            if lost := sorted(step.later & self._lost):
                names = ", ".join(f"bulkId:{name}" for name in lost)
                await self._undo(step, ScimError(409, f"{names} was not made, so this was taken back"))
            else:
                await self._complete(step)

    def _next_to_settle(self) -> Step | None:
        steps = self._incomplete.values()
        return next(
            (step for step in steps if step.later & self._lost or step.later <= self._ids.keys()), None
        )

    # --- one operation -------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Raise why nothing more is tried."""
        if self._ended is None:
            try:
                self._ask.admit()
            except Exception as error:
                self._ended = as_scim(error, self._ask.request_id)
        if self._ended is not None:
            raise self._ended

    def _refusal(self, error: Exception) -> ScimError:
        refused = as_scim(error, self._ask.request_id)
        if refused.status == 503:
            self._ended = refused
        return refused

    def _refuse_lost(self, operation: BulkOperation, later: frozenset[str]) -> None:
        for name in operation.references:
            if name in self._makers and name not in self._ids and name not in later:
                raise ScimError(409, f"bulkId:{name} was not made, so this operation wasn't tried")

    async def _do(self, operation: BulkOperation, step: Step) -> None:
        asked = self._target(operation)
        handlers = self._resources.handlers(asked)
        if operation.method not in handlers:
            allowed = ", ".join(sorted(handlers.keys() - {"GET"}))
            raise ScimError(405, f"{operation.method} isn't possible here; possible are {allowed}")
        self._targets[step.operation] = asked
        data = operation.data if operation.method != "DELETE" else {}
        ask = replace(
            self._on(asked, resolved(without(data, step.later) if step.later else data, self._ids)),
            conditions=ALWAYS if operation.method == "POST" else _version(operation),
            part=step.operation + 1,
            repeated=self._ask.repeated,
        )
        answer = await handlers[operation.method](ask)
        if operation.method == "POST":
            self._ids[operation.bulk_id] = answer.body["id"]
            self._targets[step.operation] = replace(asked, identifier=answer.body["id"])
        self._succeed(step.operation, answer)
        if step.later:
            self._incomplete[step.operation] = step

    async def _complete(self, step: Step) -> None:
        """Add to what was made what was left out then."""
        value = resolved(what_names(self._operations[step.operation].data, step.later), self._ids)
        body = {"Operations": [{"op": "add", "value": value}]}
        try:
            self._go_on()
            answer = await self._resources.patch(self._on(self._targets[step.operation], body))
        except Exception as error:
            await self._undo(step, self._refusal(error))
            return
        del self._incomplete[step.operation]
        self.results[step.operation]["version"] = answer.headers["ETag"]

    async def _undo(self, step: Step, error: ScimError) -> None:
        """Take back what could not be completed."""
        del self._incomplete[step.operation]
        del self._ids[self._operations[step.operation].bulk_id]
        if reason := await self._kept(self._targets[step.operation]):
            error = ScimError(error.status, f"{error.detail}; it is still there: {reason}", error.scim_type)
        else:
            del self._targets[step.operation]
        self._fail(step.operation, error)

    async def _kept(self, made: Target) -> str:
        """Why what was made can't be taken back; empty: it is gone."""
        if not self._undeletable:
            try:
                await self._resources.take_back(self._on(made, {}))
            except Exception as error:
                refused = self._refusal(error)
                if refused.status != 503:
                    return refused.detail
                self._undeletable = "send the request again with the same X-Request-Id, or delete it"
        return self._undeletable

    # --- targets and results -------------------------------------------------------------------------------

    def _target(self, operation: BulkOperation) -> Target:
        """What a path means; always in the directory that was asked, whatever it says."""
        path = operation.path.partition("?")[0]
        asked = target(f"{PREFIX}/{quote(self._ask.target.directory, safe='')}/{path}")
        if asked.endpoint not in RESOURCES or asked.identifier == SEARCH or asked.rest:
            raise invalid_syntax(f"path {path[:100]!r}: expected /Users, /Groups, or one of them with /ID")
        if asked.identifier is None:
            return asked
        return replace(asked, identifier=resolved(asked.identifier, self._ids))

    def _on(self, asked: Target, body: Mapping[str, Any]) -> Ask:
        ask = replace(self._ask, target=asked, query=_ID_ALONE, body=body)
        return replace(ask, conditions=ALWAYS, repeated=False)

    def _succeed(self, number: int, answer: Answer) -> None:
        version = {"version": answer.headers["ETag"]} if "ETag" in answer.headers else {}
        self.results[number] = self._named(number) | version | {"status": str(answer.status)}

    def _fail(self, number: int, error: ScimError) -> None:
        self.failed += 1
        if self._operations[number].method == "POST":
            self._lost.add(self._operations[number].bulk_id)
        told = {"status": str(error.status), "response": error.body()}
        self.results[number] = self._named(number) | told

    def _named(self, number: int) -> dict[str, Any]:
        """What tells a client which operation it is; a POST that failed has no location (section 3.7.3)."""
        operation, asked = self._operations[number], self._targets.get(number)
        named = {"method": operation.method}
        if operation.bulk_id:
            named["bulkId"] = operation.bulk_id
        if asked is not None and asked.identifier:
            named["location"] = f"{self._ask.base}{RESOURCES[asked.endpoint].endpoint}/{asked.identifier}"
        return named


def _version(operation: BulkOperation) -> Conditions:
    if operation.version is None:
        return ALWAYS
    if not isinstance(operation.version, str):
        raise invalid_value('version expects a string such as "W/\\"3\\""')
    return Conditions(if_match=read_tags("version", operation.version))
