"""An API server that dies to us at one of our writes, before it or after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scim_operator.kube.errors import ApiError
from tests.directory.api_server import ApiServer, Object

_CUT = ApiError(0, "Unreachable", "ServerDisconnectedError")


class DyingApiServer(ApiServer):
    """`strike` says at which write from now on (1: the next), `applied` whether that one still counts. From
    then on it is away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strike = 0
        self.applied = False
        self.count = 0

    def alive(self) -> None:
        """It is there, and dies no more."""
        self.strike, self.away = 0, False

    async def create(self, *arguments: Any, **more: Any) -> Object:
        made: Object = await self._write(super().create, *arguments, **more)
        return made

    async def replace(self, *arguments: Any, **more: Any) -> Object:
        made: Object = await self._write(super().replace, *arguments, **more)
        return made

    async def delete(self, *arguments: Any, **more: Any) -> None:
        await self._write(super().delete, *arguments, **more)

    async def _write(self, write: Callable[..., Awaitable[Any]], *arguments: Any, **more: Any) -> Any:
        self.count += 1
        struck = self.count == self.strike
        if struck and not self.applied:
            self.away = True
        done = await write(*arguments, **more)
        if struck:
            self.away = True
            raise _CUT
        return done
