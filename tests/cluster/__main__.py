"""``python -m tests.cluster``: build, start, look at and stop a cluster from a shell."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.tool import ToolError
from tests.cluster.waiting import ClusterError


def main() -> int:
    """Run one command; 0 fine, 1 failed, 2 usage."""
    options = _parser().parse_args()
    try:
        return _COMMANDS[options.command](options)
    except (ClusterError, ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the programs into the cache, print where they are")
    up = commands.add_parser("up", help="start a cluster and leave it running")
    up.add_argument("--durable", action="store_true", help="let etcd wait for the disk, as in production")
    down = commands.add_parser("down", help="stop it; its logs stay until the next start")
    status = commands.add_parser("status", help="what runs, where, since which log; 1 when it isn't up")
    token = commands.add_parser(
        "token", help="print a person's token, as the identity provider would issue it"
    )
    token.add_argument("username", help="becomes the Kubernetes user name as it is")
    token.add_argument("--group", action="append", default=[], help="a group of that person; may be repeated")
    token.add_argument("--seconds", type=int, default=3600, help="how long it is valid (default: 3600)")
    for command in (up, down, status, token):
        command.add_argument(
            "--state", type=Path, default=Path(".cluster"), help="its folder (default: .cluster)"
        )
    return parser


def _build(_: argparse.Namespace) -> int:
    programs = build()
    for name, path in programs.paths.items():
        print(f"{name:24} {programs.versions[name]:9} {path}")
    return 0


def _up(options: argparse.Namespace) -> int:
    state: Path = options.state
    if (state / "cluster.json").exists() and (cluster := Cluster.load(state)).is_up:
        print(f"already up at {cluster.server}")
    else:
        began = time.monotonic()
        if (state / "cluster.json").exists():
            # Half of it may still run, after a crash or a kill.
            Cluster.load(state).stop()
        cluster = Cluster.start(state, durable=options.durable)
        print(f"up at {cluster.server} in {time.monotonic() - began:.1f} s")
    print(f"kubectl and helm for it:  . {state / 'env'}")
    print(f"kubeconfig of the admin:  {cluster.kubeconfig}")
    print(f"a person's token:         python -m tests.cluster token alice@example.com --state {state}")
    print(f"stop it:                  python -m tests.cluster down --state {state}")
    return 0


def _down(options: argparse.Namespace) -> int:
    cluster = Cluster.load(options.state)
    running = [process.name for process in cluster.processes.values() if process.is_alive]
    cluster.stop()
    print(f"stopped {', '.join(running)}" if running else "nothing was running")
    return 0


def _status(options: argparse.Namespace) -> int:
    cluster = Cluster.load(options.state)
    print(
        f"{cluster.server}  Kubernetes {cluster.versions['kube-apiserver']}  kubeconfig {cluster.kubeconfig}"
    )
    for process in cluster.processes.values():
        state = f"pid {process.pid}" if process.is_alive else "ended"
        print(f"{process.name:24} {state:12} {process.log}")
    return 0 if cluster.is_up else 1


def _token(options: argparse.Namespace) -> int:
    cluster = Cluster.load(options.state)
    print(cluster.person_token(options.username, options.group, options.seconds))
    return 0


_COMMANDS = {"build": _build, "up": _up, "down": _down, "status": _status, "token": _token}

if __name__ == "__main__":
    sys.exit(main())
