"""What Entra and the operator say to each other, as lines to read: the first of each kind in full."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.demo.screen import Screen
from tests.entra import ENTERPRISE, Exchange

_UUID = re.compile(r"\b([0-9a-f]{4})[0-9a-f]{4}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_URN = re.compile(r"urn:ietf:params:scim:(?:schemas:(?:extension:)?|api:messages:)")
_ANSWERED = ("id", "displayName", "userName", "active", "department", "members", "totalResults", "detail")
# What the path of the request tells as well.
_FORMAL = ("schemas", "meta")
_KEY = re.compile(r'"([$\w]+)": ')


class Transcript:
    """Collects exchanges (it is Entra's `tell`) and shows them act by act."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._act: list[Exchange] = []
        self._shown: set[str] = set()
        self.answered_at = 0.0

    def __call__(self, exchange: Exchange) -> None:
        """Only noted: printing here would count in what is measured."""
        self.answered_at = time.monotonic()
        self._act.append(exchange)

    @contextmanager
    def act(self, what: str) -> Iterator[None]:
        """Exchanges that belong together; kinds that the reader knows by now share one line."""
        self._act = []
        try:
            yield
        finally:
            self._show(what)

    def _show(self, what: str) -> None:
        known: list[str] = []
        for exchange in self._act:
            kind = kind_of(exchange)
            if kind in self._shown:
                known.append(f"{exchange.method} {exchange.status}")
            else:
                self._shown.add(kind)
                self._show_known(known, what)
                known = []
                self._show_whole(exchange)
        self._show_known(known, what)

    def _show_whole(self, exchange: Exchange) -> None:
        request, answer = request_line(exchange), answer_line(exchange)
        if exchange.body is None:
            self._screen.labelled("Entra", f"{request}  ->  {answer}")
        else:
            self._screen.labelled("Entra", request)
            self._screen.labelled("answer", answer)

    def _show_known(self, known: list[str], what: str) -> None:
        if known:
            self._screen.labelled("Entra", f"{', '.join(known)}\xa0 {what}")


def request_line(exchange: Exchange) -> str:
    """Method, decoded path below the Tenant URL, body."""
    body = f" {compact(exchange.body)}" if exchange.body is not None else ""
    return f"{exchange.method} {short(path_of(exchange))}{body}"


def answer_line(exchange: Exchange) -> str:
    """Status and the fields that matter here."""
    flat = {**exchange.answer, **exchange.answer.get(ENTERPRISE, {})}
    fields = {name: flat[name] for name in _ANSWERED if name in flat}
    for said, instead in (("displayName", "userName" in fields), ("id", exchange.method == "PATCH")):
        if instead:
            fields.pop(said, None)
    if members := fields.get("members"):
        fields["members"] = [member["value"] for member in members]
    return f"{exchange.status} {compact(fields)}"


def path_of(exchange: Exchange) -> str:
    """What follows the Tenant URL, readable."""
    return urllib.parse.unquote_plus(re.sub(r"^.*?/scim/v2/[^/]+", "", exchange.url))


def kind_of(exchange: Exchange) -> str:
    """Equal for requests that differ in names and values alone; a read is a read."""
    if exchange.method == "GET":
        return "GET"
    path = re.sub(r'"[^"]*"', '""', _UUID.sub("ID", path_of(exchange)))
    operations = (exchange.body or {}).get("Operations", [])
    shapes = [item["op"] + re.sub(r"\[.*", "[]", item.get("path", "")) for item in operations]
    return " ".join([exchange.method, path, *shapes])


def compact(value: Any) -> str:
    """JSON, less what only machines need: quotes around keys, schemas and resource types, long ids."""
    if isinstance(value, dict):
        value = {name: item for name, item in value.items() if name not in _FORMAL}
    return short(_KEY.sub(r"\1: ", json.dumps(value, ensure_ascii=False)))


def short(text: str) -> str:
    """UUIDs by their first digits, URNs by their ends."""
    return _URN.sub("urn:…:", _UUID.sub(r"\1…", text))
