"""How long the machine's clock has gone on without being set: what can't be undone waits for that.

Between two looks the wall clock and the monotonic one move by the same; a difference of more than some
seconds is somebody who set the clock, or a machine that slept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

_STEP_SECONDS = 30.0


class Clock:
    """`wall`: seconds since 1970, `monotonic`: seconds since whenever."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._since = monotonic()
        self._ahead = wall() - self._since

    def steady(self) -> float:
        """Seconds since it was last set, or since this process began and can tell."""
        now = self._monotonic()
        ahead = self._wall() - now
        step, self._ahead = ahead - self._ahead, ahead
        if abs(step) > _STEP_SECONDS:
            self._since = now
            log.warning(
                "the machine's clock was set: unused namespaces are deleted an hour later at the earliest",
                extra={"seconds": round(step)},
            )
        return now - self._since
