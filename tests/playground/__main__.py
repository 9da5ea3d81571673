"""`python -m tests.playground up|down|token-for`: exit codes 0 fine, 1 failed, 2 usage, 130 interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.cluster.tool import ToolError
from tests.playground import playground
from tests.playground.place import BROKEN
from tests.playground.record import Record


def main() -> int:
    """Run one command."""
    parser = _parser()
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what it puts in the background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    state: Path = options.state.resolve()
    try:
        if options.command == "up":
            print(playground.up(state, _asked(parser, options)))
        elif options.command == "down":
            print("\n".join(playground.down(state)))
        elif not options.user:
            parser.error("say whose token: make -s token-for USER=alice@example.com")
        else:
            print(playground.token_for(state, options.user, options.groups))
    except (*BROKEN, ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.playground", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".cluster"), help="its folder (default: .cluster)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up", help="cluster, chart and operator, left running; does nothing when they run"
    )
    where = up.add_mutually_exclusive_group()
    where.add_argument("--cluster", choices=("own", "kind"), help="a control plane of its own, or kind's")
    where.add_argument("--kubeconfig", help="the cluster of this file instead")
    commands.add_parser("down", help="stop all of it")
    token = commands.add_parser("token-for", help="print a person's token for the API server")
    token.add_argument("--user", help="the user name that the API server will see")
    token.add_argument("--groups", type=_names, default=[], help="for the claim of that name: a,b")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _asked(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Record | None:
    if options.kubeconfig is not None:
        if not options.kubeconfig:
            parser.error("KUBECONFIG= is empty: name a file; plain `make up` makes a cluster of its own")
        path = Path(options.kubeconfig).expanduser().resolve()
        if not path.is_file():
            parser.error(f"KUBECONFIG={options.kubeconfig}: there is no such file (one file, no list)")
        return Record("kubeconfig", kubeconfig=str(path))
    return Record(options.cluster) if options.cluster else None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
