"""The node's network: an address that nothing outside of the namespace knows, and a way to Services."""

from __future__ import annotations

import subprocess
from pathlib import Path

ADDRESS = "10.200.0.1"
PODS = "10.244.0.0/24"

_FORWARDING = ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables")
_COMMANDS = (
    "link set lo up",
    f"address add {ADDRESS}/32 dev lo",
    # It leads nowhere: without any route a Service's address is refused before kube-proxy's rules see it.
    f"route add default dev lo src {ADDRESS}",
)


def set_up() -> None:
    """In an empty namespace."""
    for command in _COMMANDS:
        subprocess.run(["ip", *command.split()], check=True)
    for name in _FORWARDING:
        Path("/proc/sys", name).write_text("1")
