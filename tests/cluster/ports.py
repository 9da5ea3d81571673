"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket

# Below the range from which kernels hand out ports to outgoing connections (32768 on Linux): a port found
# free stays free until the server, started a moment later, binds it. Above what people's own servers use.
_FIRST, _LAST = 20000, 29999


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Find ports that nobody listens on; random, so that clusters starting at once hardly ever meet."""
    found: list[int] = []
    for port in random.sample(range(_FIRST, _LAST + 1), 500):
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(
        f"no {count} free ports between {_FIRST} and {_LAST} on {host}; what listens on them all?"
    )


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0
