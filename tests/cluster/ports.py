"""Free TCP ports on loopback."""

from __future__ import annotations

import os
import random
import socket

# Below the range from which kernels hand out ports to outgoing connections (32768 on Linux): a port found
# free stays free until the server, started a moment later, binds it. Above what people's own servers use.
_FIRST, _LAST = 20000, 29999
# Some are bound only seconds later, such as the operator's after `helm install`: workers of a test run, and
# what these start, look in parts of their own.
_PARTS = 4
# By this process: what is to listen there may be started only after others have looked.
_given: set[int] = set()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Find ports that nobody listens on, none of them twice; random, so that clusters of several processes
    hardly ever meet.
    """
    found: list[int] = []
    for port in random.sample(_part(), len(_part())):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(
        f"no {count} free ports between {_FIRST} and {_LAST} on {host}; what listens on them all?"
    )


def _part() -> range:
    """pytest-xdist's workers are gw0, gw1, …; without it there is one, who has the first part."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
    size = (_LAST + 1 - _FIRST) // _PARTS
    return range(_FIRST + number * size, _FIRST + (number + 1) * size)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0
