"""Ports are given once: what is to listen on one may be started only after others have looked for theirs."""

from __future__ import annotations

from tests.cluster.ports import free_ports


def test_no_port_is_given_twice() -> None:
    given = [port for _ in range(100) for port in free_ports(4)]
    assert len(set(given)) == len(given)
